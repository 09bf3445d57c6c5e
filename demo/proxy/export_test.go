package proxy

import (
	"context"
	"log/slog"
	"time"

	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/xds/envoy"
)

// Panic has something in the i-th node panic.
func (f *Fleet) Panic(i int, value any) {
	r := f.runners[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.node.tasks.Go("a part", func() error { panic(value) })
}

// Node is one node without a control plane, which is told what to do by Take.
type Node = node

// StartNode starts a node whose admin socket is in dir; stop ends it.
func StartNode(dir string) (n *Node, stop func() error, err error) {
	n, err = startNode(context.Background(), nodeOptions{
		id: "builtin-1", xds: "unix:" + dir + "/none.sock", admin: "unix:" + dir + "/admin.sock",
		emit: func(envoy.Event) {}, log: slog.New(slog.DiscardHandler), now: time.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	return n, func() error {
		n.tasks.Stop()
		return n.wait()
	}, nil
}

// State is what the node's admin interface tells.
func (n *node) State() *admin.State { return n.state() }
