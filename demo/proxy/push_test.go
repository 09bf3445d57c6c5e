package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// Every kind of change under load, one after the other, in both variants: no
// request fails, each is in effect when the rollout ends, and the watcher sees
// all of it active.
func TestChangesLoseNoRequest(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1, v2 := freePort(t), backend(t, "v1"), backend(t, "v2")
		web, second := listener(t, "web", front, "local"), time.Second
		l := startLab(t, labOptions{delta: delta, first: meshOf(t, web, route("local", "blue"), cluster("blue", second), endpoints("blue", v1))})
		l.ends(engine.Accepted)
		answers(t, urlOf(front), "v1")
		l.active()
		traffic := startLoad(t, urlOf(front))
		both := func(name string) proto.Message { return endpoints(name, v1, v2) }
		for _, step := range []struct {
			name string
			m    *mesh.Mesh
			only string // who answers afterwards; "" for both
		}{
			{"endpoint added", meshOf(t, web, route("local", "blue"), cluster("blue", second), both("blue")), ""},
			{"endpoint drained", meshOf(t, web, route("local", "blue"), cluster("blue", second), draining(endpoints("blue", v1, v2), 0)), "v2"},
			{"cluster changed", meshOf(t, web, route("local", "blue"), cluster("blue", 2*second), both("blue")), ""},
			{"canary", meshOf(t, web, route("local", "blue", "canary"), cluster("blue", 2*second), endpoints("blue", v1), cluster("canary", second), endpoints("canary", v2)), ""},
			{"weight moved", meshOf(t, web, weighted(route("local", "blue", "canary"), 0, 100), cluster("blue", 2*second), endpoints("blue", v1), cluster("canary", second), endpoints("canary", v2)), "v2"},
			{"cluster renamed", meshOf(t, web, route("local", "green"), cluster("green", second), endpoints("green", v1)), "v1"},
			{"cluster without EDS", meshOf(t, web, route("local", "green"), static(t, "green", v2)), "v2"},
			{"cluster with EDS", meshOf(t, web, route("local", "green"), cluster("green", second), endpoints("green", v1)), "v1"},
			{"another service", meshOf(t, web, route("local", "green"), served("green", "service"), endpoints("service", v2)), "v2"},
			{"and back", meshOf(t, web, route("local", "blue"), cluster("blue", second), endpoints("blue", v2)), "v2"},
			{"listener changed", meshOf(t, buffered(listener(t, "web", front, "local"), 4096), route("local", "blue"), cluster("blue", second), endpoints("blue", v1)), "v1"},
			{"listener renamed on its port", meshOf(t, listener(t, "front", front, "local"), route("local", "blue"), cluster("blue", second), endpoints("blue", v2)), "v2"},
			{"renamed, with other routes", meshOf(t, listener(t, "door", front, "other"), route("other", "blue"), cluster("blue", second), endpoints("blue", v1)), "v1"},
			{"other routes", meshOf(t, listener(t, "door", front, "third"), route("third", "blue"), cluster("blue", second), endpoints("blue", v2)), "v2"},
		} {
			l.accepted(step.m)
			got := traffic.flow(100)
			traffic.flawless(step.name)
			// What was under way at the end of the rollout may count still.
			for step.only != "" && len(got) > 1 {
				got = traffic.flow(100)
				traffic.flawless(step.name)
				if len(got) > 1 {
					t.Fatalf("%s: answered by %v", step.name, got)
				}
			}
			if step.only != "" && got[step.only] == 0 {
				t.Errorf("%s: answered by %v, want %s", step.name, got, step.only)
			}
			if step.only == "" && len(got) != 2 {
				t.Errorf("%s: answered by %v, want both", step.name, got)
			}
			l.active()
		}
		l.sane(0)
		t.Logf("%d requests", traffic.sent.Load())
	})
}

// Connections of HTTP/2 end without the loss of a request, however often their
// listener is changed or renamed.
func TestHTTP2LosesNoRequest(t *testing.T) {
	front, v1 := freePort(t), backend(t, "v1")
	rest := []proto.Message{route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1)}
	l := startLab(t, labOptions{first: meshOf(t, append(rest, listener(t, "web", front, "local"))...)})
	l.ends(engine.Accepted)
	answers(t, urlOf(front), "v1")
	traffic := startLoad(t, urlOf(front), overHTTP2)
	for i := range uint32(8) {
		name := fmt.Sprint("web", i/2) // each is changed once
		l.accepted(meshOf(t, append(rest, buffered(listener(t, name, front, "local"), 40_000+i))...))
		traffic.flow(100)
		traffic.flawless(name)
	}
	l.facts("it has drained", func(f *envoy.Facts) bool { return f.Draining == 0 })
	traffic.flow(100)
	traffic.flawless("the end")
	l.sane(0)
	t.Logf("%d requests", traffic.sent.Load())
}

// A route to a cluster that is not there is accepted, and answered with 503 and
// nothing in it, as by an Envoy.
func TestRouteToMissingCluster(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front := freePort(t)
		l := startLab(t, labOptions{delta: delta, first: meshOf(t, listener(t, "web", front, "local"), route("local", "nowhere"))})
		l.ends(engine.Accepted)
		l.active()
		status, body, err := ask(t, urlOf(front))
		if err != nil || status != http.StatusServiceUnavailable || body != "" {
			t.Errorf("%d %q %v", status, body, err)
		}
		l.sane(0)
	})
}

// A port that another process has is refused once, in Envoy's words; the good
// listener beside it serves. When it is free, or the listener gone, all is well.
func TestTakenPort(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1 := freePort(t), backend(t, "v1")
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := portOf(t, taken.Addr().String())
		rest := []proto.Message{route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1)}
		good := meshOf(t, append(rest, listener(t, "web", front, "local"))...)
		l := startLab(t, labOptions{delta: delta, first: meshOf(t, append(rest, listener(t, "web", front, "local"), listener(t, "late", port, "local"))...)})
		n := l.ends(engine.Rejected)
		want := fmt.Sprintf("Error adding/updating listener(s) late: cannot bind '127.0.0.1:%d': Address already in use", port)
		if n.Rollout.Detail != want {
			t.Errorf("rejected with %q, want %q", n.Rollout.Detail, want)
		}
		answers(t, urlOf(front), "v1")
		l.facts("the watcher tells of it", func(f *envoy.Facts) bool {
			late, web := f.Active[key(mesh.Listener, "late")], f.Active[key(mesh.Listener, "web")]
			return late.State == envoy.Absent && strings.Contains(late.Detail, "Address already in use") &&
				web.State == envoy.ActiveSame && f.Rejected[mesh.Listener] == 1
		})
		l.sane(1)
		l.accepted(good) // the rollback
		l.active()
		taken.Close()
		l.accepted(meshOf(t, append(rest, listener(t, "web", front, "local"), listener(t, "late", port, "local"))...))
		answers(t, urlOf(port), "v1")
		l.active()
		l.sane(1)
	})
}

// A listener that moves to another port serves there and no more on the old one.
func TestListenerMoves(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		old, front, v1 := freePort(t), freePort(t), backend(t, "v1")
		rest := []proto.Message{route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1)}
		l := startLab(t, labOptions{delta: delta, first: meshOf(t, append(rest, listener(t, "web", old, "local"))...)})
		l.ends(engine.Accepted)
		answers(t, urlOf(old), "v1")
		l.accepted(meshOf(t, append(rest, listener(t, "web", front, "local"))...))
		answers(t, urlOf(front), "v1")
		closes(t, old)
		l.active()
		l.accepted(meshOf(t, rest...))
		closes(t, front)
		l.sane(0)
	})
}

// A request that is under way when its listener goes is answered.
func TestRequestUnderWayEnds(t *testing.T) {
	front := freePort(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := slowBackend(t, arrived, release)
	rest := []proto.Message{route("local", "blue"), cluster("blue", time.Second), endpoints("blue", slow)}
	l := startLab(t, labOptions{first: meshOf(t, append(rest, listener(t, "web", front, "local"))...)})
	l.ends(engine.Accepted)
	answered := askAside(t, urlOf(front))
	<-arrived
	l.push(meshOf(t, rest...))
	closes(t, front)
	l.facts("it is told that it drains", func(f *envoy.Facts) bool { return f.Draining == 1 })
	close(release)
	if got := <-answered; got != "200 slow" {
		t.Errorf("answered with %s", got)
	}
	l.facts("it has drained", func(f *envoy.Facts) bool { return f.Draining == 0 })
	l.ends(engine.Accepted)
}

// What a node cannot do is refused, and everything else stays as it was.
func TestRejectedAndRolledBack(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1, v2 := freePort(t), backend(t, "v1"), backend(t, "v2")
		web := listener(t, "web", front, "local")
		good := meshOf(t, web, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1))
		l := startLab(t, labOptions{delta: delta, first: good})
		l.ends(engine.Accepted)
		answers(t, urlOf(front), "v1")
		bad := route("local", "blue")
		bad.VirtualHosts[0].Domains = []string{"*", "*"}
		l.push(meshOf(t, web, bad, cluster("blue", time.Second), endpoints("blue", v1)))
		n := l.ends(engine.Rejected)
		if !strings.Contains(n.Rollout.Detail, "local") {
			t.Errorf("the words do not name the resource: %q", n.Rollout.Detail)
		}
		answers(t, urlOf(front), "v1")
		l.facts("it is counted", func(f *envoy.Facts) bool { return f.Rejected[mesh.Route] == 1 })
		l.accepted(good)
		l.accepted(meshOf(t, web, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v2)))
		answers(t, urlOf(front), "v2")
		l.sane(1)
		if stale := l.wire(xds.StaleACK); len(stale) > 0 {
			t.Errorf("answers to what was superseded: %+v", stale)
		}
	})
}
