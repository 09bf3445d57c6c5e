package xds_test

import (
	"context"
	"path/filepath"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
)

// ours is our server. The last ACK is in when it says that every node has
// accepted the revision, which is what an operator sees.
type ours struct {
	s        *xds.Server
	addr     string
	nodes    int
	isDelta  bool
	number   int
	accepted chan told
	end      func()
}

func newOurs(b *testing.B, nodes int, delta bool) *ours {
	b.Helper()
	o := &ours{nodes: nodes, isDelta: delta, accepted: make(chan told, 1<<16), addr: "unix:" + filepath.Join(shortDir(b), "x")}
	o.s = xds.New(xds.Options{OnOutcome: func(revision int, out engine.Outcome) { o.accepted <- told{revision, out} }})
	l, err := xds.Listen(o.addr)
	if err != nil {
		b.Fatal(err)
	}
	g, ctx := task.New(context.Background())
	g.Go("ours", func() error { return o.s.Serve(ctx, l) })
	o.end = func() { g.Stop(); _ = g.Wait() }
	b.Cleanup(o.end)
	return o
}

func (o *ours) address() string       { return o.addr }
func (o *ours) delta() bool           { return o.isDelta }
func (o *ours) names() (bool, string) { return true, modeOf(o.isDelta) }
func (o *ours) stop()                 { o.end() }
func (o *ours) publish(m *mesh.Mesh) {
	o.number++
	o.s.Publish(revision(o.number, m))
}

func (o *ours) settled() { o.await() }

func (o *ours) race(m *mesh.Mesh) {
	o.publish(m)
	o.await()
}

func (o *ours) await() {
	for t := range o.accepted {
		if t.Revision == o.number && t.Outcome.Result == engine.Accepted && t.Outcome.Nodes == o.nodes {
			return
		}
	}
}
