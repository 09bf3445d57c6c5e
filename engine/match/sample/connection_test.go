package sample_test

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/matchtest"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
)

// A sampled request comes by a connection that its filter chain takes: always
// where the chain stands alone, and in random listeners nearly as often as
// random connections find it. There a closer chain may come before.
func TestTheChainTakesTheConnection(t *testing.T) {
	alone, reached, sampled := 0, 0, 0
	for seed := range uint64(200) {
		c := matchtest.NewChains(seed, matchtest.Options{Address: "127.9.0.1", Port: 10000, Certificate: "c", PrivateKey: "k", Requests: 300})
		m := match.New(c.Mesh)
		random := map[string]bool{}
		for i := range c.Requests {
			if w := m.Match(&c.Requests[i].Ask); w.Matched {
				random[w.FilterChain] = true
			}
		}
		l := c.Mesh.List(mesh.Listener)[0].Message.(*listenerv3.Listener)
		for _, fc := range l.GetFilterChains() {
			hcm := &hcmv3.HttpConnectionManager{}
			if err := fc.GetFilters()[0].GetTypedConfig().UnmarshalTo(hcm); err != nil {
				t.Fatal(err)
			}
			req := sample.New(fc, hcm.GetRouteConfig()).Route(0, 0)
			req.Listener = l.GetName()
			if random[fc.GetName()] {
				reached++
				if w := m.Match(&req); w.Matched && w.FilterChain == fc.GetName() {
					sampled++
				}
				only := proto.CloneOf(l)
				only.FilterChains, only.DefaultFilterChain = []*listenerv3.FilterChain{fc}, nil
				if w := match.New(single(t, only)).Match(&req); w.Matched {
					alone++
				} else {
					t.Errorf("seed %d: %v, alone, does not take %+v: %s", seed, fc.GetFilterChainMatch(), req, w.Reason)
				}
			}
		}
	}
	t.Logf("of %d chains that random connections reach, %d take the sampled one alone, %d among the others", reached, alone, sampled)
	if reached < 200 || 100*sampled < 85*reached {
		t.Errorf("of %d chains that random connections reach, %d get the sampled one", reached, sampled)
	}
}

func single(t *testing.T, l *listenerv3.Listener) *mesh.Mesh {
	t.Helper()
	r, err := mesh.NewResource(l, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
