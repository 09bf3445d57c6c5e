package xds_test

import (
	"strconv"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

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

// listener serves HTTP on a port, with routes by RDS.
func listener(t testing.TB, name string, port int, route string) *listenerv3.Listener {
	t.Helper()
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource: overADS(), RouteConfigName: route,
		}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name: name, Address: socket("127.0.0.1", port), EnableReusePort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, hcm)},
		}}}},
	}
}

// route sends everything to the clusters, "name" or "name=weight".
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

func meshOf(t testing.TB, messages ...proto.Message) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, m := range messages {
		r, err := mesh.NewResource(m, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// revision puts one mesh into the default group.
func revision(number int, m *mesh.Mesh) *engine.Revision {
	return &engine.Revision{Number: number, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: m}}
}

// shop is the mesh that most tests begin with.
func shop(t testing.TB) *mesh.Mesh {
	t.Helper()
	return meshOf(t,
		listener(t, "web", 10000, "local"), route("local", "app"),
		cluster("app", time.Second), endpoints("app", 9001, 9002),
		cluster("legacy", time.Second), endpoints("legacy", 9003))
}

// with is the mesh with these resources added or put in the place of others.
func with(t testing.TB, m *mesh.Mesh, messages ...proto.Message) *mesh.Mesh {
	t.Helper()
	for _, r := range meshOf(t, messages...).All() {
		m = m.With(r)
	}
	return m
}

// manyClusters are n clusters with one endpoint each.
func manyClusters(n int) []proto.Message {
	var out []proto.Message
	for i := range n {
		name := "c" + strconv.Itoa(i)
		out = append(out, cluster(name, time.Second), endpoints(name, 9000+i%1000))
	}
	return out
}

func key(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }

func clusterKey(name string) mesh.Key  { return key(mesh.Cluster, name) }
func endpointKey(name string) mesh.Key { return key(mesh.Endpoints, name) }
