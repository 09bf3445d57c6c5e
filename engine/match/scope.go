package match

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// scopes chooses a route configuration by values taken from request headers.
type scopes struct {
	proto  *hcmv3.ScopedRoutes
	by     []header // of each fragment of the key
	inline map[*routev3.ScopedRouteConfiguration]*table
}

func newScopes(key mesh.Key, path string, s *hcmv3.ScopedRoutes) *scopes {
	n := &scopes{proto: s, inline: map[*routev3.ScopedRouteConfiguration]*table{}}
	at := path + ".scoped_route_configurations_list.scoped_route_configurations"
	for i, each := range s.GetScopedRouteConfigurationsList().GetScopedRouteConfigurations() {
		if rc := each.GetRouteConfiguration(); rc != nil {
			n.inline[each] = &table{config: rc, key: key, path: text.Item(at, i) + ".route_configuration"}
		}
	}
	for _, f := range s.GetScopeKeyBuilder().GetFragments() {
		n.by = append(n.by, newHeader(f.GetHeaderValueExtractor().GetName()))
	}
	return n
}

func (n *scopes) choose(m *Matcher, r *routes.Request) (t *table, why, wrong string, undecided bool) {
	served := m.mesh.List(mesh.ScopedRoute)
	if n.proto.GetScopedRds() != nil && (len(served) == 0 || !fromHere(n.proto.GetScopedRds().GetScopedRdsConfigSource())) {
		return nil, "", "the scope is discovered by scoped RDS, which is not part of the mesh", true
	}
	key, lacking := n.key(r)
	if lacking != "" {
		return nil, "", "the request has no scope, for " + lacking + ": Envoy answers 404", false
	}
	if n.proto.GetScopedRds() != nil {
		return m.servedScope(key, served)
	}
	for _, each := range n.proto.GetScopedRouteConfigurationsList().GetScopedRouteConfigurations() {
		if !sameScope(key, each.GetKey().GetFragments()) {
			continue
		}
		why := "scope " + strings.Join(key, ", ")
		if t := n.inline[each]; t != nil {
			return t, why, "", false
		}
		t, wrong = m.served(each.GetRouteConfigurationName())
		return t, why, wrong, false
	}
	return nil, "", noScope(key), false
}

func noScope(key []string) string {
	return "no scope has the key " + strings.Join(key, ", ") + ": Envoy answers 404"
}

// fromHere reports whether a config source asks the server that the mesh is served
// by.
func fromHere(s *corev3.ConfigSource) bool { return s.GetAds() != nil || s.GetSelf() != nil }

// servedScope chooses among the scopes that SRDS serves. One that has a route
// configuration of its own and names another is taken by its own.
func (m *Matcher) servedScope(key []string, served []*mesh.Resource) (t *table, why, wrong string, undecided bool) {
	for _, r := range served {
		scope, _ := r.Message.(*routev3.ScopedRouteConfiguration)
		if !sameScope(key, scope.GetKey().GetFragments()) {
			continue
		}
		why := "scope " + r.Key.Name + " of " + strings.Join(key, ", ")
		if t := m.tables[r]; t != nil {
			return t, why, "", false
		}
		t, wrong = m.served(scope.GetRouteConfigurationName())
		return t, why, wrong, false
	}
	return nil, "", noScope(key), false
}

// key builds the scope's key; lacking says which part a request does not have.
func (n *scopes) key(r *routes.Request) (key []string, lacking string) {
	for i, f := range n.proto.GetScopeKeyBuilder().GetFragments() {
		by := f.GetHeaderValueExtractor()
		value, ok := n.by[i].of(r)
		if !ok {
			return nil, "header " + by.GetName() + " is not there"
		}
		value, ok = extract(by, value)
		if !ok {
			return nil, "header " + by.GetName() + " does not hold the part that is looked for"
		}
		key = append(key, value)
	}
	return key, ""
}

// header reads one header as Envoy reads those by which a client names
// something, the first of several, pseudo-headers too. It asks the machine that
// reads them for routes with a cluster_header.
type header struct {
	name  string
	table *routes.Table
	route routes.Hit
}

func newHeader(name string) header {
	route := &routev3.Route{
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_ClusterHeader{ClusterHeader: name},
		}},
	}
	host := &routev3.VirtualHost{Name: "any", Domains: []string{"*"}, Routes: []*routev3.Route{route}}
	table, _ := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{host}})
	return header{name: name, table: table, route: routes.Hit{VirtualHost: host, Route: route}}
}

// of is the header's value; ok is false where the request has none.
func (h header) of(r *routes.Request) (value string, ok bool) {
	value = h.table.Act(h.route, r).Cluster
	return value, value != "" || (&headers{r.Headers}).has(h.name)
}

// extract takes a fragment out of a header's value: the element with an index,
// or the value of the element with a key. Without a separator it is all of it.
func extract(by *hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor, value string) (string, bool) {
	elements := []string{value}
	if sep := by.GetElementSeparator(); sep != "" {
		elements = strings.Split(value, sep)
	}
	if e := by.GetElement(); e != nil {
		for _, element := range elements {
			if k, v, _ := strings.Cut(element, e.GetSeparator()); k == e.GetKey() {
				return v, true
			}
		}
		return "", false
	}
	if int(by.GetIndex()) < len(elements) {
		return elements[by.GetIndex()], true
	}
	return "", false
}

func sameScope(key []string, fragments []*routev3.ScopedRouteConfiguration_Key_Fragment) bool {
	if len(key) != len(fragments) {
		return false
	}
	for i, f := range fragments {
		if f.GetStringKey() != key[i] {
			return false
		}
	}
	return true
}
