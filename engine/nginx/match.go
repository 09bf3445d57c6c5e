package nginx

import (
	"fmt"
	"regexp"
	"regexp/syntax"
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
	matched string         // what prefix_rewrite replaces at the path's head
	field   string         // of the match, for the source map
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
		return []candidate{c}
	}
	if !strings.HasPrefix(path, "/") || !writable(path) {
		return nil
	}
	for i := range out {
		c := &out[i]
		c.field, c.mark = field, exact(o.at(field)).with(lessonLocation)
		if strings.Contains(path, "%") {
			c.mark = c.mark.approx(lessonEscaped)
		}
		if fold || len(c.text) > 250 {
			c.toRegex(fold)
		}
	}
	return out
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
			if sub.Op != syntax.OpLiteral {
				break
			}
		}
		return head
	}
	return ""
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
	head, _, _ := strings.Cut(literalHead(tree), "%")
	text, ok := pcre(re)
	return candidate{form: byRegex, text: "^(?:" + text + ")$", full: full, head: head}, ok && small(re)
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
