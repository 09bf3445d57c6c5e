package forward

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// manager is what the filters of a connection manager come to.
type manager struct {
	// health are its health check filters: each is a table of one route, whose
	// conditions are those of the filter.
	health []*routes.Table
	// plain says that the router leaves out the x-envoy headers that it would add.
	plain bool
}

// manager is read once for each connection manager. A handler meets few: its
// listener's, which change with the listener.
func (h *Handler) manager(m *hcmv3.HttpConnectionManager) *manager {
	if known, ok := h.managers.Load(m); ok {
		return known.(*manager)
	}
	out := &manager{}
	for _, f := range m.GetHttpFilters() {
		filter, err := f.GetTypedConfig().UnmarshalNew()
		if err != nil {
			continue // package accept refuses what is not known
		}
		switch filter := filter.(type) {
		case *healthv3.HealthCheck:
			out.health = append(out.health, conditions(filter.GetHeaders()))
		case *routerv3.Router:
			out.plain = filter.GetSuppressEnvoyHeaders()
		}
	}
	h.managers.Store(m, out)
	return out
}

// conditions is a table with one route, which has these conditions.
func conditions(headers []*routev3.HeaderMatcher) *routes.Table {
	table, _ := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "health check", Domains: []string{"*"},
		Routes: []*routev3.Route{{Match: &routev3.RouteMatch{
			PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: headers,
		}}},
	}}})
	return table
}

// checksHealth reports whether the request is a health check of the proxy
// itself, which a filter answers before any route is asked.
func (x *exchange) checksHealth() bool {
	if x.way.Action == match.Refused || x.way.Manager == nil {
		return false
	}
	for _, t := range x.h.manager(x.way.Manager).health {
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
