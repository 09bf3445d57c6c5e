package xds_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// A real Envoy refuses a listener on a taken port: it is sent once, shown in
// Envoy's words, harms nobody, and the rollback is taken.
func TestEnvoyRejectsTakenPort(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		l := startLoad(t, urlOf(j.front))
		l.flow(t, 50)
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := taken.Addr().(*net.TCPAddr).Port
		good := j.mesh("blue", cluster("blue", time.Second))
		j.push(j.mesh("blue", cluster("blue", time.Second), listener(t, "taken", port, "local")))
		n := j.through("envoy-1", j.revision, engine.Rejected)
		rej := n.Types[mesh.Listener].Rejected
		if rej == nil || rej.Sent != 1 || !strings.Contains(rej.Detail, "taken: cannot bind '127.0.0.1:") || !strings.Contains(rej.Detail, "Address already in use") {
			t.Errorf("rejection %+v", rej)
		}
		if n.Resources.Get(key(mesh.Listener, "taken")).Rejected == nil || n.Resources.Get(key(mesh.Listener, "web")).Rejected != nil {
			t.Errorf("resources %+v", n.Resources)
		}
		j.accepted(good)
		l.flow(t, 50)
		if l.bad.Load() > 0 {
			t.Errorf("%d of %d requests failed: %v", l.bad.Load(), l.sent.Load(), l.failures)
		}
		nacks := 0
		msgs, _ := j.Wire().Since(0, 1<<20)
		for _, m := range msgs {
			if m.Kind == xds.NACK {
				nacks++
			}
		}
		if nacks != 1 {
			t.Errorf("%d NACKs on the wire", nacks)
		}
	})
}

// The server goes away under load and another comes in its place, with the same
// mesh under other versions: nothing is lost, and Envoy is served again.
func TestEnvoySurvivesRestartOfServer(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		l := startLoad(t, urlOf(j.front))
		l.flow(t, 50)
		j.stop()
		l.flow(t, 50)
		second := serveAt(t, j.addr, xds.Options{})
		second.Publish(revision(1, j.mesh("blue", cluster("blue", time.Second))))
		second.through("envoy-1", 1, engine.Accepted)
		second.Publish(revision(2, meshOf(t, listener(t, "web", j.front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", j.v2))))
		second.through("envoy-1", 2, engine.Accepted)
		answers(t, urlOf(j.front), "v2")
		if l.bad.Load() > 0 {
			t.Errorf("%d of %d requests failed: %v", l.bad.Load(), l.sent.Load(), l.failures)
		}
		n := second.State().Node("envoy-1")
		if n.Agent != "envoy 1.40.0" && !strings.HasPrefix(n.Agent, "envoy 1.") {
			t.Errorf("agent %q", n.Agent)
		}
	})
}
