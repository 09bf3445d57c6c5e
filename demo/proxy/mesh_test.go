package proxy_test

import (
	"net"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

type (
	protoMessage = proto.Message
	address      = corev3.Address
)

func portOf(t testing.TB, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The ports that tests let proxies listen on: below those that the system gives
// to whoever connects, so that none is taken meanwhile.
const firstPort, ports = 23400, 100

var nextPort atomic.Int64 // a port is offered once in a hundred times

// freePort is a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	for range ports {
		if port := firstPort + int(nextPort.Add(1)%ports); free(port) {
			return port
		}
	}
	t.Fatalf("no port from %d on is free", firstPort)
	return 0
}

func urlOf(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) + "/" }

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// cluster is an EDS cluster; its timeout is what tests change about it.
func cluster(name string, timeout time.Duration) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(timeout),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS()},
	}
}

func socket(host string, port int) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

// endpoints has its endpoints on loopback, one for each port.
func endpoints(name string, ports ...int) *endpointv3.ClusterLoadAssignment {
	group := &endpointv3.LocalityLbEndpoints{}
	for _, port := range ports {
		group.LbEndpoints = append(group.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket("127.0.0.1", port)}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{group}}
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// manager is a connection manager with routes by RDS.
func manager(t testing.TB, prefix, route string) *hcmv3.HttpConnectionManager {
	t.Helper()
	return &hcmv3.HttpConnectionManager{
		StatPrefix: prefix,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource: overADS(), RouteConfigName: route,
		}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})},
		}},
	}
}

// serving is a listener on a port with that connection manager.
func serving(t testing.TB, name string, port int, m *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	t.Helper()
	return &listenerv3.Listener{
		Name: name, Address: socket("127.0.0.1", port), EnableReusePort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, m)},
		}}}},
	}
}

// listener serves HTTP on a port, with routes by RDS.
func listener(t testing.TB, name string, port int, route string) *listenerv3.Listener {
	t.Helper()
	return serving(t, name, port, manager(t, name, route))
}

// buffered is the listener with a field changed that no request sees.
func buffered(l *listenerv3.Listener, bytes uint32) *listenerv3.Listener {
	l.PerConnectionBufferLimitBytes = wrapperspb.UInt32(bytes)
	return l
}

// route sends everything to one cluster, or to several with weights 10, 11, ….
func route(name string, to ...string) *routev3.RouteConfiguration {
	action := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: to[0]}}
	if len(to) > 1 {
		split := &routev3.WeightedCluster{}
		for i, c := range to {
			split.Clusters = append(split.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: c, Weight: wrapperspb.UInt32(uint32(10 + i))})
		}
		action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: split}
	}
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: action},
		}},
	}}}
}

func weighted(rc *routev3.RouteConfiguration, weights ...uint32) *routev3.RouteConfiguration {
	for i, c := range rc.VirtualHosts[0].Routes[0].GetRoute().GetWeightedClusters().GetClusters() {
		c.Weight = wrapperspb.UInt32(weights[i])
	}
	return rc
}

func draining(cla *endpointv3.ClusterLoadAssignment, i int) *endpointv3.ClusterLoadAssignment {
	cla.Endpoints[0].LbEndpoints[i].HealthStatus = corev3.HealthStatus_DRAINING
	return cla
}

func meshOf(t testing.TB, messages ...proto.Message) *mesh.Mesh {
	t.Helper()
	m := &mesh.Mesh{}
	for _, message := range messages {
		r, err := mesh.NewResource(message, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		m = m.With(r)
	}
	return m
}

func key(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }

func regexOf(text string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: text} }

func inlineData(text string) *corev3.DataSource {
	if text == "" {
		return nil
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}

func additional(port int) *listenerv3.AdditionalAddress {
	return &listenerv3.AdditionalAddress{Address: socket("127.0.0.1", port)}
}

// mustBe fails the test when what was got does not match the pattern as a whole.
func mustBe(t testing.TB, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(got) {
		t.Errorf("%q, want %q", got, pattern)
	}
}
