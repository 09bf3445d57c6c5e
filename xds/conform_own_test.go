package xds_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// After Clear nothing is answered on any stream, old or new; what is published
// then reaches all of them, and answers what was asked meanwhile.
func TestClear(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.PublishTo("envoy-1", shop(t), nil)
		c := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta})
		st := c.Open()
		st.Subscribe(mesh.Cluster)
		st.Ack(st.Next())
		st.Subscribe(mesh.Endpoints, "app")
		st.Ack(st.Next())
		s.through("envoy-1", 1, engine.Accepted)

		s.Clear("envoy-1")
		st.Subscribe(mesh.Route, "local")
		st.Subscribe(mesh.Endpoints, "app", "legacy")
		late := c.OpenType(mesh.Listener)
		late.Subscribe(mesh.Listener)
		s.until("it is known what is asked for", func(state *xds.State) bool {
			n := state.Node("envoy-1")
			return n.Types[mesh.Listener].Wildcard && len(n.Types[mesh.Endpoints].Subscribed) == 2
		})
		if r, ok := st.Poll(); ok {
			t.Errorf("answered after Clear: %s", r)
		}
		if r, ok := late.Poll(); ok {
			t.Errorf("a new stream is answered after Clear: %s", r)
		}

		s.PublishTo("envoy-1", with(t, shop(t), cluster("new", time.Second)), nil)
		mustBe(t, late.Next(), mesh.Listener, "web")
		got := map[mesh.Type]xdstest.Response{}
		for len(got) < 3 {
			r := st.Next()
			got[r.Type] = r
			st.Ack(r)
		}
		for typ, name := range map[mesh.Type]string{mesh.Cluster: "new", mesh.Route: "local", mesh.Endpoints: "legacy"} {
			if got[typ].Resources[name] == nil {
				t.Errorf("%s does not hold %s: %s", typ.Service(), name, got[typ])
			}
		}
		msgs, _ := s.Wire().Since(0, 1<<20)
		for _, m := range msgs {
			if m.Kind == xds.Response && (m.Type == mesh.Route || m.Type == mesh.Listener) && m.Revision < 2 {
				t.Errorf("%s was asked for after Clear, and answered before there was anything: %+v", m.Type.Service(), m)
			}
		}
	})
}

// What is published to one node alone is that node's; what is published to all
// does not concern it, until it is cleared and something is published to all
// again. The outcome of what goes to all does not wait for it.
func TestPublishToOneNode(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		clusters := func(id string) *xdstest.Stream {
			st := xdstest.Dial(t, s.addr, xdstest.Config{ID: id, Delta: delta}).Open()
			st.Subscribe(mesh.Cluster)
			return st
		}
		one, two := clusters("envoy-1"), clusters("envoy-2")
		for _, st := range []*xdstest.Stream{one, two} {
			r := st.Next()
			mustBe(t, r, mesh.Cluster, "app", "legacy")
			st.Ack(r)
		}
		s.until("it has its clusters", func(st *xds.State) bool { return st.Node("envoy-1").Types[mesh.Cluster].Acked.Version != "" })
		s.PublishTo("envoy-1", meshOf(t, cluster("own", time.Second)), nil)
		for held := true; held; { // first it comes, then the others go
			r := one.Next()
			one.Ack(r)
			held = r.Resources["own"] != nil && (delta || len(r.Names) != 1)
		}
		mustBeQuiet(t, two)

		s.Publish(revision(2, with(t, shop(t), cluster("app", 5*time.Second))))
		two.Ack(two.Next())
		if o := s.said(2, engine.Accepted); o.Nodes != 1 {
			t.Errorf("the outcome counts %d nodes", o.Nodes)
		}
		mustBeQuiet(t, one)

		s.Clear("envoy-1")
		one.Close()
		one = clusters("envoy-1") // comes back, and is not to have what all have
		s.until("it asks", func(st *xds.State) bool { return st.Node("envoy-1").Types[mesh.Cluster].Wildcard })
		s.Publish(revision(3, shop(t)))
		mustBe(t, one.Next(), mesh.Cluster, "app", "legacy")
	})
}

// Responses carry the versions that were given, type by type. In SotW a new
// version alone is told; in delta it says nothing.
func TestGivenVersions(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.PublishTo("envoy-1", shop(t), map[mesh.Type]string{mesh.Cluster: "c1", mesh.Endpoints: "e1", mesh.Route: "r1"})
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		ask := func(want string, typ mesh.Type, names ...string) {
			t.Helper()
			st.Subscribe(typ, names...)
			r := st.Next()
			if r.Type != typ || r.Version != want {
				t.Errorf("%s %s, want %s %s", r, r.Version, typ.Service(), want)
			}
			st.Ack(r)
		}
		ask("c1", mesh.Cluster)
		ask("e1", mesh.Endpoints, "app")
		ask("r1", mesh.Route, "nosuch")
		s.until("its last answer is there", func(st *xds.State) bool { return st.Node("envoy-1").Types[mesh.Route].Acked.Version == "r1" })
		s.through("envoy-1", 1, engine.Accepted)

		s.PublishTo("envoy-1", with(t, shop(t), endpoints("app", 1)), map[mesh.Type]string{mesh.Cluster: "c1", mesh.Endpoints: "e2", mesh.Route: "r2"})
		want := map[string]bool{"e2": true, "r2": !delta}
		for range map[bool]int{false: 2, true: 1}[delta] {
			r := st.Next()
			if !want[r.Version] {
				t.Errorf("%s in version %s", r, r.Version)
			}
			delete(want, r.Version)
			st.Ack(r)
		}
		s.through("envoy-1", 2, engine.Accepted)
		mustBeQuiet(t, st)

		s.PublishTo("envoy-1", with(t, shop(t), endpoints("app", 2)), nil)
		if r := st.Next(); r.Version == "e2" || r.Version == "" || r.Version == "e1" {
			t.Errorf("%s under version %q, though none was given", r, r.Version)
		}
	})
}
