package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// wire is one stream in one of the two variants.
type wire interface {
	ask(question) error
	answer(question) error
	// receive waits for a response. A response that cannot be read comes without
	// resources and with the reason; one of a type that is not known is nil.
	receive() (r *Response, unreadable, err error)
	// namesInAnswers reports whether an answer repeats all names asked for.
	namesInAnswers() bool
	end() error
}

// question is a request of either variant.
type question struct {
	typ     mesh.Type
	first   bool              // of this type on this stream
	names   []string          // that it asks for
	before  []string          // that it asked for before
	held    map[string]string // versions held, in a first request
	nonce   string
	version string
	failure error
}

func (q question) status() *rpcstatus.Status {
	if q.failure == nil {
		return nil
	}
	return &rpcstatus.Status{Code: int32(codes.Internal), Message: q.failure.Error()}
}

func (c *Client) open(ctx context.Context, conn *grpc.ClientConn) (wire, error) {
	ads := discovery.NewAggregatedDiscoveryServiceClient(conn)
	if c.o.Delta {
		stream, err := ads.DeltaAggregatedResources(ctx)
		return &delta{stream: stream, client: c}, err
	}
	stream, err := ads.StreamAggregatedResources(ctx)
	return &sotw{stream: stream, client: c}, err
}

// sotw is the state-of-the-world variant.
type sotw struct {
	stream     discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	client     *Client
	introduced bool
}

func (s *sotw) namesInAnswers() bool { return true }
func (s *sotw) end() error           { return s.stream.CloseSend() }

func (s *sotw) ask(q question) error    { return s.send(q) }
func (s *sotw) answer(q question) error { return s.send(q) }

func (s *sotw) send(q question) error {
	req := &discovery.DiscoveryRequest{
		TypeUrl: q.typ.URL(), ResourceNames: q.names, VersionInfo: q.version,
		ResponseNonce: q.nonce, ErrorDetail: q.status(),
	}
	if !s.introduced {
		req.Node, s.introduced = s.client.o.Node, true
	}
	return s.stream.Send(req)
}

func (s *sotw) receive() (*Response, error, error) {
	resp, err := s.stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	t, ok := mesh.TypeOfURL(resp.GetTypeUrl())
	if !ok {
		return nil, nil, nil
	}
	r := &Response{Type: t, Version: resp.GetVersionInfo(), Nonce: resp.GetNonce(), Whole: wildcard(t)}
	for _, packed := range resp.GetResources() {
		res, err := decode(t, packed)
		if err != nil {
			return &Response{Type: t, Version: r.Version, Nonce: r.Nonce}, err, nil
		}
		res.Version = r.Version
		r.Resources = append(r.Resources, res)
	}
	return r, nil, nil
}

// delta is the incremental variant.
type delta struct {
	stream     discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	client     *Client
	introduced bool
}

func (d *delta) namesInAnswers() bool { return false }
func (d *delta) end() error           { return d.stream.CloseSend() }

func (d *delta) ask(q question) error {
	req := &discovery.DeltaDiscoveryRequest{TypeUrl: q.typ.URL(), InitialResourceVersions: q.held}
	for _, name := range q.names {
		if _, had := slices.BinarySearch(q.before, name); !had {
			req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, name)
		}
	}
	for _, name := range q.before {
		if _, has := slices.BinarySearch(q.names, name); !has {
			req.ResourceNamesUnsubscribe = append(req.ResourceNamesUnsubscribe, name)
		}
	}
	return d.send(req)
}

func (d *delta) answer(q question) error {
	return d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: q.typ.URL(), ResponseNonce: q.nonce, ErrorDetail: q.status()})
}

func (d *delta) send(req *discovery.DeltaDiscoveryRequest) error {
	if !d.introduced {
		req.Node, d.introduced = d.client.o.Node, true
	}
	return d.stream.Send(req)
}

func (d *delta) receive() (*Response, error, error) {
	resp, err := d.stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	t, ok := mesh.TypeOfURL(resp.GetTypeUrl())
	if !ok {
		return nil, nil, nil
	}
	r := &Response{Type: t, Version: resp.GetSystemVersionInfo(), Nonce: resp.GetNonce(), Removed: resp.GetRemovedResources()}
	for _, wrapped := range resp.GetResources() {
		res, err := decode(t, wrapped.GetResource())
		if err != nil {
			return &Response{Type: t, Version: r.Version, Nonce: r.Nonce}, err, nil
		}
		res.Version = wrapped.GetVersion()
		if wrapped.GetName() != "" {
			res.Name = wrapped.GetName()
		}
		r.Resources = append(r.Resources, res)
	}
	return r, nil, nil
}

var errNothing = errors.New("there is nothing in it")

// decode unpacks one resource; the error is what a NACK says.
func decode(t mesh.Type, packed *anypb.Any) (Resource, error) {
	if packed.MessageIs((*discovery.Resource)(nil)) { // how the state of the world wraps what has a time to live
		var wrapped discovery.Resource
		if err := packed.UnmarshalTo(&wrapped); err != nil {
			return Resource{}, unpackError(t, err)
		}
		packed = wrapped.GetResource()
	}
	if packed == nil {
		return Resource{}, unpackError(t, errNothing)
	}
	if packed.GetTypeUrl() != t.URL() {
		return Resource{}, fmt.Errorf("%s does not match the message-wide type URL %s", packed.GetTypeUrl(), t.URL())
	}
	m := t.New()
	if err := proto.Unmarshal(packed.GetValue(), m); err != nil {
		return Resource{}, unpackError(t, err)
	}
	return Resource{Name: mesh.NameOf(m), Message: m}, nil
}

func unpackError(t mesh.Type, err error) error {
	return fmt.Errorf("Unable to unpack as %s: %w", t.New().ProtoReflect().Descriptor().FullName(), err) //nolint:staticcheck // Envoy's own words
}
