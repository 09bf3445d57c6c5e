package xds_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// Envoy refuses a listener on an address that another has, and takes the
// listeners of a response one by one: whoever takes over a port, and whatever it
// is called, comes when that is free.
func TestEnvoyListenersHandPortsOn(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		p1, p2, p3 := j.front, freePort(t), freePort(t)
		with := func(listeners ...proto.Message) *mesh.Mesh {
			return meshOf(t, append(listeners, route("local", "blue"), route("more", "blue"), cluster("blue", time.Second), endpoints("blue", j.v1))...)
		}
		for _, step := range []struct {
			name string
			m    *mesh.Mesh
			open []int
		}{
			{"web and beta", with(listener(t, "web", p1, "local"), listener(t, "beta", p2, "local")), []int{p1, p2}},
			{"they swap", with(listener(t, "web", p2, "local"), listener(t, "beta", p1, "local")), []int{p1, p2}},
			{"back, with other routes", with(listener(t, "web", p1, "more"), listener(t, "beta", p2, "local")), []int{p1, p2}},
			{"only web", with(listener(t, "web", p1, "local")), []int{p1}},
			{"alpha takes its port, before it", with(listener(t, "alpha", p1, "local"), listener(t, "web", p2, "local")), []int{p1, p2}},
			{"only web again", with(listener(t, "web", p2, "local")), []int{p2}},
			{"zulu takes its port, behind it", with(listener(t, "web", p1, "local"), listener(t, "zulu", p2, "local")), []int{p1, p2}},
			{"only web once more", with(listener(t, "web", p1, "local")), []int{p1}},
			{"alpha takes its port, it waits for routes", with(listener(t, "alpha", p1, "local"), listener(t, "web", p2, "more")), []int{p1, p2}},
			{"a third joins", with(listener(t, "alpha", p1, "local"), listener(t, "web", p2, "local"), listener(t, "mid", p3, "local")), []int{p1, p2, p3}},
			{"a ring", with(listener(t, "alpha", p2, "local"), listener(t, "web", p3, "local"), listener(t, "mid", p1, "local")), []int{p1, p2, p3}},
		} {
			t.Log(step.name)
			j.accepted(step.m)
			for _, port := range step.open {
				answers(t, urlOf(port), "v1")
			}
		}
	})
}
