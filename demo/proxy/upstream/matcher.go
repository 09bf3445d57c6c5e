package upstream

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// matcher says whether headers are as a HeaderMatcher asks.
type matcher func(http.Header) bool

// compileMatcher makes a matcher. Of several headers of one name it is enough that
// one is as asked, and an inverted matcher wants that none is.
func compileMatcher(m *routev3.HeaderMatcher) (matcher, error) {
	holds, err := valueTest(m)
	if err != nil {
		return nil, err
	}
	name := http.CanonicalHeaderKey(m.GetName())
	return func(h http.Header) bool {
		all, present := h[name]
		if !present && m.GetTreatMissingHeaderAsEmpty() {
			all, present = []string{""}, true
		}
		if want, asked := m.GetHeaderMatchSpecifier().(*routev3.HeaderMatcher_PresentMatch); asked {
			return (present == want.PresentMatch) != m.GetInvertMatch()
		}
		return present && slices.ContainsFunc(all, holds) != m.GetInvertMatch()
	}, nil
}

// valueTest compares the value. Envoy still takes the forms that string_match has
// replaced.
//
//nolint:staticcheck // as just said
func valueTest(m *routev3.HeaderMatcher) (func(string) bool, error) {
	switch x := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_StringMatch:
		return stringTest(x.StringMatch)
	case *routev3.HeaderMatcher_ExactMatch:
		return func(s string) bool { return s == x.ExactMatch }, nil
	case *routev3.HeaderMatcher_PrefixMatch:
		return func(s string) bool { return strings.HasPrefix(s, x.PrefixMatch) }, nil
	case *routev3.HeaderMatcher_SuffixMatch:
		return func(s string) bool { return strings.HasSuffix(s, x.SuffixMatch) }, nil
	case *routev3.HeaderMatcher_ContainsMatch:
		return func(s string) bool { return strings.Contains(s, x.ContainsMatch) }, nil
	case *routev3.HeaderMatcher_SafeRegexMatch:
		return wholeMatch(x.SafeRegexMatch.GetRegex())
	case *routev3.HeaderMatcher_RangeMatch:
		return func(s string) bool {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			return err == nil && n >= x.RangeMatch.GetStart() && n < x.RangeMatch.GetEnd()
		}, nil
	}
	return func(string) bool { return true }, nil // being there is enough
}

func stringTest(m *matcherv3.StringMatcher) (func(string) bool, error) {
	fold := func(s string) string { return s }
	if m.GetIgnoreCase() {
		fold = strings.ToLower
	}
	switch x := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return func(s string) bool { return fold(s) == fold(x.Exact) }, nil
	case *matcherv3.StringMatcher_Prefix:
		return func(s string) bool { return strings.HasPrefix(fold(s), fold(x.Prefix)) }, nil
	case *matcherv3.StringMatcher_Suffix:
		return func(s string) bool { return strings.HasSuffix(fold(s), fold(x.Suffix)) }, nil
	case *matcherv3.StringMatcher_Contains:
		return func(s string) bool { return strings.Contains(fold(s), fold(x.Contains)) }, nil
	case *matcherv3.StringMatcher_SafeRegex:
		return wholeMatch(x.SafeRegex.GetRegex())
	}
	return nil, fmt.Errorf("%T is not done by the built-in proxy", m.GetMatchPattern())
}

// wholeMatch tests a whole value against a regular expression.
func wholeMatch(expr string) (func(string) bool, error) {
	re, err := regexp.Compile("^(?:" + expr + ")$")
	if err != nil {
		return nil, fmt.Errorf("the regular expression: %w", err)
	}
	return re.MatchString, nil
}
