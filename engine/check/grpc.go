package check

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// The rules of this file are about what gRPC clients ask for: a listener with an
// api_listener, and all that it leads to. They follow grpc-go 1.85, which rejects
// what it cannot do, where an Envoy takes the same resource.

// grpcManagers calls visit for the connection manager of every api_listener.
func (c *checker) grpcManagers(visit func(n node, m *hcmv3.HttpConnectionManager)) {
	each(c, func(n node, m *hcmv3.HttpConnectionManager) {
		if n.key.Type == mesh.Listener && n.path == "api_listener.api_listener" {
			visit(n, m)
		}
	})
}

// reachedByGRPC lists the resources of a type that gRPC clients come to from
// their listeners.
func (c *checker) reachedByGRPC(t mesh.Type) []*mesh.Resource {
	if c.grpc == nil {
		c.grpc = c.grpcReach()
	}
	var out []*mesh.Resource
	for _, r := range c.mesh.List(t) {
		if c.grpc[r.Key] {
			out = append(out, r)
		}
	}
	return out
}

// grpcReach is what reachedByGRPC looks up; it is never nil.
func (c *checker) grpcReach() map[mesh.Key]bool {
	seen := map[mesh.Key]bool{}
	var next []mesh.Key
	c.grpcManagers(func(n node, _ *hcmv3.HttpConnectionManager) { next = append(next, n.key) })
	if len(next) == 0 {
		return seen
	}
	names := map[mesh.Key][]mesh.Key{}
	for _, ref := range c.refs {
		names[ref.From] = append(names[ref.From], ref.To)
	}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[k] {
			seen[k] = true
			next = append(next, names[k]...)
		}
	}
	return seen
}

// grpcFilters are the HTTP filters that a gRPC client knows.
var grpcFilters = map[string]bool{
	routerType: true,
	"envoy.extensions.filters.http.fault.v3.HTTPFault":                true,
	"envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig": true,
}

// grpcListener reports api_listeners that gRPC clients reject.
func grpcListener(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		if packed := l.GetApiListener().GetApiListener(); l.GetApiListener() != nil && typeIn(packed.GetTypeUrl()) != managerType {
			c.report(mesh.Error, n.key, n.at("api_listener"), "gRPC clients reject an api_listener that is no HTTP connection manager",
				"write an HttpConnectionManager with rds and the router filter")
		}
	})
	c.grpcManagers(func(n node, m *hcmv3.HttpConnectionManager) {
		refuse := func(path, what, hint string) {
			c.report(mesh.Error, n.key, n.below(path), "gRPC clients reject this listener: "+what, hint)
		}
		source := m.GetRds().GetConfigSource()
		switch {
		case m.GetScopedRoutes() != nil:
			refuse("scoped_routes", "they know no scoped routes", "name one route configuration with rds")
		case m.GetRds() != nil && source.GetAds() == nil && source.GetSelf() == nil:
			refuse("rds.config_source", "its routes must come by the same stream", "write config_source: {ads: {}, resource_api_version: V3}")
		}
		if m.GetXffNumTrustedHops() != 0 {
			refuse("xff_num_trusted_hops", "xff_num_trusted_hops must be 0", "remove it")
		}
		if len(m.GetOriginalIpDetectionExtensions()) > 0 {
			refuse("original_ip_detection_extensions", "original_ip_detection_extensions must be empty", "remove them")
		}
		for i, f := range m.GetHttpFilters() {
			if t := typeIn(configured(f.GetTypedConfig())); !grpcFilters[t] && !f.GetIsOptional() {
				refuse(text.Item("http_filters", i), fmt.Sprintf("they know no filter of type %q", t), "remove the filter, or mark it is_optional: true")
			}
		}
	})
}

const managerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

// grpcRoute reports routes that gRPC clients reject or pass over.
func grpcRoute(c *checker) {
	reached := map[mesh.Key]bool{}
	for _, r := range c.reachedByGRPC(mesh.Route) {
		reached[r.Key] = true
	}
	each(c, func(n node, r *routev3.Route) {
		inline := n.key.Type == mesh.Listener && strings.HasPrefix(n.path, "api_listener.")
		if !inline && !reached[n.key] {
			return
		}
		match, action := r.GetMatch(), r.GetRoute()
		retries := action.GetRetryPolicy().GetNumRetries()
		switch {
		case match.GetPathSeparatedPrefix() != "" || match.GetPathMatchPolicy() != nil || match.GetConnectMatcher() != nil:
			c.report(mesh.Error, n.key, n.at("match"), "gRPC clients reject this route configuration: they match by prefix, path or safe_regex alone",
				"write one of these")
		case retries != nil && retries.GetValue() == 0:
			c.report(mesh.Error, n.key, n.below("route.retry_policy.num_retries"), "gRPC clients reject this route configuration: num_retries must be 1 or more",
				"remove the retry policy")
		case len(match.GetQueryParameters()) > 0:
			c.report(mesh.Warning, n.key, n.below("match.query_parameters"), "gRPC clients pass over this route: they know no query parameters", "")
		case action != nil && action.GetCluster() == "" && action.GetWeightedClusters() == nil && action.GetClusterSpecifierPlugin() == "":
			c.report(mesh.Warning, n.key, n.at("route"), "gRPC clients pass over this route: they need the name of a cluster", "write cluster or weighted_clusters")
		case action == nil && r.GetNonForwardingAction() == nil:
			c.report(mesh.Warning, n.key, n.path, "gRPC clients fail every call that takes this route: they can only send it to a cluster", "give it a route action")
		}
	})
}

// grpcCluster reports clusters that gRPC clients reject.
func grpcCluster(c *checker) {
	for _, r := range c.reachedByGRPC(mesh.Cluster) {
		m := r.Message.(*clusterv3.Cluster)
		refuse := func(path, what, hint string) {
			c.report(mesh.Error, r.Key, path, "gRPC clients reject this cluster: "+what, hint)
		}
		eds := m.GetEdsClusterConfig().GetEdsConfig()
		switch {
		case m.GetClusterType().GetName() == "envoy.clusters.aggregate":
		case m.GetClusterType() != nil || m.GetType() != clusterv3.Cluster_EDS && m.GetType() != clusterv3.Cluster_LOGICAL_DNS:
			refuse("type", fmt.Sprintf("they know no clusters of type %s", clusterKind(m)), "make it EDS, with its endpoints beside it")
		case m.GetType() == clusterv3.Cluster_EDS && eds != nil && eds.GetAds() == nil && eds.GetSelf() == nil:
			refuse("eds_cluster_config.eds_config", "its endpoints must come by the same stream", "write eds_config: {ads: {}, resource_api_version: V3}")
		}
		ring, least := m.GetRingHashLbConfig(), m.GetLeastRequestLbConfig().GetChoiceCount()
		switch p := m.GetLbPolicy(); {
		case m.GetLoadBalancingPolicy() != nil:
		case p == clusterv3.Cluster_RING_HASH && ring.GetHashFunction() != clusterv3.Cluster_RingHashLbConfig_XX_HASH:
			refuse("ring_hash_lb_config.hash_function", "their ring hashes with XX_HASH alone", "remove hash_function")
		case p == clusterv3.Cluster_LEAST_REQUEST && least != nil && least.GetValue() < 2:
			refuse("least_request_lb_config.choice_count", "choice_count must be 2 or more", "remove it")
		case p != clusterv3.Cluster_ROUND_ROBIN && p != clusterv3.Cluster_RING_HASH && p != clusterv3.Cluster_LEAST_REQUEST:
			refuse("lb_policy", fmt.Sprintf("they know no lb_policy %s", p), "write ROUND_ROBIN, LEAST_REQUEST or RING_HASH")
		}
		if len(m.GetTransportSocketMatches()) > 0 {
			refuse("transport_socket_matches", "they know no transport_socket_matches", "write one transport_socket")
		}
	}
}

// clusterKind is the type of a cluster as it is written.
func clusterKind(m *clusterv3.Cluster) string {
	if m.GetClusterType() != nil {
		return m.GetClusterType().GetName()
	}
	return m.GetType().String()
}

// grpcEndpoints reports endpoints that gRPC clients reject or pass over.
func grpcEndpoints(c *checker) {
	for _, r := range c.reachedByGRPC(mesh.Endpoints) {
		seen, weighed := map[string]bool{}, 0
		m := r.Message.(*endpointv3.ClusterLoadAssignment)
		for i, l := range m.GetEndpoints() {
			at := text.Item("endpoints", i)
			id := fmt.Sprintf("%d %v", l.GetPriority(), l.GetLocality())
			switch {
			case l.GetLocality() == nil:
				c.report(mesh.Error, r.Key, at, "gRPC clients reject endpoints without a locality", "add locality: {zone: a}, and load_balancing_weight: 1")
			case l.GetLoadBalancingWeight().GetValue() == 0:
				c.report(mesh.Warning, r.Key, at, "gRPC clients pass over a locality without a weight", "add load_balancing_weight: 1")
				continue
			case seen[id]:
				c.report(mesh.Error, r.Key, text.Field(at, "locality"), "gRPC clients reject a locality that stands twice in one priority",
					"put its endpoints together, or name another zone")
			}
			seen[id] = true
			weighed++
		}
		if weighed == 0 && len(m.GetEndpoints()) > 0 {
			c.report(mesh.Error, r.Key, "endpoints", "gRPC clients find no endpoint here: no locality has a weight", "add load_balancing_weight: 1 to each")
		}
	}
}
