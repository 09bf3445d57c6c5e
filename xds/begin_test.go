package xds_test

import (
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// An Envoy asks for its runtime first. What it has answered then is not all: it is
// not through before it has asked for its listeners and what they name.
func TestAnEnvoyThatAsksForRuntimeFirst(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Agent: "envoy"}).Open()
	st.Subscribe(mesh.Runtime, "meshtui")
	st.Ack(st.Next())
	s.until("waits for listeners", func(x *xds.State) bool {
		n := x.Node("envoy-1")
		if n != nil && n.Rollout.Result == engine.Accepted {
			t.Fatal("it is through although it has asked for its runtime alone")
		}
		return n != nil && n.Rollout.Waiting == "the node to ask for listeners"
	})
}
