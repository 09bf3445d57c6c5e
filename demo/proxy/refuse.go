package proxy

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// What an Envoy refuses though the proxy could do something with it. Package
// accept refuses what the proxy does not do; the words are Envoy's.

// impossible refuses a listener in which Envoy finds two things of one meaning,
// or one of none.
func impossible(l *listenerv3.Listener, managers []*hcmv3.HttpConnectionManager) error {
	for i, chain := range l.GetFilterChains() {
		for _, before := range l.GetFilterChains()[:i] {
			if sameMatch(before.GetFilterChainMatch(), chain.GetFilterChainMatch()) {
				return fmt.Errorf("error adding listener: filter chain '%s' has the same matching rules defined as '%s'", chain.GetName(), before.GetName())
			}
		}
	}
	for _, m := range managers {
		for _, f := range m.GetHttpFilters() {
			if f.GetTypedConfig() == nil && f.GetConfigDiscovery() == nil && !f.GetIsOptional() && !f.GetDisabled() {
				return fmt.Errorf("Didn't find a registered implementation for '%s' with type URL: ''", f.GetName())
			}
		}
		if err := weighs(m.GetRouteConfig()); err != nil {
			return err
		}
	}
	return nil
}

// sameMatch reports whether two chains take the same connections, for all that
// can be told without taking the matches apart.
func sameMatch(a, b *listenerv3.FilterChainMatch) bool {
	if a == nil {
		a = &listenerv3.FilterChainMatch{}
	}
	if b == nil {
		b = &listenerv3.FilterChainMatch{}
	}
	return proto.Equal(a, b)
}

// weighs refuses weighted clusters of which none has a weight.
func weighs(rc *routev3.RouteConfiguration) error {
	for _, host := range rc.GetVirtualHosts() {
		for i, r := range host.GetRoutes() {
			split := r.GetRoute().GetWeightedClusters()
			if split == nil {
				continue
			}
			var sum uint64
			for _, c := range split.GetClusters() {
				sum += uint64(c.GetWeight().GetValue())
			}
			if sum == 0 {
				return fmt.Errorf("virtual host %s, route %d: Sum of weights in the weighted_cluster must be greater than 0", host.GetName(), i)
			}
		}
	}
	return nil
}
