package truth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
	"example.com/meshtui/xds/xdstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a server, a real Envoy that is served by it, and a watcher that looks
// into that Envoy: everything that truth is made of.
type lab struct {
	*xds.Server
	t        testing.TB
	dir      string
	port     int // of the listener web
	watcher  *envoy.Watcher
	envoy    *exec.Cmd
	offered  *mesh.Mesh
	revision int
}

// plainStatic is where our bootstrap's static resources begin.
const plainStatic = "static_resources:\n  clusters:\n"

// newLab starts it all; the bootstrap is ours, with static in the place of
// plainStatic.
func newLab(t *testing.T, delta bool, static string) *lab {
	t.Helper()
	return newLabOver(t, xds.Options{}, envoy.Bootstrap{Delta: delta}, static)
}

// newLabOver is newLab with a server and a bootstrap of the caller's choice. The
// bootstrap's XDS is where the server listens; "" is a socket of the lab's own.
func newLabOver(t *testing.T, o xds.Options, b envoy.Bootstrap, static string) *lab {
	t.Helper()
	xdstest.NeedEnvoy(t)
	dir, err := os.MkdirTemp("", "truth")
	if err != nil {
		t.Fatal(err)
	}
	o.DrainWait = -1
	l := &lab{t: t, dir: dir, port: freePort(t), Server: xds.New(o)}
	tasks, ctx := task.New(context.Background())
	t.Cleanup(func() {
		tasks.Stop()
		if err := errors.Join(tasks.Wait(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	b.NodeID, b.Admin = "envoy-1", "unix:"+filepath.Join(dir, "admin")
	if b.XDS == "" {
		b.XDS = "unix:" + filepath.Join(dir, "xds")
	}
	socket, err := xds.Listen(b.XDS)
	if err != nil {
		t.Fatal(err)
	}
	tasks.Go("server", func() error { return l.Serve(ctx, socket) })
	l.watcher = envoy.NewWatcher(envoy.WatcherOptions{
		Served: l.Served, Interval: 200 * time.Millisecond,
		Targets: func() []envoy.Target {
			return []envoy.Target{{Node: "envoy-1", Admin: "unix:" + filepath.Join(dir, "admin")}}
		},
	})
	tasks.Go("watcher", func() error { return l.watcher.Run(ctx) })
	tasks.Go("pokes", func() error { l.pokeOnNews(ctx); return nil })
	config, err := b.YAML()
	if err != nil {
		t.Fatal(err)
	}
	l.envoy = xdstest.RunEnvoy(t, strings.Replace(config, plainStatic, static, 1), envoy.Flags()...)
	return l
}

func (l *lab) pokeOnNews(ctx context.Context) {
	changed, done := l.Changed()
	defer done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			l.watcher.Poke("envoy-1")
		}
	}
}

// push publishes the resources, written in YAML below the name of their type.
func (l *lab) push(texts ...string) {
	l.t.Helper()
	l.revision++
	l.offered = xdstest.Mesh(l.t, texts...)
	l.Publish(&engine.Revision{Number: l.revision, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: l.offered}})
}

// truth is what is known now.
func (l *lab) truth() *truth.Node {
	n := l.State().Node("envoy-1")
	if n == nil {
		return &truth.Node{}
	}
	return truth.Of(n, l.watcher.Facts("envoy-1"), l.offered, time.Now())
}

// until waits until a resource has the verdict, in words with that part.
func (l *lab) until(t mesh.Type, name string, want truth.Verdict, says string) truth.Resource {
	l.t.Helper()
	k := mesh.Key{Type: t, Name: name}
	var r truth.Resource
	l.eventually(fmt.Sprintf("%s is %s: %s", k, want, says), func(n *truth.Node) bool {
		i := slices.IndexFunc(n.Resources, func(r truth.Resource) bool { return r.Key == k })
		if i < 0 {
			return false
		}
		r = n.Resources[i]
		return r.Verdict == want && strings.Contains(r.Says, says)
	})
	return r
}

// active waits until all of them run with the content that was served.
func (l *lab) active(keys ...mesh.Key) {
	l.t.Helper()
	for _, k := range keys {
		l.until(k.Type, k.Name, truth.Active, "active")
	}
}

func (l *lab) eventually(what string, ok func(*truth.Node) bool) {
	l.t.Helper()
	changed, done := l.watcher.Changed()
	defer done()
	deadline := time.After(xdstest.Patience)
	for {
		n := l.truth()
		if ok(n) {
			return
		}
		select {
		case <-changed: // the watcher polls, so that this comes
		case <-deadline:
			for _, r := range n.Resources {
				l.t.Logf("%s: %s: %s %s", r.Key, r.Verdict, r.Says, r.Words)
			}
			l.t.Fatalf("it never came to be: %s; foreign %+v", what, n.Foreign)
		}
	}
}

// admin asks Envoy's admin interface to do something, and has Envoy looked into
// then: what changes by itself is looked for only now and then.
func (l *lab) admin(path string) {
	l.t.Helper()
	defer l.watcher.Poke("envoy-1")
	if status, body := l.ask(http.MethodPost, path); status != http.StatusOK {
		l.t.Fatalf("%s: %d %s", path, status, body)
	}
}

// ask asks the admin interface; the status is 0 while nobody listens there.
func (l *lab) ask(method, path string) (status int, body string) {
	l.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(l.dir, "admin"))
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://admin"+path, http.NoBody)
	if err != nil {
		l.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// request sends one request through the listener web.
func (l *lab) request() {
	l.t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", l.port))
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		l.t.Fatalf("status %d", resp.StatusCode)
	}
}

func newBackend(t *testing.T) string {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(b.Close)
	_, port, _ := net.SplitHostPort(b.Listener.Addr().String())
	return port
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// variants runs a test state of the world and delta.
func variants(t *testing.T, test func(t *testing.T, delta bool)) {
	t.Parallel()
	for name, delta := range map[string]bool{"SotW": false, "delta": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, delta)
		})
	}
}
