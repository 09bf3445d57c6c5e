package xds_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// Whatever is published in whatever pace, rejected and interrupted on the way:
// in the end every node holds the newest mesh and nothing else.
func TestNodesConverge(t *testing.T) {
	for seed := range seeds(t, 12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { converge(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func converge(t *testing.T, rnd *rand.Rand) {
	s := serve(t, xds.Options{})
	const nodes, revisions = 4, 60
	var envoys [nodes]*xdstest.Envoy
	start := func(i int) {
		envoys[i] = xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: fmt.Sprint("envoy-", i), Delta: i%2 == 1}, xdstest.EnvoyOptions{Reject: rejectNines})
	}
	s.Publish(revision(1, randomMesh(t, rnd, true)))
	for i := range nodes {
		start(i)
	}
	for number := 2; number < revisions; number++ {
		s.Publish(revision(number, randomMesh(t, rnd, true)))
		switch i := rnd.IntN(nodes); rnd.IntN(6) {
		case 0: // let one node catch up; what it was given may be bad
			s.until("a node is through", func(st *xds.State) bool {
				n := st.Node(fmt.Sprint("envoy-", i))
				return n != nil && n.Rollout.Revision == number && !n.Rollout.Ended.IsZero()
			})
		case 1:
			envoys[i].Stop()
			start(i)
		}
	}
	final := randomMesh(t, rnd, false)
	s.Publish(revision(revisions, final))
	for i, e := range envoys {
		t.Cleanup(func() {
			if t.Failed() && !sameAs(e.Holds(), final) {
				s.logWire(fmt.Sprint("envoy-", i))
			}
		})
		s.through(fmt.Sprint("envoy-", i), revisions, engine.Accepted)
		e.Await("hold the newest mesh", func(holds map[mesh.Key]*anypb.Any) bool { return sameAs(holds, final) })
	}
}

// rejectNines refuses what has the mark that randomMesh puts on bad resources.
func rejectNines(r xdstest.Response) string {
	for name, a := range r.Resources {
		if strings.Contains(string(a.GetValue()), "bad-") {
			return "no " + name
		}
	}
	return ""
}

// randomMesh has some of a few clusters with their endpoints, and a listener
// whose routes lead to one of them; with bad, sometimes a resource that nodes
// refuse.
func randomMesh(t *testing.T, rnd *rand.Rand, bad bool) *mesh.Mesh {
	t.Helper()
	var all []proto.Message
	var names []string
	for i := range 6 {
		if i == 0 || rnd.IntN(2) == 0 {
			name := fmt.Sprint("c", i)
			names = append(names, name)
			all = append(all, cluster(name, time.Duration(1+rnd.IntN(3))*time.Second), endpoints(name, 9000+rnd.IntN(3)))
		}
	}
	if bad && rnd.IntN(4) == 0 {
		all = append(all, cluster("bad-cluster", time.Duration(1+rnd.IntN(3))*time.Second))
	}
	r := fmt.Sprint("r", rnd.IntN(3))
	all = append(all, listener(t, fmt.Sprint("l", rnd.IntN(2)), 10000, r), route(r, names[rnd.IntN(len(names))]))
	if bad && rnd.IntN(6) == 0 {
		all = append(all, listener(t, "bad-listener", 10001, r))
	}
	return meshOf(t, all...)
}

// sameAs reports whether a node holds this mesh. Endpoints and routes that it
// no longer asks for may linger in SotW, where nothing takes them back.
func sameAs(holds map[mesh.Key]*anypb.Any, m *mesh.Mesh) bool {
	for _, r := range m.All() {
		if a := holds[r.Key]; a == nil || string(a.GetValue()) != string(r.Any().GetValue()) {
			return false
		}
	}
	for k := range holds {
		if m.Get(k) == nil && (k.Type == mesh.Cluster || k.Type == mesh.Listener) {
			return false
		}
	}
	return true
}
