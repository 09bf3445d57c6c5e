package check

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// shadowedRoute reports routes that no request reaches because an earlier one
// takes them all. Only what is certain is reported: an earlier prefix without
// further conditions, and an earlier match that is the very same.
func shadowedRoute(c *checker) {
	each(c, func(n node, vh *routev3.VirtualHost) {
		var s shadows
		for i, r := range vh.GetRoutes() {
			if by, ok := s.exact[fingerprint(r.GetMatch())]; ok && r.GetMatch() != nil {
				c.report(mesh.Warning, n.key, n.item("routes", i),
					fmt.Sprintf("no request reaches route %d: route %d stands before it and matches the very same requests", i, by),
					"remove one of them, or give the first a further condition")
			} else if by, why := s.over(r.GetMatch()); by >= 0 {
				c.report(mesh.Warning, n.key, n.item("routes", i),
					fmt.Sprintf("no request reaches route %d: route %d stands before it and %s", i, by, why),
					"move it before the other one: Envoy takes the first route that matches, not the longest as nginx does")
			}
			s.add(i, r.GetMatch())
		}
	})
}

// shadows is what the routes so far take away from the later ones. Prefixes
// that ignore case are kept in lower case.
type shadows struct {
	exact            map[string]int // by the whole match, marshalled
	prefix, caseless map[string]int // by unconditional prefix
	separated        map[string]int // by unconditional path_separated_prefix
}

func (s *shadows) add(i int, m *routev3.RouteMatch) {
	if s.exact == nil {
		s.exact, s.prefix = map[string]int{}, map[string]int{}
		s.caseless, s.separated = map[string]int{}, map[string]int{}
	}
	if m.GetRuntimeFraction() != nil {
		return // it lets some requests pass
	}
	keep(s.exact, fingerprint(m), i)
	if !unconditional(m) {
		return
	}
	sensitive := caseSensitive(m)
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		if sensitive {
			keep(s.prefix, p.Prefix, i)
		} else {
			keep(s.caseless, strings.ToLower(p.Prefix), i)
		}
	case *routev3.RouteMatch_PathSeparatedPrefix:
		if sensitive {
			keep(s.separated, p.PathSeparatedPrefix, i)
		}
	}
}

// keep remembers the first route for a key.
func keep(m map[string]int, key string, i int) {
	if _, ok := m[key]; !ok {
		m[key] = i
	}
}

// over finds the earlier prefix that takes everything that m could match; -1
// without one.
func (s *shadows) over(m *routev3.RouteMatch) (by int, why string) {
	path, begins, ok := pathOf(m)
	if !ok {
		return -1, ""
	}
	sensitive := caseSensitive(m)
	for end := 0; end <= len(path); end++ {
		if by, ok := s.prefix[path[:end]]; ok && (sensitive || !hasLetter(path[:end])) {
			return by, fmt.Sprintf("takes every path under %q", path[:end])
		}
		if by, ok := s.caseless[strings.ToLower(path[:end])]; ok {
			return by, fmt.Sprintf("takes every path under %q in any case", path[:end])
		}
		// /foo as a separated prefix takes /foo and /foo/…, but not /foobar.
		whole := end == len(path) && !begins || end < len(path) && path[end] == '/'
		if by, ok := s.separated[path[:end]]; ok && whole && (sensitive || !hasLetter(path[:end])) {
			return by, fmt.Sprintf("takes every path under %q", path[:end])
		}
	}
	return -1, ""
}

// pathOf is what every path that m matches begins with. begins is true where
// it may go on with any letter; ok is false where nothing is known.
func pathOf(m *routev3.RouteMatch) (path string, begins, ok bool) {
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return p.Prefix, true, true
	case *routev3.RouteMatch_Path:
		return p.Path, false, true
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return p.PathSeparatedPrefix, false, true
	case *routev3.RouteMatch_SafeRegex, *routev3.RouteMatch_PathMatchPolicy:
		return "/", true, true
	}
	return "", false, false
}

// unconditional reports whether nothing but the path decides.
func unconditional(m *routev3.RouteMatch) bool {
	rest := proto.Clone(m).(*routev3.RouteMatch)
	rest.PathSpecifier, rest.CaseSensitive = nil, nil
	return proto.Size(rest) == 0
}

func caseSensitive(m *routev3.RouteMatch) bool {
	return m.GetCaseSensitive() == nil || m.GetCaseSensitive().GetValue()
}

func hasLetter(s string) bool { return strings.ToLower(s) != strings.ToUpper(s) }

// fingerprint is equal for matches that say the same.
func fingerprint(m *routev3.RouteMatch) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return m.String()
	}
	return string(b)
}
