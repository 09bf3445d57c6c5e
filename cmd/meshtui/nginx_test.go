package main

import (
	"context"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// A tried request is sent to the nginx beside the proxies too, which follows what
// is pushed.
func TestTryInNginx(t *testing.T) {
	needProgram(t, "nginx")
	l := newLab(t, envoyFlags{plane: planeBuiltin, nodes: 1})
	beside := nginxBeside{Twin: l.session.twin, backend: l.demo.Who}
	if s := beside.State(); s.Running || !strings.HasPrefix(s.Program, "nginx ") || l.session.noNginx != "" {
		t.Errorf("before anybody asked: %+v, %q", s, l.session.noNginx)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ask := match.Request{Host: "www.example.com", Path: "/"}
	legacy := l.backend("legacy-a")
	got := beside.Try(ctx, ask)
	if got.Err != "" || got.Node != "nginx" || got.Status != 200 || got.Answered != legacy.Address+" (legacy-a)" {
		t.Errorf("%+v", got)
	}
	s := beside.State()
	if port := s.Ports[uint32(l.demo.Port())]; !s.Running || s.Err != "" || port == 0 || portOf(got.Address) != port {
		t.Errorf("%+v; it was asked at %s", s, got.Address)
	}
	ask.Host = "elsewhere.example.com"
	if got := beside.Try(ctx, ask); got.Status != 404 || got.Answered != "nginx" {
		t.Errorf("a stranger: %+v", got)
	}
	// What is pushed, nginx has before the next request is sent to it.
	l.edit(engine.SetField{Key: key(mesh.Route, "local_route"), Path: "virtual_hosts[0].routes[1].route.cluster", Value: "app-v2"})
	l.push(engine.PushOptions{})
	ask.Host = "www.example.com"
	l.until("nginx answers as was pushed", func() bool {
		got = beside.Try(ctx, ask)
		return got.Answered == l.backend("app-v2-a").Address+" (app-v2-a)"
	})
	if got := beside.Try(ctx, match.Request{Host: "www.example.com", Path: "/", Port: 1}); got.Err == "" || got.Status != 0 {
		t.Errorf("a port that nobody listens on: %+v", got)
	}
}

// Without an nginx everything else is there, and it is said why.
func TestWithoutNginx(t *testing.T) {
	t.Setenv("MESHTUI_NGINX", "/nowhere/nginx")
	l := newLab(t, envoyFlags{plane: planeBuiltin, nodes: 1})
	if l.session.twin != nil || !strings.Contains(l.session.noNginx, "/nowhere/nginx") {
		t.Errorf("%v, %q", l.session.twin, l.session.noNginx)
	}
	c := l.session.compete(l.demo)
	c.Watch(true)
	l.until("the proxy's side is watched", func() bool { return c.State().Envoy.Answers > 20 })
	if err := c.Change(); err != nil {
		t.Fatal(err)
	}
	l.until("it answers anew, and what was sent is counted", func() bool { e := c.State().Envoy; return e.Effective > 0 && e.Bytes > 0 })
	s := competition{c}.State()
	if s.Missed != l.session.noNginx || s.Sides[0].Name != "" || s.Sides[1].Name != "built-in proxy" || s.Sides[1].Failed != 0 || s.Sides[1].Bytes == 0 {
		t.Errorf("%+v", s)
	}
}
