package xds_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// What tells how much drains is believed while it sees the node; when it has
// lost sight of it, the wait is as long as without.
func TestDrainingIsBelievedWhileItIsFresh(t *testing.T) {
	for _, stale := range []bool{false, true} {
		variants(t, func(t *testing.T, delta bool) {
			var left atomic.Int64
			left.Store(1)
			wait := time.Hour
			if stale {
				wait = time.Millisecond
			}
			s := serve(t, xds.Options{DrainWait: wait, Draining: func(string) (int, time.Time, bool) {
				if stale {
					return 1, time.Now().Add(-time.Minute), true
				}
				return int(left.Load()), time.Now(), true
			}})
			s.Publish(revision(1, shop(t)))
			st := scripted(t, s, delta)
			st.Subscribe(mesh.Listener)
			st.Ack(st.Next())
			s.Publish(revision(2, shop(t).Without(key(mesh.Listener, "web")).Without(clusterKey("app"))))
			r := st.Next()
			if r.Type != mesh.Listener {
				t.Fatalf("got %s", r)
			}
			st.Ack(r)
			if !stale {
				s.until("it waits", func(x *xds.State) bool {
					return strings.HasPrefix(x.Node("envoy-1").Rollout.Waiting, "old connections to drain (")
				})
				mustBeQuiet(t, st)
				left.Store(0)
			}
			r = st.Next()
			if r.Type != mesh.Cluster {
				t.Fatalf("got %s", r)
			}
			st.Ack(r)
			s.through("envoy-1", 2, engine.Accepted)
		})
	}
}
