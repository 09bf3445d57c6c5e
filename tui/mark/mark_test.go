package mark_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

var (
	now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key = mesh.Key{Type: mesh.Cluster, Name: "app"}
)

func TestState(t *testing.T) {
	served := xds.Fact{Version: "v2", At: now.Add(-time.Minute)}
	acked := xds.ResourceStatus{Hash: "h", Served: served, Acked: served}
	active := func(s envoy.ActiveState, ago time.Duration) *envoy.Facts {
		return &envoy.Facts{At: now.Add(-ago), Active: map[mesh.Key]envoy.Active{key: {State: s}}}
	}
	tests := []struct {
		name   string
		status *xds.ResourceStatus
		gone   bool
		hash   string
		facts  *envoy.Facts
		want   mark.State
		stale  bool
	}{
		{"never asked for", nil, false, "h", nil, mark.NotAsked, false},
		{"sent and unanswered", &xds.ResourceStatus{Hash: "h", Served: served}, false, "h", nil, mark.Sent, false},
		{"an older version was ACKed", &xds.ResourceStatus{Hash: "h", Served: served, Acked: xds.Fact{Version: "v1", At: now}}, false, "h", nil, mark.Sent, false},
		{"ACKed and out of sight", &acked, false, "h", nil, mark.Acked, false},
		{"ACKed, admin shows nothing of this type", &acked, false, "h", active(envoy.NotObservable, 0), mark.Acked, false},
		{"active", &acked, false, "h", active(envoy.ActiveSame, 0), mark.Active, false},
		{"active when last seen", &acked, false, "h", active(envoy.ActiveSame, time.Minute), mark.Active, true},
		{"ACKed and absent", &acked, false, "h", active(envoy.Absent, 0), mark.NotActive, false},
		{"ACKed, something else runs", &acked, false, "h", active(envoy.ActiveOther, 0), mark.Differs, false},
		{"warming before its ACK", &xds.ResourceStatus{Hash: "h", Served: served}, false, "h", active(envoy.Warming, 0), mark.Warming, false},
		{"a newer revision is still to be sent", &acked, false, "newer", active(envoy.ActiveSame, 0), mark.Waiting, false},
		{"rejected, whatever runs", &xds.ResourceStatus{Hash: "h", Served: served, Acked: served, Rejected: &xds.Rejection{}}, false, "h", active(envoy.ActiveSame, time.Minute), mark.Rejected, false},
		{"the node has left", &acked, true, "h", active(envoy.ActiveSame, 0), mark.Offline, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &xds.Node{ID: "a", Connected: !tt.gone}
			if tt.status != nil {
				n.Resources = n.Resources.With(key, *tt.status)
			}
			s, count, stale := mark.Worst(key, tt.hash, []*xds.Node{n}, mark.Look{Facts: func(string) *envoy.Facts { return tt.facts }}, now)
			if s != tt.want || count != 1 || stale != tt.stale {
				t.Errorf("%s, %d nodes, stale %t; want %s, stale %t", s.Word(), count, stale, tt.want.Word(), tt.stale)
			}
		})
	}
}

func TestWorstCounts(t *testing.T) {
	served := xds.Fact{Version: "v2", At: now}
	node := func(id string, rejected bool) *xds.Node {
		st := xds.ResourceStatus{Served: served, Acked: served}
		if rejected {
			st.Rejected = &xds.Rejection{}
		}
		return &xds.Node{ID: id, Connected: true, Resources: xds.Resources{}.With(key, st)}
	}
	nodes := []*xds.Node{node("a", false), node("b", true), node("c", true)}
	s, count, _ := mark.Worst(key, "", nodes, mark.Look{Facts: func(string) *envoy.Facts { return nil }}, now)
	if s != mark.Rejected || count != 2 {
		t.Errorf("%s on %d", s.Word(), count)
	}
	if s, count, _ = mark.Worst(key, "", nil, mark.Look{}, now); s != mark.NoNode || count != 0 {
		t.Errorf("without nodes: %s on %d", s.Word(), count)
	}
}

func TestEndpointWords(t *testing.T) {
	for h := envoy.HealthUnknown; h <= envoy.EDSUnhealthy; h++ {
		var e mark.Endpoint
		e.Add(&envoy.Endpoint{Health: h}, false)
		if w := e.Word(); w == "" || len(w) > 15 {
			t.Errorf("%v: %q", h, w)
		}
	}
	var e mark.Endpoint
	e.Add(&envoy.Endpoint{Health: envoy.Healthy, Requests: 2}, false)
	e.Add(&envoy.Endpoint{Health: envoy.CheckFailed, Why: "connection refused", Requests: 3}, false)
	if e.Word() != "refused" || e.Count != 1 || e.Nodes != 2 || e.Requests != 5 {
		t.Errorf("%q %+v", e.Word(), e)
	}
}

// A verdict is drawn as it is; that one of two nodes took the last request does
// not make it stand out.
func TestVerdicts(t *testing.T) {
	words := map[truth.Verdict]string{truth.Rejected: "rejected", truth.Overridden: "overridden", truth.Drifted: "drifted", truth.Missing: "not active", truth.Stuck: "stuck",
		truth.Unsent: "waiting", truth.Sent: "sent", truth.WaitingToWarm: "warming", truth.Unasked: "not asked for", truth.PassedOver: "passed over",
		truth.Unobservable: "ACKed", truth.Active: "active", truth.Carrying: "active"}
	for v := truth.Rejected; v <= truth.Carrying; v++ {
		look := mark.Look{Facts: func(string) *envoy.Facts { return nil }, Truth: func(node string, _ mesh.Key) *truth.Resource {
			if node == "b" && v == truth.Carrying {
				return &truth.Resource{Key: key, Verdict: truth.Active}
			}
			return &truth.Resource{Key: key, Verdict: v}
		}}
		s, count, _ := mark.Worst(key, "", []*xds.Node{{ID: "a", Connected: true}, {ID: "b", Connected: true}}, look, now)
		if s.Short() != words[v] || count != 2 {
			t.Errorf("%s: %q on %d", v, s.Short(), count)
		}
		if len(s.Short()) > 13 {
			t.Errorf("%q is too long", s.Short())
		}
		gone, _, _ := mark.Worst(key, "", []*xds.Node{{ID: "a"}}, look, now)
		if want := v == truth.Rejected; (gone == mark.Rejected) != want || !want && gone != mark.Offline {
			t.Errorf("%s on a node that left: %s", v, gone.Word())
		}
	}
}
