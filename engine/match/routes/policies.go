package routes

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Policies are what a cluster may decide in place of routes; it is
// HttpProtocolOptions of Envoy's extensions/upstreams/http that does.
type Policies interface {
	GetRetryPolicy() *routev3.RetryPolicy
	GetHashPolicy() []*routev3.RouteAction_HashPolicy
	GetRequestMirrorPolicies() []*routev3.RouteAction_RequestMirrorPolicy
}

// clusterPolicies is where Policies stand in a cluster.
const clusterPolicies = `typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]`

// policies are where to look for what is in force: each level's place, and what
// the cluster brings. Of none of them are levels merged: a cluster's goes before
// a route's, a route's before its virtual host's.
type policies struct {
	host, route string // field paths of the virtual host and of the route's action
	cluster     Policies
}

func newPolicies(h Hit, cluster Policies) policies {
	p := policies{host: fmt.Sprintf("virtual_hosts[%d]", h.HostIndex), cluster: cluster}
	if cluster == nil {
		p.cluster = noPolicies{}
	}
	p.route = fmt.Sprintf("%s.routes[%d].route", p.host, h.RouteIndex)
	return p
}

// noPolicies is a cluster that decides nothing, or that is not known.
type noPolicies struct{}

func (noPolicies) GetRetryPolicy() *routev3.RetryPolicy             { return nil }
func (noPolicies) GetHashPolicy() []*routev3.RouteAction_HashPolicy { return nil }
func (noPolicies) GetRequestMirrorPolicies() []*routev3.RouteAction_RequestMirrorPolicy {
	return nil
}
