package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// When the reader of the events goes away, that is an orderly end.
func TestTheReaderGoesAway(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	s := &serving{printer: printer{out: w}}
	if err := s.printAll([]event{{Event: "listening"}}); !errors.Is(err, errReaderGone) {
		t.Errorf("it says %v", err)
	}
}

// A finding is told once for as long as it stands.
func TestFindingsAreToldOnce(t *testing.T) {
	s := &serving{}
	a, b := mesh.Finding{Rule: "a"}, mesh.Finding{Rule: "b"}
	for i, step := range []struct {
		stand []mesh.Finding
		told  int
	}{{[]mesh.Finding{a, a}, 1}, {[]mesh.Finding{a, b}, 1}, {nil, 0}, {[]mesh.Finding{a}, 1}} {
		if got := len(s.told.news(time.Time{}, step.stand)); got != step.told {
			t.Errorf("step %d: %d told, want %d", i, got, step.told)
		}
	}
}

// A node that comes back has everything to prove again, and what is known of
// one that is gone does not pile up.
func TestTheNarratorForgetsWhoLeft(t *testing.T) {
	n := newNarrator(nil)
	key := mesh.Key{Type: mesh.Cluster, Name: "app"}
	at := time.Unix(100, 0)
	node := &xds.Node{ID: "edge", Resources: xds.Resources{}.With(key, xds.ResourceStatus{Hash: "h", Served: xds.Fact{Version: "v1", At: at}})}
	facts := &envoy.Facts{At: at.Add(time.Second), Active: map[mesh.Key]envoy.Active{key: {State: envoy.ActiveSame}}}
	n.message(xds.Message{Kind: xds.Connected, Node: "edge"})
	if got := n.facts(node, facts); len(got) != 1 || got[0].Event != "active" || got[0].Version != "v1" {
		t.Fatalf("told %+v", got)
	}
	if got := n.facts(node, facts); len(got) != 0 {
		t.Errorf("told twice: %+v", got)
	}
	if e, ok := n.message(xds.Message{Kind: xds.Disconnected, Node: "edge"}); !ok || e.Event != "disconnected" {
		t.Errorf("told %+v", e)
	}
	if len(n.streams)+len(n.active)+len(n.warming) != 0 {
		t.Errorf("remembers %+v", n)
	}
	n.message(xds.Message{Kind: xds.Connected, Node: "edge"})
	if got := n.facts(node, facts); len(got) != 1 {
		t.Errorf("after it came back: %+v", got)
	}
}
