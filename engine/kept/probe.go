package kept

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// MaxProbes is how many requests Probe makes at most.
const MaxProbes = 2000

// Probe is a request for every route of both meshes: one that the route would
// take if no other took it before. Compare tells with them which routes lead
// elsewhere where no request is kept. There are at most MaxProbes; where there
// would be more, those of route configurations and listeners that differ come
// first. Their order is that of the meshes.
func Probe(old, new *mesh.Mesh) []Request {
	p := &prober{seen: map[string]bool{}}
	p.mesh(new, old)
	p.mesh(old, new)
	if len(p.probes) > MaxProbes {
		slices.SortStableFunc(p.probes, func(a, b probe) int { return cmp.Compare(a.rank, b.rank) })
		p.probes = p.probes[:MaxProbes]
		slices.SortFunc(p.probes, func(a, b probe) int { return cmp.Compare(a.order, b.order) })
	}
	out := make([]Request, len(p.probes))
	for i, q := range p.probes {
		out[i] = q.request
	}
	return out
}

// probe is one request, and how much it matters: 0 where something near it
// differs, else 1.
type probe struct {
	request     Request
	rank, order int
}

type prober struct {
	probes []probe
	seen   map[string]bool
}

// mesh makes a request for each route of m; other is what it is compared with.
func (p *prober) mesh(m, other *mesh.Mesh) {
	for _, l := range m.List(mesh.Listener) {
		rank := differing(l, other)
		lis, _ := l.Message.(*listenerv3.Listener)
		for _, chain := range append(slices.Clone(lis.GetFilterChains()), lis.GetDefaultFilterChain()) {
			for _, f := range chain.GetFilters() {
				hcm := &hcmv3.HttpConnectionManager{}
				if !f.GetTypedConfig().MessageIs(hcm) || f.GetTypedConfig().UnmarshalTo(hcm) != nil {
					continue
				}
				table, rank := hcm.GetRouteConfig(), rank
				if r := m.Get(mesh.Key{Type: mesh.Route, Name: hcm.GetRds().GetRouteConfigName()}); r != nil {
					table, _ = r.Message.(*routev3.RouteConfiguration)
					rank = min(rank, differing(r, other))
				}
				p.table(connection(lis, chain), table, rank)
			}
		}
	}
}

// differing is 0 for a resource that the other mesh does not have like that.
func differing(r *mesh.Resource, other *mesh.Mesh) int {
	if mesh.SameContent(r, other.Get(r.Key)) {
		return 1
	}
	return 0
}

// connection is a request without its HTTP part, on a connection that the
// filter chain takes. It goes to the listener's port, as a client's does, so that
// a listener that is only called otherwise is the same; one that binds none is
// named.
func connection(l *listenerv3.Listener, chain *listenerv3.FilterChain) match.Request {
	c := chain.GetFilterChainMatch()
	r := match.Request{ALPN: c.GetApplicationProtocols(), Port: c.GetDestinationPort().GetValue()}
	at := l.GetAddress().GetSocketAddress()
	if bound := l.GetBindToPort() == nil || l.GetBindToPort().GetValue(); r.Port == 0 && bound && at.GetPortValue() != 0 {
		r.Port = at.GetPortValue()
		if a, err := netip.ParseAddr(at.GetAddress()); err == nil && !a.IsUnspecified() {
			r.Address = a
		}
	} else {
		r.Listener = l.GetName()
	}
	if names := c.GetServerNames(); len(names) > 0 {
		r.SNI = strings.Replace(names[0], "*", "probe", 1)
	}
	secure := chain.GetTransportSocket() != nil
	r.TLS = r.SNI != "" || len(r.ALPN) > 0 || c.GetTransportProtocol() == "tls" || secure && c.GetTransportProtocol() == ""
	return r
}

func (p *prober) table(on match.Request, table *routev3.RouteConfiguration, rank int) {
	for _, vh := range table.GetVirtualHosts() {
		host := hostOf(vh)
		for _, route := range vh.GetRoutes() {
			if len(p.probes) >= 50*MaxProbes {
				return // whatever is in there, it is enough to choose from
			}
			r := on
			r.Host = host
			describe(&r, route.GetMatch())
			name := nameOf(r)
			if p.seen[name] {
				continue
			}
			p.seen[name] = true
			expect := Expect{VirtualHost: vh.GetName(), Route: route.GetName()}
			p.probes = append(p.probes, probe{request: Request{Name: name, Ask: r, Expect: expect}, rank: rank, order: len(p.probes)})
		}
	}
}

// hostOf is a Host that the first domain of a virtual host takes.
func hostOf(vh *routev3.VirtualHost) string {
	if len(vh.GetDomains()) == 0 {
		return "probe.example"
	}
	switch d := vh.GetDomains()[0]; {
	case d == "*":
		return "probe.example"
	case strings.HasPrefix(d, "*"):
		return "probe" + d[1:]
	case strings.HasSuffix(d, "*"):
		return d[:len(d)-1] + "probe"
	default:
		return d
	}
}

// describe gives a request what a route asks for.
func describe(r *match.Request, m *routev3.RouteMatch) {
	switch m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		r.Path = m.GetPrefix()
	case *routev3.RouteMatch_Path:
		r.Path = m.GetPath()
	case *routev3.RouteMatch_PathSeparatedPrefix:
		r.Path = m.GetPathSeparatedPrefix()
	case *routev3.RouteMatch_SafeRegex:
		r.Path = sample(m.GetSafeRegex().GetRegex())
	case *routev3.RouteMatch_ConnectMatcher_:
		r.Method = "CONNECT"
		if !strings.Contains(r.Host, ":") {
			r.Host += ":443" // it names a port always
		}
		return
	case *routev3.RouteMatch_PathMatchPolicy:
		r.Path = templatePath(m.GetPathMatchPolicy().GetTypedConfig())
	}
	if !strings.HasPrefix(r.Path, "/") {
		r.Path = "/" + r.Path
	}
	for _, h := range m.GetHeaders() {
		header(r, h)
	}
	if m.GetGrpc() != nil {
		r.Headers = append(r.Headers, routes.Header{Name: "content-type", Value: "application/grpc"})
	}
	if len(m.GetCookies()) > 0 {
		var pairs []string
		for _, c := range m.GetCookies() {
			if !c.GetInvertMatch() {
				pairs = append(pairs, c.GetName()+"="+stringSample(c.GetStringMatch()))
			}
		}
		r.Headers = append(r.Headers, routes.Header{Name: "cookie", Value: strings.Join(pairs, "; ")})
	}
	for i, q := range m.GetQueryParameters() {
		sep := "&"
		if i == 0 && !strings.Contains(r.Path, "?") {
			sep = "?"
		}
		r.Path += sep + q.GetName() + "=" + stringSample(q.GetStringMatch())
	}
	if tls := m.GetTlsContext(); tls != nil {
		r.TLS = true
		r.Presented, r.Validated = tls.GetPresented().GetValue(), tls.GetValidated().GetValue()
	}
}

// header gives a request a header that a matcher takes. One that is to be absent
// is.
func header(r *match.Request, h *routev3.HeaderMatcher) {
	absent := h.GetInvertMatch()
	if _, ok := h.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); ok && !h.GetPresentMatch() {
		absent = !absent
	}
	if absent {
		return
	}
	value := headerSample(h)
	switch strings.ToLower(h.GetName()) {
	case ":method":
		r.Method = value
	case ":authority", "host":
		r.Host = value
	case ":path":
		r.Path = value
	case ":scheme":
		r.TLS = r.TLS || value == "https"
	default:
		r.Headers = append(r.Headers, routes.Header{Name: h.GetName(), Value: value})
	}
}

func headerSample(h *routev3.HeaderMatcher) string {
	switch s := h.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_StringMatch:
		return stringSample(s.StringMatch)
	case *routev3.HeaderMatcher_RangeMatch:
		return fmt.Sprint(s.RangeMatch.GetStart())
	case *routev3.HeaderMatcher_ExactMatch: //nolint:staticcheck // Envoy still takes the old forms
		return s.ExactMatch
	case *routev3.HeaderMatcher_PrefixMatch: //nolint:staticcheck
		return s.PrefixMatch
	case *routev3.HeaderMatcher_SuffixMatch: //nolint:staticcheck
		return s.SuffixMatch
	case *routev3.HeaderMatcher_ContainsMatch: //nolint:staticcheck
		return s.ContainsMatch
	case *routev3.HeaderMatcher_SafeRegexMatch: //nolint:staticcheck
		return sample(s.SafeRegexMatch.GetRegex())
	}
	return "probe"
}

// stringSample is a text that a string matcher takes.
func stringSample(m *matcherv3.StringMatcher) string {
	if m.GetSafeRegex() != nil {
		return sample(m.GetSafeRegex().GetRegex())
	}
	return cmp.Or(m.GetExact(), m.GetPrefix(), m.GetSuffix(), m.GetContains(), "probe")
}
