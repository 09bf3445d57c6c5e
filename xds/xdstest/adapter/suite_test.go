package adapter_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
	"example.com/meshtui/xds/xdstest/adapter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nodeID is the node of all scenarios, one after the other, as in the suite.
const nodeID = "test-id"

// target is a server and the service that drives it, each on a port of its own.
type target struct {
	*xds.Server
	xdsAddr string
	adapter *adapter.Client
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := xds.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func start(t *testing.T) *target {
	t.Helper()
	s, g := xds.New(xds.Options{DrainWait: -1}), grpc.NewServer()
	if err := adapter.Register(g, adapter.New(s)); err != nil {
		t.Fatal(err)
	}
	xdsOn, serviceOn := listen(t), listen(t)
	group, ctx := task.New(context.Background())
	group.Go("xDS", func() error { return s.Serve(ctx, xdsOn) })
	group.Go("service", func() error { return g.Serve(serviceOn) })
	t.Cleanup(func() {
		g.Stop()
		group.Stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(serviceOn.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := adapter.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	return &target{Server: s, xdsAddr: xds.Address(xdsOn), adapter: client}
}

// variant is a way to speak xDS.
type variant struct {
	name       string
	delta, ads bool
}

var variants = []variant{
	{name: "SotW"}, {name: "SotW ADS", ads: true}, {name: "delta", delta: true}, {name: "delta ADS", delta: true, ads: true},
}

var services = map[string]mesh.Type{"LDS": mesh.Listener, "RDS": mesh.Route, "CDS": mesh.Cluster, "EDS": mesh.Endpoints}

// script plays one scenario: a client that ACKs everything at once, and notes
// under which version and nonce it got each resource last.
type script struct {
	t *testing.T
	variant
	*target
	stream  *xdstest.Stream
	got     map[mesh.Type]map[string]receipt
	removed map[mesh.Type]map[string]bool
}

type receipt struct{ version, nonce string }

func (p *target) script(t *testing.T, v variant) *script {
	return &script{t: t, variant: v, target: p, got: map[mesh.Type]map[string]receipt{}, removed: map[mesh.Type]map[string]bool{}}
}

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// setup gives the node resources of these services under a version.
func (s *script) setup(of, resources, version string) {
	s.t.Helper()
	var all []*anypb.Any
	for _, service := range names(of) {
		for _, name := range names(resources) {
			bare := map[mesh.Type]proto.Message{
				mesh.Listener: &listenerv3.Listener{Name: name}, mesh.Route: &routev3.RouteConfiguration{Name: name},
				mesh.Cluster: &clusterv3.Cluster{Name: name}, mesh.Endpoints: &endpointv3.ClusterLoadAssignment{ClusterName: name},
			}[services[service]]
			packed, err := anypb.New(bare)
			s.must(err)
			all = append(all, packed)
		}
	}
	s.must(s.adapter.SetState(s.t.Context(), nodeID, version, all...))
}

func (s *script) update(service, name, version string) {
	s.t.Helper()
	s.must(s.adapter.UpdateResource(s.t.Context(), nodeID, services[service].URL(), name, version))
}

func (s *script) add(service, name, version string) {
	s.t.Helper()
	s.must(s.adapter.AddResource(s.t.Context(), nodeID, services[service].URL(), name, version))
}

func (s *script) remove(service, name, version string) {
	s.t.Helper()
	s.must(s.adapter.RemoveResource(s.t.Context(), nodeID, services[service].URL(), name, version))
}

// subscribe asks for names: SotW for these from now on, delta for these too. It
// forgets what came before, as the suite does.
func (s *script) subscribe(service, list string) {
	s.t.Helper()
	typ := services[service]
	if s.stream == nil {
		c := xdstest.Dial(s.t, s.xdsAddr, xdstest.Config{ID: nodeID, Delta: s.delta})
		if s.ads {
			s.stream = c.Open()
		} else {
			s.stream = c.OpenType(typ)
		}
	}
	s.got[typ], s.removed[typ] = map[string]receipt{}, map[string]bool{}
	s.stream.Subscribe(typ, names(list)...)
}

// giveUp drops a name in delta; in SotW it asks for what is left instead: a name
// that no resource has stands for nothing. It waits until the server knows.
func (s *script) giveUp(service, dropped, left string) {
	s.t.Helper()
	typ := services[service]
	if s.delta {
		delete(s.got[typ], dropped)
		s.stream.Unsubscribe(typ, dropped)
	} else {
		kept := map[string]receipt{}
		for _, name := range names(left) {
			kept[name] = s.got[typ][name]
		}
		s.got[typ] = kept
		if left == "" {
			s.stream.Subscribe(typ, "")
		} else {
			s.stream.Subscribe(typ, names(left)...)
		}
	}
	s.until("the subscription is known", func() bool {
		return !slices.Contains(s.State().Node(nodeID).Types[typ].Subscribed, dropped)
	})
}

// until ACKs what comes until a condition is met.
func (s *script) until(what string, met func() bool) {
	s.t.Helper()
	changed, done := s.Changed()
	defer done()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	for {
		for r, ok := s.stream.Poll(); ok; r, ok = s.stream.Poll() {
			s.note(r)
			s.stream.Ack(r)
		}
		if met() {
			return
		}
		select {
		case <-changed:
		case <-s.stream.More():
		case <-deadline.C:
			s.t.Fatalf("%s: it never came to be that %s; the client has %v, removed %v", s.name, what, s.got, s.removed)
		}
	}
}

func (s *script) note(r xdstest.Response) {
	for _, name := range r.Names {
		s.got[r.Type][name] = receipt{r.Version, r.Nonce}
		delete(s.removed[r.Type], name)
	}
	for _, name := range r.Removed {
		s.removed[r.Type][name] = true
	}
}

// receives waits until the client has these resources under this version.
func (s *script) receives(service, list, version string) {
	s.t.Helper()
	s.until("it has "+service+" "+list+" in version "+version, func() bool {
		return !slices.ContainsFunc(names(list), func(name string) bool { return s.got[services[service]][name].version != version })
	})
}

// inOneResponse holds that these resources came together.
func (s *script) inOneResponse(service, list string) {
	s.t.Helper()
	nonces := map[string]bool{}
	for _, name := range names(list) {
		nonces[s.got[services[service]][name].nonce] = true
	}
	if len(nonces) != 1 {
		s.t.Errorf("%s came in %d responses", list, len(nonces))
	}
}

// only holds that a resource shares its nonce with no other and, with version,
// its version neither.
func (s *script) only(service, name string, version bool) {
	s.t.Helper()
	got := s.got[services[service]]
	for other, r := range got {
		if other != name && (r.nonce == got[name].nonce || version && r.version == got[name].version) {
			s.t.Errorf("%s came along with %s: %v and %v", other, name, r, got[name])
		}
	}
}

// settled waits until the server has nothing left to say, and the client has
// answered everything.
func (s *script) settled() {
	s.t.Helper()
	s.until("the rollout is over", func() bool {
		n := s.State().Node(nodeID)
		for _, ts := range n.Types {
			if ts.Sent.Nonce != ts.Acked.Nonce {
				return false
			}
		}
		return !n.Rollout.Ended.IsZero()
	})
}

// lacks holds that the client was not told of a resource that it gave up.
func (s *script) lacks(service, name string) {
	s.t.Helper()
	s.settled()
	if r, ok := s.got[services[service]][name]; ok {
		s.t.Errorf("%s %s came, though nobody asks for it: %v", service, name, r)
	}
}

// end holds that nothing more comes than what was to come.
func (s *script) end() {
	s.t.Helper()
	s.settled()
	if s.ads {
		if more := s.stream.Barrier(); len(more) > 0 {
			s.t.Errorf("the server answers an ACK: %v", more)
		}
	}
	if more := s.stream.End(); len(more) > 0 {
		s.t.Errorf("the server answers an ACK: %v", more)
	}
	s.must(s.adapter.ClearState(s.t.Context(), nodeID))
}
