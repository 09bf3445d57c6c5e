package csds

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// Source is what is told to those who ask. *xds.Server is one.
type Source interface {
	State() *xds.State
	Served(node string) map[mesh.Key]proto.Message
}

// Register adds the service to a gRPC server, and where that can list its
// services gRPC reflection, so that a tool such as grpcurl needs no protos.
// source is asked for at each request, since a server may be made later than
// what it is registered on.
func Register(g grpc.ServiceRegistrar, source func() Source) {
	statusv3.RegisterClientStatusDiscoveryServiceServer(g, &service{source: source})
	if listing, ok := g.(reflection.GRPCServer); ok {
		reflection.Register(listing)
	}
}

// service answers for a management server: config_status says how a node stands
// to what it was sent, and xds_config is what was sent last, also where it was
// rejected.
type service struct {
	statusv3.UnimplementedClientStatusDiscoveryServiceServer
	source func() Source
}

// FetchClientStatus answers one request.
func (s *service) FetchClientStatus(_ context.Context, r *statusv3.ClientStatusRequest) (*statusv3.ClientStatusResponse, error) {
	return s.answer(r)
}

// StreamClientStatus answers each request on the stream once, and ends it at the
// first that is invalid.
func (s *service) StreamClientStatus(stream statusv3.ClientStatusDiscoveryService_StreamClientStatusServer) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err := s.answer(r)
		if err != nil {
			return err
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

func (s *service) answer(r *statusv3.ClientStatusRequest) (*statusv3.ClientStatusResponse, error) {
	if err := r.ValidateAll(); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "the request is invalid: %v", err)
	}
	chosen, err := newMatchers(r.GetNodeMatchers())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "node_matchers: %v", err)
	}
	out := &statusv3.ClientStatusResponse{}
	source := s.source()
	for _, n := range source.State().Nodes {
		if !chosen.fit(n.Info) {
			continue
		}
		c := &statusv3.ClientConfig{Node: n.Info}
		var served map[mesh.Key]proto.Message
		if !r.GetExcludeResourceContents() {
			served = source.Served(n.ID)
		}
		for _, k := range keysOf(n) {
			c.GenericXdsConfigs = append(c.GenericXdsConfigs, statusOf(n, k, served[k]))
		}
		out.Config = append(out.Config, c)
	}
	return out, nil
}

// keysOf are the resources that a node was sent, and those that it asked for by
// name, by type and name.
func keysOf(n *xds.Node) []mesh.Key {
	var out []mesh.Key
	for k := range n.Resources.All() {
		out = append(out, k)
	}
	for t, ts := range n.Types {
		for _, name := range ts.Subscribed {
			if k := (mesh.Key{Type: t, Name: name}); !n.Resources.Has(k) {
				out = append(out, k)
			}
		}
	}
	slices.SortFunc(out, func(a, b mesh.Key) int {
		if a.Type != b.Type {
			return int(a.Type) - int(b.Type)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// statusOf is how a node stands to one resource.
func statusOf(n *xds.Node, k mesh.Key, served proto.Message) *statusv3.ClientConfig_GenericXdsConfig {
	st := n.Resources.Get(k)
	out := &statusv3.ClientConfig_GenericXdsConfig{
		TypeUrl: k.Type.URL(), Name: k.Name, VersionInfo: st.Served.Version, LastUpdated: timestamp(st.Served.At),
		ConfigStatus: statusv3.ConfigStatus_STALE, ClientStatus: adminv3.ClientResourceStatus_REQUESTED,
	}
	if served != nil {
		if packed, err := anypb.New(mesh.Redacted(served)); err == nil {
			out.XdsConfig = packed
		}
	}
	switch {
	case st.Served.At.IsZero() && n.Types[k.Type].Sent.At.IsZero():
		out.ConfigStatus = statusv3.ConfigStatus_NOT_SENT
	case st.Served.At.IsZero(): // asked for by name, and answered without it
		out.ConfigStatus, out.ClientStatus = statusv3.ConfigStatus_NOT_SENT, adminv3.ClientResourceStatus_DOES_NOT_EXIST
	case st.Rejected != nil:
		out.ConfigStatus, out.ClientStatus = statusv3.ConfigStatus_ERROR, adminv3.ClientResourceStatus_NACKED
		out.ErrorState = &adminv3.UpdateFailureState{
			LastUpdateAttempt: timestamp(st.Rejected.At), Details: st.Rejected.Detail, VersionInfo: st.Rejected.Version,
		}
	case !st.Acked.At.IsZero():
		out.ConfigStatus, out.ClientStatus = statusv3.ConfigStatus_SYNCED, adminv3.ClientResourceStatus_ACKED
	}
	return out
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
