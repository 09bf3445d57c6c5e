package matchtest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// draft is a request in the making.
type draft struct {
	method  string
	target  string
	host    string
	noHost  bool
	http10  bool
	headers []routes.Header
	classes []string
}

func (d *draft) set(name, value string) {
	for i, h := range d.headers {
		if equalFold(h.Name, name) {
			d.headers[i].Value = value
			return
		}
	}
	d.headers = append(d.headers, routes.Header{Name: name, Value: value})
}

// query adds to the target's query.
func (d *draft) query(kv string) {
	if strings.Contains(d.target, "?") {
		d.target += "&" + kv
	} else {
		d.target += "?" + kv
	}
}

// request draws one request for a table: most are made for one of its routes,
// and half are then changed.
func (m *maker) request(t *routev3.RouteConfiguration) Request {
	d := &draft{method: "GET", target: m.path(), host: pick(m, hostWords...)}
	if m.chance(90) {
		vh := pick(m, t.VirtualHosts...)
		d.host = m.hostFor(pick(m, vh.Domains...))
		if m.chance(90) {
			m.satisfy(d, pick(m, vh.Routes...).GetMatch())
		}
	}
	if m.chance(10) {
		d.method = pick(m, methods...)
	}
	for range pick(m, 0, 0, 0, 1, 1, 2) {
		m.noise(d)
	}
	for range pick(m, 0, 0, 0, 1, 1, 2) {
		m.mutate(d)
	}
	return m.finish(d)
}

// hostFor is a Host that a domain takes.
func (m *maker) hostFor(domain string) string {
	switch {
	case domain == "*":
		return pick(m, hostWords...)
	case strings.HasPrefix(domain, "*"):
		return pick(m, "w", "x.y", "a-b") + domain[1:]
	case strings.HasSuffix(domain, "*"):
		return domain[:len(domain)-1] + pick(m, "w", "com", "x.y")
	}
	return domain
}

// satisfy makes a request meet a route's match, mostly.
func (m *maker) satisfy(d *draft, rm *routev3.RouteMatch) {
	m.satisfyPath(d, rm)
	for _, h := range rm.GetHeaders() {
		if m.chance(88) {
			m.satisfyHeader(d, h)
		}
	}
	for _, q := range rm.GetQueryParameters() {
		if m.chance(88) && (q.GetQueryParameterMatchSpecifier() == nil || q.GetStringMatch() != nil || q.GetPresentMatch()) {
			d.query(q.GetName() + "=" + m.satisfyString(q.GetStringMatch()))
		}
	}
	for _, c := range rm.GetCookies() {
		if m.chance(88) != c.GetInvertMatch() {
			d.set("Cookie", pick(m, "", "other=1; ")+c.GetName()+"="+m.satisfyString(c.GetStringMatch()))
		}
	}
	if rm.GetGrpc() != nil && m.chance(80) {
		d.method = "POST"
		d.set("Content-Type", pick(m, "application/grpc", "application/grpc+proto", "application/grpc"))
	}
}

func (m *maker) satisfyPath(d *draft, rm *routev3.RouteMatch) {
	switch s := rm.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		d.target = s.Prefix + pick(m, "", "", "/", "x", "/a", "/foo/bar", "/index.html")
	case *routev3.RouteMatch_Path:
		d.target = s.Path
	case *routev3.RouteMatch_SafeRegex:
		d.target = m.sample(s.SafeRegex.GetRegex())
	case *routev3.RouteMatch_PathSeparatedPrefix:
		d.target = s.PathSeparatedPrefix + pick(m, "", "/", "/a", "/foo/bar", "x")
	case *routev3.RouteMatch_PathMatchPolicy:
		config := &uritemplatev3.UriTemplateMatchConfig{}
		if s.PathMatchPolicy.GetTypedConfig().UnmarshalTo(config) == nil {
			d.target = m.templateSample(config.PathTemplate)
		}
	case *routev3.RouteMatch_ConnectMatcher_:
		if m.may("connect requests", 90) {
			d.method, d.target = "CONNECT", d.host+pick(m, ":443", ":80", "")
			d.host = d.target
		}
	}
	if d.target == "" {
		d.target = "/"
	}
	if !rm.GetCaseSensitive().GetValue() && rm.GetCaseSensitive() != nil && m.chance(60) && d.method != "CONNECT" {
		d.target = flipCase(m.Rand, d.target)
	}
}

func (m *maker) satisfyHeader(d *draft, h *routev3.HeaderMatcher) {
	if h.GetInvertMatch() && m.chance(70) {
		return
	}
	v := m.value()
	switch s := h.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_ExactMatch:
		v = s.ExactMatch
	case *routev3.HeaderMatcher_PrefixMatch:
		v = s.PrefixMatch + pick(m, "", "z")
	case *routev3.HeaderMatcher_SuffixMatch:
		v = pick(m, "", "z") + s.SuffixMatch
	case *routev3.HeaderMatcher_ContainsMatch:
		v = pick(m, "", "z") + s.ContainsMatch + pick(m, "", "z")
	case *routev3.HeaderMatcher_SafeRegexMatch:
		v = m.sample(s.SafeRegexMatch.GetRegex())
	case *routev3.HeaderMatcher_StringMatch:
		v = m.satisfyString(s.StringMatch)
	case *routev3.HeaderMatcher_RangeMatch:
		v = fmt.Sprint(s.RangeMatch.GetStart() + pick[int64](m, 0, 0, 1, -1))
	case *routev3.HeaderMatcher_PresentMatch:
		if !s.PresentMatch {
			return
		}
	}
	switch {
	case h.GetName() == ":method":
		if v == strings.ToUpper(v) && v != "" && strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			d.method = v
		}
	case h.GetName() == ":authority" || equalFold(h.GetName(), "host"):
		if m.chance(30) {
			d.host = v
		}
	case !strings.HasPrefix(h.GetName(), ":"):
		d.set(h.GetName(), v)
	}
}

func (m *maker) satisfyString(s *matcherv3.StringMatcher) string {
	v := m.token()
	switch p := s.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		v = p.Exact
	case *matcherv3.StringMatcher_Prefix:
		v = p.Prefix + pick(m, "", "z")
	case *matcherv3.StringMatcher_Suffix:
		v = pick(m, "", "z") + p.Suffix
	case *matcherv3.StringMatcher_Contains:
		v = pick(m, "", "z") + p.Contains + pick(m, "", "z")
	case *matcherv3.StringMatcher_SafeRegex:
		v = m.sample(p.SafeRegex.GetRegex())
	}
	if s.GetIgnoreCase() && m.chance(60) {
		v = flipCase(m.Rand, v)
	}
	return v
}

// noise adds headers and a query of the words that the tables ask for.
func (m *maker) noise(d *draft) {
	switch m.IntN(7) {
	case 0, 1:
		d.set(pick(m, headerNames...), m.value())
	case 2:
		d.set(clusterHeader, pick(m, clusterName(0), clusterName(0), "gone", ""))
	case 3:
		d.set("x-random", pick(m, "0", "1", "7", "100", "x", "18446744073709551615", "-1", ""))
	case 4:
		d.set("Cookie", pick(m, cookieNames...)+"="+m.token()+pick(m, "", "; ", "; b=2", ";sid=9"))
	case 5:
		if d.method != "CONNECT" {
			d.query(pick(m, queryNames...) + pick(m, "", "=", "="+m.token(), "=1&q=2", "=1&&id=3"))
		}
	case 6:
		d.set(hostOverride, pick(m, hostWords...))
	}
}

// finish writes a draft down.
func (m *maker) finish(d *draft) Request {
	r := Request{Classes: d.classes, Ask: match.Request{
		Listener: ListenerName, Method: d.method, Path: d.target, Host: d.host, Headers: d.headers, HTTP10: d.http10, Runtime: RuntimeKeys,
	}}
	switch {
	case d.noHost:
		r.Ask.Host = ""
	case d.host == "":
		r.Ask.Headers = append([]routes.Header{{Name: "Host"}}, r.Ask.Headers...)
	}
	if ip, err := netip.ParseAddr(m.o.Address); err == nil && m.chance(50) {
		r.Ask.Listener, r.Ask.Address, r.Ask.Port = "", ip, m.o.Port
	}
	if m.o.HTTP2 && m.chance(10) && d.fitsHTTP2() {
		r.Ask.HTTP2 = true
		r.Classes = append(r.Classes, "HTTP/2")
		for i, h := range r.Ask.Headers {
			r.Ask.Headers[i].Name = strings.ToLower(h.Name)
		}
	}
	r.Raw = Raw(&r.Ask)
	return r
}

// fitsHTTP2 reports whether HTTP/2 can say a request at all, and well enough
// for a codec to pass it on.
func (d *draft) fitsHTTP2() bool {
	for _, h := range d.headers {
		if name := strings.ToLower(h.Name); name == "connection" || name == "upgrade" || name == "host" || strings.HasPrefix(name, ":") || strings.TrimSpace(h.Value) != h.Value {
			return false
		}
	}
	if d.http10 || d.host == "" && !d.noHost || d.method == "CONNECT" {
		return false
	}
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	return (strings.HasPrefix(d.target, "/") || d.target == "*") && strings.IndexFunc(d.target+d.host+d.method, odd) < 0
}

// Raw is a request as bytes of HTTP/1. A Host header that is there and empty is
// one of the Headers, while Host is "".
func Raw(ask *match.Request) []byte {
	var b bytes.Buffer
	proto := "HTTP/1.1"
	if ask.HTTP10 {
		proto = "HTTP/1.0"
	}
	fmt.Fprintf(&b, "%s %s %s\r\n", ask.Method, ask.Path, proto)
	if ask.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", ask.Host)
	}
	for _, h := range ask.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
