package nginx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/mesh"
)

// silent are the fields that mean nothing to a request, or whose first value
// is what goes without saying.
var silent = map[string]bool{
	"Cluster.alt_stat_name": true, "Cluster.typed_extension_protocol_options": true, "Cluster.http_protocol_options": true,
	"Cluster.dns_lookup_family": true, "Cluster.dns_refresh_rate": true, "Cluster.circuit_breakers": true, "Cluster.load_balancing_policy": true, "Cluster.common_lb_config": true, // what is in them has lines
	"Listener.traffic_direction": true, "Listener.tcp_backlog_size": true,
	"RouteConfiguration.validate_clusters": true, "Route.decorator": true,
	"HttpConnectionManager.generate_request_id": true, "HttpConnectionManager.skip_xff_append": true, "HttpConnectionManager.use_remote_address": true,
	"HttpConnectionManager.request_headers_timeout": true, "HttpConnectionManager.common_http_protocol_options": true,
	"DownstreamTlsContext.prefer_client_ciphers": true, "DownstreamTlsContext.require_client_certificate": true, "DownstreamTlsContext.common_tls_context": true,
	"RouteAction.cluster": true, "RouteAction.weighted_clusters": true, "RouteAction.hash_policy": true, // the last speaks in the cluster
	"RouteAction.prefix_rewrite": true, "RouteAction.regex_rewrite": true, // tried with a cluster by the golden files
	"VirtualHost.domains": true, "Route.match": true, "Route.direct_response": true, "RouteConfiguration.ignore_port_in_host_matching": true,
	"HttpConnectionManager.codec_type": true, "HttpConnectionManager.strip_matching_host_port": true, "HttpConnectionManager.strip_any_host_port": true,
	"Listener.filter_chains": true, "Listener.default_filter_chain": true, "Cluster.eds_cluster_config": true, "Cluster.load_assignment": true,
}

// filled sets the field to a value that is not its default, where one can be
// made without knowing more.
func filled(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
		v := m.Mutable(f).Map()
		v.Set(protoreflect.ValueOfString("x").MapKey(), v.NewValue())
	case f.IsList():
		l := m.Mutable(f).List()
		l.Append(l.NewElement())
	case f.Kind() == protoreflect.MessageKind:
		m.Set(f, m.NewField(f))
	case f.Kind() == protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(true))
	case f.Kind() == protoreflect.EnumKind:
		m.Set(f, protoreflect.ValueOfEnum(1))
	case f.Kind() == protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString("x"))
	case f.Kind() == protoreflect.Uint32Kind:
		m.Set(f, protoreflect.ValueOfUint32(1))
	case f.Kind() == protoreflect.Int32Kind:
		m.Set(f, protoreflect.ValueOfInt32(1))
	}
}

func socket(m proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(m)}}
}

// around builds a mesh around one message of any of the kinds.
func around(t *testing.T, msg proto.Message) *mesh.Mesh {
	t.Helper()
	route := &routev3.Route{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "app"}}}}
	host := &routev3.VirtualHost{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{route}}
	rc := &routev3.RouteConfiguration{Name: "r", VirtualHosts: []*routev3.VirtualHost{host}}
	all := []proto.Message{&clusterv3.Cluster{Name: "app"}}
	listener := listening(t, 18099, rc).List(mesh.Listener)[0].Message.(*listenerv3.Listener)
	switch m := msg.(type) {
	case *routev3.RouteAction:
		if m.GetClusterSpecifier() == nil {
			m.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "app"}
		}
		route.Action = &routev3.Route_Route{Route: m}
	case *routev3.Route:
		m.Match = route.GetMatch()
		if m.GetAction() == nil {
			m.Action = route.GetAction()
		}
		host.Routes[0] = m
	case *routev3.VirtualHost:
		if m.GetRoutes() == nil {
			m.Domains, m.Routes = []string{"*"}, []*routev3.Route{route}
		}
		rc.VirtualHosts[0] = m
	case *routev3.RouteConfiguration:
		m.Name = "r"
		if m.GetVirtualHosts() == nil {
			m.VirtualHosts = rc.GetVirtualHosts()
		}
		rc = m
	case *listenerv3.Listener:
		m.Name = "web"
		if m.GetAddress() == nil {
			m.Address = listener.GetAddress()
		}
		listener = m
	case *clusterv3.Cluster:
		m.Name = "app"
		all[0] = m
	case *tlsv3.DownstreamTlsContext:
		listener.FilterChains[0].TransportSocket = socket(m)
	}
	manager := &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: rc}}
	if m, ok := msg.(*hcmv3.HttpConnectionManager); ok {
		manager = m
		if m.GetRouteSpecifier() == nil {
			m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: rc}
		}
	}
	if _, ok := msg.(*listenerv3.Listener); !ok {
		listener.FilterChains[0].Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(manager)}
	}
	out, err := mesh.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range append(all, listener) {
		r, err := mesh.NewResource(one, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		out = out.With(r)
	}
	return out
}

// TestNoFieldVanishes sets every field of the messages that are projected, one
// at a time, and holds that the text is then another one.
func TestNoFieldVanishes(t *testing.T) {
	tried := 0
	for _, kind := range []proto.Message{&routev3.RouteAction{}, &routev3.Route{}, &routev3.VirtualHost{}, &routev3.RouteConfiguration{},
		&hcmv3.HttpConnectionManager{}, &listenerv3.Listener{}, &clusterv3.Cluster{}, &tlsv3.DownstreamTlsContext{}} {
		r := kind.ProtoReflect()
		base := Project(around(t, r.New().Interface())).String()
		fields := r.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			name := string(r.Descriptor().Name()) + "." + string(f.Name())
			switch strings.TrimPrefix(name, string(r.Descriptor().Name())+".") {
			case "name", "stat_prefix", "metadata":
				continue
			}
			if silent[name] {
				continue
			}
			msg := r.New()
			filled(msg, f)
			tried++
			c := Project(around(t, msg.Interface()))
			if c.String() == base {
				t.Errorf("%s is set, and no line says so", name)
			}
		}
	}
	if tried < 150 {
		t.Errorf("%d fields were tried, want 150 at least", tried)
	}
}
