package files

import (
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// Static is a bootstrap that has the whole mesh in it, for an Envoy without a
// management server: what listeners and clusters ask ADS for stands within them.
// It fails on a mesh with virtual hosts, scopes or extensions of their own, which
// a folder (Save) can hold and a bootstrap cannot. A route configuration or load
// assignment that the mesh does not have is left to ADS, which the checks report.
func Static(m *mesh.Mesh) (*bootstrapv3.Bootstrap, error) {
	for _, t := range []mesh.Type{mesh.VirtualHost, mesh.ScopedRoute, mesh.Extension} {
		if rs := m.List(t); len(rs) > 0 {
			return nil, fmt.Errorf("%s: a bootstrap has no place for it; write a folder instead", rs[0].Key)
		}
	}
	b := &bootstrapv3.Bootstrap{StaticResources: &bootstrapv3.Bootstrap_StaticResources{}}
	for _, r := range m.List(mesh.Listener) {
		l := proto.Clone(r.Message).(*listenerv3.Listener)
		if err := withinListener(m, l); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Key, err)
		}
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, l)
	}
	for _, r := range m.List(mesh.Cluster) {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, withEndpoints(m, r.Message.(*clusterv3.Cluster)))
	}
	for _, r := range m.List(mesh.Secret) {
		b.StaticResources.Secrets = append(b.StaticResources.Secrets, r.Message.(*tlsv3.Secret))
	}
	for _, r := range m.List(mesh.Runtime) {
		rt := r.Message.(*runtimev3.Runtime)
		if b.LayeredRuntime == nil {
			b.LayeredRuntime = &bootstrapv3.LayeredRuntime{}
		}
		b.LayeredRuntime.Layers = append(b.LayeredRuntime.Layers, &bootstrapv3.RuntimeLayer{Name: rt.GetName(),
			LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: rt.GetLayer()}})
	}
	return b, nil
}

// withinListener puts route configurations into the connection managers that ask
// for them.
func withinListener(m *mesh.Mesh, l *listenerv3.Listener) error {
	chains := l.GetFilterChains()
	if l.GetDefaultFilterChain() != nil {
		chains = append(chains[:len(chains):len(chains)], l.GetDefaultFilterChain())
	}
	for _, chain := range chains {
		if err := secretsHere(chain.GetTransportSocket()); err != nil {
			return err
		}
		for _, f := range chain.GetFilters() {
			manager := &hcmv3.HttpConnectionManager{}
			if !f.GetTypedConfig().MessageIs(manager) {
				continue
			}
			if err := f.GetTypedConfig().UnmarshalTo(manager); err != nil {
				return fmt.Errorf("its connection manager: %w", err)
			}
			r := m.Get(mesh.Key{Type: mesh.Route, Name: manager.GetRds().GetRouteConfigName()})
			if manager.GetRds() == nil || r == nil {
				continue
			}
			manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: r.Message.(*routev3.RouteConfiguration)}
			packed, err := anypb.New(manager)
			if err != nil {
				return fmt.Errorf("its connection manager: %w", err)
			}
			f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed}
		}
	}
	return nil
}

// withEndpoints is the cluster with its endpoints in it.
func withEndpoints(m *mesh.Mesh, c *clusterv3.Cluster) *clusterv3.Cluster {
	c = proto.Clone(c).(*clusterv3.Cluster)
	_ = secretsHere(c.GetTransportSocket()) // what cannot be read stays as it is
	if c.GetType() != clusterv3.Cluster_EDS {
		return c
	}
	name, _ := mesh.EndpointsOf(c)
	r := m.Get(mesh.Key{Type: mesh.Endpoints, Name: name})
	if r == nil {
		return c
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.EdsClusterConfig = nil
	c.LoadAssignment = proto.Clone(r.Message).(*endpointv3.ClusterLoadAssignment)
	return c
}

// secretsHere lets a transport socket look for its secrets in the bootstrap.
func secretsHere(s *corev3.TransportSocket) error {
	for _, context := range []interface {
		proto.Message
		GetCommonTlsContext() *tlsv3.CommonTlsContext
	}{&tlsv3.DownstreamTlsContext{}, &tlsv3.UpstreamTlsContext{}} {
		if !s.GetTypedConfig().MessageIs(context) {
			continue
		}
		if err := s.GetTypedConfig().UnmarshalTo(context); err != nil {
			return fmt.Errorf("its transport socket: %w", err)
		}
		common := context.GetCommonTlsContext()
		for _, sds := range common.GetTlsCertificateSdsSecretConfigs() {
			sds.SdsConfig = nil
		}
		if v := common.GetValidationContextSdsSecretConfig(); v != nil {
			v.SdsConfig = nil
		}
		if v := common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig(); v != nil {
			v.SdsConfig = nil
		}
		return s.GetTypedConfig().MarshalFrom(context)
	}
	return nil
}
