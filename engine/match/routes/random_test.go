package routes

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	templatematchv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// dice makes random tables and requests from a small vocabulary, so that they
// meet often.
type dice struct{ *rand.Rand }

func roll(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, seed>>7))} }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) one(in int) bool { return d.IntN(in) == 0 }

func (d dice) segment() string {
	return pick(d, "a", "b", "ab", "A", "aB", "x1", "foo", "Foo", "v1", "v2", "", "a;p", "a;p=1", ";q", "a=b", "*", "a.b", "%41")
}

func (d dice) path() string {
	var b strings.Builder
	for range 1 + d.IntN(3) {
		b.WriteString("/" + d.segment())
	}
	return b.String()
}

func (d dice) requestPath() string {
	p := d.path()
	switch d.IntN(12) {
	case 0:
		p += pick(d, "?", "?q=1", "?q=1&r", "?r&q=2", "?a;b")
	case 1:
		return pick(d, "*", "/", "?q=1", "/foo", "/foo/")
	}
	return p
}

func (d dice) regex() string {
	return pick(d, "/", "/a", "^/foo", ".*", "/[^/]+", "(?i)/FOO", "(/ab|/x1)", "/v[0-9]") +
		pick(d, "", "/b", "/.*", ".*", "(/a|/b)?", "/[a-z]+/foo", "$", "(/[^/]+)*", "/x[0-9]+", "(?:/ab)+", "/foo.*")
}

func (d dice) template() string {
	return "/" + pick(d, "a", "foo", "*", "{v}", "a;p", "a;p=1") + pick(d, "", "", "/b", "/*", "/**", "/{w=*}", "/{w=a/**}", "/*/foo", "/")
}

func (d dice) routeMatch() *routev3.RouteMatch {
	m := &routev3.RouteMatch{}
	switch d.IntN(12) {
	case 0, 1, 2:
		m.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: pick(d, d.path(), d.path(), d.path()+"/", "/", "")}
	case 3, 4, 5:
		m.PathSpecifier = &routev3.RouteMatch_Path{Path: d.path()}
	case 6, 7:
		m.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: strings.TrimRight(d.path(), "/")}
	case 8, 9:
		m.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: d.regex()}}
	case 10:
		m.PathSpecifier = templateMatch(d.template())
	case 11:
		m.PathSpecifier = &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}
	}
	if d.one(4) {
		m.CaseSensitive = wrapperspb.Bool(d.one(4))
	}
	for range d.IntN(3) {
		if d.one(2) {
			m.Headers = append(m.Headers, d.header())
		}
	}
	if d.one(8) {
		m.QueryParameters = append(m.QueryParameters, d.parameter())
	}
	if d.one(10) {
		m.Cookies = append(m.Cookies, &routev3.CookieMatcher{Name: "s", StringMatch: d.text(), InvertMatch: d.one(3)})
	}
	if d.one(15) {
		m.Grpc = &routev3.RouteMatch_GrpcRouteMatchOptions{}
	}
	if d.one(15) {
		m.TlsContext = &routev3.RouteMatch_TlsContextMatchOptions{Presented: wrapperspb.Bool(d.one(2))}
	}
	if d.one(10) {
		m.RuntimeFraction = &corev3.RuntimeFractionalPercent{
			DefaultValue: &typev3.FractionalPercent{Numerator: pick[uint32](d, 0, 30, 60, 100)},
			RuntimeKey:   pick(d, "", "k"),
		}
	}
	if d.one(15) {
		m.DynamicMetadata = append(m.DynamicMetadata, &matcherv3.MetadataMatcher{
			Filter: "f", Path: []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: "k"}}},
			Value: &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: d.text()}}, Invert: d.one(2),
		})
	}
	return m
}

func templateMatch(template string) *routev3.RouteMatch_PathMatchPolicy {
	packed, err := anypb.New(&templatematchv3.UriTemplateMatchConfig{PathTemplate: template})
	if err != nil {
		panic(err)
	}
	return &routev3.RouteMatch_PathMatchPolicy{PathMatchPolicy: &corev3.TypedExtensionConfig{Name: "t", TypedConfig: packed}}
}

func (d dice) text() *matcherv3.StringMatcher {
	s := &matcherv3.StringMatcher{IgnoreCase: d.one(4)}
	v := pick(d, "a", "b", "ab", "A", "1", "")
	switch d.IntN(5) {
	case 0, 1:
		s.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: v}
	case 2:
		s.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: v}
	case 3:
		s.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: v}
	case 4:
		s.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: v + ".*"}}
	}
	return s
}

func (d dice) header() *routev3.HeaderMatcher {
	h := &routev3.HeaderMatcher{
		Name:        pick(d, "x-a", "X-B", ":method", "content-type", "user-agent"),
		InvertMatch: d.one(4), TreatMissingHeaderAsEmpty: d.one(5),
	}
	switch d.IntN(5) {
	case 0:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: !d.one(3)}
	case 1:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_RangeMatch{RangeMatch: &typev3.Int64Range{Start: 0, End: int64(d.IntN(3))}}
	case 2:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_ExactMatch{ExactMatch: pick(d, "a", "")} //nolint:staticcheck // deprecated, and still what people have
	default:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: d.text()}
	}
	return h
}

func (d dice) parameter() *routev3.QueryParameterMatcher {
	q := &routev3.QueryParameterMatcher{Name: pick(d, "q", "r")}
	if d.one(2) {
		q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: d.one(2)}
	} else {
		q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: d.text()}
	}
	return q
}

// config is a random table; most of its virtual hosts have distinct domains.
func (d dice) config(hosts, routes int) *routev3.RouteConfiguration {
	rc := &routev3.RouteConfiguration{
		Name: "r", IgnorePortInHostMatching: d.one(3), IgnorePathParametersInPathMatching: d.one(3),
	}
	domains := []string{"a.test", "*.test", "*.a.test", "*-x.a.test", "a.*", "A.B.*", "a.b.c*", "*", "b.test:80", "[::1]", "*-x.test"}
	d.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
	for i := range hosts {
		vh := &routev3.VirtualHost{Name: fmt.Sprintf("v%d", i), Domains: domains[i : i+1]}
		for range routes {
			vh.Routes = append(vh.Routes, &routev3.Route{Match: d.routeMatch(), Action: &routev3.Route_DirectResponse{
				DirectResponse: &routev3.DirectResponseAction{Status: 200},
			}})
		}
		rc.VirtualHosts = append(rc.VirtualHosts, vh)
	}
	return rc
}

// conditions is a table whose routes all take the same few paths and differ in
// what they ask beside.
func (d dice) conditions(routes int) *routev3.RouteConfiguration {
	rc := &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Name: "v", Domains: []string{"*"}}}}
	for range routes {
		m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
		if d.one(4) {
			m.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: pick(d, ".*", "/.*", "/a", "[^b]*", "[^b]+")}}
		}
		// Nearly all ask for something: a route that takes everything would hide the rest.
		h := d.header()
		h.Name = pick(d, "x-a", "x-a", "user-agent")
		if d.one(3) {
			h.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}
		}
		switch d.IntN(8) {
		case 0:
			m.QueryParameters = append(m.QueryParameters, d.parameter())
		case 1:
			m.Headers = append(m.Headers, h, d.header())
		default:
			m.Headers = append(m.Headers, h)
		}
		if d.one(12) {
			m.Cookies = append(m.Cookies, &routev3.CookieMatcher{Name: "s", StringMatch: d.text(), InvertMatch: d.one(3)})
		}
		rc.VirtualHosts[0].Routes = append(rc.VirtualHosts[0].Routes, &routev3.Route{Match: m})
	}
	return rc
}

func (d dice) request() *Request {
	r := &Request{
		Method: pick(d, "GET", "POST", "CONNECT", "a"), Scheme: "http", Path: d.requestPath(),
		Authority: pick(d, "a.test", "A.TEST", "b.a.test", "c-x.test", "c-x.a.test", "a.b.cd", "a.org", "a.b.c", "a.test:80", "b.test:80", "[::1]:8", "", ".test"),
		TLS:       d.one(2), Presented: d.one(2),
	}
	if r.Method == "CONNECT" {
		r.Path = ""
	}
	for range d.IntN(4) {
		r.Headers = append(r.Headers, Header{
			pick(d, "x-a", "X-A", "x-b", "content-type", "user-agent", "cookie"),
			pick(d, "a", "b", "ab", "A", "1", "", "s=a", "s=b; s=a", "application/grpc"),
		})
	}
	if d.one(2) {
		v := d.Uint64()
		r.Random = &v
	}
	if d.one(4) {
		r.Runtime = map[string]float64{"k": float64(d.IntN(110))}
	}
	if d.one(4) {
		r.Metadata = map[string]map[string]string{"f": {"k": pick(d, "a", "b")}}
	}
	return r
}
