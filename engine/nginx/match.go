package nginx

import (
	"fmt"
	"iter"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// form is how a location is found.
type form uint8

const (
	unsayable form = iota
	byPath         // location = /x
	byPrefix       // location /x
	byRegex        // location ~ ^/x$
)

// candidate is one location that a route would like to have. A route with a
// path_separated_prefix has two.
type candidate struct {
	form    form
	text    string         // path, prefix or nginx's expression
	fold    bool           // of an expression: without case
	full    *regexp.Regexp // of an expression: matches a whole path as Envoy does
	head    string         // of an expression: what every path begins with that it matches
	raw     string         // of a path: as Envoy compares it
	matched string         // what prefix_rewrite replaces at the path's head
	field   string         // of the match, for the source map
	sent    string         // expression for the path as it is sent, where it has an escape that nginx decodes; "" where it has none
	mark    mark
}

// candidates are the locations for a match; none when nginx has no such match.
func candidates(o Origin, m *routev3.RouteMatch) []candidate {
	fold := m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()
	field, path := "prefix", ""
	var out []candidate
	switch ps := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		path = ps.Prefix
		if path == "" {
			path = "/"
		}
		out = []candidate{{form: byPrefix, text: path, matched: path}}
	case *routev3.RouteMatch_Path:
		field, path = "path", ps.Path
		out = []candidate{{form: byPath, text: path, matched: path}}
	case *routev3.RouteMatch_PathSeparatedPrefix:
		field, path = "path_separated_prefix", ps.PathSeparatedPrefix
		out = []candidate{
			{form: byPath, text: path, matched: path},
			{form: byPrefix, text: path + "/", matched: path},
		}
	case *routev3.RouteMatch_SafeRegex:
		c, ok := regexCandidate(ps.SafeRegex.GetRegex())
		if !ok {
			return nil
		}
		c.field, c.mark = "safe_regex", exact(o.at("safe_regex")).with(lessonRegex)
		if re, ok := pcre(ps.SafeRegex.GetRegex()); ok && strings.Contains(re, "%") {
			c.sent = "(?:" + strings.TrimSuffix(strings.TrimPrefix(re, "^"), "$") + ")" + sentQuery
		}
		return []candidate{c}
	}
	if !strings.HasPrefix(path, "/") || !writable(path) {
		return nil
	}
	for i := range out {
		c := &out[i]
		c.field, c.mark = field, exact(o.at(field)).with(lessonLocation)
		if c.raw, c.text, c.matched = c.text, unescapedName(c.text), unescapedName(c.matched); strings.Contains(c.text, "%") {
			c.mark = c.mark.approx(lessonEscaped)
			c.sent = regexp.QuoteMeta(c.raw)
			if c.form == byPath {
				c.sent += sentQuery
			}
		}
		if fold || len(c.text) > 250 {
			c.toRegex(fold)
		}
	}
	return out
}

// kept are the bytes that stand in a path as they are. Of the others Envoy sees
// %XX, and nginx what that stands for.
const kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,;=:@[]^|\""

// unescapedName is a path as nginx compares it: without the escapes that no
// client can do without.
func unescapedName(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil && n != 0 && strings.ToUpper(path[i+1:i+3]) == path[i+1:i+3] && !strings.Contains(kept, string(rune(n))) {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	if !writable(b.String()) {
		return path
	}
	return b.String()
}

// escapedName is what unescapedName undoes.
func escapedName(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if strings.IndexByte(kept, path[i]) >= 0 {
			b.WriteByte(path[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", path[i])
		}
	}
	return b.String()
}

// toRegex says a path or prefix as an expression: without case, or because
// nginx's tree of prefixes takes 255 bytes at most.
func (c *candidate) toRegex(fold bool) {
	re, flags := "^"+regexp.QuoteMeta(c.text), "(?s)"
	if fold {
		flags = "(?si)"
	}
	if c.form == byPath {
		re += "$"
	}
	// Quoted text always compiles.
	if !fold {
		c.head = c.text
	}
	c.form, c.text, c.fold, c.full = byRegex, re, fold, regexp.MustCompile(flags+re)
	c.mark.lesson = lessonRegex
}

// literalHead is what every text begins with that the expression matches.
func literalHead(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture:
		return literalHead(re.Sub[0])
	case syntax.OpConcat:
		head := ""
		for _, sub := range re.Sub {
			if sub.Op == syntax.OpBeginText || sub.Op == syntax.OpBeginLine && head == "" {
				continue
			}
			head += literalHead(sub)
			if sub.Op != syntax.OpLiteral || sub.Flags&syntax.FoldCase != 0 {
				break
			}
		}
		return head
	}
	return ""
}

// headOfRegex is what every path begins with that the expression matches, whether
// or not nginx can write it; "" where that is nothing.
func headOfRegex(re string) string {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return ""
	}
	return literalHead(tree)
}

// regexCandidate turns an RE2 expression into one that PCRE takes. ok is false
// for what RE2 would not take either, and for characters beyond one byte, which
// nginx's PCRE is not built for.
func regexCandidate(re string) (candidate, bool) {
	if !writable(re) {
		return candidate{}, false
	}
	full, err := regexp.Compile("^(?:" + re + ")$")
	if err != nil {
		return candidate{}, false
	}
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return candidate{}, false
	}
	c := candidate{form: byRegex, full: full}
	c.head, _, _ = strings.Cut(literalHead(tree), "%")
	body, begin, end := searched(re)
	if inner, ok := strings.CutPrefix(body, "(?i:"); ok && closes(inner) == len(inner)-1 {
		body, c.fold = inner[:len(inner)-1], true
	}
	body, ok := pcre(body)
	if begin+end != "" && len(alternatives(body)) > 1 {
		body = "(?:" + body + ")"
	}
	if c.text = begin + body + end; c.text == "" {
		c.text = "^"
	}
	return c, ok && small(re)
}

// searched is an expression for the whole text as one that is searched for: what
// lets anything stand before or after it falls away, and where nothing does it
// is bound to the beginning or the end.
func searched(re string) (body, begin, end string) {
	if len(alternatives(re)) > 1 {
		return re, "^", "$"
	}
	body, begin, end = re, "^", "$"
	for _, anything := range []string{"(?s:.*)", ".*"} {
		if rest, ok := strings.CutPrefix(body, anything); ok && begin != "" && !strings.HasPrefix(rest, "?") {
			body, begin = rest, ""
		}
		if rest, ok := strings.CutSuffix(body, anything); ok && end != "" && trailing(rest)%2 == 0 {
			body, end = rest, ""
		}
	}
	if strings.HasPrefix(body, "^") {
		begin = ""
	}
	if rest, ok := strings.CutSuffix(body, "$"); ok && trailing(rest)%2 == 0 {
		end = ""
	}
	return body, begin, end
}

// trailing counts the backslashes at the end.
func trailing(s string) int { return len(s) - len(strings.TrimRight(s, `\`)) }

// closes is where the parenthesis closes within which the expression begins; -1
// where it does not.
func closes(re string) int {
	depth := 0
	for i, c := range punctuation(re) {
		if c == '(' {
			depth++
		}
		if c == ')' {
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return -1
}

// punctuation is where an expression has a parenthesis or a "|" that is neither
// escaped nor within a class.
func punctuation(re string) iter.Seq2[int, byte] {
	return func(yield func(int, byte) bool) {
		class := false
		for i := 0; i < len(re); i++ {
			switch c := re[i]; {
			case c == '\\':
				i++
			case class:
				class = c != ']' || re[i-1] == '[' || re[i-1] == '^' && re[i-2] == '['
			case c == '[':
				class = true
			case c == '(' || c == ')' || c == '|':
				if !yield(i, c) {
					return
				}
			}
		}
	}
}

// small reports whether PCRE can hold the expression: it copies what is
// repeated, and keeps 64 KiB at most.
func small(re string) bool {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return false
	}
	prog, err := syntax.Compile(tree.Simplify())
	return err == nil && len(prog.Inst) < 4000
}

// dialect is where RE2 and PCRE read the same text differently, or where a
// group's name would become an nginx variable.
var dialect = regexp.MustCompile(`\(\?P?<|\\[pPCQEz]|\\x\{|[^\x20-\x7e]|\[\[|\(\?[a-zA-Z-]*U|\*\+|\+\+|\?\+|\}\+`)

// pcre is the expression as it stands where both read it alike, else as Go's
// parser spells it, without names of groups.
func pcre(re string) (string, bool) {
	if !dialect.MatchString(re) {
		return re, true
	}
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return "", false
	}
	unname(tree)
	out := tree.String()
	if !strings.Contains(out, "(?s") {
		out = strings.ReplaceAll(out, "(?-s:", "(?:") // as it is by itself
	}
	wide := strings.Contains(out, `\x{`) || strings.IndexFunc(out, func(r rune) bool { return r > 0x7e }) >= 0
	return out, !wide && writable(out)
}

func unname(re *syntax.Regexp) {
	re.Name = ""
	for _, sub := range re.Sub {
		unname(sub)
	}
}

// conditions says what a match asks for besides the path, "" for nothing.
func conditions(m *routev3.RouteMatch) string {
	var out []string
	for _, h := range m.GetHeaders() {
		out = append(out, "header "+h.GetName())
	}
	for _, q := range m.GetQueryParameters() {
		out = append(out, "query parameter "+q.GetName())
	}
	for _, c := range m.GetCookies() {
		out = append(out, "cookie "+c.GetName())
	}
	for _, c := range []struct {
		is   bool
		name string
	}{
		{m.GetTlsContext() != nil, "the client's certificate"},
		{m.GetRuntimeFraction() != nil, "a share of the requests"},
		{len(m.GetDynamicMetadata()) > 0, "dynamic metadata"},
		{len(m.GetFilterState()) > 0, "filter state"},
	} {
		if c.is {
			out = append(out, c.name)
		}
	}
	return strings.Join(out, ", ")
}

// describe is a match that nginx cannot say, for a comment.
func describe(m *routev3.RouteMatch) string {
	switch ps := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return "prefix " + ps.Prefix
	case *routev3.RouteMatch_Path:
		return "path " + ps.Path
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return "path_separated_prefix " + ps.PathSeparatedPrefix
	case *routev3.RouteMatch_SafeRegex:
		return "safe_regex " + ps.SafeRegex.GetRegex()
	case *routev3.RouteMatch_ConnectMatcher_:
		return "connect_matcher"
	case *routev3.RouteMatch_PathMatchPolicy:
		return fmt.Sprintf("path_match_policy %s", ps.PathMatchPolicy.GetName())
	}
	return "no path"
}
