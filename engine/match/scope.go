package match

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// scopes chooses a route configuration by values taken from request headers.
type scopes struct {
	proto  *hcmv3.ScopedRoutes
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
	return n
}

func (n *scopes) choose(m *Matcher, h *headers) (t *table, why, wrong string, undecided bool) {
	if n.proto.GetScopedRds() != nil {
		return nil, "", "the scope is discovered by scoped RDS, which is not part of the mesh", true
	}
	key, lacking := n.key(h)
	if lacking != "" {
		return nil, "", "the request has no scope, for " + lacking + ": Envoy answers 404", false
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
	return nil, "", "no scope has the key " + strings.Join(key, ", ") + ": Envoy answers 404", false
}

// key builds the scope's key; lacking says which part a request does not have.
func (n *scopes) key(h *headers) (key []string, lacking string) {
	for _, f := range n.proto.GetScopeKeyBuilder().GetFragments() {
		by := f.GetHeaderValueExtractor()
		value, ok := h.get(by.GetName())
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
