package sample

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// anything stands where a pattern takes any text.
const anything = "any"

// Host is a Host that one of a virtual host's domains takes: an exact domain as
// it is, else a concrete one for a wildcard; "localhost" for "*", and where
// there is no domain.
func Host(domains []string) string {
	best, rank := "localhost", 0
	for _, d := range domains {
		host, n := "", 0
		switch {
		case d == "*" || d == "":
			host, n = "localhost", 1
		case strings.HasPrefix(d, "*"):
			host, n = anything+d[1:], 3
		case strings.HasSuffix(d, ":*"):
			host, n = d[:len(d)-1]+"80", 2
		case strings.HasSuffix(d, "*"):
			host, n = d[:len(d)-1]+"com", 2
		default:
			host, n = d, 4
		}
		if n > rank {
			best, rank = host, n
		}
	}
	return best
}

// VirtualHost is a request for the root of a virtual host.
func VirtualHost(vh *routev3.VirtualHost) match.Request {
	return match.Request{Method: http.MethodGet, Host: Host(vh.GetDomains()), Path: "/"}
}

// Route is a request that the route's match takes: its path, and the method,
// headers, cookies and query parameters that it asks for. What it asks for
// beyond them is left out.
func Route(vh *routev3.VirtualHost, r *routev3.Route) match.Request {
	req := VirtualHost(vh)
	m := r.GetMatch()
	req.Path = path(m)
	if m.GetConnectMatcher() != nil {
		req.Method, req.Path = http.MethodConnect, ""
	}
	if m.GetGrpc() != nil {
		req.Method = http.MethodPost
		req.Headers = append(req.Headers, routes.Header{Name: "content-type", Value: "application/grpc"})
	}
	for _, h := range m.GetHeaders() {
		header(&req, h)
	}
	cookies(&req, m.GetCookies())
	query(&req, m.GetQueryParameters())
	if tls := m.GetTlsContext(); tls != nil {
		req.TLS = true
		req.Presented, req.Validated = tls.GetPresented().GetValue(), tls.GetValidated().GetValue()
	}
	if m.GetRuntimeFraction().GetDefaultValue().GetNumerator() > 0 {
		req.Random = new(uint64) // the least value is below every fraction
	}
	return req
}

// Weighted is Route with a random value that the i-th of its weighted clusters
// takes.
func Weighted(vh *routev3.VirtualHost, r *routev3.Route, i int) match.Request {
	req := Route(vh, r)
	clusters := r.GetRoute().GetWeightedClusters().GetClusters()
	if i < 0 || i >= len(clusters) || clusters[i].GetWeight().GetValue() == 0 {
		return req
	}
	var before uint64
	for _, c := range clusters[:i] {
		before += uint64(c.GetWeight().GetValue())
	}
	req.Random = &before
	return req
}

// Connect adds to a request what a connection must have for the filter chain to
// take it: TLS where the chain speaks it, and the name that it is chosen by.
func Connect(req *match.Request, fc *listenerv3.FilterChain) {
	m := fc.GetFilterChainMatch()
	names := m.GetServerNames()
	if fc.GetTransportSocket() == nil && m.GetTransportProtocol() != "tls" && len(names) == 0 {
		return
	}
	req.TLS = true
	host, _, _ := strings.Cut(req.Host, ":")
	req.SNI = host
	for _, n := range names {
		if n == host || strings.HasPrefix(n, "*") && strings.HasSuffix(host, n[1:]) {
			return
		}
	}
	if len(names) > 0 {
		req.SNI = Host(names)
	}
}

// path is one that the match takes.
func path(m *routev3.RouteMatch) string {
	p := "/"
	switch {
	case m.GetPath() != "":
		p = m.GetPath()
	case m.GetSafeRegex() != nil:
		p = Regex(m.GetSafeRegex().GetRegex())
	case m.GetPathSeparatedPrefix() != "":
		p = m.GetPathSeparatedPrefix()
	case m.GetPathMatchPolicy() != nil:
		t := new(uritemplatev3.UriTemplateMatchConfig)
		if m.GetPathMatchPolicy().GetTypedConfig().UnmarshalTo(t) == nil {
			p = template(t.GetPathTemplate())
		}
	case m.GetPrefix() != "":
		p = m.GetPrefix()
	}
	if !strings.HasPrefix(p, "/") {
		return "/" + p
	}
	return p
}

// template is a path that a URI template takes: "/a/{b}/**" is "/a/any/any".
func template(t string) string {
	var parts []string
	for part := range strings.SplitSeq(braced(t), "/") {
		part = strings.ReplaceAll(part, "**", anything)
		parts = append(parts, strings.ReplaceAll(part, "*", anything))
	}
	return strings.Join(parts, "/")
}

// braced replaces each "{name=pattern}" by its pattern, "{name}" by "*".
func braced(t string) string {
	var b strings.Builder
	for {
		head, rest, found := strings.Cut(t, "{")
		b.WriteString(head)
		if !found {
			return b.String()
		}
		variable, tail, _ := strings.Cut(rest, "}")
		if _, pattern, has := strings.Cut(variable, "="); has {
			b.WriteString(pattern)
		} else {
			b.WriteString("*")
		}
		t = tail
	}
}

// header adds what a header matcher asks for. Pseudo-headers are fields of the
// request; an inverted match asks for another value.
func header(req *match.Request, h *routev3.HeaderMatcher) {
	value, asked := headerValue(h)
	if !asked {
		return
	}
	switch strings.ToLower(h.GetName()) {
	case ":method":
		req.Method = value
	case ":authority", "host":
		req.Host = value
	case ":path":
		req.Path = value
	case ":scheme", ":protocol":
	default:
		req.Headers = append(req.Headers, routes.Header{Name: h.GetName(), Value: value})
	}
}

// headerValue is a value that the matcher takes; asked is false when the header
// had better not be there.
func headerValue(h *routev3.HeaderMatcher) (value string, asked bool) {
	if s, ok := h.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); ok {
		return "1", s.PresentMatch != h.GetInvertMatch()
	}
	switch {
	case h.GetInvertMatch():
		return "other", true
	case h.GetRangeMatch() != nil:
		return strconv.FormatInt(h.GetRangeMatch().GetStart(), 10), true
	case h.GetStringMatch() != nil:
		return text(h.GetStringMatch()), true
	}
	return oldValue(h), true
}

// oldValue is a value that one of the deprecated matchers takes, which configs
// still have and Envoy still takes.
//
//nolint:staticcheck // deprecated, as said
func oldValue(h *routev3.HeaderMatcher) string {
	if re := h.GetSafeRegexMatch(); re != nil {
		return Regex(re.GetRegex())
	}
	return cmp.Or(h.GetExactMatch(), h.GetPrefixMatch(), h.GetSuffixMatch(), h.GetContainsMatch(), "1")
}

// text is one that a string matcher takes.
func text(m *matcherv3.StringMatcher) string {
	if m.GetSafeRegex() != nil {
		return Regex(m.GetSafeRegex().GetRegex())
	}
	return m.GetExact() + m.GetPrefix() + m.GetSuffix() + m.GetContains() // a oneof: only one is set
}

func cookies(req *match.Request, ms []*routev3.CookieMatcher) {
	var pairs []string
	for _, m := range ms {
		if !m.GetInvertMatch() {
			pairs = append(pairs, m.GetName()+"="+text(m.GetStringMatch()))
		}
	}
	if len(pairs) > 0 {
		req.Headers = append(req.Headers, routes.Header{Name: "cookie", Value: strings.Join(pairs, "; ")})
	}
}

func query(req *match.Request, ms []*routev3.QueryParameterMatcher) {
	for i, m := range ms {
		sign := "&"
		if i == 0 && !strings.Contains(req.Path, "?") {
			sign = "?"
		}
		req.Path += sign + m.GetName()
		if v := text(m.GetStringMatch()); v != "" {
			req.Path += "=" + v
		}
	}
}
