package probe

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/xds/envoy"
)

func TestMoved(t *testing.T) {
	before := []envoy.Endpoint{{Cluster: "a", Address: "1", Requests: 5}, {Cluster: "a", Address: "2", Requests: 7}, {Cluster: "b", Address: "1", Requests: 9}}
	after := []envoy.Endpoint{{Cluster: "a", Address: "1", Requests: 6}, {Cluster: "a", Address: "2", Requests: 7},
		{Cluster: "b", Address: "1", Requests: 2}, {Cluster: "c", Address: "1", Requests: 1}, {Cluster: "c", Address: "2"}}
	got := moved(before, after)
	want := []Moved{{"a", "1", 1}, {"b", "1", 2}, {"c", "1", 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	o := Observed{Counted: true, Moved: got}
	if d := cmp.Diff([]string{"a", "b", "c"}, o.Clusters()); d != "" || !o.Busy() {
		t.Errorf("busy %v, clusters %s", o.Busy(), d)
	}
	quiet := Observed{Counted: true}
	if quiet.Busy() || quiet.Clusters() == nil || len(quiet.Clusters()) != 0 {
		t.Error("no movement is known, and is none")
	}
	if (&Observed{}).Clusters() != nil {
		t.Error("without counters nothing is known")
	}
}

func TestObserveWithoutAdmin(t *testing.T) {
	address, _ := serve(t, "HTTP/1.1 204 No Content\r\n\r\n")
	o, err := Observe(within(t), address, "", match.Request{})
	if err != nil || o.Answer.Status != 204 || o.Counted {
		t.Errorf("%+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o, err := Observe(ctx, address, "unix:/nowhere", match.Request{}); err == nil || o.Counted {
		t.Errorf("%+v, %v", o, err)
	}
}
