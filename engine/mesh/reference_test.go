package mesh_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func filter(a *anypb.Any) *listenerv3.Filter {
	return &listenerv3.Filter{Name: "f", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: a}}
}

func TestReferences(t *testing.T) {
	ads := &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
	tls := &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: "cert", SdsConfig: ads}, {Name: "static"}}}}
	weighted := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
		Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "v1"}, {Name: "v2"}}}},
		RequestMirrorPolicies: []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "shadow"}}}
	routes := &routev3.RouteConfiguration{Name: "r", VirtualHosts: []*routev3.VirtualHost{{Routes: []*routev3.Route{
		{Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "app"}}}},
		{Action: &routev3.Route_Route{Route: weighted}}}}}}
	protocol := &httpv3.HttpProtocolOptions{}
	upstream := &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "ca", SdsConfig: ads}}}}

	type ref struct{ Path, To string }
	for name, tc := range map[string]struct {
		m    proto.Message
		want []ref
	}{
		"listener": {&listenerv3.Listener{Name: "l", FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{
				filter(pack(t, &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "r"}}})),
				filter(pack(t, &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "db"}})),
				filter(&anypb.Any{TypeUrl: "type.googleapis.com/nobody.knows.It"}),
				filter(&anypb.Any{TypeUrl: mesh.Cluster.URL(), Value: []byte{0xff}}),
			},
			TransportSocket: &corev3.TransportSocket{ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(t, tls)}},
		}}}, []ref{
			{"filter_chains[0].filters[0].typed_config.rds.route_config_name", "route r"},
			{"filter_chains[0].filters[1].typed_config.cluster", "cluster db"},
			{"filter_chains[0].transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret_configs[0].name", "secret cert"},
		}},
		"routes": {routes, []ref{
			{"virtual_hosts[0].routes[0].route.cluster", "cluster app"},
			{"virtual_hosts[0].routes[1].route.weighted_clusters.clusters[0].name", "cluster v1"},
			{"virtual_hosts[0].routes[1].route.weighted_clusters.clusters[1].name", "cluster v2"},
			{"virtual_hosts[0].routes[1].route.request_mirror_policies[0].cluster", "cluster shadow"},
		}},
		"EDS cluster": {&clusterv3.Cluster{Name: "app", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}}, []ref{{"name", "endpoints app"}}},
		"EDS cluster with a service name": {&clusterv3.Cluster{Name: "app", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: "svc"}}, []ref{{"eds_cluster_config.service_name", "endpoints svc"}}},
		"STATIC cluster": {&clusterv3.Cluster{Name: "app"}, nil},
		"map keys with dots are quoted": {&clusterv3.Cluster{Name: "app", TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"z": pack(t, upstream), "a.b": pack(t, upstream), "m": pack(t, upstream), "plain": pack(t, protocol)}}, []ref{
			{`typed_extension_protocol_options["a.b"].common_tls_context.validation_context_sds_secret_config.name`, "secret ca"},
			{`typed_extension_protocol_options.m.common_tls_context.validation_context_sds_secret_config.name`, "secret ca"},
			{`typed_extension_protocol_options.z.common_tls_context.validation_context_sds_secret_config.name`, "secret ca"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []ref
			for _, r := range mesh.References(res(t, tc.m, "")) {
				got = append(got, ref{r.Path, r.To.String()})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	m := set(t, res(t, routes, ""), cds(t, "app"))
	used := m.UsedBy(mesh.Key{Type: mesh.Cluster, Name: "app"})
	if len(used) != 1 || used[0].From.Name != "r" {
		t.Errorf("app is used by %v", used)
	}
	if got := m.UsedBy(mesh.Key{Type: mesh.Cluster, Name: "nobody"}); got != nil {
		t.Errorf("nobody is used by %v", got)
	}
}
