package xds_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// layer is what an Envoy asks for first: a runtime layer, of which it may hold
// nothing though it has been running for long.
func layer(st *xdstest.Stream) {
	st.Subscribe(mesh.Runtime, "layer")
	st.Ack(st.Next())
}

// takesNothingYet checks that a response brings the new cluster and leaves the
// old one alone.
func takesNothingYet(t *testing.T, r xdstest.Response, delta bool) {
	t.Helper()
	if _, ok := r.Resources["new"]; r.Type != mesh.Cluster || !ok || len(r.Removed) > 0 || !delta && r.Resources["app"] == nil {
		t.Fatalf("got %s, want the new cluster beside the old", r)
	}
}

// A node that comes back in the middle of a rollout, and asks first for a type
// of which it holds nothing, is not taken for one that has just started.
func TestComesBackWithAnEmptyType(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		layer(st)
		st.Subscribe(mesh.Cluster)
		held := st.Next()
		st.Ack(held)
		s.until("it has its clusters", func(st *xds.State) bool { return st.Node("envoy-1").Types[mesh.Cluster].Acked.Version != "" })
		s.underWay(2, with(t, shop(t).Without(clusterKey("app")), cluster("new", time.Second)))
		st.Next()
		st.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
		back := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		layer(back)
		back.Resume(mesh.Cluster, held.Version, xdstest.Held(held))
		r := back.Next()
		takesNothingYet(t, r, delta)
		back.Ack(r)
		back.Ack(takesApp(t, back, delta))
		s.through("envoy-1", 2, engine.Accepted)
	})
}

// A server that has just started leads it on from what its forerunner served.
func TestIsLedOnWithAnEmptyType(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(after(shop(t), 2, with(t, shop(t).Without(clusterKey("app")), cluster("new", time.Second))))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		layer(st)
		st.Resume(mesh.Cluster, "of-another-server-4", map[string]string{
			"app": shop(t).Get(clusterKey("app")).Hash(), "legacy": shop(t).Get(clusterKey("legacy")).Hash(),
		})
		r := st.Next()
		takesNothingYet(t, r, delta)
		st.Ack(r)
		st.Ack(takesApp(t, st, delta))
		s.through("envoy-1", 2, engine.Accepted)
	})
}

// A process that is new says so with the next type, of which it would hold
// something were it old: it is given what the revision says, and nothing else.
func TestStartsAnewWithAnEmptyType(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		s.underWay(2, with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")), cluster("new", time.Second), endpoints("new", 9009)))
		st.Next()
		anew := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		layer(anew)
		anew.Subscribe(mesh.Cluster)
		r := anew.Next()
		mustBe(t, r, mesh.Cluster, "legacy", "new")
		anew.Ack(r)
		s.through("envoy-1", 2, engine.Accepted)
	})
}
