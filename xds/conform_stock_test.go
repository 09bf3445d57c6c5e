package xds_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// stockServer is go-control-plane's own server over its own cache.
type stockServer struct {
	addr  string
	cache cache.SnapshotCache
	n     int
}

func serveStockServer(t *testing.T) *stockServer {
	t.Helper()
	s := &stockServer{cache: cache.NewSnapshotCache(false, cache.IDHash{}, nil)}
	l, err := xds.Listen("unix:" + shortDir(t) + "/stock.sock")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = xds.Address(l)
	group, ctx := task.New(context.Background())
	g := grpc.NewServer()
	byName := []string{resource.EndpointType, resource.RouteType, resource.SecretType}
	discovery.RegisterAggregatedDiscoveryServiceServer(g, server.NewServer(ctx, s.cache, nil, sotw.DeactivateLegacyWildcardForTypes(byName)))
	group.Go("stock", func() error {
		if err := g.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	t.Cleanup(func() {
		g.Stop()
		group.Stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// publish sets a snapshot in which a type has a new version only if it changed,
// as each cache that feeds on content does it.
func (s *stockServer) publish(t *testing.T, node string, m *mesh.Mesh) {
	t.Helper()
	s.n++
	byType := map[resource.Type][]types.Resource{}
	for _, typ := range modelTypes {
		byType[typ.URL()] = nil
	}
	for _, r := range m.All() {
		byType[r.Key.Type.URL()] = append(byType[r.Key.Type.URL()], r.Message)
	}
	snapshot, err := cache.NewSnapshot(fmt.Sprint(s.n), byType)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cache.SetSnapshot(t.Context(), node, snapshot); err != nil {
		t.Fatal(err)
	}
}

// The same conversations with this server and with go-control-plane's own, in
// which the latter does what the protocol says: nothing is rejected, every name
// that is asked for is asked for once. Both clients end with the same resources,
// and are told of the same removals.
func TestSameAsStock(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		for seed := range uint64(10) {
			rnd := rand.New(rand.NewPCG(seed, 29))
			ours, theirs := serve(t, xds.Options{}), serveStockServer(t)
			clients := []*plainClient{
				newPlainClient(xdstest.Dial(t, ours.addr, xdstest.Config{ID: "node", Delta: delta}).Open(), delta),
				newPlainClient(xdstest.Dial(t, theirs.addr, xdstest.Config{ID: "node", Delta: delta}).Open(), delta),
			}
			var wants map[mesh.Type][]string
			for i := range 12 {
				m := modelMesh(t, rnd, false)
				ours.PublishTo("node", m, nil)
				theirs.publish(t, "node", m)
				if i == 0 {
					wants = map[mesh.Type][]string{
						mesh.Cluster: nil, mesh.Listener: modelNames(mesh.Listener)[rnd.IntN(2):],
						mesh.Endpoints: modelNames(mesh.Endpoints)[rnd.IntN(3):], mesh.Route: modelNames(mesh.Route)[rnd.IntN(2):],
					}
					for _, typ := range modelTypes {
						for _, c := range clients {
							c.stream.Subscribe(typ, wants[typ]...)
						}
					}
				}
				want := map[string]string{}
				for _, r := range m.All() {
					if wants[r.Key.Type] == nil || slices.Contains(wants[r.Key.Type], r.Key.Name) {
						want[r.Key.String()] = r.Hash()
					}
				}
				for _, c := range clients {
					c.await(t, want)
				}
				if diff := cmp.Diff(clients[1].held(want), clients[0].held(want)); diff != "" {
					t.Fatalf("seed %d, round %d (-stock +ours):\n%s", seed, i, diff)
				}
			}
		}
	})
}

// plainClient takes everything that it is sent.
type plainClient struct {
	stream *xdstest.Stream
	delta  bool
	holds  map[mesh.Key]string
}

func newPlainClient(st *xdstest.Stream, delta bool) *plainClient {
	return &plainClient{stream: st, delta: delta, holds: map[mesh.Key]string{}}
}

// await takes responses until the client holds what it should.
func (c *plainClient) await(t *testing.T, want map[string]string) {
	t.Helper()
	for !maps.Equal(c.held(want), want) {
		r := c.stream.Next()
		if full := !c.delta && (r.Type == mesh.Cluster || r.Type == mesh.Listener); full {
			maps.DeleteFunc(c.holds, func(k mesh.Key, _ string) bool { return k.Type == r.Type })
		}
		for name, a := range r.Resources {
			m, err := a.UnmarshalNew()
			if err != nil {
				t.Fatal(err)
			}
			res, err := mesh.NewResource(m, mesh.Source{})
			if err != nil {
				t.Fatal(err)
			}
			c.holds[mesh.Key{Type: r.Type, Name: name}] = res.Hash()
		}
		for _, name := range r.Removed {
			delete(c.holds, mesh.Key{Type: r.Type, Name: name})
		}
		c.stream.Ack(r)
	}
}

// held is what the client holds, by name. SotW cannot take back routes and load
// assignments: those that are not wanted are left out.
func (c *plainClient) held(want map[string]string) map[string]string {
	out := map[string]string{}
	for k, hash := range c.holds {
		lingers := !c.delta && (k.Type == mesh.Route || k.Type == mesh.Endpoints)
		if _, wanted := want[k.String()]; wanted || !lingers {
			out[k.String()] = hash
		}
	}
	return out
}
