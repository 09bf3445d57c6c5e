package routes

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// valueKind is what is asked of a header, a cookie or a query parameter.
type valueKind uint8

const (
	valuePresent valueKind = iota
	valueAbsent
	valueText
	valueRange
	valueAny // the deprecated exact_match "": there, whatever it says
)

// valueMatch is what is asked of one named value of the request.
type valueMatch struct {
	name   string // in lower case for a header
	kind   valueKind
	text   textMatch
	lo, hi int64 // of valueRange: lo ≤ value < hi
	invert bool
	empty  bool // a missing one counts as an empty one
}

// met decides about a value, and whether it is there.
func (m *valueMatch) met(value string, there bool) bool {
	switch m.kind {
	case valuePresent, valueAbsent:
		if !there && m.empty {
			there = true
		}
		return (there == (m.kind == valuePresent)) != m.invert
	}
	if !there {
		if !m.empty {
			return false // Envoy then asks nothing more, and inverts nothing
		}
		value = ""
	}
	ok := true
	switch m.kind {
	case valueText:
		ok = m.text.holds(value)
	case valueRange:
		n, isInt := integer(value)
		ok = isInt && m.lo <= n && n < m.hi
	}
	return ok != m.invert
}

// verdict says why it is met or not; what is "header" or the like.
func (m *valueMatch) verdict(what, value string, there bool) string {
	subject := what + " " + m.name
	if m.name == ":method" || m.name == ":path" || m.name == ":authority" || m.name == ":scheme" {
		subject = m.name
	}
	switch {
	case m.kind == valuePresent || m.kind == valueAbsent:
		switch {
		case there:
			return subject + " is there"
		case m.empty:
			return subject + " is absent and counts as there"
		}
		return subject + " is absent"
	case !there && !m.empty:
		return subject + " is absent"
	case !there:
		subject += ", absent and so empty,"
	default:
		subject += " (" + show(value) + ")"
	}
	return subject + " " + m.compare(value)
}

// compare is verdict of a value that is there.
func (m *valueMatch) compare(value string) string {
	switch m.kind {
	case valueText:
		return m.text.verdict(m.text.holds(value))
	case valueRange:
		n, isInt := integer(value)
		switch {
		case !isInt:
			return "is no whole number"
		case m.lo <= n && n < m.hi:
			return fmt.Sprintf("lies in [%d, %d)", m.lo, m.hi)
		}
		return fmt.Sprintf("does not lie in [%d, %d)", m.lo, m.hi)
	}
	return "is there"
}

// compileHeader reads a HeaderMatcher; the problem is "" when it can be used.
func compileHeader(h *routev3.HeaderMatcher) (valueMatch, string) {
	m := valueMatch{name: lower(h.GetName()), invert: h.GetInvertMatch(), empty: h.GetTreatMissingHeaderAsEmpty()}
	problem := ""
	plain := func(kind textKind, want string) {
		m.kind, m.text = valueText, textMatch{kind: kind, want: want}
	}
	switch p := h.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_ExactMatch:
		if plain(textExact, p.ExactMatch); p.ExactMatch == "" {
			m.kind = valueAny
		}
	case *routev3.HeaderMatcher_PrefixMatch:
		plain(textPrefix, p.PrefixMatch)
	case *routev3.HeaderMatcher_SuffixMatch:
		plain(textSuffix, p.SuffixMatch)
	case *routev3.HeaderMatcher_ContainsMatch:
		plain(textContains, p.ContainsMatch)
	case *routev3.HeaderMatcher_SafeRegexMatch:
		m.kind = valueText
		m.text, problem = regexText(p.SafeRegexMatch.GetRegex())
	case *routev3.HeaderMatcher_RangeMatch:
		m.kind, m.lo, m.hi = valueRange, p.RangeMatch.GetStart(), p.RangeMatch.GetEnd()
	case *routev3.HeaderMatcher_PresentMatch:
		if !p.PresentMatch {
			m.kind = valueAbsent
		}
	case *routev3.HeaderMatcher_StringMatch:
		m.kind = valueText
		m.text, problem = compileText(p.StringMatch)
	}
	return m, problem
}

// compileParameter reads a QueryParameterMatcher.
func compileParameter(q *routev3.QueryParameterMatcher) (valueMatch, string) {
	m := valueMatch{name: q.GetName()}
	switch p := q.GetQueryParameterMatchSpecifier().(type) {
	case *routev3.QueryParameterMatcher_StringMatch:
		return textValue(m, p.StringMatch)
	case *routev3.QueryParameterMatcher_PresentMatch:
		if !p.PresentMatch {
			m.kind = valueAbsent
		}
	}
	return m, ""
}

// compileCookie reads a CookieMatcher. Other than a header, a cookie that is
// absent meets an inverted one.
func compileCookie(c *routev3.CookieMatcher) (valueMatch, string) {
	return textValue(valueMatch{name: c.GetName(), invert: c.GetInvertMatch()}, c.GetStringMatch())
}

func textValue(m valueMatch, s *matcherv3.StringMatcher) (valueMatch, string) {
	var problem string
	m.kind = valueText
	m.text, problem = compileText(s)
	return m, problem
}

// cookieMet is met for a cookie.
func (m *valueMatch) cookieMet(value string, there bool) bool {
	return (there && m.text.holds(value)) != m.invert
}
