package xds_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A stream for clusters that does not answer any more, while its connection lives,
// holds up no rollout to the stream that the node opened after it.
func TestOlderStreamHoldsNothingUp(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		for _, agent := range []string{"", "envoy"} {
			s := serve(t, xds.Options{DrainWait: -1, StepDeadline: time.Minute})
			s.Publish(revision(1, shop(t)))
			clusters := func() *xdstest.Stream {
				st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "n", Agent: agent, Delta: delta}).OpenType(mesh.Cluster)
				st.Subscribe(mesh.Cluster)
				st.Ack(st.Next())
				return st
			}
			clusters() // it answers no more
			newest := clusters()

			s.Publish(revision(2, with(t, shop(t).Without(mesh.Key{Type: mesh.Cluster, Name: "legacy"}), cluster("fresh", time.Second))))
			for gone := false; !gone; { // first the new one comes, then the old one goes
				r := newest.Next()
				newest.Ack(r)
				gone = r.Resources["legacy"] == nil && r.Resources["fresh"] != nil && !delta || len(r.Removed) > 0
			}
			s.until("the node has taken clusters", func(st *xds.State) bool {
				n := st.Node("n")
				return n.Rollout.Step != 1 && n.Rollout.Result != engine.TimedOut
			})
		}
	})
}

// Separate streams for endpoints of different clusters are all of one node; of two
// for the same cluster the newer counts.
func TestStreamsForEndpointsCountEach(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{DrainWait: -1, StepDeadline: time.Minute})
		s.Publish(revision(1, with(t, shop(t), endpoints("legacy", 1))))
		c := xdstest.Dial(t, s.addr, xdstest.Config{ID: "n", Delta: delta})
		ask := func(name string) *xdstest.Stream {
			st := c.OpenType(mesh.Endpoints)
			st.Subscribe(mesh.Endpoints, name)
			st.Ack(st.Next())
			return st
		}
		ask("app") // it answers no more
		app, legacy := ask("app"), ask("legacy")
		s.through("n", 1, engine.Accepted)

		s.Publish(revision(2, with(t, shop(t), endpoints("legacy", 2), endpoints("app", 2))))
		app.Ack(app.Next())
		s.until("the other one is waited for", func(st *xds.State) bool {
			r := st.Node("n").Rollout
			return r.Revision == 2 && st.Node("n").Resources.Get(mesh.Key{Type: mesh.Endpoints, Name: "app"}).Acked.Version != ""
		})
		if r := s.State().Node("n").Rollout; r.Result != engine.Pending {
			t.Errorf("%s, though legacy is not answered: %+v", r.Result, r)
		}
		legacy.Ack(legacy.Next())
		s.through("n", 2, engine.Accepted)
	})
}

// What was published to a node alone gets to its end though the node does not
// answer: a removal waits for the answers to what went before, but not for ever.
func TestPublishToIsTakenOn(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{DrainWait: -1, StepDeadline: 300 * time.Millisecond})
		s.PublishTo("n", shop(t), nil)
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "n", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		st.Next() // it does not answer
		st.Subscribe(mesh.Listener)
		st.Ack(st.Next())
		s.PublishTo("n", with(t, shop(t).Without(mesh.Key{Type: mesh.Listener, Name: "web"}), cluster("fresh", time.Second)), nil)
		for gone := false; !gone; {
			r := st.Next()
			gone = r.Type == mesh.Listener && r.Resources["web"] == nil
		}
		s.through("n", 2, engine.TimedOut) // the clusters are not answered still
	})
}
