package match

import (
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// manager is an HTTP connection manager: where it finds its routes and which
// filters stand before the router.
type manager struct {
	proto   *hcmv3.HttpConnectionManager
	key     mesh.Key
	path    string // of the manager in the resource
	inline  *table // nil unless route_config is set
	scopes  *scopes
	filters filters
}

func newManager(key mesh.Key, path string, m *hcmv3.HttpConnectionManager) *manager {
	n := &manager{proto: m, key: key, path: path}
	if rc := m.GetRouteConfig(); rc != nil {
		n.inline = &table{config: rc, key: key, path: path + ".route_config"}
	}
	if sr := m.GetScopedRoutes(); sr != nil {
		n.scopes = newScopes(key, path+".scoped_routes", sr)
	}
	n.filters = newFilters(m.GetHttpFilters())
	return n
}

// routes is the route configuration for a request. Without one, wrong says why;
// undecided is set where Envoy has one that is not known here.
func (n *manager) routes(m *Matcher, r *routes.Request) (t *table, why, wrong string, undecided bool) {
	switch spec := n.proto.GetRouteSpecifier().(type) {
	case *hcmv3.HttpConnectionManager_RouteConfig:
		return n.inline, "stands in the listener", "", false
	case *hcmv3.HttpConnectionManager_Rds:
		t, wrong = m.served(spec.Rds.GetRouteConfigName())
		return t, "asked for by RDS", wrong, false
	case *hcmv3.HttpConnectionManager_ScopedRoutes:
		return n.scopes.choose(m, r)
	}
	return nil, "", "the HTTP connection manager names no routes, and Envoy rejects the listener", false
}

// served is a route configuration that RDS serves; wrong says what becomes of
// requests while there is none.
func (m *Matcher) served(name string) (t *table, wrong string) {
	if t = m.routeTable(name); t == nil {
		wrong = "route configuration " + name + " is not in the mesh: Envoy waits for it 15 s (initial_fetch_timeout), then answers every request 404"
	}
	return t, wrong
}
