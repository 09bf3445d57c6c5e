package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
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

// test is what stands between the parentheses of an if.
type test struct {
	variable string
	op       string // "=", "!=", "~", "~*", "!~", "!~*"; "" for the variable alone
	value    string
	fold     bool // "=" without case, as the texts of a map
}

// wordsOf are the arguments of an if. nginx takes the parentheses glued to the
// words, or apart.
func wordsOf(d *conf.Directive) []string {
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
	return args
}

// onFile reports whether an if asks for a file: whether it is there, or, with
// absent, whether it is not.
func onFile(d *conf.Directive) (absent, ok bool) {
	args := wordsOf(d)
	if len(args) != 2 {
		return false, false
	}
	op, absent := strings.CutPrefix(args[0], "!")
	return absent, op == "-f" || op == "-d" || op == "-e" || op == "-x"
}

// testOf reads the condition of an if that looks at a variable.
func testOf(d *conf.Directive) (t test, ok bool) {
	args := wordsOf(d)
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

// condition says an if with matchers. None is a condition that never holds. said
// is the same as a predicate, for what routes cannot look at; cs is then none and
// routed false. why is set where it cannot be said at all.
func (w *writer) condition(d *conf.Directive, q *request) (cs []condition, said *predicate, routed bool, why string) {
	t, ok := testOf(d)
	if !ok {
		return nil, nil, false, "Envoy looks at nothing but the request"
	}
	said, e, why := w.asked(t, q)
	switch {
	case why != "":
		return nil, nil, false, why
	case said.op == opTrue:
		return []condition{{always: true}}, said, true, ""
	case said.size() > mostParts:
		return nil, nil, false, fmt.Sprintf("the condition has more than %d parts", mostParts)
	case said.depth() > deepest:
		return nil, nil, false, "the condition is too deep"
	}
	_, refuses := returnsRefusal(d.Block)
	if said = w.firm(d, said, refuses); said.depth() > deepest {
		return nil, nil, false, "the condition is too deep"
	}
	if !refuses {
		if arg, ok := strings.CutPrefix(t.variable, "arg_"); ok && (t.op == "=" && t.value != "" || t.op == "") {
			m := clone(q.match)
			m.QueryParameters = append(m.QueryParameters, &routev3.QueryParameterMatcher{Name: arg,
				QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: text(t, nil)}})
			return []condition{{match: m}}, said, true, ""
		}
	}
	if strings.HasPrefix(t.op, "!") {
		e = nil
	}
	if t.variable == "uri" && e != nil {
		if m := narrowed(q.match, e); m != nil {
			cs = append(cs, condition{match: m, captures: e})
		}
		return cs, said, true, ""
	}
	clauses, routed := said.clauses(false)
	for _, c := range clauses {
		cs = append(cs, condition{match: c.match(q.match), captures: e})
	}
	return cs, said, routed, ""
}

// asks is the requests that meet a test. e is its expression, if it has one that
// looks at a value as it is.
func (w *writer) asks(t test, q *request, depth int) (p *predicate, e *expression, why string) {
	if w.spend(stepCost); depth > mostHops || w.full() {
		return nil, nil, "$" + t.variable + " is put together without end"
	}
	if rows, ok := w.tableOf(t.variable, q, depth+1); ok {
		p, why = w.meets(rows, t, q, depth+1)
		return p, nil, why
	}
	if value, ok := w.values(*q)(t.variable); ok {
		if text, ok := value.literal(); ok {
			p, why = w.decided(t, text)
			return p, nil, why
		}
		if len(value) != 1 {
			return nil, nil, "$" + t.variable + " is put together of several values"
		}
		if value[0].variable != t.variable {
			t.variable = value[0].variable
			return w.asks(t, q, depth+1)
		}
	}
	if strings.Contains(t.op, "~") {
		if e, why = w.compile(t.value, strings.HasSuffix(t.op, "*")); why != "" {
			return nil, nil, why
		}
	}
	positive := t
	positive.op = strings.TrimPrefix(t.op, "!")
	if t.variable == "uri" {
		p, e = w.onPath(positive, e)
	} else if p, why = onRequest(positive, e); why != "" {
		return nil, nil, why
	}
	if strings.HasPrefix(t.op, "!") {
		p = p.unless()
	}
	return p, e, ""
}

// decided is a test of a value that is known: of all requests, or none.
func (im *importer) decided(t test, value string) (*predicate, string) {
	yes := value != "" && value != "0"
	switch t.op {
	case "=", "!=":
		same := value == t.value || t.fold && strings.EqualFold(value, t.value)
		yes = same == (t.op == "=")
	case "~", "~*", "!~", "!~*":
		e, why := im.compile(t.value, strings.HasSuffix(t.op, "*"))
		if why != "" {
			return nil, why
		}
		yes = e.find.MatchString(value) != strings.HasPrefix(t.op, "!")
	}
	return holds(yes), ""
}

// onRequest is a test, without a "!", of what a request has. What is not there is
// empty text.
func onRequest(t test, e *expression) (*predicate, string) {
	name := ""
	switch {
	case t.variable == "remote_addr":
		return onAddress(t, e)
	case strings.HasPrefix(t.variable, "cookie_"):
		return onPart(t, e, "cookie", firstCookie(t.variable[len("cookie_"):]), "(?:;(?s:.*))?", ';')
	case strings.HasPrefix(t.variable, "arg_"):
		return onPart(t, e, ":path", firstArgument(t.variable[len("arg_"):]), "(?:&(?s:.*))?", '&')
	case t.variable == "args":
		return onPart(t, e, ":path", `[^?]*\?`, "", 0)
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
	return has(name, text(t, e), meetsEmpty(t, e)), ""
}

// meetsEmpty reports whether empty text meets a test without a "!".
func meetsEmpty(t test, e *expression) bool {
	return t.value == "" && t.op != "" || e != nil && e.find.MatchString("")
}

// text is the matcher of a value, for which ! is said elsewhere.
func text(t test, e *expression) *matcherv3.StringMatcher {
	switch {
	case e != nil:
		return safeRegex(e.full())
	case t.op == "":
		return safeRegex(notFalse)
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.value}, IgnoreCase: t.fold}
}

// notFalse is every value that nginx does not take for false: "" and "0".
const notFalse = `(?s:[^0].*|0.+)`

// onPath is a test of $uri, which is never empty and begins with a slash, and its
// expression, if it has one, for all spellings.
func (w *writer) onPath(t test, e *expression) (*predicate, *expression) {
	switch {
	case e == nil && t.op == "":
		return holds(true), nil
	case e == nil && !strings.HasPrefix(t.value, "/"):
		return holds(false), nil
	case e == nil:
		literal, _ := compile("^"+regexp.QuoteMeta(t.value)+"$", t.fold) // quoted text always compiles
		return has(":path", safeRegex(w.spelled(literal, w.server.d).before('?')), false), nil
	}
	e = w.spelled(e, w.server.d)
	return has(":path", safeRegex(e.before('?')), false), e
}

// onPart is a test of a part of a header: what stands before it, behind it, and
// the byte that it cannot have.
func onPart(t test, e *expression, name, before, after string, sep byte) (*predicate, string) {
	value := regexp.QuoteMeta(t.value)
	if t.fold {
		value = "(?i:" + value + ")"
	}
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
	p := has(name, safeRegex(before+"(?:"+value+")"+after), false)
	if meetsEmpty(t, e) {
		some := "."
		if sep != 0 {
			some = "[^" + string(sep) + "]"
		}
		missing := has(name, safeRegex(before+some+"(?s:.*)"), false).unless()
		if e == nil {
			return missing, ""
		}
		p = p.or(missing)
	}
	return p, ""
}

// firstArgument is what stands before the value of the first argument of a name,
// in any case, as nginx takes it.
func firstArgument(name string) string {
	return `[^?]*\?(?:` + other(name, "&", `(?:[^=&][^&]*)?`) + `&)*(?i:` + regexp.QuoteMeta(name) + `)=`
}

// firstCookie is the same for a cookie.
func firstCookie(name string) string {
	return `(?:` + other(name, ";,", ` *[^ =][^;,]*`) + `[;,] *)*(?i:` + regexp.QuoteMeta(name) + `) *= *`
}

// other is a piece between separators that does not begin with a name, in any
// case; rest is what may stand behind the name nevertheless. RE2 has no look-ahead
// to say it with.
func other(name, separators, rest string) string {
	for i := len(name) - 1; i >= 0; i-- {
		c := name[i : i+1]
		not, space := regexp.QuoteMeta(strings.ToLower(c)+strings.ToUpper(c)), ""
		if i == 0 && separators != "&" {
			space = " "
		}
		rest = `(?:[^` + not + separators + space + `][^` + separators + `]*|(?i:` + regexp.QuoteMeta(c) + `)` + rest + `)?`
	}
	return rest
}

// onAddress is a test of the client's address.
func onAddress(t test, e *expression) (*predicate, string) {
	out := holds(false)
	switch {
	case t.op == "":
		return holds(true), ""
	case e == nil:
		if c := cidrOf(t.value); c != nil && !strings.Contains(t.value, "/") {
			out = &predicate{op: opFrom, network: c}
		}
		return out, ""
	}
	for _, text := range alternatives(e.text) {
		c := networkOf(text)
		if c == nil {
			return nil, "Envoy compares the client's address with networks, and this expression is none"
		}
		out = out.or(&predicate{op: opFrom, network: c})
	}
	return out, ""
}

// alternatives are those of "^(a|b)", or the expression itself.
func alternatives(re string) []string {
	if in, ok := strings.CutPrefix(re, "^("); ok && strings.HasSuffix(in, ")") && strings.Count(in, "(") == 0 {
		parts := strings.Split(strings.TrimPrefix(strings.TrimSuffix(in, ")"), "?:"), "|")
		for i := range parts {
			parts[i] = "^" + parts[i]
		}
		return parts
	}
	return strings.Split(re, "|")
}

// addressText is an expression for whole octets of an IPv4 address.
var addressText = regexp.MustCompile(`^\^(\d{1,3}(?:\\\.\d{1,3}){0,3})(\\\.|\$)$`)

// networkOf is the network that such an expression means; nil for any other.
func networkOf(re string) *corev3.CidrRange {
	m := addressText.FindStringSubmatch(re)
	if m == nil {
		return nil
	}
	octets := strings.Split(m[1], `\.`)
	if n := len(octets); (n == 4) != (m[2] == "$") {
		return nil
	}
	bits := 8 * len(octets)
	for len(octets) < 4 {
		octets = append(octets, "0")
	}
	return cidrOf(strings.Join(octets, ".") + "/" + strconv.Itoa(bits))
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
