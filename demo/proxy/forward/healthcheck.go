package forward

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// healthFilters are the health check filters of a connection manager: each is a
// table of one route, whose conditions are those of the filter.
type healthFilters struct {
	of     *hcmv3.HttpConnectionManager
	tables []*routes.Table
}

// newHealthFilters reads the filters of a connection manager.
func newHealthFilters(m *hcmv3.HttpConnectionManager) *healthFilters {
	out := &healthFilters{of: m}
	for _, f := range m.GetHttpFilters() {
		var c healthv3.HealthCheck
		if !f.GetTypedConfig().MessageIs(&c) || f.GetTypedConfig().UnmarshalTo(&c) != nil {
			continue
		}
		table, _ := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
			Name: "health check", Domains: []string{"*"},
			Routes: []*routev3.Route{{Match: &routev3.RouteMatch{
				PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: c.GetHeaders(),
			}}},
		}}})
		out.tables = append(out.tables, table)
	}
	return out
}

// checksHealth reports whether the request is a health check of the proxy
// itself, which a filter answers before any route is asked.
func (x *exchange) checksHealth() bool {
	if x.way.Action == match.Refused || x.way.Manager == nil {
		return false
	}
	filters := x.h.health.Load()
	if filters == nil || filters.of != x.way.Manager {
		filters = newHealthFilters(x.way.Manager)
		x.h.health.Store(filters)
	}
	for _, t := range filters.tables {
		if t.Match(&x.way.Seen).Route != nil {
			return true
		}
	}
	return false
}

// healthy answers a health check.
func (x *exchange) healthy() {
	x.reply(local{status: http.StatusOK, details: "health_check_ok"})
}
