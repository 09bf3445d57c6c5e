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
	"example.com/meshtui/xds"
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

func newLab(t *testing.T, nodes int, delta bool) *lab {
	t.Helper()
	privateXDG(t)
	d, s, err := startDemo(t.Context(), demoFlags{
		envoys: envoyFlags{path: needEnvoy(t), nodes: nodes, delta: delta},
		port:   freeBase(t, nodes), rate: 200,
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
	l.until("every Envoy is in sync", l.inSync(nodes))
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

func (l *lab) endpoint(node, address string) envoy.Endpoint {
	if f := l.session.watcher.Facts(node); f != nil {
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

// ask sends one request to the first Envoy.
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

// The journey that the product exists for, on a real Envoy under load.
func TestJourney(t *testing.T) {
	for _, delta := range []bool{false, true} {
		t.Run(map[bool]string{false: "SotW", true: "delta"}[delta], func(t *testing.T) {
			l := newLab(t, 1, delta)
			drainAnEndpoint(l)
			moveAListener(l)
			forceADanglingRoute(l)
			takeATakenPort(l)
			killABackend(l)
		})
	}
}

// drainAnEndpoint: its traffic goes, and no request fails.
func drainAnEndpoint(l *lab) {
	before := l.demo.Snapshot().Failed
	victim := l.backend("app-v1-a")
	l.edit(engine.SetHealth{Key: key(mesh.Endpoints, "app"), Endpoint: victim.Address, Status: "DRAINING"})
	r := l.push(engine.PushOptions{Note: "drain"})
	if o := l.outcome(r.Number); o.Result != engine.Accepted {
		l.Fatalf("draining: %s %s", o.Result, o.Detail)
	}
	l.until("Envoy shows it draining", func() bool {
		return l.endpoint("envoy-1", victim.Address).Health == envoy.Draining
	})
	l.until("its traffic is gone", func() bool { return l.backend("app-v1-a").RPS == 0 })
	if after := l.demo.Snapshot().Failed; after != before {
		l.Errorf("draining cost %d requests\n%s", after-before, l.story())
	}
	l.edit(engine.SetHealth{Key: key(mesh.Endpoints, "app"), Endpoint: victim.Address, Status: "HEALTHY"})
	l.outcome(l.push(engine.PushOptions{Note: "back"}).Number)
	l.until("its traffic is back", func() bool { return l.backend("app-v1-a").RPS > 0 })
}

// moveAListener: a listener turns to other routes, and what the old ones named
// goes in the same push. Connections that drain still need it for a while.
func moveAListener(l *lab) {
	before := l.demo.Snapshot().Failed
	good := l.session.workspace.State().Head().Number
	routes := key(mesh.Route, "local_route")
	l.edit(
		engine.Duplicate{Key: routes, Name: "next_route"},
		engine.Duplicate{Key: key(mesh.Cluster, "legacy"), Name: "heritage"},
		engine.Duplicate{Key: key(mesh.Endpoints, "legacy"), Name: "heritage"},
		engine.SetField{Key: key(mesh.Route, "next_route"), Path: "virtual_hosts[0].routes[1].route.cluster", Value: "heritage"},
		engine.SetField{Key: key(mesh.Listener, "web"), Path: "filter_chains[0].filters[0].typed_config.rds.route_config_name", Value: "next_route"},
		engine.Remove{Key: routes},
		engine.Remove{Key: key(mesh.Cluster, "legacy")},
		engine.Remove{Key: key(mesh.Endpoints, "legacy")},
	)
	if fs := l.findings("dangling-reference"); len(fs) > 0 {
		l.Fatal(fs)
	}
	if o := l.outcome(l.push(engine.PushOptions{Note: "other routes"}).Number); o.Result != engine.Accepted {
		l.Fatalf("moving: %s %s", o.Result, o.Detail)
	}
	l.until("all is in effect", l.inSync(1))
	l.rollBack(good)
	if after := l.demo.Snapshot().Failed; after != before {
		l.Errorf("moving there and back cost %d requests\n%s", after-before, l.story())
	}
}

// forceADanglingRoute: the check says so first; forced, Envoy ACKs it, and the
// requests get 503.
func forceADanglingRoute(l *lab) {
	good := l.session.workspace.State().Head().Number
	l.edit(engine.SetField{Key: key(mesh.Route, "local_route"), Path: "virtual_hosts[0].routes[1].route.cluster", Value: "nosuch"})
	fs := l.findings("dangling-reference")
	if len(fs) == 0 || fs[0].Severity != mesh.Error || !strings.Contains(fs[0].String(), "nosuch") || fs[0].Line == 0 {
		l.Fatalf("the check says %v", l.findings(""))
	}
	if _, err := l.session.workspace.Push(engine.PushOptions{}); err == nil || !strings.Contains(err.Error(), "nosuch") {
		l.Fatalf("the push is not refused: %v", err)
	}
	r := l.push(engine.PushOptions{Note: "on purpose", Force: true})
	if o := l.outcome(r.Number); o.Result != engine.Accepted {
		l.Fatalf("Envoy should have taken it: %s %s", o.Result, o.Detail)
	}
	if code, by := l.ask("/"); code != 503 || by != "" {
		l.Errorf("a request got %d from %q", code, by)
	}
	l.until("the load sees NC", func() bool {
		f := l.demo.Snapshot().Failures
		return len(f) > 0 && f[len(f)-1].Flags == "NC"
	})
	l.rollBack(good)
	if code, by := l.ask("/"); code != 200 || by != "legacy-a" {
		l.Errorf("after the rollback a request got %d from %q", code, by)
	}
}

func (l *lab) rollBack(number int) {
	l.Helper()
	r, err := l.session.workspace.Rollback(number)
	if err != nil {
		l.Fatal(err)
	}
	if o := l.outcome(r.Number); o.Result != engine.Accepted {
		l.Fatalf("rolling back: %s %s", o.Result, o.Detail)
	}
	l.until("all is green again", l.inSync(1))
}

// takeATakenPort: Envoy refuses it in its own words, and is told once.
func takeATakenPort(l *lab) {
	good := l.session.workspace.State().Head().Number
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	defer taken.Close()
	web := l.session.workspace.State().Group(mesh.DefaultGroup).Draft.Get(key(mesh.Listener, "web"))
	second := strings.NewReplacer("name: web", "name: second",
		fmt.Sprintf("port_value: %d", l.demo.Port()), fmt.Sprintf("port_value: %d", taken.Addr().(*net.TCPAddr).Port)).Replace(web.Source.Text)
	l.edit(engine.Put{Type: mesh.Listener, Text: second})
	r := l.push(engine.PushOptions{Note: "a taken port"})
	o := l.outcome(r.Number)
	if o.Result != engine.Rejected || !strings.Contains(o.Detail, "Address already in use") {
		l.Fatalf("outcome: %s %q", o.Result, o.Detail)
	}
	status := l.session.server.State().Node("envoy-1").Resources[key(mesh.Listener, "second")]
	if status.Rejected == nil || !strings.Contains(status.Rejected.Detail, "cannot bind") || status.Rejected.Sent != 1 {
		l.Errorf("the resource says %+v", status.Rejected)
	}
	l.rollBack(good)
	msgs, _ := l.session.server.Wire().Since(0, 10000)
	nacks := 0
	for _, m := range msgs {
		if m.Kind == xds.NACK {
			nacks++
		}
	}
	if nacks != 1 {
		l.Errorf("%d NACKs on the wire, want one", nacks)
	}
}

// killABackend: the screen's facts say that it is ill, and why.
func killABackend(l *lab) {
	victim := l.backend("app-v1-b")
	if err := l.demo.Become(victim.Name, demo.Down); err != nil {
		l.Fatal(err)
	}
	l.until("its illness is known with a reason", func() bool {
		e := l.endpoint("envoy-1", victim.Address)
		return e.Health == envoy.CheckFailed && e.Why != "" && !e.Since.IsZero()
	})
	if err := l.demo.Become(victim.Name, demo.Up); err != nil {
		l.Fatal(err)
	}
	l.until("it is well again", func() bool { return l.endpoint("envoy-1", victim.Address).Health == envoy.Healthy })
}

// Several local Envoys get the same mesh, each on ports of its own.
func TestSeveralEnvoys(t *testing.T) {
	l := newLab(t, 2, false)
	l.until("both carry traffic", func() bool {
		ports := map[int]bool{}
		for _, a := range l.demo.Snapshot().Last {
			if a.Code == 200 {
				ports[a.Port] = true
			}
		}
		return len(ports) == 2
	})
	if s := l.demo.Snapshot(); s.Failed != 0 {
		t.Errorf("%d of %d requests failed\n%s", s.Failed, s.Total, l.story())
	}
}
