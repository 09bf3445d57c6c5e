package matchtest

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// RuntimeKeys are the runtime keys that a data plane has to know, with their
// values. Ask.Runtime says them to the matcher.
var RuntimeKeys = map[string]float64{"matchtest.never": 0, "matchtest.always": 100, "matchtest.weights.c0": 1, "matchtest.weights.c1": 7}

// match is one of all the kinds, with further conditions now and then.
func (m *maker) match() *routev3.RouteMatch {
	rm := &routev3.RouteMatch{}
	m.pathSpecifier(rm)
	if m.may("case_sensitive", 20) {
		rm.CaseSensitive = boolean(m.chance(25))
	}
	if m.chance(30) {
		for range 1 + m.IntN(2) {
			rm.Headers = append(rm.Headers, m.headerMatcher())
		}
	}
	if m.chance(15) {
		for range 1 + m.IntN(2) {
			rm.QueryParameters = append(rm.QueryParameters, m.queryMatcher())
		}
	}
	if m.may("cookies", 8) {
		rm.Cookies = append(rm.Cookies, &routev3.CookieMatcher{Name: pick(m, cookieNames...), StringMatch: m.stringMatcher(m.token), InvertMatch: m.chance(25)})
	}
	if m.may("grpc", 5) {
		rm.Grpc = &routev3.RouteMatch_GrpcRouteMatchOptions{}
	}
	if m.may("runtime fraction", 8) {
		rm.RuntimeFraction = m.fraction()
	}
	if m.may("tls_context", 3) {
		rm.TlsContext = &routev3.RouteMatch_TlsContextMatchOptions{Presented: boolean(m.chance(50))}
		if m.chance(40) {
			rm.TlsContext.Validated = boolean(m.chance(50))
		}
	}
	if m.may("dynamic metadata", 4) {
		rm.DynamicMetadata = append(rm.DynamicMetadata, m.metadata())
	}
	if m.may("filter state", 2) {
		rm.FilterState = append(rm.FilterState, &matcherv3.FilterStateMatcher{Key: "k",
			Matcher: &matcherv3.FilterStateMatcher_StringMatch{StringMatch: m.stringMatcher(m.value)}})
	}
	return rm
}

func (m *maker) pathSpecifier(rm *routev3.RouteMatch) {
	switch n := m.IntN(20); {
	case n < 7:
		rm.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: m.prefix()}
	case n < 11:
		rm.PathSpecifier = &routev3.RouteMatch_Path{Path: m.path()}
	case n < 14:
		rm.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: m.regex()}}
	case n < 17:
		p := strings.TrimRight(m.path(), "/")
		if p == "" {
			p = "/foo"
		}
		rm.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: p}
	case n < 19 && m.may("path template", 100):
		rm.PathSpecifier = &routev3.RouteMatch_PathMatchPolicy{PathMatchPolicy: &corev3.TypedExtensionConfig{
			Name: "envoy.path.match.uri_template.uri_template_matcher", TypedConfig: packed(&uritemplatev3.UriTemplateMatchConfig{PathTemplate: m.template()}),
		}}
	case m.may("connect", 60):
		rm.PathSpecifier = &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}
	default:
		rm.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
	}
}

func (m *maker) prefix() string {
	p := m.path()
	switch m.IntN(8) {
	case 0:
		return p[:1+m.IntN(len(p))]
	case 1:
		return "/"
	case 2:
		return p + "/"
	default:
		return p
	}
}

// stringMatcher is one of all the kinds, over a value or a piece of one.
func (m *maker) stringMatcher(value func() string) *matcherv3.StringMatcher {
	s := &matcherv3.StringMatcher{IgnoreCase: m.chance(25)}
	v := value()
	piece := m.cut(v)
	if piece == "" {
		piece = "a"
	}
	switch m.IntN(5) {
	case 0:
		s.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: v}
	case 1:
		s.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: piece}
	case 2:
		s.MatchPattern = &matcherv3.StringMatcher_Suffix{Suffix: piece}
	case 3:
		s.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: piece}
	default:
		s.IgnoreCase = false
		s.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: pick(m, ".*", "[a-z]+", `\d+`, "a.*", "(?i)PROD", "prod|abc", "-?[0-9]+", ".+")}}
	}
	return s
}

func (m *maker) headerMatcher() *routev3.HeaderMatcher {
	h := &routev3.HeaderMatcher{Name: m.headerName(), InvertMatch: m.chance(25), TreatMissingHeaderAsEmpty: m.may("treat_missing", 15)}
	value := m.value
	switch h.Name {
	case ":method":
		value = func() string { return pick(m, methods...) }
	case ":authority", "host":
		value = func() string { return pick(m, hostWords...) }
	case ":path":
		value = m.path
	case ":scheme":
		value = func() string { return pick(m, "http", "https") }
	}
	switch n := m.IntN(20); {
	case n < 4:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: m.chance(70)}
	case n < 7:
		from := pick[int64](m, -10, 0, 1, 42)
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_RangeMatch{RangeMatch: &typev3.Int64Range{Start: from, End: from + pick[int64](m, 0, 1, 60, 1000)}}
	case n < 8:
		h.HeaderMatchSpecifier = nil // of itself: present
	case n < 11 && m.may("deprecated header matchers", 100):
		m.oldHeaderMatcher(h, value())
	default:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: m.stringMatcher(value)}
	}
	return h
}

// oldHeaderMatcher is one of the forms that string_match has replaced.
func (m *maker) oldHeaderMatcher(h *routev3.HeaderMatcher, v string) {
	piece := m.cut(v)
	if piece == "" {
		piece = "a"
	}
	switch m.IntN(5) {
	case 0:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_ExactMatch{ExactMatch: v}
	case 1:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_PrefixMatch{PrefixMatch: piece}
	case 2:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_SuffixMatch{SuffixMatch: piece}
	case 3:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_ContainsMatch{ContainsMatch: piece}
	default:
		h.HeaderMatchSpecifier = &routev3.HeaderMatcher_SafeRegexMatch{SafeRegexMatch: &matcherv3.RegexMatcher{Regex: pick(m, ".*", "[a-z]+", `\d+`)}}
	}
}

func (m *maker) headerName() string {
	if m.chance(25) {
		return pick(m, ":method", ":authority", "host", ":path", ":scheme", "cookie", "x-forwarded-proto")
	}
	return pick(m, headerNames...)
}

func (m *maker) queryMatcher() *routev3.QueryParameterMatcher {
	q := &routev3.QueryParameterMatcher{Name: pick(m, queryNames...)}
	switch m.IntN(5) {
	case 0:
		q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: m.chance(60)}
	case 1: // of itself: present
	default:
		q.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: m.stringMatcher(m.token)}
	}
	return q
}

// fraction is one that is always or never met.
func (m *maker) fraction() *corev3.RuntimeFractionalPercent {
	f := &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Denominator: typev3.FractionalPercent_DenominatorType(m.IntN(3))}}
	if m.chance(60) {
		f.DefaultValue.Numerator = [...]uint32{100, 10_000, 1_000_000}[f.DefaultValue.Denominator]
	}
	if m.may("runtime keys", 40) {
		f.RuntimeKey = pick(m, "matchtest.never", "matchtest.always", "matchtest.unset")
	}
	return f
}

func (m *maker) metadata() *matcherv3.MetadataMatcher {
	v := &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: m.chance(70)}}
	if m.chance(40) {
		v.MatchPattern = &matcherv3.ValueMatcher_StringMatch{StringMatch: m.stringMatcher(m.value)}
	}
	return &matcherv3.MetadataMatcher{Filter: "f", Value: v, Invert: m.chance(50),
		Path: []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: "k"}}}}
}
