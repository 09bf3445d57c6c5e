package nginx

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// test is one comparison that nginx's `if` can make.
type test struct {
	variable, operator, value string
	origin                    Origin
}

// negated are the operators that say the opposite.
var negated = map[string]string{"=": "!=", "!=": "=", "~": "!~", "!~": "~", "~*": "!~*", "!~*": "~*"}

// not is the opposite test.
func (t test) not() test { t.operator = negated[t.operator]; return t }

var word = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// String is the test as it stands between the parentheses of `if`.
func (t test) String() string {
	value := token(t.value)
	if !word.MatchString(t.value) && !strings.HasPrefix(value, `"`) {
		value = `"` + value + `"`
	}
	return fmt.Sprintf("%s %s %s", t.variable, t.operator, value)
}

// asks is what a match wants besides the path.
type asks struct {
	tests  []test
	share  *part  // of the requests, by chance; nil for all of them
	guard  string // the path must begin with this too
	lesson string // where nginx's tests are only about right
	ok     bool   // nginx can ask for all of it; the tests are those that it can ask for
	never  bool   // no request meets it
	strict bool   // a request that meets it must meet the tests, others may
}

// questions says what the match wants besides the path in tests that `if` can
// make. The head of the path that an expression is bound to is not one of them:
// that is a location around its own. skip is how many conditions on headers
// stood before these. With strict no request that meets the match may fail the tests,
// as far as nginx can see; one that does not may meet them.
func questions(o Origin, m *routev3.RouteMatch, skip int, strict bool) asks {
	a := asks{strict: strict, ok: m.GetTlsContext() == nil && len(m.GetDynamicMetadata()) == 0 && len(m.GetFilterState()) == 0}
	for i, h := range m.GetHeaders() {
		i += skip
		if guard := h.GetStringMatch().GetPrefix(); m.GetSafeRegex() != nil && strings.EqualFold(h.GetName(), ":path") && !h.GetInvertMatch() &&
			!h.GetStringMatch().GetIgnoreCase() && plainHead(guard) && (strings.HasPrefix(a.guard, guard) || strings.HasPrefix(guard, a.guard)) {
			if guard = unescapedName(guard); len(guard) > len(a.guard) {
				a.guard = guard
			}
			continue
		}
		a.header(o.at(fmt.Sprintf("headers[%d]", i)), h)
	}
	if m.GetGrpc() != nil {
		a.add(test{"$http_content_type", "~", `^application/grpc(?:\+.*)?$`, o.at("grpc")})
	}
	for i, q := range m.GetQueryParameters() {
		a.parameter(o.at(fmt.Sprintf("query_parameters[%d]", i)), q)
	}
	for i, c := range m.GetCookies() {
		a.cookie(o.at(fmt.Sprintf("cookies[%d]", i)), c)
	}
	if f := m.GetRuntimeFraction().GetDefaultValue(); m.GetRuntimeFraction() != nil {
		a.fraction(o.at("runtime_fraction"), f)
	}
	return a
}

// parameter asks for an argument of the query. Strictly it is looked for in the whole
// query: nginx's variable finds the first whatever the case of its name.
func (a *asks) parameter(o Origin, q *routev3.QueryParameterMatcher) {
	a.lesson = lessonArgument
	s, v := q.GetStringMatch(), variable("arg_", q.GetName())
	present := s == nil && (q.GetPresentMatch() || q.GetQueryParameterMatchSpecifier() == nil)
	if a.strict && (s != nil || present) {
		if re, ok := anywhere(s); ok && writable(q.GetName()) {
			fold := "~"
			if s.GetIgnoreCase() {
				fold = "~*"
			}
			a.add(test{"$args", fold, "(?:^|&)" + regexp.QuoteMeta(q.GetName()) + re, o})
			return
		}
		a.ok = false
		return
	}
	if strings.Contains(q.GetName(), "-") {
		v = "" // a variable's name ends before it
	}
	if s != nil {
		a.value(o, v, s, false, false)
		return
	}
	a.present(o, v, present)
}

// anywhere is the expression for the value of an argument, with what ends it; nil
// stands for any value. ok is false for what nginx cannot write.
func anywhere(s *matcherv3.StringMatcher) (re string, ok bool) {
	if s == nil {
		return "(?:[=&]|$)", true
	}
	want, empty := "", false
	switch p := s.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		re, want, empty = regexp.QuoteMeta(p.Exact), p.Exact, p.Exact == ""
	case *matcherv3.StringMatcher_Prefix:
		re, want, empty = regexp.QuoteMeta(p.Prefix)+"[^&]*", p.Prefix, p.Prefix == ""
	case *matcherv3.StringMatcher_Suffix:
		re, want, empty = "[^&]*"+regexp.QuoteMeta(p.Suffix), p.Suffix, p.Suffix == ""
	case *matcherv3.StringMatcher_Contains:
		re, want, empty = "[^&]*"+regexp.QuoteMeta(p.Contains)+"[^&]*", p.Contains, p.Contains == ""
	case *matcherv3.StringMatcher_SafeRegex:
		c, known := regexCandidate(p.SafeRegex.GetRegex())
		if re, ok = pcre(p.SafeRegex.GetRegex()); !ok || !known || strings.ContainsAny(strings.ReplaceAll(re, "[^", ""), "^$") {
			return "", false // what is bound to an end would be bound to the query's
		}
		empty = c.full.MatchString("")
	default:
		return "", false
	}
	if re = "=(?:" + re + ")(?:&|$)"; empty {
		re = "(?:" + re + "|&|$)"
	}
	return re, writable(want)
}

// cookie asks for a cookie.
func (a *asks) cookie(o Origin, c *routev3.CookieMatcher) {
	a.lesson = lessonArgument
	v := variable("cookie_", c.GetName())
	if strings.Contains(c.GetName(), "-") {
		v = ""
	}
	if _, empty, _ := compare(v, c.GetStringMatch()); empty && c.GetInvertMatch() {
		a.ok = false // one that is missing meets it, an empty one does not
		return
	}
	a.value(o, v, c.GetStringMatch(), c.GetInvertMatch(), c.GetInvertMatch())
}

// covers reports whether whatever meets b meets a too.
func (a asks) covers(b asks) bool {
	if a.share != nil {
		return false
	}
	for _, t := range a.tests {
		if !slices.ContainsFunc(b.tests, func(u test) bool { return t.variable == u.variable && t.operator == u.operator && t.value == u.value }) {
			return false
		}
	}
	return true
}

func (a *asks) add(t test) { a.tests = append(a.tests, t) }

// plainHead reports whether the head of a path can be a location's name.
func plainHead(s string) bool {
	return strings.HasPrefix(s, "/") && writable(s) && len(s) <= 250 && !strings.ContainsAny(s, "?#")
}

// known are the variables of the request's own parts.
var known = map[string]string{":method": "$request_method", ":authority": "$http_host", "host": "$http_host", ":scheme": "$scheme", ":path": "$request_uri"}

func (a *asks) header(o Origin, h *routev3.HeaderMatcher) {
	name := strings.ToLower(h.GetName())
	v := known[name]
	if v == "" && !strings.HasPrefix(name, ":") {
		v = variable("http_", name)
	}
	switch p := h.GetHeaderMatchSpecifier().(type) {
	case nil:
		a.present(o, v, !h.GetInvertMatch())
	case *routev3.HeaderMatcher_PresentMatch:
		a.present(o, v, p.PresentMatch != h.GetInvertMatch())
	default:
		a.value(o, v, stringOf(h), h.GetInvertMatch(), h.GetTreatMissingHeaderAsEmpty())
	}
}

// stringOf is the header's matcher in its new form, which the old ones are
// short for; nil for what is not about text.
func stringOf(h *routev3.HeaderMatcher) *matcherv3.StringMatcher {
	r := h.ProtoReflect()
	old := func(field string) (string, bool) {
		f := r.Descriptor().Fields().ByName(protoreflect.Name(field))
		if f == nil || !r.Has(f) {
			return "", false
		}
		return r.Get(f).String(), true
	}
	if h.GetStringMatch() != nil {
		return h.GetStringMatch()
	}
	if v, ok := old("exact_match"); ok && v != "" {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: v}}
	}
	if v, ok := old("prefix_match"); ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: v}}
	}
	if v, ok := old("suffix_match"); ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: v}}
	}
	if v, ok := old("contains_match"); ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Contains{Contains: v}}
	}
	if f := r.Descriptor().Fields().ByName("safe_regex_match"); f != nil && r.Has(f) {
		if re, ok := r.Get(f).Message().Interface().(*matcherv3.RegexMatcher); ok {
			return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: re}}
		}
	}
	return nil
}

// present asks whether a value is there. To nginx an empty one is not.
func (a *asks) present(o Origin, v string, there bool) {
	operator := "!="
	if !there {
		operator = "="
	}
	if v == "" {
		a.ok = false
		return
	}
	a.lesson = orElse(a.lesson, lessonPresent)
	a.add(test{v, operator, "", o})
}

// value compares a value. Envoy asks nothing of one that is missing, unless
// missing counts as empty.
func (a *asks) value(o Origin, v string, s *matcherv3.StringMatcher, invert, missingIsEmpty bool) {
	t, empty, ok := compare(v, s)
	if !ok || v == "" {
		a.ok = false
		return
	}
	t.origin = o
	if invert {
		t, empty = t.not(), !empty
	}
	if empty && !missingIsEmpty && !strings.HasPrefix(v, "$request_") && v != "$scheme" {
		a.present(o, v, true)
	}
	a.add(t)
}

// compare is the test for a text; empty says that it takes the empty one.
func compare(v string, s *matcherv3.StringMatcher) (t test, empty, ok bool) {
	operator, head, tail, want := "~", "", "", ""
	switch p := s.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		if head, tail, want = "^", "$", p.Exact; !s.GetIgnoreCase() && literal(want) {
			return test{variable: v, operator: "=", value: want}, want == "", true
		}
		empty = want == ""
	case *matcherv3.StringMatcher_Prefix:
		head, want, empty = "^", p.Prefix, p.Prefix == ""
	case *matcherv3.StringMatcher_Suffix:
		tail, want, empty = "$", p.Suffix, p.Suffix == ""
	case *matcherv3.StringMatcher_Contains:
		want, empty = p.Contains, p.Contains == ""
	case *matcherv3.StringMatcher_SafeRegex:
		c, ok := regexCandidate(p.SafeRegex.GetRegex())
		if !ok {
			return t, false, false
		}
		if c.fold {
			operator = "~*"
		}
		return test{variable: v, operator: operator, value: c.text}, c.full.MatchString(""), true
	default:
		return t, false, false
	}
	if s.GetIgnoreCase() {
		operator = "~*"
	}
	return test{variable: v, operator: operator, value: head + regexp.QuoteMeta(want) + tail}, empty, writable(want)
}

// fraction is a share of the requests, which a split_clients draws.
func (a *asks) fraction(o Origin, f *typev3.FractionalPercent) {
	of := map[typev3.FractionalPercent_DenominatorType]uint64{typev3.FractionalPercent_HUNDRED: 100,
		typev3.FractionalPercent_TEN_THOUSAND: 10_000, typev3.FractionalPercent_MILLION: 1_000_000}[f.GetDenominator()]
	n := uint64(f.GetNumerator())
	if of == 0 || n == 0 || n >= of {
		a.never = a.never || n == 0
		a.ok = a.ok && n != 0 && of != 0
		return
	}
	a.share = &part{mark: exact(o).with(lessonShare), weight: n * (1_000_000 / of)}
}
