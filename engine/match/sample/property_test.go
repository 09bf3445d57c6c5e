package sample_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/matchtest"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
)

// The matcher gives a sampled request to the route that it is for, in random
// meshes with random connection managers, unless a route before it takes it. Two
// measures hold that: by what the routes ask for, at least 95 % of those that are
// not of a class that cannot be sampled; and, knowing no classes, at least 98 % of
// those that any of many random requests reaches.
func TestTheMatcherGivesItToTheRoute(t *testing.T) {
	var total, given, before, reached, sampled int
	missed := map[string]int{}
	var unnamed []string
	for seed := range uint64(150) {
		c := matchtest.New(seed, matchtest.Options{Address: "127.0.0.1", Port: 10000, Backends: []uint32{9001, 9002, 9003}, Requests: 400})
		table := serve(t, c.Mesh)
		m, s := match.New(c.Mesh), sample.New(table.chain, table.config)
		random := map[string]bool{}
		for i := range c.Requests {
			if w := m.Match(&c.Requests[i].Ask); w.Matched {
				random[w.VirtualHost+" "+fmt.Sprint(w.Route.Index)] = true
			}
		}
		for i, vh := range table.config.GetVirtualHosts() {
			for j, r := range vh.GetRoutes() {
				req := s.Route(i, j)
				req.Runtime = matchtest.RuntimeKeys
				w := m.Match(&req)
				here := w.Matched && w.VirtualHost == vh.GetName()
				found := here && w.Route.Index == j
				total++
				if random[vh.GetName()+" "+fmt.Sprint(j)] {
					if reached++; found {
						sampled++
					}
				}
				switch class := table.class(vh, r); {
				case found:
					given++
				case class != "":
					missed[class]++
				case here && w.Route.Index < j && alone(r, w.Seen):
					before++
				default:
					missed[""]++
					unnamed = append(unnamed, fmt.Sprintf("seed %d, %s route %d: %s %s%s %v by %v %s: %s %s", seed, vh.GetName(), j, req.Method, req.Host, req.Path, req.Headers, r.GetMatch(), vh.GetDomains(), w.Action, w.Reason))
				}
			}
		}
	}
	classes := 0
	for _, class := range slices.Sorted(maps.Keys(missed)) {
		if class != "" {
			t.Logf("%3d of %d: %s", missed[class], total, class)
			classes += missed[class]
		}
	}
	t.Logf("%d of %d routes get their request, %d have one before them that takes it; of %d that random requests reach, %d get theirs", given, total, before, reached, sampled)
	if 100*given < 95*(given+missed[""]) || total < 1000 {
		t.Errorf("%d routes of no class do not get theirs, %d do:\n%s", missed[""], given, strings.Join(unnamed, "\n"))
	}
	if 100*sampled < 98*reached || reached < 500 {
		t.Errorf("of %d routes that random requests reach, %d get a sampled one", reached, sampled)
	}
	if 100*classes > 20*total || 100*before > 20*total {
		t.Errorf("of %d routes %d are of a class and %d have one before them: too much is excused", total, classes, before)
	}
}

// alone reports whether a route takes a request where no other is before it.
func alone(r *routev3.Route, req routes.Request) bool {
	table, _ := routes.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Domains: []string{"*"}, Routes: []*routev3.Route{r}}}})
	return table.Match(&req).Route != nil
}

// served is a table, and what stands before it.
type served struct {
	chain   *listenerv3.FilterChain
	manager *hcmv3.HttpConnectionManager
	config  *routev3.RouteConfiguration
}

func serve(t *testing.T, m *mesh.Mesh) served {
	t.Helper()
	chain := m.List(mesh.Listener)[0].Message.(*listenerv3.Listener).GetFilterChains()[0]
	out := served{chain: chain, manager: &hcmv3.HttpConnectionManager{}}
	if err := chain.GetFilters()[0].GetTypedConfig().UnmarshalTo(out.manager); err != nil {
		t.Fatal(err)
	}
	if out.config = out.manager.GetRouteConfig(); out.config == nil {
		out.config = m.List(mesh.Route)[0].Message.(*routev3.RouteConfiguration)
	}
	return out
}

// class is why a route may not get the request that is sampled for it, by what
// the configuration says alone; "" where it has to.
func (s served) class(vh *routev3.VirtualHost, r *routev3.Route) string {
	m := r.GetMatch()
	text := m.GetPath() + m.GetPrefix() + m.GetPathSeparatedPrefix() + m.GetSafeRegex().GetRegex()
	if vh.GetRequireTls() != routev3.VirtualHost_NONE {
		return "a virtual host behind plain text that requires TLS"
	}
	if m.GetTlsContext().GetPresented().GetValue() || m.GetTlsContext().GetValidated().GetValue() {
		return "a client certificate in plain text"
	}
	if len(m.GetDynamicMetadata())+len(m.GetFilterState()) > 0 {
		return "dynamic metadata and filter state, which filters set"
	}
	if f := m.GetRuntimeFraction(); f != nil && (f.GetDefaultValue().GetNumerator() == 0 || f.GetRuntimeKey() == "matchtest.never") {
		return "a fraction of 0, but for a runtime key"
	}
	if strings.Contains(text, "//") || strings.Contains(text, ";") && s.config.GetIgnorePathParametersInPathMatching() {
		return "a path that the proxy rewrites"
	}
	if m.GetConnectMatcher() != nil {
		return "CONNECT to domains without a port, or with a query"
	}
	return s.headers(m)
}

func (s served) headers(m *routev3.RouteMatch) string {
	seen := map[string]int{}
	for _, q := range m.GetQueryParameters() {
		if seen["?"+q.GetName()]++; seen["?"+q.GetName()] > 1 {
			return "several conditions on one parameter"
		}
	}
	for _, h := range m.GetHeaders() {
		name := strings.ToLower(h.GetName())
		if strings.HasPrefix(name, ":") || name == "host" || name == "x-forwarded-proto" {
			return "a pseudo-header that cannot be so, beside path and domain"
		}
		if seen[name]++; seen[name] > 1 || name == "content-type" && m.GetGrpc() != nil {
			return "several conditions on one header"
		}
		if r := h.GetRangeMatch(); r != nil && r.GetStart() >= r.GetEnd() {
			return "an empty range"
		}
		present, ok := h.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch)
		if h.GetTreatMissingHeaderAsEmpty() && (ok && present.PresentMatch == h.GetInvertMatch() || h.GetHeaderMatchSpecifier() == nil && h.GetInvertMatch()) {
			return "a header that is to be absent and counts as there"
		}
		if strings.Contains(name, "_") && s.manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() != 0 {
			return "a header with an underscore, which the connection manager drops"
		}
	}
	return ""
}
