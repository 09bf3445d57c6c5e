package mesh

import (
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Reference is one place where a resource names another.
type Reference struct {
	From Key
	Path string // the field in From that holds the name
	To   Key
}

// References lists what r names, in the order of its fields: routes by RDS,
// clusters by routes and TCP proxies, endpoints by EDS clusters, secrets by SDS,
// the configurations of filters by ECDS.
// What an unknown extension names cannot be seen and is not in it.
func References(r *Resource) []Reference {
	c := collector{from: r.Key}
	if name, path, ok := endpointsOf(r.Message); ok {
		c.add(path, Endpoints, name)
	}
	c.walk(r.Message.ProtoReflect(), "")
	return c.refs
}

// EndpointsOf is the name under which a cluster asks EDS for its endpoints: its
// service name, else its own. ok is false for what is no EDS cluster.
func EndpointsOf(m proto.Message) (name string, ok bool) {
	name, _, ok = endpointsOf(m)
	return name, ok
}

func endpointsOf(m proto.Message) (name, path string, ok bool) {
	c, ok := m.(*clusterv3.Cluster)
	if !ok || c.GetType() != clusterv3.Cluster_EDS {
		return "", "", false
	}
	if name := c.GetEdsClusterConfig().GetServiceName(); name != "" {
		return name, "eds_cluster_config.service_name", true
	}
	return c.GetName(), "name", true
}

// References lists every reference in the mesh, by referring resource.
func (m *Mesh) References() []Reference {
	var out []Reference
	for _, r := range m.All() {
		out = append(out, References(r)...)
	}
	return out
}

// UsedBy lists who names the resource with that key.
func (m *Mesh) UsedBy(k Key) []Reference {
	var out []Reference
	for _, ref := range m.References() {
		if ref.To == k {
			out = append(out, ref)
		}
	}
	return out
}

type collector struct {
	from Key
	refs []Reference
}

func (c *collector) add(path string, t Type, name string) {
	if name != "" {
		c.refs = append(c.refs, Reference{From: c.from, Path: path, To: Key{Type: t, Name: name}})
	}
}

// message notes the names that one message of a known kind holds.
func (c *collector) message(m proto.Message, path string) {
	at := func(field string) string { return join(path, field) }
	switch m := m.(type) {
	case *hcmv3.Rds:
		c.add(at("route_config_name"), Route, m.GetRouteConfigName())
	case *tcpv3.TcpProxy:
		c.add(at("cluster"), Cluster, m.GetCluster())
	case *tcpv3.TcpProxy_WeightedCluster_ClusterWeight:
		c.add(at("name"), Cluster, m.GetName())
	case *routev3.RouteAction:
		c.add(at("cluster"), Cluster, m.GetCluster())
	case *routev3.RouteAction_RequestMirrorPolicy:
		c.add(at("cluster"), Cluster, m.GetCluster())
	case *routev3.WeightedCluster_ClusterWeight:
		c.add(at("name"), Cluster, m.GetName())
	case *corev3.GrpcService_EnvoyGrpc:
		c.add(at("cluster_name"), Cluster, m.GetClusterName())
	case *corev3.HttpUri:
		c.add(at("cluster"), Cluster, m.GetCluster())
	case *routev3.ScopedRouteConfiguration:
		c.add(at("route_configuration_name"), Route, m.GetRouteConfigurationName())
	case *hcmv3.HttpFilter:
		if m.GetConfigDiscovery() != nil {
			c.add(at("name"), Extension, m.GetName())
		}
	case *listenerv3.Filter:
		if m.GetConfigDiscovery() != nil {
			c.add(at("name"), Extension, m.GetName())
		}
	case *listenerv3.ListenerFilter:
		if m.GetConfigDiscovery() != nil {
			c.add(at("name"), Extension, m.GetName())
		}
	case *tlsv3.SdsSecretConfig:
		if m.GetSdsConfig() != nil {
			c.add(at("name"), Secret, m.GetName())
		}
	}
}

// walk visits a message and all below it, stepping through every Any whose
// type is linked in.
func (c *collector) walk(m protoreflect.Message, path string) {
	if any, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := any.UnmarshalNew(); err == nil {
			c.walk(inner.ProtoReflect(), path)
		}
		return
	}
	c.message(m.Interface(), path)
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || !m.Has(fd) {
			continue
		}
		at := join(path, string(fd.Name()))
		v := m.Get(fd)
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				continue
			}
			c.walkMap(v.Map(), at)
		case fd.IsList():
			for j := range v.List().Len() {
				c.walk(v.List().Get(j).Message(), fmt.Sprintf("%s[%d]", at, j))
			}
		default:
			c.walk(v.Message(), at)
		}
	}
}

// walkMap visits the values of a map by key, so that the order of references is
// the same each time.
func (c *collector) walkMap(m protoreflect.Map, path string) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		c.walk(m.Get(k).Message(), join(path, k.String()))
	}
}

// join appends one step to a field path; a step that holds a dot or bracket (a
// map key such as an extension's name) is quoted.
func join(path, step string) string {
	if strings.ContainsAny(step, ".[]\"") {
		step = fmt.Sprintf("[%q]", step)
		return path + step
	}
	if path == "" {
		return step
	}
	return path + "." + step
}
