package csds_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/xdstest"
)

// lab is a server that serves CSDS too.
type lab struct {
	*xds.Server
	t        testing.TB
	dir      string
	address  string
	tasks    *task.Group
	ctx      context.Context
	offered  *mesh.Mesh
	revision int
}

func newLab(t testing.TB) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "csds")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: dir, address: "unix:" + filepath.Join(dir, "xds")}
	l.Server = xds.New(xds.Options{DrainWait: -1, Register: func(g grpc.ServiceRegistrar) {
		csds.Register(g, func() csds.Source { return l.Server })
	}})
	l.tasks, l.ctx = task.New(context.Background())
	t.Cleanup(func() {
		l.tasks.Stop()
		if err := errors.Join(l.tasks.Wait(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
			if p := (*task.PanicError)(nil); errors.As(err, &p) {
				t.Logf("%s", p.Stack)
			}
		}
	})
	socket, err := xds.Listen(l.address)
	if err != nil {
		t.Fatal(err)
	}
	l.tasks.Go("server", func() error { return l.Serve(l.ctx, socket) })
	return l
}

// dial connects to an address until the end of the test.
func dial(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is lost with it
	return conn
}

// push publishes the resources, written in YAML below the name of their type.
func (l *lab) push(texts ...string) {
	l.t.Helper()
	l.revision++
	l.offered = xdstest.Mesh(l.t, texts...)
	l.Publish(&engine.Revision{Number: l.revision, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: l.offered}})
}

// until waits for a condition on the server's state.
func (l *lab) until(what string, ok func(*xds.State) bool) *xds.State {
	l.t.Helper()
	changed, done := l.Changed()
	defer done()
	deadline := time.After(xdstest.Patience)
	for {
		if s := l.State(); ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			for _, n := range l.State().Nodes {
				l.t.Logf("%s: %+v", n.ID, n.Rollout)
			}
			l.t.Fatalf("it never came to be: %s", what)
		}
	}
}

// through waits until the newest revision's rollout to a node has ended so.
func (l *lab) through(node string, want engine.Result) *xds.Node {
	l.t.Helper()
	return l.until("rollout to "+node+" is "+want.String(), func(s *xds.State) bool {
		n := s.Node(node)
		return n != nil && n.Rollout.Revision == l.revision && n.Rollout.Result == want && !n.Rollout.Ended.IsZero()
	}).Node(node)
}
