package routes

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Table is a compiled RouteConfiguration. It holds on to the protos that it was
// made of and never changes them.
type Table struct {
	source           *routev3.RouteConfiguration
	hosts            []host
	domains          domains
	ignoreParameters bool
}

// host is one compiled virtual host.
type host struct {
	source *routev3.VirtualHost
	routes []route
	index  index
	// assuming are the routes that may rest on an assumption, in order.
	assuming []int32
}

// Compile makes a table, which is never nil. What cannot be compiled never
// matches and is a Problem: Envoy refuses the whole configuration then. A nil
// configuration is an empty one.
func Compile(rc *routev3.RouteConfiguration) (*Table, []Problem) {
	c := compiler{}
	t := &Table{
		source:           rc,
		hosts:            make([]host, len(rc.GetVirtualHosts())),
		ignoreParameters: rc.GetIgnorePathParametersInPathMatching(),
	}
	for i, vh := range rc.GetVirtualHosts() {
		c.host(&t.hosts[i], vh, t.ignoreParameters, fmt.Sprintf("virtual_hosts[%d]", i))
	}
	t.domains = c.domains(rc)
	return t, c.problems
}

// compiler collects what is wrong.
type compiler struct{ problems []Problem }

func (c *compiler) problem(kind ProblemKind, path, message, hint string) {
	c.problems = append(c.problems, Problem{Kind: kind, Path: path, Message: message, Hint: hint})
}

func (c *compiler) host(h *host, vh *routev3.VirtualHost, ignoreParameters bool, at string) {
	h.source = vh
	h.routes = make([]route, len(vh.GetRoutes()))
	if vh.GetMatcher() != nil {
		c.problem(MatcherTree, at+".matcher", "a matcher tree decides among the routes of this virtual host, and is not followed here",
			"write routes to have them explained")
	}
	for i, r := range vh.GetRoutes() {
		c.route(&h.routes[i], r, fmt.Sprintf("%s.routes[%d]", at, i))
		if h.routes[i].assumes() {
			h.assuming = append(h.assuming, int32(i))
		}
	}
	if len(h.routes) > few {
		h.index = newIndex(h.routes, ignoreParameters, few)
	}
}

func (c *compiler) route(r *route, source *routev3.Route, at string) {
	m := source.GetMatch()
	r.source, r.grpc, r.tls, r.fraction = source, m.GetGrpc() != nil, m.GetTlsContext(), compileFraction(m.GetRuntimeFraction())
	// One condition that cannot be compiled makes the whole route one that never
	// matches: to leave it out would let requests in that Envoy keeps out.
	broken := ""
	note := func(field, problem string) {
		if problem == "" {
			return
		}
		kind := BadMatch
		if field == "path_match_policy" {
			kind = BadTemplate
		}
		c.problem(kind, at+".match."+field, "this route never matches: "+problem, "")
		broken = problem
	}
	var field, problem string
	r.path, field, problem = compilePath(m)
	note(field, problem)
	r.headers = compileAll(m.GetHeaders(), compileHeader, "headers", note)
	r.parameters = compileAll(m.GetQueryParameters(), compileParameter, "query_parameters", note)
	r.cookies = compileAll(m.GetCookies(), compileCookie, "cookies", note)
	r.metadata = compileAll(m.GetDynamicMetadata(), compileMetadata, "dynamic_metadata", note)
	r.state = compileAll(m.GetFilterState(), compileState, "filter_state", note)
	if broken != "" {
		r.path = pathMatch{why: broken}
	}
	r.rewrite = c.rewriting(source, &r.path, at)
}

// compileAll compiles a list of conditions, and notes what is wrong by its place.
func compileAll[In, Out any](list []In, compile func(In) (Out, string), field string, note func(field, problem string)) []Out {
	if len(list) == 0 {
		return nil
	}
	out := make([]Out, len(list))
	for i, one := range list {
		var problem string
		out[i], problem = compile(one)
		note(fmt.Sprintf("%s[%d]", field, i), problem)
	}
	return out
}
