package sample

import (
	"net/url"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
)

// draft is a request that comes to be what one match asks for.
type draft struct {
	sampler *Sampler
	match   *routev3.RouteMatch
	req     match.Request
	query   string // without its ?
	// careful has each condition tried on several values; else the first is
	// taken, which nearly always does.
	careful bool
}

// fill meets all conditions but those on path and Host.
func (d *draft) fill() {
	m := d.match
	if m.GetConnectMatcher() != nil {
		d.req.Method, d.req.Path = "CONNECT", ""
	}
	if tls := m.GetTlsContext(); tls != nil {
		d.req.Presented, d.req.Validated = tls.GetPresented().GetValue(), tls.GetValidated().GetValue()
		d.req.TLS = d.req.TLS || d.req.Presented || d.req.Validated
	}
	if m.GetRuntimeFraction().GetDefaultValue().GetNumerator() > 0 {
		d.req.Random = new(uint64) // the least value is below every fraction
	}
	if m.GetGrpc() != nil {
		d.req.Method = "POST"
	}
	d.scheme()
	var done []string
	for _, h := range append(grpcHeader(m), m.GetHeaders()...) {
		name := strings.ToLower(h.GetName())
		if !slices.Contains(done, name) {
			done = append(done, name)
			d.header(name)
		}
	}
	d.cookies()
	d.parameters()
}

// grpcHeader is what a match of gRPC asks for, as a header matcher of the name
// alone.
func grpcHeader(m *routev3.RouteMatch) []*routev3.HeaderMatcher {
	if m.GetGrpc() == nil {
		return nil
	}
	return []*routev3.HeaderMatcher{{Name: contentType}}
}

const contentType = "content-type"

// choose takes the first of the requests that the condition takes; the first of
// all where none fits, or where no care is asked for.
func (d *draft) choose(condition *routev3.RouteMatch, from []match.Request) {
	if len(from) == 0 {
		return
	}
	best := from[0]
	if d.careful {
		if condition.PathSpecifier = (&routev3.RouteMatch_Prefix{}); d.req.Method == "CONNECT" {
			condition.PathSpecifier = &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}
		}
		t := newTrial(condition)
		for _, r := range from {
			if t.takes(r) {
				best = r
				break
			}
		}
	}
	d.req = best
}

// named are the header matchers of a name, which is in lower case.
func (d *draft) named(names ...string) []*routev3.HeaderMatcher {
	var out []*routev3.HeaderMatcher
	for _, h := range d.match.GetHeaders() {
		if slices.Contains(names, strings.ToLower(h.GetName())) {
			out = append(out, h)
		}
	}
	return out
}

// header meets all matchers of one header. Those of path, Host, scheme and
// cookies are met where these come from.
func (d *draft) header(name string) {
	ms := d.named(name)
	switch name {
	case ":method":
		d.method(ms)
		return
	case ":path", ":authority", "host", ":scheme", forwardedProto, "cookie":
		return
	}
	if strings.HasPrefix(name, ":") {
		return // Envoy has no others that a request could say
	}
	values, absent := headerValues(ms)
	condition := &routev3.RouteMatch{Headers: ms}
	if name == contentType && d.match.GetGrpc() != nil {
		condition.Grpc = d.match.GetGrpc()
		values, absent = append([]string{"application/grpc", "application/grpc+proto"}, values...), false
	}
	called := name
	if len(ms) > 0 {
		called = ms[0].GetName()
	}
	from := []match.Request{}
	for _, v := range values {
		from = append(from, withHeader(d.req, called, v))
	}
	if absent {
		from = append([]match.Request{d.req}, from...)
	} else {
		from = append(from, d.req)
	}
	d.choose(condition, from)
}

// methods are those that every server knows.
var methods = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"}

// method meets what is asked of :method, with a method that servers know where
// there is one.
func (d *draft) method(ms []*routev3.HeaderMatcher) {
	if d.req.Method == "CONNECT" {
		return // no other fits the route
	}
	values, _ := headerValues(ms)
	var known, unknown []string
	for _, v := range values {
		if upper := strings.ToUpper(v); slices.Contains(methods, upper) {
			known = append(known, upper)
		} else if v != "" {
			unknown = append(unknown, v)
		}
	}
	var from []match.Request
	for _, m := range slices.Concat(known, []string{d.req.Method}, methods, unknown) {
		r := d.req
		r.Method = m
		from = append(from, r)
	}
	careful := d.careful
	d.careful = true // most matchers fit one of them, few the first
	d.choose(&routev3.RouteMatch{Headers: ms}, from)
	d.careful = careful
}

// scheme meets what is asked of the scheme, and of the header that says how the
// client came to a proxy before this one.
func (d *draft) scheme() {
	ms := d.named(":scheme", forwardedProto)
	if len(ms) == 0 {
		return
	}
	careful := d.careful
	d.careful = true // what the connection is decides, which no matcher says
	from := []match.Request{d.req}
	if d.sampler.chain == nil {
		encrypted := d.req
		encrypted.TLS = true
		from = append(from, encrypted)
	}
	values, _ := headerValues(d.named(forwardedProto))
	for _, v := range append([]string{"https", "http"}, values...) {
		from = append(from, withHeader(d.req, forwardedProto, v))
	}
	d.choose(&routev3.RouteMatch{Headers: ms}, from)
	d.careful = careful
}

// cookies meets the matchers of cookies, and those of the header itself.
func (d *draft) cookies() {
	ms, headers := d.match.GetCookies(), d.named("cookie")
	if len(ms)+len(headers) == 0 {
		return
	}
	var done, pairs []string
	for _, c := range ms {
		if slices.Contains(done, c.GetName()) {
			continue
		}
		done = append(done, c.GetName())
		if pair := d.cookie(c.GetName()); pair != "" {
			pairs = append(pairs, pair)
		}
	}
	joined := strings.Join(pairs, "; ")
	var from []match.Request
	if joined != "" {
		from = append(from, withHeader(d.req, "cookie", joined))
	}
	values, absent := headerValues(headers)
	for _, v := range values {
		if joined != "" {
			from = append(from, withHeader(d.req, "cookie", v+"; "+joined), withHeader(d.req, "cookie", joined+"; "+v))
		}
		from = append(from, withHeader(d.req, "cookie", v))
	}
	if absent && joined == "" {
		from = append([]match.Request{d.req}, from...)
	}
	d.choose(&routev3.RouteMatch{Headers: headers, Cookies: ms}, append(from, d.req))
}

// cookie is what meets all matchers of one cookie, "" where it had better not
// be there.
func (d *draft) cookie(name string) string {
	before := d.req
	defer func() { d.req = before }()
	same := &routev3.RouteMatch{}
	var from []match.Request
	for _, c := range d.match.GetCookies() {
		if c.GetName() != name {
			continue
		}
		same.Cookies = append(same.Cookies, c)
		if c.GetInvertMatch() {
			from = append(from, before)
		}
		for _, v := range texts(c.GetStringMatch()) {
			from = append(from, withHeader(before, "cookie", name+"="+v))
		}
	}
	d.choose(same, append(from, before))
	if len(d.req.Headers) == len(before.Headers) {
		return ""
	}
	return d.req.Headers[len(d.req.Headers)-1].Value
}

// parameters meets the matchers of the query.
func (d *draft) parameters() {
	var done, pairs []string
	for _, q := range d.match.GetQueryParameters() {
		if slices.Contains(done, q.GetName()) {
			continue
		}
		done = append(done, q.GetName())
		same := &routev3.RouteMatch{}
		path, pair := d.req.Path, ""
		for _, other := range d.match.GetQueryParameters() {
			if other.GetName() == q.GetName() {
				same.QueryParameters = append(same.QueryParameters, other)
			}
		}
		var from []match.Request
		for _, p := range parameterPairs(same.QueryParameters) {
			r := d.req
			r.Path = "/"
			if p != "" {
				r.Path = "/?" + p
			}
			from = append(from, r)
		}
		d.choose(same, from)
		if _, pair, _ = strings.Cut(d.req.Path, "?"); pair != "" {
			pairs = append(pairs, pair)
		}
		d.req.Path = path
	}
	d.query = strings.Join(pairs, "&")
}

// parameterPairs are what a query may say of one parameter; "" leaves it out.
func parameterPairs(ms []*routev3.QueryParameterMatcher) []string {
	var out []string
	for _, m := range ms {
		if p, ok := m.GetQueryParameterMatchSpecifier().(*routev3.QueryParameterMatcher_PresentMatch); ok && !p.PresentMatch {
			out = append(out, "")
			continue
		}
		if m.GetStringMatch() == nil {
			out = append(out, m.GetName())
		}
		for _, v := range texts(m.GetStringMatch()) {
			if strings.ContainsAny(v, "&# ") {
				v = url.QueryEscape(v) // Envoy decodes nothing; only what ignores these letters takes it
			}
			if v != "" {
				v = "=" + v
			}
			out = append(out, m.GetName()+v)
		}
	}
	return append(out, "")
}

// to is the request to a Host and a path.
func (d *draft) to(host, path string) match.Request {
	req := d.req
	req.Headers = slices.Clone(req.Headers)
	if req.Method != "CONNECT" {
		req.Path = path
		if d.query != "" {
			sign := "?"
			if strings.Contains(path, "?") {
				sign = "&"
			}
			req.Path += sign + d.query
		}
	}
	d.sampler.aim(&req, host)
	return req
}
