package xds_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// An Envoy that starts is given everything, type by type as it asks.
func TestFirstConnect(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		e.Await("hold everything", func(h map[mesh.Key]*anypb.Any) bool { return len(h) == 6 })
		n := s.through("envoy-1", 1, engine.Accepted)
		for _, r := range shop(t).All() {
			st := n.Resources.Get(r.Key)
			if st.Acked.Version == "" || st.Hash != r.Hash() {
				t.Errorf("%s: %+v, want it acknowledged with hash %s", r.Key, st, r.Hash())
			}
		}
	})
}
