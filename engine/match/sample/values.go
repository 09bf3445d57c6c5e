package sample

import (
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// anything stands where a pattern takes any text.
const anything = "any"

// others are tried where a value is asked for that is not the one said.
var others = []string{"other", "0", "zz", "~", ""}

// maxValues bounds how many values are tried for one header, which a
// configuration may say a thousand things about.
const maxValues = 64

// headerValues are values to try on matchers that are all of one header, the
// best first; absent says that the header had better not be there.
func headerValues(ms []*routev3.HeaderMatcher) (values []string, absent bool) {
	if len(ms) == 0 {
		return nil, false
	}
	var each [][]string
	for _, m := range ms[:min(len(ms), maxValues)] {
		list, not := valuesOf(m)
		absent = absent || not
		each = append(each, list)
	}
	for _, list := range each {
		values = append(values, list...)
	}
	for i, a := range each { // a prefix and a suffix: both in one
		for j, b := range each {
			for n := 0; i != j && n < len(a)*len(b) && len(values) < maxValues; n++ {
				values = append(values, a[n/len(b)]+b[n%len(b)])
			}
		}
	}
	return append(values, ""), absent
}

func valuesOf(m *routev3.HeaderMatcher) (values []string, absent bool) {
	if p, ok := m.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); ok {
		return []string{"1"}, p.PresentMatch == m.GetInvertMatch()
	}
	if m.GetHeaderMatchSpecifier() == nil {
		return []string{"1"}, m.GetInvertMatch()
	}
	if m.GetInvertMatch() {
		return others, false
	}
	if r := m.GetRangeMatch(); r != nil {
		return []string{strconv.FormatInt(r.GetStart(), 10), strconv.FormatInt(r.GetEnd()-1, 10)}, false
	}
	if m.GetStringMatch() != nil {
		return texts(m.GetStringMatch()), false
	}
	return oldValues(m), false
}

// oldValues are those of the deprecated matchers, which configurations still
// have and Envoy still takes.
//
//nolint:staticcheck // deprecated, as said
func oldValues(m *routev3.HeaderMatcher) []string {
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_ExactMatch:
		if s.ExactMatch == "" {
			return []string{"1"}
		}
		return []string{s.ExactMatch}
	case *routev3.HeaderMatcher_PrefixMatch:
		return []string{s.PrefixMatch, s.PrefixMatch + anything}
	case *routev3.HeaderMatcher_SuffixMatch:
		return []string{s.SuffixMatch, anything + s.SuffixMatch}
	case *routev3.HeaderMatcher_ContainsMatch:
		return []string{s.ContainsMatch}
	case *routev3.HeaderMatcher_SafeRegexMatch:
		return regexes(s.SafeRegexMatch.GetRegex())
	}
	return nil
}

// texts are those that a string matcher takes, the best first.
func texts(m *matcherv3.StringMatcher) []string {
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return []string{p.Exact}
	case *matcherv3.StringMatcher_Prefix:
		return []string{p.Prefix, p.Prefix + anything}
	case *matcherv3.StringMatcher_Suffix:
		return []string{p.Suffix, anything + p.Suffix}
	case *matcherv3.StringMatcher_Contains:
		return []string{p.Contains}
	case *matcherv3.StringMatcher_SafeRegex:
		return regexes(p.SafeRegex.GetRegex())
	}
	return nil
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
