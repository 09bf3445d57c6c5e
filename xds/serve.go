package xds

import (
	"context"
	"errors"
	"net"
	"time"

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
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"example.com/meshtui/engine/task"
)

// Serve answers nodes on the listeners until ctx ends, then ends their streams
// and closes the listeners; there must be at least one. It returns nil for an
// orderly end, and must not be called twice at a time. Options.TLS is spoken on
// TCP; a unix socket is kept to its owner by the file system. A listener beyond
// this machine is refused unless that TLS is mutual.
func (s *Server) Serve(ctx context.Context, ls ...net.Listener) error {
	if len(ls) == 0 {
		return errors.New("the xDS server has no listener to serve on")
	}
	for _, l := range ls {
		if err := s.checkListener(l); err != nil {
			return errors.Join(err, closeAll(ls))
		}
	}
	group, tasksCtx := task.New(ctx)
	s.mu.Lock()
	if s.tasks != nil {
		s.mu.Unlock()
		group.Stop()
		return errors.Join(errors.New("the xDS server is already serving"), closeAll(ls))
	}
	s.tasks, s.tasksCtx, s.address = group, tasksCtx, Address(ls[0])
	for _, n := range s.nodes {
		s.drive(n)
	}
	s.mu.Unlock()
	s.changed()

	g := s.grpcServer(tasksCtx)
	for _, l := range ls {
		group.Go("xDS listener", func() error {
			if err := g.Serve(l); !errors.Is(err, grpc.ErrServerStopped) { // the end came before the beginning
				return err
			}
			return nil
		})
	}
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

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
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
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(firstRequest),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 5 * time.Second, Timeout: 5 * time.Second}),
		// Envoys of ours ping every second, to notice a control plane that hangs.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 100 * time.Millisecond, PermitWithoutStream: true}),
		grpc.ForceServerCodecV2(newCodec(s.names)),
		grpc.ChainStreamInterceptor(s.guard, s.streamHere, hurry),
		grpc.ChainUnaryInterceptor(s.guardUnary, s.callHere),
	}
	if s.o.TLS != nil {
		options = append(options, grpc.Creds(newTransport(insecure.NewCredentials(), s.o.TLS, s.tracker.unproven)))
	}
	g := grpc.NewServer(options...)
	byName := []string{resource.EndpointType, resource.RouteType, resource.SecretType, resource.ExtensionConfigType, resource.RuntimeType}
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
	s.furthers = map[string]bool{}
	if s.o.Register != nil {
		xds := g.GetServiceInfo()
		s.o.Register(g)
		for name := range g.GetServiceInfo() {
			if _, ours := xds[name]; !ours {
				s.furthers[name] = true
			}
		}
	}
	return g
}

// hurried is a stream whose first message must come soon.
type hurried struct {
	grpc.ServerStream
	patience time.Duration // 0 once the first message is there
}

// hurry ends a stream on which nothing is said: it would be held for nothing.
func hurry(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, &hurried{ServerStream: ss, patience: firstRequest})
}

// RecvMsg waits for the next message; for the first one not for ever.
func (h *hurried) RecvMsg(m any) error {
	if h.patience == 0 {
		return h.ServerStream.RecvMsg(m)
	}
	came := make(chan error, 1)
	go func() { came <- h.ServerStream.RecvMsg(m) }() // ends with the stream at the latest
	timer := time.NewTimer(h.patience)
	defer timer.Stop()
	h.patience = 0
	select {
	case err := <-came:
		return err
	case <-timer.C:
		return status.Errorf(codes.DeadlineExceeded, "nothing was asked on this stream for %s", firstRequest)
	}
}

// streamHere and callHere keep further services to this machine.
func (s *Server) streamHere(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := hereOnly(ss.Context(), info.FullMethod, s.furthers); err != nil {
		return err
	}
	return handler(srv, ss)
}

func (s *Server) callHere(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := hereOnly(ctx, info.FullMethod, s.furthers); err != nil {
		return nil, err
	}
	return handler(ctx, req)
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
