package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"example.com/meshtui/demo"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

// needEnvoy is the Envoy to test with: what the product itself would find in
// this checkout. Without one the test is skipped, unless MESHTUI_REQUIRE names
// envoy.
func needEnvoy(t *testing.T) string {
	t.Helper()
	b, err := envoy.Find(os.Getenv("MESHTUI_ENVOY"), filepath.Join("..", "..", ".tools"))
	if err != nil {
		missing(t, "envoy", err.Error())
	}
	path, err := filepath.Abs(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// needProgram skips the test where a program is absent, or fails it where
// MESHTUI_REQUIRE names it.
func needProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name, err.Error())
	}
	return path
}

func missing(t *testing.T, name, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), name) {
		t.Fatalf("%s is required here: %s", name, why)
	}
	t.Skipf("needs %s: %s", name, why)
}

// privateXDG gives this process XDG folders of the test's own.
func privateXDG(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "mt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir); xdg.Reload() })
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(v, filepath.Join(dir, v[4:7]))
	}
	if err := os.MkdirAll(filepath.Join(dir, "RUN"), 0o700); err != nil {
		t.Fatal(err)
	}
	xdg.Reload()
}

// lab is the running demo with what a test needs to wait on it.
type lab struct {
	*testing.T
	demo    *demo.Demo
	session *session
	wakes   []<-chan struct{}
}

// newLab runs the demo on the data plane that the flags name.
func newLab(t *testing.T, f envoyFlags) *lab {
	t.Helper()
	privateXDG(t)
	if f.plane == planeEnvoy {
		f.path = needEnvoy(t)
	}
	d, s, err := startDemo(t.Context(), demoFlags{
		envoys: f, port: freeBase(t, f.nodes), rate: 200,
	}, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("closing the demo: %v", err)
		}
	})
	l := &lab{T: t, demo: d, session: s}
	for _, c := range []interface {
		Changed() (<-chan struct{}, func())
	}{d, s.server, s.watcher, s.workspace, s.fleet} {
		wake, stop := c.Changed()
		t.Cleanup(stop)
		l.wakes = append(l.wakes, wake)
	}
	l.until("every proxy is in sync", l.inSync(f.nodes))
	l.until("there is traffic", func() bool { s := d.Snapshot(); return !s.Waiting && s.Total > 50 })
	return l
}

// freeBase is a port that is free for each node; the tests of several packages
// run at once, so the product's own port is not taken for granted.
func freeBase(t *testing.T, nodes int) int {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port+nodes*envoy.PortStep < 65535 && allFree(port, nodes) {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// until waits for what must happen, looking each time that a part has news.
func (l *lab) until(what string, ok func() bool) {
	l.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-l.wakes[0]:
		case <-l.wakes[1]:
		case <-l.wakes[2]:
		case <-l.wakes[3]:
		case <-l.wakes[4]:
		case <-deadline.C:
			l.Fatalf("waited in vain until %s\n%s", what, l.story())
		}
	}
}

// story is what a failed test needs to be understood.
func (l *lab) story() string {
	var b strings.Builder
	st := l.session.workspace.State()
	if h := st.Head(); h != nil {
		fmt.Fprintf(&b, "revision %d: %s %s\n", h.Number, h.Outcome.Result, h.Outcome.Detail)
	}
	for _, n := range l.session.server.State().Nodes {
		fmt.Fprintf(&b, "%s connected %v rollout %+v\n", n.ID, n.Connected, n.Rollout)
		if f := l.session.watcher.Facts(n.ID); f != nil {
			fmt.Fprintf(&b, "  facts %s err %q ready %s warming %v active %v\n  endpoints %+v\n", f.At.Format("15:04:05.000"), f.Err, f.Ready, f.Warming, f.Active, f.Endpoints)
		}
	}
	msgs, _ := l.session.server.Wire().Since(0, 10000)
	for _, m := range msgs[max(0, len(msgs)-30):] {
		fmt.Fprintf(&b, "  %s %s %s %s %s %v %s\n", m.At.Format("15:04:05.000"), m.Node, m.Kind, m.Type, m.Version, m.Names, m.Detail)
	}
	s := l.demo.Snapshot()
	fmt.Fprintf(&b, "load: %d sent, %d failed, codes %v\n", s.Total, s.Failed, s.Codes)
	for _, a := range s.Failures {
		fmt.Fprintf(&b, "  %+v\n", a)
	}
	return b.String()
}

// inSync is that the newest revision was accepted by so many nodes and is
// active in each, as far as Envoy shows it.
func (l *lab) inSync(nodes int) func() bool {
	return func() bool {
		head := l.session.workspace.State().Head()
		if head == nil || head.Outcome.Result != engine.Accepted {
			return false
		}
		connected := 0
		for _, n := range l.session.server.State().Nodes {
			if !n.Connected {
				continue
			}
			connected++
			f := l.session.watcher.Facts(n.ID)
			if f == nil || len(f.Active) == 0 {
				return false
			}
			for k := range l.session.server.Served(n.ID) {
				if f.Active[k].State != envoy.ActiveSame {
					return false
				}
			}
		}
		return connected == nodes
	}
}

func (l *lab) edit(edits ...engine.Edit) {
	l.Helper()
	if err := l.session.workspace.Edit(mesh.DefaultGroup, edits...); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) push(o engine.PushOptions) *engine.Revision {
	l.Helper()
	r, err := l.session.workspace.Push(o)
	if err != nil {
		l.Fatalf("push: %v", err)
	}
	return r
}

// outcome waits until the revision's rollout is over and returns it.
func (l *lab) outcome(number int) engine.Outcome {
	l.Helper()
	var out engine.Outcome
	l.until(fmt.Sprintf("revision %d is through", number), func() bool {
		for _, r := range l.session.workspace.State().Revisions {
			if r.Number == number {
				out = r.Outcome
			}
		}
		return out.Result != 0 && out.Result != engine.Pending
	})
	return out
}

// backend is the demo's backend of that name.
func (l *lab) backend(name string) demo.Share {
	l.Helper()
	for _, b := range l.demo.Snapshot().Backends {
		if b.Name == name {
			return b
		}
	}
	l.Fatalf("no backend %s", name)
	return demo.Share{}
}

// node is the id of the first proxy.
func (l *lab) node() string { return l.session.fleet.Processes()[0].Node }

// endpoint is what is known of an endpoint in the first proxy.
func (l *lab) endpoint(address string) envoy.Endpoint {
	if f := l.session.watcher.Facts(l.node()); f != nil {
		for _, e := range f.Endpoints {
			if e.Address == address {
				return e
			}
		}
	}
	return envoy.Endpoint{}
}

func (l *lab) findings(rule string) []mesh.Finding {
	var out []mesh.Finding
	for _, f := range l.session.workspace.State().Group(mesh.DefaultGroup).Findings {
		if rule == "" || f.Rule == rule {
			out = append(out, f)
		}
	}
	return out
}

// ask sends one request to the first proxy.
func (l *lab) ask(path string) (int, string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", l.demo.Port(), path), nil)
	if err != nil {
		l.Fatal(err)
	}
	req.Host = "www.example.com"
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		l.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("X-Backend")
}

func key(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }
