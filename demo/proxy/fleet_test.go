package proxy_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

// fleet is what whoever runs local Envoys needs of them; both kinds are that.
type fleet interface {
	Processes() []envoy.Process
	Targets() []envoy.Target
	Overlay(nodeID string) func(mesh.Type, protoMessage) protoMessage
	Events() <-chan envoy.Event
	Changed() (<-chan struct{}, func())
	Stop(context.Context) error
}

var (
	_ fleet = (*proxy.Fleet)(nil)
	_ fleet = (*envoy.Fleet)(nil)
)

// portPair is a free port with a free one so far above it.
func portPair(t testing.TB) int {
	t.Helper()
	for range ports {
		if port := freePort(t); free(port + envoy.PortStep) {
			return port
		}
	}
	t.Fatal("no two free ports")
	return 0
}

// Several nodes serve the same mesh, each on ports of its own; every one says
// who it is, and the watcher sees all that it was served.
func TestSeveralNodes(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1 := portPair(t), backend(t, "v1")
		l := startLab(t, labOptions{nodes: 2, delta: delta, first: meshOf(t,
			listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1))})
		l.ends(engine.Accepted)
		for i := range 2 {
			answers(t, urlOf(front+i*envoy.PortStep), "v1")
			n := l.server().State().Node(l.options("").NodeID(i))
			p := l.fleet.Processes()[i]
			if n.Admin != p.Admin || n.Cluster != "meshtui" || !strings.HasPrefix(n.Agent, "meshtui-builtin ") {
				t.Errorf("the node introduces itself as %q %q %q, it is %+v", n.Admin, n.Cluster, n.Agent, p)
			}
			eventually(t, "it is live", func() bool { return l.fleet.Processes()[i].State == envoy.Live })
			if p.Node != n.ID || p.Index != i || p.PID != os.Getpid() || !strings.HasPrefix(p.Admin, "unix:") || p.Restarts != 0 {
				t.Errorf("%+v", p)
			}
			if _, err := os.Stat(p.Log); err != nil {
				t.Error(err)
			}
		}
		l.active()
		if got := l.fleet.Targets(); len(got) != 2 || got[1].Node != "builtin-2" || got[1].Admin == got[0].Admin {
			t.Errorf("targets %+v", got)
		}
	})
}

// Stop lets what is under way end, and leaves no port and no socket behind.
func TestStopDrains(t *testing.T) {
	front := freePort(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := slowBackend(t, arrived, release)
	l := startLab(t, labOptions{first: meshOf(t,
		listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", slow))})
	l.ends(engine.Accepted)
	admin := l.fleet.Processes()[0].Admin
	answered := askAside(t, urlOf(front))
	<-arrived
	changed, done := l.fleet.Changed()
	defer done()
	stopped := aside(t, func() error { return l.fleet.Stop(context.Background()) })
	closes(t, front)
	if s := l.fleet.Processes()[0].State; s != envoy.Stopping {
		t.Errorf("while it drains it is %s", s)
	}
	close(release)
	if got := <-answered; got != "200 slow" {
		t.Errorf("answered with %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	<-changed
	if p := l.fleet.Processes()[0]; p.State != envoy.Stopped || p.PID != 0 || len(l.fleet.Targets()) != 0 {
		t.Errorf("%+v", p)
	}
	if _, err := os.Stat(strings.TrimPrefix(admin, "unix:")); !os.IsNotExist(err) {
		t.Errorf("the admin socket: %v", err)
	}
}

// When its time is over, what is under way is cut.
func TestStopInHurry(t *testing.T) {
	front := freePort(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := slowBackend(t, arrived, release)
	defer close(release)
	l := startLab(t, labOptions{first: meshOf(t,
		listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", slow))})
	l.ends(engine.Accepted)
	answered := askAside(t, urlOf(front))
	<-arrived
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.fleet.Stop(gone); err != nil {
		t.Error(err)
	}
	if got := <-answered; strings.HasPrefix(got, "200") {
		t.Errorf("answered with %s", got)
	}
}

// A panic ends one node, which is started again and served again; the other one
// and the program go on.
func TestPanicRestartsTheNode(t *testing.T) {
	front, v1 := portPair(t), backend(t, "v1")
	l := startLab(t, labOptions{nodes: 2, first: meshOf(t,
		listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1))})
	l.ends(engine.Accepted)
	answers(t, urlOf(front), "v1")
	answers(t, urlOf(front+envoy.PortStep), "v1")
	other := startLoad(t, urlOf(front+envoy.PortStep))
	other.flow(20)
	l.breakNode(0, "boom")
	eventually(t, "it is said that it broke", func() bool {
		p := l.fleet.Processes()[0]
		return p.Restarts == 1 && strings.Contains(p.Why, "boom")
	})
	eventually(t, "it is live again", func() bool { return l.fleet.Processes()[0].State == envoy.Live })
	answers(t, urlOf(front), "v1")
	l.active()
	other.flow(20)
	other.flawless("the other node broke")
	text, err := os.ReadFile(l.fleet.Processes()[0].Log)
	if err != nil || !strings.Contains(string(text), "export_test.go") {
		t.Errorf("the log does not have the stack: %v\n%s", err, text)
	}
}

func TestStartFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		o    proxy.Options
		want string
	}{
		"no nodes":     {proxy.Options{XDS: "unix:/x", Dir: t.TempDir()}, "cannot start 0 nodes"},
		"no folder":    {proxy.Options{Nodes: 1, XDS: "unix:/x", Dir: file}, "the folder for the built-in proxy"},
		"no address":   {proxy.Options{Nodes: 1, XDS: "nonsense", Dir: t.TempDir()}, `"nonsense" is neither unix:PATH nor HOST:PORT`},
		"log in place": {proxy.Options{Nodes: 1, XDS: "unix:/x", Dir: withFolder(t, "builtin-1.log.old")}, "the log of the run before"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := proxy.Start(context.Background(), tc.o)
			if err == nil {
				gone, cancel := context.WithCancel(context.Background())
				cancel()
				_ = f.Stop(gone)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// withFolder is a folder with a folder of that name, and what it would be
// replaced by.
func withFolder(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, name, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(name, ".old")), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A folder with a long path does not make the sockets' paths too long.
func TestLongFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	f, err := proxy.Start(context.Background(), proxy.Options{Nodes: 1, XDS: "unix:/nowhere", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(f.Targets()[0].Admin, "unix:")
	if len(path) > envoy.MaxSocketPath {
		t.Errorf("%s has %d bytes", path, len(path))
	}
	for _, folder := range []string{dir, filepath.Dir(path)} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", folder, info.Mode(), err)
		}
	}
	if err := f.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the folder of the sockets is left behind: %v", err)
	}
}

// The overlay is that of local Envoys, under the nodes' own names.
func TestOverlay(t *testing.T) {
	o := proxy.Options{Nodes: 2}
	web := listener(t, "web", 10000, "local")
	for id, port := range map[string]uint32{"builtin-1": 10000, "builtin-2": 10100, "builtin-3": 10000, "envoy-2": 10000} {
		got := o.Overlay(id)(mesh.Listener, web).(interface{ GetAddress() *address }).GetAddress()
		if p := got.GetSocketAddress().GetPortValue(); p != port {
			t.Errorf("%s listens on %d, want %d", id, p, port)
		}
	}
}
