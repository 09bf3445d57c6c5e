package check

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
)

// asksForScopes reports whether a connection manager of the mesh has its scopes
// from here.
func (c *checker) asksForScopes() bool {
	found := false
	each(c, func(_ node, m *hcmv3.ScopedRds) { found = found || sourceOf(m.GetScopedRdsConfigSource()) == ours })
	return found
}

// noScopes reports connection managers that ask for scopes where there are none.
func noScopes(c *checker) {
	each(c, func(n node, m *hcmv3.ScopedRds) {
		if sourceOf(m.GetScopedRdsConfigSource()) != ours || len(c.mesh.List(mesh.ScopedRoute)) > 0 ||
			c.absent(mesh.Key{Type: mesh.ScopedRoute}) {
			return
		}
		c.report(mesh.Error, n.key, n.path, "this mesh has no scoped route, and Envoy answers every request with 404",
			"add a scoped route for each value of the key, or name one route configuration with rds")
	})
}

// scopeRoute reports scopes that have no route configuration, or two, of which
// Envoy takes the one that stands in it.
func scopeRoute(c *checker) {
	each(c, func(n node, m *routev3.ScopedRouteConfiguration) {
		named, own := m.GetRouteConfigurationName() != "", m.GetRouteConfiguration() != nil
		switch {
		case !named && !own:
			c.report(mesh.Error, n.key, n.path, "this scope has no route configuration, and Envoy rejects it",
				"add route_configuration_name")
		case named && own:
			c.report(mesh.Warning, n.key, n.at("route_configuration_name"),
				fmt.Sprintf("Envoy passes over route %q: this scope has a route configuration of its own", m.GetRouteConfigurationName()), "remove one of them")
		}
	})
}

// duplicateScope reports scopes of one key.
func duplicateScope(c *checker) {
	first := map[string]string{}
	each(c, func(n node, m *routev3.ScopedRouteConfiguration) {
		if n.path != "" || len(m.GetKey().GetFragments()) == 0 {
			return // those in a listener are of that alone
		}
		key := strings.Join(fragments(m), "\x00")
		other, taken := first[key]
		if !taken {
			first[key] = n.key.Name
			return
		}
		c.report(mesh.Error, n.key, n.at("key"), fmt.Sprintf("scope %q has the key of scope %q already, and Envoy rejects that", n.key.Name, other),
			"give them different keys, or remove one")
	})
}

func fragments(m *routev3.ScopedRouteConfiguration) []string {
	var out []string
	for _, f := range m.GetKey().GetFragments() {
		out = append(out, f.GetStringKey())
	}
	return out
}

// scopeKey reports scopes whose key has another number of fragments than any that
// a connection manager makes of a request.
func scopeKey(c *checker) {
	made := map[int]bool{}
	each(c, func(_ node, m *hcmv3.ScopedRoutes) {
		if m.GetScopedRds() != nil {
			made[len(m.GetScopeKeyBuilder().GetFragments())] = true
		}
	})
	if len(made) == 0 {
		return // nobody asks for scopes, which is what unused says
	}
	each(c, func(n node, m *routev3.ScopedRouteConfiguration) {
		if count := len(m.GetKey().GetFragments()); n.path == "" && count > 0 && !made[count] {
			c.report(mesh.Warning, n.key, n.at("key"),
				fmt.Sprintf("no request is of this scope: its key has %s, and that of a request never has as many", oneOrMore(count, "fragment", "fragments")),
				"give it one fragment for each of the scope_key_builder, in its order")
		}
	})
}
