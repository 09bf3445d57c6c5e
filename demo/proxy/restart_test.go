package proxy_test

import (
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/xds"
)

// Without its control plane a node goes on as it was. When one is back, the node
// is served again, loses no request, and takes what has changed.
func TestControlPlaneRestart(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1, v2 := freePort(t), backend(t, "v1"), backend(t, "v2")
		web := listener(t, "web", front, "local")
		first := meshOf(t, web, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1))
		l := startLab(t, labOptions{delta: delta, first: first})
		l.ends(engine.Accepted)
		answers(t, urlOf(front), "v1")
		traffic := startLoad(t, urlOf(front))
		traffic.flow(50)
		for range 3 {
			l.stop()
			traffic.flow(50)
			l.serve()
			l.push(first)
			l.ends(engine.Accepted)
			l.active()
		}
		l.stop()
		l.serve()
		l.accepted(meshOf(t, web, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v2)))
		// What was under way may still end; nothing new goes to v1.
		got := traffic.flow(50)
		for range 20 {
			if got["v1"] == 0 {
				break
			}
			got = traffic.flow(50)
		}
		if got["v1"] > 0 {
			t.Fatalf("v1 goes on answering: %v", got)
		}
		l.active()
		traffic.flawless("restarts")
		l.sane(0)
	})
}

// What changed while the control plane was away, removals included, is in effect
// when it is back.
func TestRemovedWhileAway(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, other, v1 := freePort(t), freePort(t), backend(t, "v1")
		both := meshOf(t, listener(t, "web", front, "local"), listener(t, "other", other, "local"), route("local", "blue"),
			cluster("blue", time.Second), endpoints("blue", v1), cluster("gone", time.Second), endpoints("gone", v1))
		l := startLab(t, labOptions{delta: delta, first: both})
		l.ends(engine.Accepted)
		answers(t, urlOf(other), "v1")
		l.stop()
		l.serve()
		l.accepted(meshOf(t, listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1)))
		closes(t, other)
		answers(t, urlOf(front), "v1")
		l.active()
	})
}

// A node that starts before its control plane waits for it.
func TestControlPlaneComesLater(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		front, v1 := freePort(t), backend(t, "v1")
		l := startLab(t, labOptions{delta: delta})
		l.stop()
		l.serve()
		if n := len(l.wire(xds.Response)); n > 0 {
			t.Fatalf("%d responses though nothing was published", n)
		}
		l.accepted(meshOf(t, listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", v1)))
		answers(t, urlOf(front), "v1")
		l.active()
	})
}
