package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
)

// StartBreakable is Start, with a function that has something in the newest run
// of the i-th node panic.
func StartBreakable(ctx context.Context, o Options) (*Fleet, func(i int, value any), error) {
	var mu sync.Mutex
	newest := map[string]*node{}
	f, err := start(ctx, o, func(ctx context.Context, o nodeOptions) (*node, error) {
		n, err := startNode(ctx, o)
		mu.Lock()
		defer mu.Unlock()
		newest[o.id] = n
		return n, err
	})
	return f, func(i int, value any) {
		mu.Lock()
		defer mu.Unlock()
		newest[o.NodeID(i)].tasks.Go("a part", func() error { panic(value) })
	}, err
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

// Guard is what a listener has around next; broke is told of panics.
func Guard(next http.Handler, broke func(error)) http.Handler {
	return &guard{next: next, leaving: new(atomic.Bool), broke: func(_ *http.Request, err *task.PanicError) { broke(err) }}
}

// NewConn is a client's connection as its server sees it, and what gives notice
// of its end.
func NewConn(c net.Conn) (server net.Conn, part func()) {
	out := &conn{Conn: c}
	return out, out.part
}

// Notice is the frame that says so.
const Notice = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"
