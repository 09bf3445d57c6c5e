package xds_test

import (
	"fmt"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// watched is our server with a screen that looks whenever anything changes, as
// fast as it can: at every node, each of its resources and what is new on the
// wire.
type watched struct{ *ours }

func newWatched(b *testing.B, nodes int, delta bool) contender {
	b.Helper()
	o := newOurs(b, nodes, delta)
	g, ctx := task.New(b.Context())
	g.Go("a screen", func() error {
		changed, stop := o.s.Changed()
		defer stop()
		var seq uint64
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
			looked := 0
			for _, n := range o.s.State().Nodes {
				for k := range n.Resources.All() {
					if st := n.Resources.Get(k); k.Type == mesh.Endpoints && st.Revision > 0 {
						looked++
					}
				}
			}
			msgs, _ := o.s.Wire().Since(seq, 1000)
			if len(msgs) > 0 {
				seq = msgs[len(msgs)-1].Seq
			}
		}
	})
	end := o.end
	o.end = func() { g.Stop(); _ = g.Wait(); end() }
	b.Cleanup(o.end)
	return watched{o}
}

// BenchmarkPublishWhileLookedAt is the time from publishing one endpoint's change
// to the last ACK while a screen redraws at full speed, against without one
// (x/unwatched).
func BenchmarkPublishWhileLookedAt(b *testing.B) {
	for _, nodes := range []int{1, 20} {
		for _, names := range []int{100, 1000} {
			b.Run(fmt.Sprintf("nodes=%d/endpoints=%d", nodes, names*10), func(b *testing.B) {
				ratioOf(b, field10(nodes, names, 10), newWatched(b, nodes, false), newOurs(b, nodes, false), "x/unwatched")
			})
		}
	}
}
