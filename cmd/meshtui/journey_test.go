package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"example.com/meshtui/demo"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// The journey that the product exists for, under load: on a real Envoy, and on
// the built-in proxy, which needs none. (That one's delta xDS is tested where it
// is made.)
func TestJourney(t *testing.T) {
	for _, f := range []envoyFlags{{plane: planeEnvoy}, {plane: planeEnvoy, delta: true}, {plane: planeBuiltin}} {
		t.Run(f.plane+map[bool]string{false: " SotW", true: " delta"}[f.delta], func(t *testing.T) {
			f.nodes = 1
			l := newLab(t, f)
			drainAnEndpoint(l)
			shiftTheCanary(l)
			moveAListener(l)
			forceADanglingRoute(l)
			takeATakenPort(l)
			killABackend(l)
		})
	}
}

// shiftTheCanary: the shares follow the weights.
func shiftTheCanary(l *lab) {
	routes := key(mesh.Route, "local_route")
	weights := "virtual_hosts[0].routes[0].route.weighted_clusters.clusters"
	shift := func(app, v2 uint32) {
		l.edit(engine.SetRouteWeight{Key: routes, Path: weights + "[0]", Weight: app},
			engine.SetRouteWeight{Key: routes, Path: weights + "[1]", Weight: v2})
		if o := l.outcome(l.push(engine.PushOptions{Note: "canary"}).Number); o.Result != engine.Accepted {
			l.Fatalf("shifting: %s %s", o.Result, o.Detail)
		}
	}
	shift(0, 100)
	l.until("v2 has all of it", func() bool {
		return l.backend("app-v1-a").RPS == 0 && l.backend("app-v1-b").RPS == 0 && l.backend("app-v2-a").RPS > 0
	})
	shift(90, 10)
	l.until("v1 has most of it again", func() bool {
		return l.backend("app-v1-a").RPS+l.backend("app-v1-b").RPS > l.backend("app-v2-a").RPS && l.backend("app-v2-a").RPS > 0
	})
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
	l.until("the proxy shows it draining", func() bool {
		return l.endpoint(victim.Address).Health == envoy.Draining
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
		l.Fatalf("the proxy should have taken it: %s %s", o.Result, o.Detail)
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

// takeATakenPort: the proxy refuses it in its own words, and is told once.
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
	status := l.session.server.State().Node(l.node()).Resources.Get(key(mesh.Listener, "second"))
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
		e := l.endpoint(victim.Address)
		return e.Health == envoy.CheckFailed && e.Why != "" && !e.Since.IsZero()
	})
	if err := l.demo.Become(victim.Name, demo.Up); err != nil {
		l.Fatal(err)
	}
	l.until("it is well again", func() bool { return l.endpoint(victim.Address).Health == envoy.Healthy })
}

// Several local Envoys get the same mesh, each on ports of its own.
func TestSeveralEnvoys(t *testing.T) {
	l := newLab(t, envoyFlags{plane: planeEnvoy, nodes: 2})
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
