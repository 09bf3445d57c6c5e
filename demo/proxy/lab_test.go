package proxy_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

func TestMain(m *testing.M) {
	nextPort.Store(rand.Int64N(ports)) // two runs at a time begin elsewhere
	goleak.VerifyTestMain(m)
}

// patience is how long something may take that has to happen.
const patience = 30 * time.Second

// variants runs a test in both variants of xDS.
func variants(t *testing.T, test func(t *testing.T, delta bool)) {
	t.Run("SotW", func(t *testing.T) { test(t, false) })
	t.Run("delta", func(t *testing.T) { test(t, true) })
}

// eventually polls what no channel tells.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it never came to be: %s", what)
		}
	}
}

// lab is a control plane, a fleet of built-in proxies, and the watcher that
// reads them: the chain that meshtui runs.
type lab struct {
	t       testing.TB
	o       labOptions
	address string
	fleet   *proxy.Fleet
	stop    func() // ends the control plane

	breakNode func(i int, value any) // has something in a node panic

	control atomic.Pointer[xds.Server] // the one that runs
	eyes    atomic.Pointer[envoy.Watcher]
	overlay atomic.Value // of nodes that are not the fleet's: func(node string, m protoMessage) protoMessage

	revision int
}

type labOptions struct {
	nodes int
	delta bool
	first *mesh.Mesh // published before the fleet starts
}

func startLab(t testing.TB, o labOptions) *lab {
	t.Helper()
	if o.nodes == 0 {
		o.nodes = 1
	}
	dir, err := os.MkdirTemp("", "builtin") // a test's own folder has too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{t: t, o: o, address: "unix:" + filepath.Join(dir, "xds.sock")}
	l.serve()
	if o.first != nil {
		l.push(o.first)
	}
	l.fleet, l.breakNode, err = proxy.StartBreakable(context.Background(), l.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.end)
	l.watch()
	return l
}

func (l *lab) options(dir string) proxy.Options {
	return proxy.Options{Nodes: l.o.nodes, XDS: l.address, Dir: filepath.Join(dir, "nodes"), Delta: l.o.delta}
}

// end stops the fleet at once; tests of draining stop it themselves.
func (l *lab) end() {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.fleet.Stop(gone); err != nil {
		l.t.Errorf("the fleet: %v", err)
	}
}

func (l *lab) server() *xds.Server     { return l.control.Load() }
func (l *lab) watcher() *envoy.Watcher { return l.eyes.Load() }

// serve starts a control plane; it ends with stop or with the test.
func (l *lab) serve() {
	l.t.Helper()
	listener, err := xds.Listen(l.address)
	if err != nil {
		l.t.Fatal(err)
	}
	server := xds.New(xds.Options{
		Overlay:   l.overlaid,
		OnError:   func(err error) { l.t.Error(err) },
		DrainWait: 3 * time.Second,
		Draining: func(node string) (int, time.Time, bool) {
			if w := l.watcher(); w != nil {
				return w.Draining(node)
			}
			return 0, time.Time{}, false
		},
	})
	group, ctx := task.New(context.Background())
	l.control.Store(server)
	group.Go("xds", func() error { return server.Serve(ctx, listener) })
	l.stop = sync.OnceFunc(func() {
		group.Stop()
		if err := group.Wait(); err != nil {
			l.t.Errorf("the control plane: %v", err)
		}
	})
	l.t.Cleanup(l.stop)
}

func (l *lab) overlaid(node string) xds.Overlay {
	ours := l.options("").Overlay(node)
	return func(t mesh.Type, m protoMessage) protoMessage {
		if more, ok := l.overlay.Load().(func(string, protoMessage) protoMessage); ok {
			m = more(node, m)
		}
		return ours(t, m)
	}
}

// watch starts a watcher, which is poked by answers as in meshtui.
func (l *lab) watch() {
	w := envoy.NewWatcher(envoy.WatcherOptions{
		Targets: l.fleet.Targets, Events: l.fleet.Events(), Interval: 200 * time.Millisecond,
		Served: func(node string) map[mesh.Key]protoMessage { return l.server().Served(node) },
	})
	l.eyes.Store(w)
	group, ctx := task.New(context.Background())
	group.Go("watcher", func() error { return w.Run(ctx) })
	l.t.Cleanup(func() {
		group.Stop()
		if err := group.Wait(); err != nil {
			l.t.Errorf("the watcher: %v", err)
		}
	})
}

// push publishes a mesh as the next revision.
func (l *lab) push(m *mesh.Mesh) {
	l.revision++
	l.server().Publish(&engine.Revision{Number: l.revision, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: m}})
}

// ends waits until the newest revision has that result on every node, and
// returns the first node.
func (l *lab) ends(want engine.Result) *xds.Node {
	l.t.Helper()
	var n *xds.Node
	eventually(l.t, fmt.Sprintf("revision %d ends as %v", l.revision, want), func() bool {
		for i := range l.o.nodes {
			n = l.server().State().Node(l.options("").NodeID(i))
			if n == nil || n.Rollout.Revision != l.revision || n.Rollout.Ended.IsZero() {
				return false
			}
			if n.Rollout.Result != want {
				l.t.Fatalf("revision %d on %s: %v %s %s", l.revision, n.ID, n.Rollout.Result, n.Rollout.Waiting, n.Rollout.Detail)
			}
		}
		return true
	})
	return l.server().State().Node(l.options("").NodeID(0))
}

// accepted pushes a mesh that has to be accepted.
func (l *lab) accepted(m *mesh.Mesh) {
	l.t.Helper()
	l.push(m)
	l.ends(engine.Accepted)
}

// facts waits until what the watcher knows of the first node is as wanted.
func (l *lab) facts(what string, cond func(*envoy.Facts) bool) *envoy.Facts {
	l.t.Helper()
	var f *envoy.Facts
	eventually(l.t, what, func() bool {
		f = l.watcher().Facts(l.options("").NodeID(0))
		return f != nil && cond(f)
	})
	return f
}

// active waits until everything that was served is active as it was served.
func (l *lab) active() {
	l.t.Helper()
	var last string
	defer func() {
		if l.t.Failed() {
			l.t.Log(last)
		}
	}()
	l.facts("all that was served is active", func(f *envoy.Facts) bool {
		if len(f.Active) == 0 || len(f.Active) != len(l.server().Served(l.options("").NodeID(0))) {
			return false
		}
		for k, a := range f.Active {
			if a.State != envoy.ActiveSame {
				last = fmt.Sprintf("%s: %s %s", k, a.State, a.Detail)
				return false
			}
		}
		return f.Ready == "LIVE"
	})
}

// wire lists the messages of one kind.
func (l *lab) wire(kind xds.MessageKind) []xds.Message {
	var out []xds.Message
	all, _ := l.server().Wire().Since(0, 100_000)
	for _, m := range all {
		if m.Kind == kind {
			out = append(out, m)
		}
	}
	return out
}

// sane fails the test when the conversation on the wire is not one of two who
// understand each other: so many NACKs, and no answer that nobody waits for.
func (l *lab) sane(nacks int) {
	l.t.Helper()
	if got := l.wire(xds.NACK); len(got) != nacks {
		l.t.Errorf("%d NACKs on the wire, want %d: %+v", len(got), nacks, got)
	}
	if requests, responses := len(l.wire(xds.Request)), len(l.wire(xds.Response)); requests > responses+10 {
		l.t.Errorf("%d requests for %d responses", requests, responses)
	}
}

// backend says its name until the test ends.
func backend(t testing.TB, name string) int {
	t.Helper()
	b := httptest.NewServer(saying(name))
	t.Cleanup(b.Close)
	return portOf(t, strings.TrimPrefix(b.URL, "http://"))
}

// ask sends one request on a connection of its own.
func ask(t testing.TB, url string) (status int, body string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// answers waits until the URL is answered by that backend.
func answers(t testing.TB, url, want string) {
	t.Helper()
	eventually(t, url+" is answered by "+want, func() bool {
		status, got, err := ask(t, url)
		return err == nil && status == http.StatusOK && got == want
	})
}

// slowBackend tells that a request arrived, and answers when it is released.
func slowBackend(t testing.TB, arrived chan<- struct{}, release <-chan struct{}) int {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "slow")
	}))
	t.Cleanup(b.Close)
	return portOf(t, strings.TrimPrefix(b.URL, "http://"))
}

// askAside sends one request and gives its status and body when it is answered.
func askAside(t testing.TB, url string) <-chan string {
	t.Helper()
	out := make(chan string, 1)
	g, _ := task.New(context.Background())
	g.Go("request", func() error {
		status, body, err := ask(t, url)
		if err != nil {
			body = err.Error()
		}
		out <- fmt.Sprint(status, " ", body)
		return nil
	})
	t.Cleanup(func() { _ = g.Wait() }) // it has said what there is to say
	return out
}

// closes waits until nobody listens on the port.
func closes(t testing.TB, port int) {
	t.Helper()
	eventually(t, fmt.Sprintf("port %d is closed", port), func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// aside runs fn and gives what it returned.
func aside(t testing.TB, fn func() error) <-chan error {
	t.Helper()
	out := make(chan error, 1)
	g, _ := task.New(context.Background())
	g.Go("aside", func() error {
		out <- fn()
		return nil
	})
	t.Cleanup(func() { _ = g.Wait() }) // it returns nil
	return out
}

func free(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
