package client_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that has to happen.
const patience = 20 * time.Second

// said is a request of either variant, as a test looks at it.
type said struct {
	Type           mesh.Type
	Node           string
	Names, Gone    []string // asked for; no longer asked for
	Held           map[string]string
	Version, Nonce string
	Err            string
}

// server is a control plane that says what the test tells it, and nothing else.
type server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	t     testing.TB
	addr  string
	said  chan said
	say   chan proto.Message
	grpc  *grpc.Server
	tasks *task.Group
}

func listen(t testing.TB, addr string) *server {
	t.Helper()
	if addr == "" {
		addr = filepath.Join(t.TempDir(), "xds.sock")
	}
	l, err := net.Listen("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: addr, said: make(chan said, 1000), say: make(chan proto.Message, 1000), grpc: grpc.NewServer()}
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, s)
	s.tasks, _ = task.New(context.Background())
	s.tasks.Go("server", func() error { return s.grpc.Serve(l) })
	t.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	s.grpc.Stop()
	_ = s.tasks.Wait() // a server that was stopped
}

func (s *server) StreamAggregatedResources(st discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	s.tasks.Go("to the client", func() error {
		for {
			select {
			case m := <-s.say:
				_ = st.Send(m.(*discovery.DiscoveryResponse)) // a stream that has ended ends its context
			case <-st.Context().Done():
				return nil
			}
		}
	})
	for {
		r, err := st.Recv()
		if err != nil {
			return err
		}
		t, _ := mesh.TypeOfURL(r.GetTypeUrl())
		s.said <- said{
			Type: t, Node: r.GetNode().GetId(), Names: r.GetResourceNames(), Version: r.GetVersionInfo(),
			Nonce: r.GetResponseNonce(), Err: r.GetErrorDetail().GetMessage(),
		}
	}
}

func (s *server) DeltaAggregatedResources(st discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	s.tasks.Go("to the client", func() error {
		for {
			select {
			case m := <-s.say:
				_ = st.Send(m.(*discovery.DeltaDiscoveryResponse))
			case <-st.Context().Done():
				return nil
			}
		}
	})
	for {
		r, err := st.Recv()
		if err != nil {
			return err
		}
		t, _ := mesh.TypeOfURL(r.GetTypeUrl())
		s.said <- said{
			Type: t, Node: r.GetNode().GetId(), Names: r.GetResourceNamesSubscribe(), Gone: r.GetResourceNamesUnsubscribe(),
			Held: r.GetInitialResourceVersions(), Nonce: r.GetResponseNonce(), Err: r.GetErrorDetail().GetMessage(),
		}
	}
}

// next is what the client says next.
func (s *server) next() said {
	s.t.Helper()
	select {
	case q := <-s.said:
		return q
	case <-time.After(patience):
		s.t.Fatal("the client says nothing")
		return said{}
	}
}

// quiet fails the test when the client has said more than was looked at.
func (s *server) quiet() {
	s.t.Helper()
	select {
	case q := <-s.said:
		s.t.Fatalf("the client says more: %+v", q)
	default:
	}
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sotw is a response; the version is the nonce.
func (s *server) sotw(typ mesh.Type, nonce string, messages ...proto.Message) {
	r := &discovery.DiscoveryResponse{TypeUrl: typ.URL(), VersionInfo: nonce, Nonce: nonce}
	for _, m := range messages {
		r.Resources = append(r.Resources, pack(s.t, m))
	}
	s.say <- r
}

// delta is a response whose resources have the nonce as their version.
func (s *server) delta(typ mesh.Type, nonce string, removed []string, messages ...proto.Message) {
	r := &discovery.DeltaDiscoveryResponse{TypeUrl: typ.URL(), SystemVersionInfo: nonce, Nonce: nonce, RemovedResources: removed}
	for _, m := range messages {
		r.Resources = append(r.Resources, &discovery.Resource{Name: mesh.NameOf(m), Version: nonce, Resource: pack(s.t, m)})
	}
	s.say <- r
}

// taker does with responses what the test says.
type taker struct {
	take      func(*client.Response) client.Answer
	refused   chan error
	connected chan bool
}

func newTaker(take func(*client.Response) client.Answer) *taker {
	if take == nil {
		take = func(*client.Response) client.Answer { return client.Answer{} }
	}
	return &taker{take: take, refused: make(chan error, 100), connected: make(chan bool, 100)}
}

func (t *taker) Take(r *client.Response) client.Answer { return t.take(r) }
func (t *taker) Refused(_ mesh.Type, err error)        { t.refused <- err }
func (t *taker) Connected(yes bool)                    { t.connected <- yes }

// start runs a client until the test ends; what it returns ends it sooner and
// says what Run returned.
func start(t testing.TB, s *server, delta bool, taker client.Taker) (*client.Client, func() error) {
	t.Helper()
	c, err := client.New(client.Options{XDS: "unix:" + s.addr, Node: &corev3.Node{Id: "builtin-1"}, Delta: delta}, taker)
	if err != nil {
		t.Fatal(err)
	}
	group, ctx := task.New(context.Background())
	group.Go("client", func() error { return c.Run(ctx) })
	stop := func() error {
		group.Stop()
		return group.Wait()
	}
	t.Cleanup(func() { _ = stop() })
	return c, stop
}
