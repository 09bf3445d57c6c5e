package importer

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// What nginx refuses before it looks for a location.
const (
	// An empty Host, a dot at the end where Envoy has taken one off already, two
	// dots in a row, a slash, and two Host headers, which Envoy joins with a comma. A
	// second colon nginx would pass over: no browser sends it, and Envoy, which takes
	// the port off from the last one on, would look for another name.
	badHost = `(?:|[^:]*\.|[^:]*\.\.[^:]*|.*,.*|.*/.*|[^:[]*:[^:]*:.*)(?::.*)?`
	// A % without two hexadecimal digits, and %00.
	badEscape = `[^?]*%(?:00.*|[^0-9A-Fa-f].*|[0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f].*)?`
	// Envoy's merge_slashes leaves of a path of nothing but slashes two.
	onlySlashes = `//+`
)

// refused is the guard routes at the head of every virtual host. It is the default
// server that refuses: no other is found yet.
func (im *importer) refused(s *site) []*routev3.Route {
	everything := func() *routev3.RouteMatch {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	}
	host, escape := everything(), everything()
	host.Headers = []*routev3.HeaderMatcher{header(":authority", safeRegex(badHost))}
	escape.Headers = []*routev3.HeaderMatcher{header(":path", safeRegex(badEscape))}
	routes := []*routev3.Route{
		{Name: "nginx: bad Host", Match: host, Action: direct(400, "")},
		{Name: "nginx: bad escape", Match: escape, Action: direct(400, "")},
	}
	for _, r := range routes {
		im.addedAlways(s.first.d, r)
	}
	return routes
}
