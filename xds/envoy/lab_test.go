package envoy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func TestMain(m *testing.M) {
	if handled, status := partOf(); handled {
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}

// realEnvoy is an Envoy to test with, or skips the test.
func realEnvoy(t *testing.T) Binary {
	t.Helper()
	b, err := Find("", toolsDir(t))
	if err == nil {
		return b
	}
	for _, need := range strings.Split(os.Getenv("MESHTUI_REQUIRE"), ",") {
		if need == "envoy" {
			t.Fatalf("MESHTUI_REQUIRE asks for an Envoy: %v", err)
		}
	}
	t.Skipf("needs a real Envoy: %v", err)
	return Binary{}
}

func toolsDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".tools")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// eventually waits until ok, for a time that a slow machine too should need
// only when something is wrong.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain for: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// controlPlane is go-control-plane's own server over its own cache: what our
// Envoys are held against is not our xDS server.
type controlPlane struct {
	address string
	cache   cache.SnapshotCache
	version atomic.Int64

	mu     sync.Mutex
	served map[string]map[mesh.Key]proto.Message // by node
	nacks  []string
}

func startControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	dir, err := os.MkdirTemp("", "xds")
	if err != nil {
		t.Fatal(err)
	}
	cp := &controlPlane{
		address: "unix:" + filepath.Join(dir, "s"), served: map[string]map[mesh.Key]proto.Message{},
		cache: cache.NewSnapshotCache(false, cache.IDHash{}, nil),
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, aggregated{
		sotw: sotw.NewServer(ctx, cp.cache, cp), delta: delta.NewServer(ctx, cp.cache, cp),
	})
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	t.Cleanup(func() {
		cancel()
		g.Stop()
		if err := <-done; err != nil {
			t.Errorf("the test's control plane: %v", err)
		}
		os.RemoveAll(dir)
	})
	return cp
}

// aggregated is ADS over go-control-plane's servers.
type aggregated struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	sotw  sotw.Server
	delta delta.Server
}

func (a aggregated) DeltaAggregatedResources(s discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return a.delta.DeltaStreamHandler(s, resource.AnyType)
}

func (a aggregated) StreamAggregatedResources(s discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return a.sotw.StreamHandler(s, resource.AnyType)
}

// OnStreamRequest notes what is refused; the other callbacks do nothing.
func (cp *controlPlane) OnStreamRequest(_ int64, r *discoveryv3.DiscoveryRequest) error {
	if e := r.GetErrorDetail(); e != nil {
		cp.mu.Lock()
		defer cp.mu.Unlock()
		cp.nacks = append(cp.nacks, e.GetMessage())
	}
	return nil
}

// OnStreamDeltaRequest is OnStreamRequest for the delta variant.
func (cp *controlPlane) OnStreamDeltaRequest(_ int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	return cp.OnStreamRequest(0, &discoveryv3.DiscoveryRequest{ErrorDetail: r.GetErrorDetail()})
}

func (cp *controlPlane) OnDeltaStreamOpen(context.Context, int64, string) error { return nil }
func (cp *controlPlane) OnDeltaStreamClosed(int64, *corev3.Node)                {}
func (cp *controlPlane) OnStreamDeltaResponse(int64, *discoveryv3.DeltaDiscoveryRequest, *discoveryv3.DeltaDiscoveryResponse) {
}

func (cp *controlPlane) OnStreamOpen(context.Context, int64, string) error { return nil }
func (cp *controlPlane) OnStreamClosed(int64, *corev3.Node)                {}
func (cp *controlPlane) OnStreamResponse(context.Context, int64, *discoveryv3.DiscoveryRequest, *discoveryv3.DiscoveryResponse) {
}

// push serves the resources, written in YAML, to a node, through an overlay.
func (cp *controlPlane) push(t *testing.T, node string, over func(mesh.Type, proto.Message) proto.Message, texts ...string) {
	t.Helper()
	byURL := map[resource.Type][]types.Resource{
		resource.ClusterType: nil, resource.EndpointType: nil, resource.ListenerType: nil, resource.RouteType: nil,
		resource.RuntimeType: {&runtimev3.Runtime{Name: RuntimeLayer}}, // an Envoy of ours asks for it first
	}
	served := map[mesh.Key]proto.Message{}
	for _, text := range texts {
		m := parse(t, text)
		kind, _ := mesh.TypeOf(m)
		m = over(kind, m)
		served[mesh.Key{Type: kind, Name: mesh.NameOf(m)}] = m
		byURL[kind.URL()] = append(byURL[kind.URL()], m)
	}
	snapshot, err := cache.NewSnapshot(fmt.Sprintf("v%d", cp.version.Add(1)), byURL)
	if err != nil {
		t.Fatal(err)
	}
	cp.mu.Lock()
	cp.served[node] = served
	cp.mu.Unlock()
	if err := cp.cache.SetSnapshot(context.Background(), node, snapshot); err != nil {
		t.Fatal(err)
	}
}

func (cp *controlPlane) Served(node string) map[mesh.Key]proto.Message {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.served[node]
}

// refusals are the error details of all NACKs so far.
func (cp *controlPlane) refusals() []string {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return append([]string(nil), cp.nacks...)
}

// parse reads a resource from YAML whose first line is the name of its type.
func parse(t *testing.T, yaml string) proto.Message {
	t.Helper()
	first, rest, _ := strings.Cut(strings.TrimLeft(yaml, "\n"), "\n")
	for _, kind := range mesh.Types() {
		if kind.String() != strings.TrimSpace(first) {
			continue
		}
		r, findings := text.Decode(kind, mesh.Source{Text: rest})
		if r == nil {
			t.Fatalf("%v in\n%s", findings, yaml)
		}
		return r.Message
	}
	t.Fatalf("%q is no type", first)
	return nil
}

// backend is an HTTP server whose behaviour can be changed.
type backend struct {
	*httptest.Server
	status atomic.Int64 // of ordinary answers
	checks atomic.Int64 // of answers to /health
	hang   atomic.Bool
	delay  atomic.Int64 // nanoseconds before each answer
	hits   atomic.Int64
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{}
	b.status.Store(http.StatusOK)
	b.checks.Store(http.StatusOK)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.hang.Load() {
			<-r.Context().Done()
			return
		}
		if r.URL.Path == "/health" {
			w.WriteHeader(int(b.checks.Load()))
			return
		}
		b.hits.Add(1)
		if d := time.Duration(b.delay.Load()); d > 0 {
			<-time.After(d)
		}
		w.WriteHeader(int(b.status.Load()))
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) port() string {
	_, port, _ := net.SplitHostPort(b.Listener.Addr().String())
	return port
}
