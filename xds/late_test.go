package xds_test

import (
	"slices"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// Clusters are refused when the correction is on its way already. What both have
// in common is new to a node that took nothing of the first: it warms them, and
// gets endpoints behind them.
func TestEndpointsFollowWhatWasRefusedLate(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Subscribe(mesh.Endpoints, "app", "legacy")
	st.Ack(st.Next())
	changed := with(t, shop(t), cluster("app", 5*time.Second))
	s.Publish(revision(2, with(t, changed, cluster("bad", time.Second))))
	refused := st.Next()
	r := st.Next()
	mustBe(t, r, mesh.Endpoints, "app")
	st.Ack(r)
	s.Publish(revision(3, changed))
	correction := st.Next()
	mustBe(t, correction, mesh.Cluster, "app", "legacy")
	mustBeQuiet(t, st)
	st.Nack(refused, reason)
	r = st.Next()
	mustBe(t, r, mesh.Endpoints, "app")
	st.Ack(r)
	st.Ack(correction)
	s.through("envoy-1", 3, engine.Accepted)
	mustBeQuiet(t, st)
}

// What a node that comes back was given, before it was found to be a new process,
// and what is not offered any more then, is taken back.
func TestNewProcessIsFoundOutLate(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, with(t, shop(t), route("local", "legacy"))))
		old := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		old.Subscribe(mesh.Endpoints, "app")
		old.Ack(old.Next())
		old.Subscribe(mesh.Cluster)
		mustBe(t, old.Next(), mesh.Cluster, "app", "legacy")
		mustBe(t, old.Next(), mesh.Endpoints, "app")
		old.Subscribe(mesh.Route, "local")
		mustBe(t, old.Next(), mesh.Route, "local")
		s.underWay(2, with(t, shop(t).Without(clusterKey("legacy")).Without(endpointKey("legacy")), cluster("new", time.Second), endpoints("new", 9004)))
		old.Close()
		s.until("it left", func(x *xds.State) bool { return !x.Node("envoy-1").Connected })

		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		first := st.Next()
		mustBe(t, first, mesh.Cluster, "app", "legacy", "new") // legacy leaves when the others have come
		st.Subscribe(mesh.Endpoints, "app", "new")
		r := st.Next()
		for ; r.Type != mesh.Cluster; r = st.Next() {
			st.Ack(r)
		}
		mustBe(t, r, mesh.Cluster, "app", "new")
		if delta {
			if !slices.Equal(r.Removed, []string{"legacy"}) {
				t.Errorf("removed are %q", r.Removed)
			}
			st.Ack(first)
		}
		st.Ack(r)
		for _, r := range st.Barrier() {
			st.Ack(r)
		}
		s.through("envoy-1", 2, engine.Accepted)
	})
}
