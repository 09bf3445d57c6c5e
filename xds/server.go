package xds

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	runtimeservice "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/plan"
)

const (
	maxMessage   = 32 << 20               // bytes of one request
	stopPatience = 500 * time.Millisecond // how long streams may take to end by themselves
)

// Server is an xDS management server: it rolls published revisions out to the
// nodes that connect and keeps the facts about what each did with them. It
// implements engine.Publisher.
type Server struct {
	o        Options
	boot     string // tells the versions of this process from those of any other
	versions atomic.Uint64
	baseline atomic.Pointer[engine.Revision] // what nodes were served before this server; nil when unknown
	tracker  *tracker
	wire     *Wire
	plans    plan.Memory
	outcomes *outcomes
	facts    facts
	fills    fills

	mu        sync.Mutex
	revision  *engine.Revision
	published uint64         // how many times something was published
	own       map[string]own // by node id: what was published to one node alone
	ownNumber int            // of the newest of these
	nodes     map[string]*node
	list      []*node     // nodes by id, shared and not to be changed; nil when it is out of date
	tasks     *task.Group // nil when not serving
	tasksCtx  context.Context
	address   string
}

var _ engine.Publisher = (*Server)(nil)

// New makes a server that has nothing to serve yet: nodes that connect before
// the first Publish wait for it.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), boot: newBoot(), nodes: map[string]*node{}, own: map[string]own{}, wire: newWire(maxWireMessages, maxWireBytes)}
	s.tracker = newTracker(s)
	s.fills.fill = s.o.Fill
	s.outcomes = newOutcomes(s)
	s.facts.init(s.o.Now())
	return s
}

// newBoot is 8 hex digits that no other run of a server has.
func newBoot() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Serve answers nodes on l until ctx ends, then ends their streams and closes
// l. It returns nil for an orderly end, and must not be called twice at a time. A
// listener beyond this machine is refused unless Options.TLS is mutual.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.checkListener(l); err != nil {
		return errors.Join(err, l.Close())
	}
	group, tasksCtx := task.New(ctx)
	s.mu.Lock()
	if s.tasks != nil {
		s.mu.Unlock()
		group.Stop()
		return errors.Join(errors.New("the xDS server is already serving"), l.Close())
	}
	s.tasks, s.tasksCtx, s.address = group, tasksCtx, Address(l)
	for _, n := range s.nodes {
		s.drive(n)
	}
	s.mu.Unlock()
	s.changed()

	g := s.grpcServer(tasksCtx)
	group.Go("xDS listener", func() error {
		if err := g.Serve(l); !errors.Is(err, grpc.ErrServerStopped) { // the end came before the beginning
			return err
		}
		return nil
	})
	group.Go("rollout outcomes", func() error { return s.outcomes.run(tasksCtx) })
	<-tasksCtx.Done()
	stopServer(g)
	err := group.Wait()

	s.mu.Lock()
	s.tasks, s.tasksCtx, s.address = nil, nil, ""
	s.mu.Unlock()
	s.changed()
	return err
}

// stopServer ends a server whose stream handlers were already told to end.
func stopServer(g *grpc.Server) {
	timer := time.AfterFunc(stopPatience, g.Stop)
	defer timer.Stop()
	g.GracefulStop()
}

// Address is what a listener listens on, in the form that Listen takes.
func Address(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return unixPrefix + l.Addr().String()
	}
	return l.Addr().String()
}

func (s *Server) grpcServer(ctx context.Context) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 5 * time.Second, Timeout: 5 * time.Second}),
		// Envoys of ours ping every second, to notice a control plane that hangs.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 100 * time.Millisecond, PermitWithoutStream: true}),
		grpc.StreamInterceptor(s.guard),
		grpc.UnaryInterceptor(s.guardUnary),
	}
	if s.o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.o.TLS)))
	}
	g := grpc.NewServer(options...)
	byName := []string{resource.EndpointType, resource.RouteType, resource.SecretType}
	x := server.NewServer(ctx, store{s.tracker}, s.tracker, sotw.WithOrderedADS(), sotw.DeactivateLegacyWildcardForTypes(byName))
	discovery.RegisterAggregatedDiscoveryServiceServer(g, x)
	clusterservice.RegisterClusterDiscoveryServiceServer(g, x)
	endpointservice.RegisterEndpointDiscoveryServiceServer(g, x)
	listenerservice.RegisterListenerDiscoveryServiceServer(g, x)
	routeservice.RegisterRouteDiscoveryServiceServer(g, x)
	routeservice.RegisterScopedRoutesDiscoveryServiceServer(g, x)
	routeservice.RegisterVirtualHostDiscoveryServiceServer(g, x)
	secretservice.RegisterSecretDiscoveryServiceServer(g, x)
	runtimeservice.RegisterRuntimeDiscoveryServiceServer(g, x)
	extensionservice.RegisterExtensionConfigDiscoveryServiceServer(g, x)
	if s.o.Register != nil {
		s.o.Register(g)
	}
	return g
}

// guard ends a stream in whose handler something panics, and only that stream.
func (s *Server) guard(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return s.reported(task.Run("xDS stream "+info.FullMethod, func() error { return handler(srv, ss) }))
}

// guardUnary is guard for a call of a further service.
func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	err = s.reported(task.Run("call of "+info.FullMethod, func() error {
		answer, err = handler(ctx, req)
		return err
	}))
	return answer, err
}

// reported is an error as the peer may see it; a panic is told to OnError.
func (s *Server) reported(err error) error {
	var panicked *task.PanicError
	if !errors.As(err, &panicked) {
		return err
	}
	if s.o.OnError != nil {
		s.o.OnError(err)
	}
	return status.Error(codes.Internal, "the server failed on this stream; it is a defect of the server")
}

// bind ties a stream to its node, which is made if it is not known.
func (s *Server) bind(st *stream, info *corev3.Node, has claim) error {
	n, err := s.nodeFor(info)
	if err != nil {
		return err
	}
	defer n.mu.Unlock()
	st.node = n
	now := s.o.Now()
	n.meet(st, n.believe(has), n.attach(st, info, now), now)
	if !n.ready() && n.target != nil {
		n.startRun(now)
	}
	s.wire.add(Message{At: now, Node: n.id, Stream: st.id, Variant: st.variant, Kind: Connected, TypeURL: st.url, Detail: n.agent}, nil)
	n.rouse()
	return nil
}

// nodeFor finds or makes the node, and returns it locked, so that it is not
// forgotten before it has its stream. There is room for so many; one that left
// makes way for one that comes.
func (s *Server) nodeFor(info *corev3.Node) (*node, error) {
	id := strings.Clone(info.GetId())
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[id]; n != nil {
		n.mu.Lock()
		return n, nil
	}
	if len(s.nodes) >= s.o.MaxNodes && !s.makeRoom() {
		return nil, status.Errorf(codes.ResourceExhausted, "%d nodes are connected, and no more are taken", len(s.nodes))
	}
	n := newNode(s, id, strings.Clone(info.GetCluster()))
	s.nodes[id], s.list = n, nil
	n.mu.Lock()
	s.goal(n)
	s.drive(n)
	return n, nil
}

// drive starts the node's rollout; s.mu is held.
func (s *Server) drive(n *node) {
	if s.tasks != nil {
		ctx := s.tasksCtx
		s.tasks.Go("rollout to "+n.id, func() error { return n.rollout(ctx) })
	}
}

// makeRoom forgets the node that left first; s.mu is held.
func (s *Server) makeRoom() bool {
	var oldest *node
	var since time.Time
	for _, n := range s.nodes {
		n.mu.Lock()
		if len(n.streams) == 0 && (oldest == nil || n.since.Before(since)) {
			oldest, since = n, n.since
		}
		n.mu.Unlock()
	}
	if oldest == nil {
		return false
	}
	delete(s.nodes, oldest.id)
	s.list = nil
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	oldest.left = true
	oldest.nudge() // its rollout ends
	return true
}

// drop forgets a node without streams, and reports whether it is forgotten.
func (s *Server) drop(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.nodes[n.id] != n {
		return true
	}
	if len(n.streams) > 0 || s.o.Now().Sub(n.since) < s.o.ForgetAfter {
		return false
	}
	delete(s.nodes, n.id)
	s.list = nil
	s.changed()
	return true
}

// nodeList lists the nodes by id, to be read only; s.mu is held.
func (s *Server) nodeList() []*node {
	if s.list == nil {
		s.list = slices.SortedFunc(maps.Values(s.nodes), func(a, b *node) int { return strings.Compare(a.id, b.id) })
	}
	return s.list
}

func (s *Server) allNodes() []*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodeList()
}

// Served is what a node was sent and still has, as it went over the wire: with
// the overlay on. The messages are read-only. It is nil for an unknown node.
func (s *Server) Served(nodeID string) map[mesh.Key]proto.Message {
	s.mu.Lock()
	n := s.nodes[nodeID]
	s.mu.Unlock()
	if n == nil {
		return nil
	}
	return n.servedNow()
}

// Wire is the recorded conversation.
func (s *Server) Wire() *Wire { return s.wire }
