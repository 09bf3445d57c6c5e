package xds_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
)

// contender is a management server in a race: it is given meshes, and tells
// when all nodes have acknowledged one.
type contender interface {
	address() string
	publish(number int, m *mesh.Mesh) // returns when the last ACK is in
}

// BenchmarkPublish is the time from publishing a change of one type to the last
// ACK, beside go-control-plane's own SnapshotCache in the same mode and the same
// run. The metric x/stock is their ratio: below 1 is faster than stock.
func BenchmarkPublish(b *testing.B) {
	for _, delta := range []bool{false, true} {
		for _, nodes := range []int{1, 20} {
			b.Run(fmt.Sprintf("%s/nodes=%d", modeOf(delta), nodes), func(b *testing.B) {
				race(b, delta, nodes, 10, 1)
			})
		}
	}
}

// BenchmarkOneEndpointOf10000 moves one endpoint of 10,000 before 100 nodes.
// Stock is the SotW SnapshotCache in both modes.
func BenchmarkOneEndpointOf10000(b *testing.B) {
	b.Run("SotW", func(b *testing.B) { race(b, false, 100, 1000, 10) })
	b.Run("delta", func(b *testing.B) { race(b, true, 100, 1000, 10) })
}

func modeOf(delta bool) string {
	if delta {
		return "delta"
	}
	return "SotW"
}

// race publishes the same changes to ours and to stock by turns.
func race(b *testing.B, delta bool, nodes, clusters, endpointsEach int) {
	var names []string
	var all []proto.Message
	ports := make([]int, endpointsEach)
	for i := range clusters {
		name := "c" + strconv.Itoa(i)
		names = append(names, name)
		for j := range ports {
			ports[j] = 1000 + (i+j)%60000
		}
		all = append(all, endpoints(name, ports...))
	}
	base := meshOf(b, all...)
	stockDelta := delta && nodes < 100
	ours, stock := newOurs(b, nodes), newStock(b, nodes)
	meshes := [2]*mesh.Mesh{base, with(b, base, endpoints("c0", 7))}
	ours.publish(1, meshes[0])
	stock.publish(1, meshes[0])
	for i := range nodes {
		startRacer(b, ours.address(), "n"+strconv.Itoa(i), delta, names)
		startRacer(b, stock.address(), "n"+strconv.Itoa(i), stockDelta, names)
	}
	ours.publish(2, meshes[1]) // warm up: everyone is there and has everything
	stock.publish(2, meshes[1])
	var spent [2]time.Duration
	b.ResetTimer()
	for i := range b.N {
		for j, c := range []contender{ours, stock} {
			start := time.Now()
			c.publish(3+i, meshes[i%2])
			spent[j] += time.Since(start)
		}
	}
	b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N), "ours-µs")
	b.ReportMetric(float64(spent[1].Microseconds())/float64(b.N), "stock-µs")
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "x/stock")
}

// ours is our server.
type ours struct {
	s        *xds.Server
	addr     string
	nodes    int
	accepted chan told
}

func newOurs(b *testing.B, nodes int) *ours {
	b.Helper()
	o := &ours{nodes: nodes, accepted: make(chan told, 1<<16), addr: "unix:" + filepath.Join(shortDir(b), "x")}
	o.s = xds.New(xds.Options{OnOutcome: func(revision int, out engine.Outcome) { o.accepted <- told{revision, out} }})
	l, err := xds.Listen(o.addr)
	if err != nil {
		b.Fatal(err)
	}
	g, ctx := task.New(context.Background())
	g.Go("ours", func() error { return o.s.Serve(ctx, l) })
	b.Cleanup(func() { g.Stop(); _ = g.Wait() })
	return o
}

func (o *ours) address() string { return o.addr }

func (o *ours) publish(number int, m *mesh.Mesh) {
	o.s.Publish(revision(number, m))
	if number == 1 {
		return // nobody is there yet
	}
	for t := range o.accepted {
		if t.Revision == number && t.Outcome.Result == engine.Accepted && t.Outcome.Nodes == o.nodes {
			return
		}
	}
}

// stock is go-control-plane's server over its SnapshotCache.
type stock struct {
	cache cache.SnapshotCache
	addr  string
	nodes int

	resources map[*mesh.Mesh]map[string][]types.Resource // what snapshots are made of, prepared

	mu    sync.Mutex
	acked map[string]int // nodes by version
	all   chan string    // versions that everyone has
}

func newStock(b *testing.B, nodes int) *stock {
	b.Helper()
	s := &stock{cache: cache.NewSnapshotCache(false, cache.IDHash{}, nil), nodes: nodes, resources: map[*mesh.Mesh]map[string][]types.Resource{}, acked: map[string]int{}, all: make(chan string, 1<<16)}
	g, ctx := task.New(context.Background())
	var current sync.Map // delta: nonce on a stream → version
	x := server.NewServer(ctx, s.cache, server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, r *discovery.DiscoveryRequest) error {
			if r.GetResponseNonce() != "" {
				s.ack(r.GetVersionInfo())
			}
			return nil
		},
		StreamDeltaResponseFunc: func(id int64, _ *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
			current.Store(fmt.Sprint(id, "/", r.GetNonce()), r.GetSystemVersionInfo())
		},
		StreamDeltaRequestFunc: func(id int64, r *discovery.DeltaDiscoveryRequest) error {
			if v, ok := current.LoadAndDelete(fmt.Sprint(id, "/", r.GetResponseNonce())); ok {
				s.ack(v.(string))
			}
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
	b.Cleanup(func() { g.Stop(); srv.Stop(); _ = g.Wait() })
	return s
}

func (s *stock) ack(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[version]++
	if s.acked[version] == s.nodes {
		s.all <- version
	}
}

func (s *stock) address() string { return s.addr }

func (s *stock) publish(number int, m *mesh.Mesh) {
	resources := s.resources[m]
	if resources == nil {
		resources = map[string][]types.Resource{}
		for _, r := range m.All() {
			resources[r.Key.Type.URL()] = append(resources[r.Key.Type.URL()], r.Message)
		}
		s.resources[m] = resources
	}
	version := strconv.Itoa(number)
	snapshot, err := cache.NewSnapshot(version, resources)
	if err != nil {
		panic(err)
	}
	for i := range s.nodes {
		if err := s.cache.SetSnapshot(context.Background(), "n"+strconv.Itoa(i), snapshot); err != nil {
			panic(err)
		}
	}
	if number == 1 {
		return
	}
	for v := range s.all {
		if v == version {
			return
		}
	}
}

// raw moves messages as bytes: the clients of a race must cost as little as can
// be, since they run on the same cores.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

// startRacer is a client that asks for these endpoints and acknowledges
// whatever comes, at once.
func startRacer(b *testing.B, addr, id string, delta bool, names []string) {
	b.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(32<<20)))
	if err != nil {
		b.Fatal(err)
	}
	method, nonceField := "StreamAggregatedResources", protowire.Number(5)
	var first, constant proto.Message
	node := &corev3.Node{Id: id}
	url := mesh.Endpoints.URL()
	if delta {
		method = "DeltaAggregatedResources"
		first = &discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: url, ResourceNamesSubscribe: names}
		constant = &discovery.DeltaDiscoveryRequest{TypeUrl: url}
	} else {
		first = &discovery.DiscoveryRequest{Node: node, TypeUrl: url, ResourceNames: names}
		constant = &discovery.DiscoveryRequest{TypeUrl: url, ResourceNames: names}
	}
	ctx, cancel := context.WithCancel(context.Background())
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/envoy.service.discovery.v3.AggregatedDiscoveryService/"+method)
	if err != nil {
		b.Fatal(err)
	}
	head, err := proto.Marshal(constant)
	if err != nil {
		b.Fatal(err)
	}
	hello, err := proto.Marshal(first)
	if err != nil {
		b.Fatal(err)
	}
	g, _ := task.New(ctx)
	got := make(chan struct{}, 1)
	g.Go("racer", func() error {
		defer cancel()
		if st.SendMsg(&hello) != nil {
			return nil
		}
		for {
			var in []byte
			if st.RecvMsg(&in) != nil {
				return nil
			}
			ack := append([]byte(nil), head...)
			if !delta {
				ack = protowire.AppendString(protowire.AppendTag(ack, 1, protowire.BytesType), field(in, 1))
			}
			nonce := field(in, 5)
			answerField := nonceField
			if delta {
				answerField = 6
			}
			ack = protowire.AppendString(protowire.AppendTag(ack, answerField, protowire.BytesType), nonce)
			if st.SendMsg(&ack) != nil {
				return nil
			}
			select {
			case got <- struct{}{}:
			default:
			}
		}
	})
	b.Cleanup(func() { cancel(); _ = g.Wait(); _ = conn.Close() })
	<-got // it has what there was
}

// field is a length-delimited field of a message, the last if there are many.
func field(msg []byte, want protowire.Number) string {
	var out string
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return out
		}
		msg = msg[n:]
		size := protowire.ConsumeFieldValue(num, typ, msg)
		if size < 0 {
			return out
		}
		if num == want && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(msg)
			out = string(v)
		}
		msg = msg[size:]
	}
	return out
}
