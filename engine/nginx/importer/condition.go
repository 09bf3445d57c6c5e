package importer

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// condition is an if in Envoy's words.
type condition struct {
	always   bool
	match    *routev3.RouteMatch // of the requests that came to the if, and meet it
	captures *expression
}

// onPath reports whether the condition is one on the path, which a location's own
// match leaves no room for.
func (c condition) onPath() bool { return !c.always && c.match.GetPrefix() != "/" }

// test is what stands between the parentheses of an if.
type test struct {
	variable string
	op       string // "=", "!=", "~", "~*", "!~", "!~*"; "" for the variable alone
	value    string
}

// testOf reads the arguments of an if. nginx takes the parentheses glued to the
// words, or apart.
func testOf(d *conf.Directive) (t test, ok bool) {
	args := append([]string(nil), d.Args...)
	if n := len(args); n > 0 && strings.HasPrefix(args[0], "(") && strings.HasSuffix(args[n-1], ")") {
		args[0] = args[0][1:]
		args[n-1] = strings.TrimSuffix(args[n-1], ")")
	}
	for len(args) > 0 && args[0] == "" {
		args = args[1:]
	}
	for n := len(args); n > 0 && n != 3 && args[n-1] == ""; n = len(args) {
		args = args[:n-1]
	}
	if len(args) == 0 || !strings.HasPrefix(args[0], "$") {
		return t, false
	}
	name, rest := variable(args[0][1:])
	if name == "" || rest != "" {
		return t, false
	}
	t.variable = name
	switch len(args) {
	case 1:
		return t, true
	case 3:
		t.op, t.value = args[1], args[2]
		return t, true
	}
	return t, false
}

// condition says an if with matchers. None is a condition that never holds. why
// is set where it cannot be said.
func (w *writer) condition(d *conf.Directive, q *request) (cs []condition, why string) {
	t, ok := testOf(d)
	if !ok {
		return nil, "Envoy looks at no files, and at no conditions but those on the request"
	}
	if value, ok := w.values(*q)(t.variable); ok {
		if text, ok := value.literal(); ok {
			return constant(t, text)
		}
		if len(value) != 1 {
			return nil, "$" + t.variable + " is put together of several values"
		}
		t.variable = value[0].variable
	}
	var e *expression
	if strings.Contains(t.op, "~") {
		if e, why = compile(t.value, strings.HasSuffix(t.op, "*")); why != "" {
			return nil, why
		}
	}
	if t.variable == "uri" {
		return w.onPath(t, e, q)
	}
	m := clone(q.match)
	if arg, ok := strings.CutPrefix(t.variable, "arg_"); ok && (t.op == "=" && t.value != "" || t.op == "") {
		p := &routev3.QueryParameterMatcher{Name: arg, QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: text(t, nil)}}
		m.QueryParameters = append(m.QueryParameters, p)
		return []condition{{match: m}}, ""
	}
	h, why := onHeader(t, e)
	if why != "" {
		return nil, why
	}
	m.Headers = append(m.Headers, h)
	if strings.HasPrefix(t.op, "!") {
		e = nil
	}
	return []condition{{match: m, captures: e}}, ""
}

// constant decides a condition on a value that is known.
func constant(t test, value string) ([]condition, string) {
	yes := value != "" && value != "0"
	switch t.op {
	case "=":
		yes = value == t.value
	case "!=":
		yes = value != t.value
	case "~", "~*", "!~", "!~*":
		e, why := compile(t.value, strings.HasSuffix(t.op, "*"))
		if why != "" {
			return nil, why
		}
		yes = e.find.MatchString(value) != strings.HasPrefix(t.op, "!")
	}
	if yes {
		return []condition{{always: true}}, ""
	}
	return nil, ""
}

// onPath is a condition on $uri.
func (w *writer) onPath(t test, e *expression, q *request) ([]condition, string) {
	switch {
	case e == nil && strings.HasPrefix(t.value, "/"):
		e, _ = compile("^"+regexp.QuoteMeta(t.value)+"$", false) // quoted text always compiles
	case e == nil:
		return constant(t, "/") // $uri is never empty, and begins with a slash
	}
	if strings.HasPrefix(t.op, "!") {
		m := clone(q.match)
		h := header(":path", safeRegex(e.before('?')))
		h.InvertMatch = true
		m.Headers = append(m.Headers, h)
		return []condition{{match: m}}, ""
	}
	m := narrowed(q.match, e)
	if m == nil {
		return nil, ""
	}
	return []condition{{match: m, captures: e}}, ""
}

// narrowed is a match of what also has an expression in its path; nil where
// there is no such path.
func narrowed(m *routev3.RouteMatch, e *expression) *routev3.RouteMatch {
	out := clone(m)
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Path:
		if !e.find.MatchString(unescaped(p.Path)) {
			return nil
		}
		return out
	case *routev3.RouteMatch_Prefix:
		if p.Prefix != "/" {
			g := header(":path", &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: p.Prefix}})
			out.Headers = append(out.Headers, g)
		}
	case *routev3.RouteMatch_SafeRegex:
		if p.SafeRegex.GetRegex() == onlySlashes {
			if !e.find.MatchString("/") {
				return nil
			}
			return out
		}
		old := &expression{re2: "^(?:" + p.SafeRegex.GetRegex() + ")$"}
		old.tree = parsed(old.re2)
		out.Headers = append(out.Headers, header(":path", safeRegex(old.before('?'))))
	}
	out.PathSpecifier = regexPath(e.full())
	return out
}

// onHeader is a condition on what a header has, pseudo-headers among them.
func onHeader(t test, e *expression) (*routev3.HeaderMatcher, string) {
	name := ""
	switch {
	case strings.HasPrefix(t.variable, "cookie_"):
		return onPart(t, e, "cookie", `(?:(?s:.*);\s*)?`+regexp.QuoteMeta(t.variable[len("cookie_"):])+"=", `(?:\s*;(?s:.*))?`, ';')
	case t.variable == "args":
		return onPart(t, e, ":path", `[^?]*\?`, "", 0)
	case strings.HasPrefix(t.variable, "arg_"):
		return onPart(t, e, ":path", `[^?]*\?(?:(?s:.*)&)?`+regexp.QuoteMeta(t.variable[len("arg_"):])+"=", `(?:&(?s:.*))?`, '&')
	case t.variable == "host":
		return onPart(t, e, ":authority", "(?i)", "(?::.*)?", ':')
	case t.variable == "http_host":
		name = ":authority"
	case t.variable == "request_method":
		name = ":method"
	case t.variable == "request_uri":
		name = ":path"
	case t.variable == "content_type" || t.variable == "content_length":
		name = strings.ReplaceAll(t.variable, "_", "-")
	case strings.HasPrefix(t.variable, "http_"):
		name = strings.ReplaceAll(t.variable[len("http_"):], "_", "-")
	default:
		return nil, "$" + t.variable + " is known only to nginx"
	}
	h := header(name, text(t, e))
	h.InvertMatch = strings.HasPrefix(t.op, "!")
	// nginx compares a header that is not there as empty text.
	h.TreatMissingHeaderAsEmpty = h.InvertMatch || t.value == "" && t.op != "" || e != nil && e.find.MatchString("")
	return h, ""
}

// text is the matcher of a value, for which ! is said elsewhere.
func text(t test, e *expression) *matcherv3.StringMatcher {
	switch {
	case e != nil:
		return safeRegex(e.full())
	case t.op == "":
		return safeRegex(notFalse)
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.value}}
}

// notFalse is every value that nginx does not take for false: "" and "0".
const notFalse = `(?s:[^0].*|0.+)`

// onPart is a condition on a part of a header: what stands before it, behind
// it, and the byte that it cannot have.
func onPart(t test, e *expression, name, before, after string, sep byte) (*routev3.HeaderMatcher, string) {
	value := regexp.QuoteMeta(t.value)
	switch {
	case e != nil && begins(e.tree, true):
		return nil, "the expression asks for the begin of $" + t.variable + " in its midst"
	case e != nil && sep != 0:
		value, after = e.before(sep), ""
	case e != nil:
		value = e.full()
	case t.op == "":
		value = `(?:[^0&;].*|0[^&;].*)`
	}
	h := header(name, safeRegex(before+"(?:"+value+")"+after))
	h.InvertMatch = strings.HasPrefix(t.op, "!")
	if t.value == "" && t.op != "" || e != nil && e.find.MatchString("") {
		// Not there is empty: everything that has a value is the other case.
		h = header(name, safeRegex(before+".+"))
		if e != nil {
			return nil, "$" + t.variable + " may be missing, which Envoy tells from empty"
		}
		h.InvertMatch = t.op == "="
	}
	h.TreatMissingHeaderAsEmpty = h.InvertMatch
	return h, ""
}
