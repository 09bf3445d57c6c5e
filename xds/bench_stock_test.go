package xds_test

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// stock is go-control-plane's server over one of its caches.
type stock struct {
	mode    string
	addr    string
	nodes   int
	isDelta bool
	end     func()
	offer   func(version string, m *mesh.Mesh) // gives the cache what it is to serve
	number  int

	mu    sync.Mutex
	acks  int           // since the change before
	wait  int           // how many there are to be
	heard chan struct{} // all are
}

// newSnapshots is stock over SnapshotCache, which has a snapshot for each node.
func newSnapshots(b *testing.B, nodes int, delta bool) *stock {
	b.Helper()
	c := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
	prepared := map[*mesh.Mesh]map[string][]types.Resource{}
	s := newStock(b, "snapshot", c, nodes, delta)
	s.offer = func(version string, m *mesh.Mesh) {
		resources := prepared[m]
		if resources == nil {
			resources = map[string][]types.Resource{}
			for _, r := range m.All() {
				resources[r.Key.Type.URL()] = append(resources[r.Key.Type.URL()], r.Message)
			}
			prepared[m] = resources
		}
		snapshot, err := cache.NewSnapshot(version, resources)
		if err != nil {
			panic(err)
		}
		for i := range nodes {
			if err := c.SetSnapshot(context.Background(), nodeName(i), snapshot); err != nil {
				panic(err)
			}
		}
	}
	return s
}

// newLinear is stock over LinearCache, which is told of each resource that
// changed.
func newLinear(b *testing.B, nodes int, delta bool) *stock {
	b.Helper()
	c := cache.NewLinearCache(mesh.Endpoints.URL())
	s := newStock(b, "linear", c, nodes, delta)
	var before *mesh.Mesh
	s.offer = func(_ string, m *mesh.Mesh) {
		update := map[string]types.Resource{}
		for _, change := range mesh.Diff(before, m) {
			update[change.Key.Name] = change.New.Message
		}
		if err := c.UpdateResources(update, nil); err != nil {
			panic(err)
		}
		before = m
	}
	return s
}

func newStock(b *testing.B, mode string, c cache.Cache, nodes int, delta bool) *stock {
	b.Helper()
	s := &stock{mode: mode, nodes: nodes, isDelta: delta, heard: make(chan struct{}, 1), wait: nodes}
	g, ctx := task.New(context.Background())
	x := server.NewServer(ctx, c, server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, r *discovery.DiscoveryRequest) error {
			s.ack(r.GetResponseNonce())
			return nil
		},
		StreamDeltaRequestFunc: func(_ int64, r *discovery.DeltaDiscoveryRequest) error {
			s.ack(r.GetResponseNonce())
			return nil
		},
	}, sotw.WithOrderedADS())
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20))
	discovery.RegisterAggregatedDiscoveryServiceServer(srv, x)
	path := filepath.Join(shortDir(b), "x")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	s.addr = "unix:" + path
	g.Go("stock", func() error { return srv.Serve(l) })
	s.end = func() { g.Stop(); srv.Stop(); _ = g.Wait() }
	b.Cleanup(s.end)
	return s
}

// ack counts an answer. Every client answers every change once.
func (s *stock) ack(nonce string) {
	if nonce == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks++
	if s.acks == s.wait {
		s.acks = 0
		s.heard <- struct{}{}
	}
}

func (s *stock) address() string       { return s.addr }
func (s *stock) delta() bool           { return s.isDelta }
func (s *stock) names() (bool, string) { return false, modeOf(s.isDelta) + "-" + s.mode }
func (s *stock) stop()                 { s.end() }
func (s *stock) settled()              { <-s.heard }

func (s *stock) publish(m *mesh.Mesh) {
	s.number++
	s.offer(strconv.Itoa(s.number), m)
}

func (s *stock) race(m *mesh.Mesh) {
	s.publish(m)
	<-s.heard
}

func nodeName(i int) string { return "node-" + strconv.Itoa(i) }
