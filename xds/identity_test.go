package xds_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A node that comes back under another node.cluster gets the mesh of the group
// that it is in now, whether it still runs or started anew.
func TestNodeChangesItsCluster(t *testing.T) {
	for _, running := range []bool{false, true} {
		variants(t, func(t *testing.T, delta bool) {
			s := serve(t, xds.Options{})
			s.Publish(&engine.Revision{
				Number: 1, Rules: []mesh.Rule{{Group: "edge", Node: "*", Cluster: "one"}},
				Meshes: map[string]*mesh.Mesh{
					mesh.DefaultGroup: meshOf(t, cluster("inner", time.Second)),
					"edge":            meshOf(t, cluster("outer", time.Second)),
				},
			})
			st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Cluster: "one", Delta: delta}).Open()
			st.Subscribe(mesh.Cluster)
			held := st.Next()
			mustBe(t, held, mesh.Cluster, "outer")
			st.Ack(held)
			s.through("envoy-1", 1, engine.Accepted)
			st.Close()
			s.until("it left", func(x *xds.State) bool { return !x.Node("envoy-1").Connected })

			back := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Cluster: "two", Delta: delta}).Open()
			if running {
				back.Resume(mesh.Cluster, held.Version, xdstest.Held(held))
			} else {
				back.Subscribe(mesh.Cluster)
			}
			var r xdstest.Response
			for r.Resources["inner"] == nil {
				r = back.Next()
				back.Ack(r)
			}
			s.until("it is in the other group", func(x *xds.State) bool {
				n := x.Node("envoy-1")
				if n.Group != mesh.DefaultGroup || n.Cluster != "two" || n.Rollout.Result != engine.Accepted {
					for _, extra := range back.Barrier() {
						back.Ack(extra)
					}
					return false
				}
				return !n.Resources.Has(clusterKey("outer"))
			})
		})
	}
}

// A new process connects while the stream of the old one hangs: it is given
// everything, and the old one's answers count no more.
func TestNewProcessWhileOldStreamHangs(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		old := scripted(t, s, delta)
		s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second), route("local", "bad"))))
		rejected := old.Next()
		old.Nack(rejected, reason)
		s.through("envoy-1", 2, engine.Rejected)
		s.Publish(revision(3, with(t, shop(t), cluster("bad", 2*time.Second), route("local", "bad"))))
		unanswered := old.Next()

		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		r := st.Next()
		mustBe(t, r, mesh.Cluster, "app", "bad", "legacy")
		st.Ack(r)
		st.Subscribe(mesh.Route, "local")
		r = st.Next()
		mustBe(t, r, mesh.Route, "local")
		if got, err := r.Resources["local"].UnmarshalNew(); err != nil || !proto.Equal(got, route("local", "bad")) {
			t.Errorf("got %v (%v)", got, err)
		}
		st.Ack(r)
		s.through("envoy-1", 3, engine.Accepted)
		old.Nack(unanswered, reason)
		mustBeQuiet(t, old)
		n := s.through("envoy-1", 3, engine.Accepted)
		if n.Types[mesh.Cluster].Rejected != nil || n.Resources.Get(clusterKey("bad")).Acked == (xds.Fact{}) {
			t.Errorf("the answer of the old stream counts: %+v", n.Types[mesh.Cluster])
		}
		if m := lastOf(s, xds.NACK); m.Nonce != unanswered.Nonce {
			t.Errorf("the wire does not tell of it: %+v", m)
		}
	})
}

// An answer on the wire says which resources it is about.
func TestAnswersNameResources(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		if diff := cmp.Diff([]string{"app", "legacy"}, xdstest.Sorted(lastOf(s, xds.ACK).Names)); diff != "" {
			t.Errorf("the first ACK (-want +got):\n%s", diff)
		}
		s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)
		if diff := cmp.Diff([]string{"bad"}, lastOf(s, xds.NACK).Names); diff != "" {
			t.Errorf("the NACK (-want +got):\n%s", diff)
		}
		s.Publish(revision(3, shop(t).Without(clusterKey("legacy"))))
		r := st.Next()
		st.Ack(r)
		for s.State().Node("envoy-1").Rollout.Result != engine.Accepted {
			for _, r := range st.Barrier() {
				st.Ack(r)
			}
		}
		removed := []string{}
		msgs, _ := s.Wire().Since(0, 1<<20)
		for _, m := range msgs {
			if m.Kind == xds.ACK && m.Type == mesh.Cluster {
				removed = append(removed, m.Removed...)
			}
		}
		if want := []string{"bad", "legacy"}; delta && !cmp.Equal(want, xdstest.Sorted(removed)) {
			t.Errorf("removals acknowledged: %v, want %v", removed, want)
		}
	})
}

// Who gives the wildcard up holds nothing that only the wildcard covered, and is
// told of nothing more.
func TestWildcardGivenUp(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: true}).Open()
	st.Subscribe(mesh.Cluster, "*", "app")
	st.Ack(st.Next())
	s.through("envoy-1", 1, engine.Accepted)
	st.Unsubscribe(mesh.Cluster, "*")
	mustBeQuiet(t, st)
	n := s.State().Node("envoy-1")
	if !n.Resources.Has(clusterKey("app")) || n.Resources.Has(clusterKey("legacy")) {
		t.Errorf("it holds %v, want app alone", n.Resources)
	}
	s.Publish(revision(2, with(t, shop(t), cluster("legacy", 5*time.Second))))
	s.through("envoy-1", 2, engine.Accepted)
	mustBeQuiet(t, st)
}
