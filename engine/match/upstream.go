package match

import (
	"fmt"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

const (
	protocolOptionsType = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	subsetType          = "envoy.extensions.load_balancing_policies.subset.v3.Subset"
)

// policies are what a cluster decides in place of routes; empty where it is not
// there, or brings none.
func (m *Matcher) policies(cluster string) *httpv3.HttpProtocolOptions {
	if p, ok := unpack(m.cluster(cluster).GetTypedExtensionProtocolOptions()[protocolOptionsType]).(*httpv3.HttpProtocolOptions); ok {
		return p
	}
	return &httpv3.HttpProtocolOptions{}
}

// closed says why a cluster takes no request at all of a priority: its circuit
// breaker never lets one through. It is "" where it may. One for connections is
// no such bound, for Envoy always makes a first.
func (t *trip) closed(c *clusterv3.Cluster, priority corev3.RoutingPriority) string {
	for _, bounds := range c.GetCircuitBreakers().GetThresholds() {
		if bounds.GetPriority() != priority {
			continue
		}
		for _, one := range []struct {
			name string
			set  *wrapperspb.UInt32Value
		}{{"max_requests", bounds.GetMaxRequests()}, {"max_pending_requests", bounds.GetMaxPendingRequests()}} {
			if t.zero(c, priority, one.name, one.set) {
				return "has a circuit breaker with " + one.name + " 0, and lets no request through"
			}
		}
		return ""
	}
	return ""
}

// zero reports whether a bound of a circuit breaker is 0: a runtime key goes
// before what is set.
func (t *trip) zero(c *clusterv3.Cluster, priority corev3.RoutingPriority, name string, set *wrapperspb.UInt32Value) bool {
	if v, ok := t.runtime["circuit_breakers."+c.GetName()+"."+strings.ToLower(priority.String())+"."+name]; ok {
		return v == 0
	}
	return set != nil && set.GetValue() == 0
}

// subset says that a subset load balancer may find no endpoint for a request; ""
// where it always takes another one instead.
func subset(c *clusterv3.Cluster) string {
	for _, p := range c.GetLoadBalancingPolicy().GetPolicies() {
		if typeIn(p.GetTypedExtensionConfig().GetTypedConfig()) == subsetType {
			return "cluster " + c.GetName() + " takes endpoints of a subset that the request's metadata chooses, which is not followed here: without one the answer is 503"
		}
	}
	by := c.GetLbSubsetConfig()
	strict := by.GetFallbackPolicy() != clusterv3.Cluster_LbSubsetConfig_ANY_ENDPOINT
	for _, s := range by.GetSubsetSelectors() {
		switch s.GetFallbackPolicy() {
		case clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector_NO_FALLBACK, clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector_DEFAULT_SUBSET,
			clusterv3.Cluster_LbSubsetConfig_LbSubsetSelector_KEYS_SUBSET:
			strict = true
		}
	}
	if !strict || len(by.GetSubsetSelectors()) == 0 {
		return ""
	}
	return "cluster " + c.GetName() + " takes endpoints of a subset that the route's metadata chooses (lb_subset_config), which is not followed here: without one the answer is 503"
}

// upstream is what the mesh says of a cluster that a request is sent to.
type upstream struct {
	key       mesh.Key
	there     bool
	endpoints mesh.Key // the resource that lists them; zero when the mesh has none
	path      string   // where in it
	says      string   // of the endpoints: "2 endpoints", "found by DNS"
	none      string   // why there is certainly no endpoint that takes a request, as the rest of a sentence; "" where there may be one
	caveat    string
}

func (m *Matcher) upstream(name string) upstream {
	u := upstream{key: mesh.Key{Type: mesh.Cluster, Name: name}}
	c := m.cluster(name)
	if c == nil {
		return u
	}
	u.there, u.caveat = true, subset(c)
	if service, ok := mesh.EndpointsOf(c); ok {
		key := mesh.Key{Type: mesh.Endpoints, Name: service}
		a := m.endpoints(service)
		if a == nil {
			u.caveat = fmt.Sprintf("the endpoints of cluster %s are not in the mesh; if there are none, Envoy answers 503", name)
			return u
		}
		u.endpoints = key
		u.count(a, c)
		return u
	}
	switch {
	case c.GetClusterType() != nil:
		u.says = "chosen by " + filterCalled(c.GetClusterType().GetName(), typeIn(c.GetClusterType().GetTypedConfig()))
	case c.GetType() == clusterv3.Cluster_ORIGINAL_DST:
		u.says = "the address that the connection was meant for"
	default:
		u.endpoints, u.path = u.key, "load_assignment"
		u.count(c.GetLoadAssignment(), c)
		if c.GetType() != clusterv3.Cluster_STATIC {
			u.says += ", found by DNS"
		}
	}
	return u
}

// count tells how many endpoints there are and whether any takes requests. All
// of them ill is not none: below the panic threshold Envoy uses them all.
func (u *upstream) count(a *endpointv3.ClusterLoadAssignment, c *clusterv3.Cluster) {
	total, healthy := 0, 0
	for _, l := range a.GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			total++
			switch e.GetHealthStatus() {
			case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_TIMEOUT, corev3.HealthStatus_DRAINING:
			default:
				healthy++
			}
		}
		if named := l.GetLoadBalancerEndpoints(); named != nil {
			total += len(named.GetLbEndpoints())
			healthy += len(named.GetLbEndpoints())
		}
		if l.GetLedsClusterLocalityConfig() != nil {
			u.says, u.caveat = "discovered by LEDS", "the endpoints of cluster "+c.GetName()+" are discovered by LEDS, which is not part of the mesh"
			return
		}
	}
	u.says = strconv.Itoa(total) + " endpoints"
	if total == 1 {
		u.says = "1 endpoint"
	}
	if healthy < total {
		u.says += ", " + strconv.Itoa(total-healthy) + " of them not healthy"
	}
	panics := c.GetCommonLbConfig()
	switch {
	case total == 0:
		u.none = "has no endpoint that takes requests"
	case healthy > 0:
	case panics.GetHealthyPanicThreshold() != nil && panics.GetHealthyPanicThreshold().GetValue() == 0:
		u.none = "has no healthy endpoint, and its healthy_panic_threshold of 0 lets no other take requests"
	case panics.GetZoneAwareLbConfig().GetFailTrafficOnPanic():
		u.none = "has no healthy endpoint, and fail_traffic_on_panic lets no other take requests"
	}
}
