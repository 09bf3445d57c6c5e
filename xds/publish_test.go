package xds_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// first is a revision that goes to some nodes only, beside what the others have.
func first(r, rest *engine.Revision, only ...string) *engine.Revision {
	r.Only, r.Rest = only, rest
	return r
}

// widened is the revision for all nodes.
func widened(r *engine.Revision) *engine.Revision {
	all := *r
	all.Only, all.Rest = nil, nil
	return &all
}

func (s *served) envoy(id string, delta bool) *xdstest.Envoy {
	s.t.Helper()
	return xdstest.StartEnvoy(s.t, s.addr, xdstest.Config{ID: id, Delta: delta}, xdstest.EnvoyOptions{})
}

func has(name string) func(map[mesh.Key]*anypb.Any) bool {
	return func(h map[mesh.Key]*anypb.Any) bool { return h[clusterKey(name)] != nil }
}

// mustHave checks what a node is to have, by revision and by content.
func (s *served) mustHave(node string, revision int, cluster string, want bool) {
	s.t.Helper()
	n := s.through(node, revision, engine.Accepted)
	if got := n.Resources.Has(clusterKey(cluster)); n.Revision != revision || got != want {
		s.t.Errorf("%s is to have revision %d, and %s: %v", node, n.Revision, cluster, got)
	}
}

// A revision goes to chosen nodes, one that connects later too; then to the rest,
// and those that have it are told nothing.
func TestChosenNodesFirst(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		r1 := revision(1, shop(t))
		s.Publish(r1)
		canary, other := s.envoy("canary-1", delta), s.envoy("web-1", delta)
		s.mustHave("canary-1", 1, "new", false)
		s.mustHave("web-1", 1, "new", false)

		r2 := first(revision(2, with(t, shop(t), cluster("new", time.Second), endpoints("new", 9009))), r1, "canary-*")
		s.Publish(r2)
		s.mustHave("canary-1", 2, "new", true)
		if o := s.said(2, engine.Accepted); o.Nodes != 1 {
			t.Errorf("it went to one node; counted are %+v", o)
		}
		s.envoy("canary-2", delta)
		s.envoy("web-2", delta)
		s.mustHave("canary-2", 2, "new", true)
		s.mustHave("web-2", 1, "new", false)
		s.mustHave("web-1", 1, "new", false)

		told := len(canary.Took())
		s.Publish(widened(r2))
		s.mustHave("web-1", 2, "new", true)
		s.mustHave("web-2", 2, "new", true)
		other.Await("have the new cluster", has("new"))
		s.awaits("all four have it", func() bool {
			last := s.outcomes[len(s.outcomes)-1]
			return last.Revision == 2 && last.Outcome.Result == engine.Accepted && last.Outcome.Nodes == 4
		})
		if again := canary.Took()[told:]; len(again) > 0 {
			t.Errorf("a node that had it was told %v", again)
		}
		s.mu.Lock()
		for _, o := range s.outcomes {
			if o.Revision == 2 && o.Outcome.Result == engine.Superseded {
				t.Errorf("%d superseded itself", o.Revision)
			}
		}
		s.mu.Unlock()
		s.Publish(first(revision(2, shop(t)), r1, "canary-*")) // it went to all: it cannot be narrowed
		s.Publish(r1)
		if got := s.State().Node("web-1").Revision; got != 2 {
			t.Errorf("web-1 is to have revision %d", got)
		}
	})
}

// A limited revision that is undone takes its nodes back, and the others notice
// nothing; a newer one for other nodes does the same.
func TestLimitedRevisionIsUndone(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		r1 := revision(1, shop(t))
		s.Publish(r1)
		a, b := s.envoy("a", delta), s.envoy("b", delta)
		s.mustHave("a", 1, "new", false)
		s.mustHave("b", 1, "new", false)
		more := with(t, shop(t), cluster("new", time.Second), endpoints("new", 9009))
		s.Publish(first(revision(2, more), r1, "a"))
		s.mustHave("a", 2, "new", true)
		s.Publish(first(revision(3, more), r1, "b"))
		s.mustHave("b", 3, "new", true)
		s.mustHave("a", 1, "new", false)
		a.Await("be without it", func(h map[mesh.Key]*anypb.Any) bool { return !has("new")(h) })
		told := len(a.Took())
		s.Publish(revision(4, shop(t)))
		s.mustHave("b", 4, "new", false)
		s.mustHave("a", 4, "new", false)
		b.Await("be without it", func(h map[mesh.Key]*anypb.Any) bool { return !has("new")(h) })
		if again := a.Took()[told:]; len(again) > 0 {
			t.Errorf("a had it already, and was told %v", again)
		}
	})
}

// Where nothing was served before, a node that is not chosen waits.
func TestRestWaitsForTheFirst(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		b := s.envoy("b", delta)
		s.until("it is here", func(st *xds.State) bool { return st.Node("b") != nil })
		r := first(revision(1, shop(t)), nil, "a")
		s.Publish(r)
		s.said(1, engine.NoNodes)
		s.envoy("a", delta)
		s.mustHave("a", 1, "app", true)
		if o := s.said(1, engine.Accepted); o.Nodes != 1 {
			t.Errorf("outcome %+v", o)
		}
		if n := s.State().Node("b"); n.Revision != 0 || n.Resources.Len() > 0 {
			t.Errorf("b was served: %+v", n)
		}
		s.Publish(widened(r))
		b.Await("hold everything", func(h map[mesh.Key]*anypb.Any) bool { return len(h) == 6 })
		s.mustHave("b", 1, "app", true)
	})
}

// Of a limited revision too, each node has what is its own group's.
func TestLimitedRevisionKeepsGroups(t *testing.T) {
	s := serve(t, xds.Options{})
	rules := []mesh.Rule{{Group: "edge", Node: "edge-*"}}
	grouped := func(number int, more ...string) *engine.Revision {
		edge := meshOf(t, cluster("edge", time.Second), endpoints("edge", 9001))
		base := shop(t)
		for _, name := range more {
			edge = with(t, edge, cluster("edge-"+name, time.Second), endpoints("edge-"+name, 9002))
			base = with(t, base, cluster("shop-"+name, time.Second), endpoints("shop-"+name, 9002))
		}
		return &engine.Revision{Number: number, Rules: rules, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: base, "edge": edge}}
	}
	r1 := grouped(1)
	s.Publish(r1)
	for _, id := range []string{"edge-1", "edge-2", "shop-1"} {
		s.envoy(id, false)
		s.through(id, 1, engine.Accepted)
	}
	r2 := first(grouped(2, "new"), r1, "*-1")
	s.Publish(r2)
	s.mustHave("edge-1", 2, "edge-new", true)
	s.mustHave("shop-1", 2, "shop-new", true)
	s.mustHave("edge-2", 1, "edge-new", false)
	s.Publish(widened(r2))
	s.mustHave("edge-2", 2, "edge-new", true)
	for id, foreign := range map[string]string{"edge-1": "shop-new", "edge-2": "shop-new", "shop-1": "edge-new"} {
		s.mustHave(id, 2, foreign, false)
	}
}
