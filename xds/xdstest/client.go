package xdstest

import (
	"context"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/meshtui/engine/mesh"
)

// Config says who the client is and how it speaks.
type Config struct {
	ID       string            // node.id
	Cluster  string            // node.cluster
	Agent    string            // node.user_agent_name; "envoy" makes the server expect an Envoy's habits
	Metadata map[string]string // node.metadata
	Delta    bool
	Deaf     bool // its streams read nothing
}

// Client is one node's connection to a server. It may open many streams.
type Client struct {
	t      testing.TB
	config Config
	conn   *grpc.ClientConn
}

// Dial connects to "unix:/path" or "host:port". The connection ends with the
// test.
func Dial(t testing.TB, addr string, c Config) *Client {
	t.Helper()
	target := addr
	if !strings.HasPrefix(addr, "unix:") {
		target = "passthrough:///" + addr
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // closing twice is an error, and a test may close it first
	return &Client{t: t, config: c, conn: conn}
}

// Close ends the connection and every stream on it.
func (c *Client) Close() { _ = c.conn.Close() }

// node is what the first request on each stream says.
func (c *Client) node() *corev3.Node {
	n := &corev3.Node{Id: c.config.ID, Cluster: c.config.Cluster, UserAgentName: c.config.Agent}
	if len(c.config.Metadata) > 0 {
		n.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{}}
		for k, v := range c.config.Metadata {
			n.Metadata.Fields[k] = structpb.NewStringValue(v)
		}
	}
	return n
}

// sotwStream and deltaStream are what the streams of all services have.
type sotwStream interface {
	Send(*discovery.DiscoveryRequest) error
	Recv() (*discovery.DiscoveryResponse, error)
	CloseSend() error
}

type deltaStream interface {
	Send(*discovery.DeltaDiscoveryRequest) error
	Recv() (*discovery.DeltaDiscoveryResponse, error)
	CloseSend() error
}

// Open opens an aggregated stream, on which nothing is asked for yet.
func (c *Client) Open() *Stream { return c.open(0) }

// OpenType opens a stream for one type.
func (c *Client) OpenType(t mesh.Type) *Stream { return c.open(t) }

func (c *Client) open(t mesh.Type) *Stream {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := newStream(c, cancel)
	var err error
	if c.config.Delta {
		s.delta, err = c.openDelta(ctx, t)
	} else {
		s.sotw, err = c.openSotW(ctx, t)
	}
	if err != nil {
		cancel()
		c.t.Fatalf("open a stream: %v", err)
	}
	c.t.Cleanup(s.Close)
	if !c.config.Deaf {
		s.start()
	}
	return s
}

func (c *Client) openSotW(ctx context.Context, t mesh.Type) (sotwStream, error) {
	switch t {
	case mesh.Listener:
		return listenerservice.NewListenerDiscoveryServiceClient(c.conn).StreamListeners(ctx)
	case mesh.Route:
		return routeservice.NewRouteDiscoveryServiceClient(c.conn).StreamRoutes(ctx)
	case mesh.Cluster:
		return clusterservice.NewClusterDiscoveryServiceClient(c.conn).StreamClusters(ctx)
	case mesh.Endpoints:
		return endpointservice.NewEndpointDiscoveryServiceClient(c.conn).StreamEndpoints(ctx)
	case mesh.Secret:
		return secretservice.NewSecretDiscoveryServiceClient(c.conn).StreamSecrets(ctx)
	}
	return discovery.NewAggregatedDiscoveryServiceClient(c.conn).StreamAggregatedResources(ctx)
}

func (c *Client) openDelta(ctx context.Context, t mesh.Type) (deltaStream, error) {
	switch t {
	case mesh.Listener:
		return listenerservice.NewListenerDiscoveryServiceClient(c.conn).DeltaListeners(ctx)
	case mesh.Route:
		return routeservice.NewRouteDiscoveryServiceClient(c.conn).DeltaRoutes(ctx)
	case mesh.Cluster:
		return clusterservice.NewClusterDiscoveryServiceClient(c.conn).DeltaClusters(ctx)
	case mesh.Endpoints:
		return endpointservice.NewEndpointDiscoveryServiceClient(c.conn).DeltaEndpoints(ctx)
	case mesh.Secret:
		return secretservice.NewSecretDiscoveryServiceClient(c.conn).DeltaSecrets(ctx)
	}
	return discovery.NewAggregatedDiscoveryServiceClient(c.conn).DeltaAggregatedResources(ctx)
}
