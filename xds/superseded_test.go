package xds_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// follower is a scripted node that has taken shop, and asked for everything.
func follower(t *testing.T, s *served, delta bool) *xdstest.Stream {
	t.Helper()
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, delta)
	for typ, names := range map[mesh.Type][]string{mesh.Listener: nil, mesh.Route: {"local"}, mesh.Endpoints: {"app", "legacy", "new"}} {
		st.Subscribe(typ, names...)
		st.Ack(st.Next())
	}
	mustBeQuiet(t, st)
	return st
}

// underWay publishes, and waits until the node's rollout has turned to it.
func (s *served) underWay(number int, m *mesh.Mesh) {
	s.t.Helper()
	s.Publish(revision(number, m))
	s.until("it is under way", func(st *xds.State) bool { return st.Node("envoy-1").Rollout.Revision == number })
}

// A listener gets another name, and its old one back before the node has
// answered: its port is never without a listener.
func TestRenameTakenBackUnanswered(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		s.underWay(2, with(t, shop(t).Without(key(mesh.Listener, "web")), listener(t, "door", 10000, "local")))
		renamed := st.Next()
		mustBe(t, renamed, mesh.Listener, "door")
		s.underWay(3, with(t, shop(t), cluster("more", time.Second)))
		r := st.Next()
		mustBe(t, r, mesh.Cluster, moreOf(delta)...)
		st.Ack(r)
		back := st.Next()
		mustBe(t, back, mesh.Listener, "web")
		if delta && (len(back.Removed) != 1 || back.Removed[0] != "door") {
			t.Errorf("door does not leave as web comes: %s", back)
		}
		if delta {
			st.Ack(renamed)
		}
		st.Ack(back)
		s.through("envoy-1", 3, engine.Accepted)
	})
}

func moreOf(delta bool) []string {
	if delta {
		return []string{"more"}
	}
	return []string{"app", "legacy", "more"}
}

// Traffic is on its way elsewhere, and the node has not said that it has gone:
// what it leaves is not taken away, whichever revision says so.
func TestNothingIsTakenFromUnderUnansweredRoutes(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		s.underWay(2, with(t, shop(t), route("local", "legacy")))
		moved := st.Next()
		mustBe(t, moved, mesh.Route, "local")
		s.underWay(3, with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")), route("local", "legacy")))
		mustBeQuiet(t, st)
		s.underWay(4, with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")), route("local", "legacy")))
		mustBeQuiet(t, st)
		st.Ack(moved)
		st.Ack(takesApp(t, st, delta))
		ackRest(st)
		s.through("envoy-1", 4, engine.Accepted)
	})
}

func takesApp(t *testing.T, st *xdstest.Stream, delta bool) xdstest.Response {
	t.Helper()
	r := st.Next()
	if r.Type != mesh.Cluster || r.Resources["app"] != nil || delta && len(r.Removed) != 1 {
		t.Fatalf("got %s, want app gone", r)
	}
	return r
}

func ackRest(st *xdstest.Stream) {
	for _, r := range st.Barrier() {
		st.Ack(r)
	}
}

// Traffic is not led to a cluster that the node has not taken yet, though an
// earlier revision brought it.
func TestNoRouteLeadsToAnUnansweredCluster(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		more := with(t, shop(t), cluster("new", time.Second), endpoints("new", 9009))
		s.underWay(2, more)
		made := st.Next()
		if made.Type != mesh.Cluster {
			t.Fatalf("got %s", made)
		}
		warm := st.Next()
		mustBe(t, warm, mesh.Endpoints, "new")
		s.underWay(3, with(t, more, route("local", "new")))
		mustBeQuiet(t, st)
		st.Ack(made)
		mustBeQuiet(t, st)
		st.Ack(warm)
		r := st.Next()
		mustBe(t, r, mesh.Route, "local")
		st.Ack(r)
		s.through("envoy-1", 3, engine.Accepted)
	})
}

// The routes that a node keeps, because it refused their successors, go on
// having what they lead to.
func TestRefusedRoutesKeepTheirClusters(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		s.underWay(2, with(t, shop(t), route("local", "legacy")))
		st.Nack(st.Next(), "no local")
		s.through("envoy-1", 2, engine.Rejected)
		s.underWay(3, with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")), route("local", "legacy")))
		s.through("envoy-1", 3, engine.Rejected)
		mustBeQuiet(t, st)
	})
}

// The first that a node was given is unanswered too: what its routes may lead
// to stays until they lead elsewhere.
func TestFirstAnswersMayBeLate(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		first := st.Next()
		st.Subscribe(mesh.Listener)
		listeners := st.Next()
		st.Subscribe(mesh.Route, "local")
		routes := st.Next()
		s.underWay(2, with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")), route("local", "legacy")))
		mustBeQuiet(t, st)
		st.Ack(first)
		st.Ack(listeners)
		st.Ack(routes)
		moved := st.Next()
		mustBe(t, moved, mesh.Route, "local")
		mustBeQuiet(t, st)
		st.Ack(moved)
		st.Ack(takesApp(t, st, delta))
		s.through("envoy-1", 2, engine.Accepted)
	})
}
