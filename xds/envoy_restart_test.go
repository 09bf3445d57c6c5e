package xds_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// after is a revision that comes after another one that was accepted.
func after(base *mesh.Mesh, number int, m *mesh.Mesh) *engine.Revision {
	r := revision(number, m)
	r.Base = revision(number-1, base)
	return r
}

// The server goes away under load, and another one comes with other content: it
// knows what was served before, and leads Envoy from there.
func TestEnvoyIsLedOnAfterRestart(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		lost, sent, _ := restarts(t, delta, true, 8)
		if lost > 0 {
			t.Errorf("%d of %d requests failed", lost, sent)
		}
		t.Logf("%d requests over 8 restarts, none failed", sent)
	})
}

// The control run: a server that knows nothing of what was before loses some.
func TestEnvoyLosesRequestsAfterRestartWithoutBase(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		lost, sent, done := restarts(t, delta, false, 60)
		if lost == 0 {
			t.Errorf("%d restarts lost none of %d requests", done, sent)
		}
	})
}

// restarts puts the server on anew, blue and green in turn, until requests are
// lost or it was done so often.
func restarts(t *testing.T, delta, base bool, most int) (lost, sent int64, done int) {
	j := startJourney(t, delta, xds.Options{})
	l := startLoad(t, urlOf(j.front))
	now := j.served
	colours := []string{"blue", "green"}
	for done < most && lost == 0 {
		was, is := colours[done%2], colours[(done+1)%2]
		l.flow(t, 100)
		now.stop()
		now = serveAt(t, now.addr, xds.Options{})
		r := after(j.mesh(was, cluster(was, time.Second)), 2, j.mesh(is, cluster(is, time.Second)))
		if !base {
			r.Base = nil
		}
		now.Publish(r)
		now.through("envoy-1", 2, engine.Accepted)
		l.flow(t, 100)
		done++
		lost = l.bad.Load()
	}
	return lost, l.sent.Load(), done
}

// Step by step: what a node holds comes first, with what it will need; then
// traffic moves; then what nobody needs goes.
func TestRestartMakesBeforeItBreaks(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		old := shop(t)
		next := with(t, old.Without(clusterKey("app")).Without(endpointKey("app")),
			cluster("new", time.Second), endpoints("new", 9009), route("local", "new"))
		s := serve(t, xds.Options{})
		s.Publish(after(old, 7, next))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Resume(mesh.Cluster, "of-another-server-4", map[string]string{
			"app": old.Get(clusterKey("app")).Hash(), "legacy": old.Get(clusterKey("legacy")).Hash(),
		})
		r := st.Next()
		if delta {
			mustBe(t, r, mesh.Cluster, "new")
		} else {
			mustBe(t, r, mesh.Cluster, "app", "legacy", "new")
		}
		if len(r.Removed) > 0 {
			t.Fatalf("it takes away at once: %s", r)
		}
		st.Resume(mesh.Route, "of-another-server-3", map[string]string{"local": old.Get(key(mesh.Route, "local")).Hash()}, "local")
		st.Ack(st.Next()) // the route as it was, or in delta nothing
		// A newer revision does not forget what the node had: the route moves
		// first, and then goes what it used.
		s.Publish(revision(8, with(t, next, endpoints("new", 9010))))
		s.until("it is under way", func(x *xds.State) bool { return x.Node("envoy-1").Rollout.Revision == 8 })
		st.Ack(r)
		r = st.Next()
		mustBe(t, r, mesh.Route, "local")
		mustBeQuiet(t, st)
		st.Ack(r)
		r = st.Next()
		if delta && (len(r.Removed) != 1 || r.Removed[0] != "app") || !delta && r.Resources["app"] != nil {
			t.Fatalf("got %s, want the old cluster gone", r)
		}
		st.Ack(r)
		s.through("envoy-1", 8, engine.Accepted)
	})
}

// With the same content as before, a node that holds it is told little: in delta
// nothing, and yet all of it is known and acknowledged.
func TestRestartKnowsWhatANodeHolds(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		r := revision(3, shop(t))
		r.Outcome.Result = engine.Accepted
		s.Publish(r)
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		held := map[string]string{}
		for _, c := range shop(t).List(mesh.Cluster) {
			held[c.Key.Name] = c.Hash()
		}
		st.Resume(mesh.Cluster, "of-another-server-4", held)
		first := st.Next()
		if delta {
			mustBe(t, first, mesh.Cluster)
		}
		st.Ack(first)
		n := s.through("envoy-1", 3, engine.Accepted)
		for name := range held {
			if got := n.Resources.Get(clusterKey(name)); got.Acked == (xds.Fact{}) || got.Hash != held[name] {
				t.Errorf("%s: %+v", name, got)
			}
			if s.Served("envoy-1")[clusterKey(name)] == nil {
				t.Errorf("%s counts as not served", name)
			}
		}
	})
}
