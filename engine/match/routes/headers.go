package routes

import (
	"fmt"
	"strings"

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

// met decides about a value that is there at most once.
func (m *valueMatch) met(value string, there bool) bool {
	if m.kind == valuePresent || m.kind == valueAbsent {
		return ((there || m.empty) == (m.kind == valuePresent)) != m.invert
	}
	if !there && !m.empty {
		return false // Envoy then asks nothing more, and inverts nothing
	}
	return m.holds(value) != m.invert
}

// holds compares one value, which is empty when it is missing.
func (m *valueMatch) holds(value string) bool {
	switch m.kind {
	case valueText:
		return m.text.holds(value)
	case valueRange:
		n, isInt := integer(value)
		return isInt && m.lo <= n && n < m.hi
	}
	return true
}

// headerMet decides about a header. Where a request has it several times, one
// value that holds is enough, and an inverted match wants that none does.
func (m *valueMatch) headerMet(v *view) bool {
	if value, there, once := v.single(m.name); once {
		return m.met(value, there)
	}
	there := false
	for i := range v.r.Headers {
		if h := &v.r.Headers[i]; equalFold(h.Name, m.name) {
			if there = true; m.kind >= valueText && m.holds(h.Value) {
				return !m.invert
			}
		}
	}
	if there && m.kind >= valueText {
		return m.invert
	}
	return m.met("", there)
}

// headerVerdict says why headerMet is so.
func (m *valueMatch) headerVerdict(v *view) string {
	if value, there, once := v.single(m.name); once {
		return m.verdict("header", value, there)
	}
	var values, shown []string
	for i := range v.r.Headers {
		if h := &v.r.Headers[i]; equalFold(h.Name, m.name) {
			if m.kind >= valueText && m.holds(h.Value) {
				return m.verdict("header", h.Value, true)
			}
			values, shown = append(values, h.Value), append(shown, show(h.Value))
		}
	}
	switch {
	case len(values) == 0:
		return m.verdict("header", "", false)
	case len(values) == 1 || m.kind < valueText:
		return m.verdict("header", values[0], true)
	}
	return fmt.Sprintf("header %s has the values %s, and none %s", m.name, strings.Join(shown, " and "), m.wanted())
}

// wanted is what one of several values would have to be.
func (m *valueMatch) wanted() string {
	if m.kind == valueRange {
		return fmt.Sprintf("lies in [%d, %d)", m.lo, m.hi)
	}
	return m.text.verdict(true)
}

// verdict says why a value is as asked for or not; what is "header" or the like.
func (m *valueMatch) verdict(what, value string, there bool) string {
	subject := what + " " + m.name
	if strings.HasPrefix(m.name, ":") {
		subject = m.name
	}
	if m.kind == valuePresent || m.kind == valueAbsent {
		switch {
		case there:
			return subject + " is there"
		case m.empty:
			return subject + " is absent and counts as there"
		}
		return subject + " is absent"
	}
	switch {
	case !there && !m.empty:
		return subject + " is absent"
	case !there:
		subject += ", absent and so empty,"
	case m.kind == valueText && m.text.kind == textExact && value == m.text.want:
		// The value need not be said twice.
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
			return m.wanted()
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
