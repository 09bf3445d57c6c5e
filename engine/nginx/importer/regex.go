package importer

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"example.com/meshtui/engine/nginx/pcre"
)

// expression is one of nginx's, which PCRE searches for, in RE2's words.
type expression struct {
	text    string // as it stands in the file
	plain   string // in RE2's words, for a search
	fold    bool   // without case
	re2     string // plain, its case said within it
	splits  bool   // slashes that nginx merges may be taken for several
	aligned bool   // what stands before a match must not end within an escape
	tree    *syntax.Regexp
	find    *regexp.Regexp
	names   []string // of its groups, "" where one has none; [0] is the whole

	upTo map[byte]string // what before has said
}

// source is an expression as it stands in the file, and compiled what became of
// it.
type (
	source struct {
		text string
		fold bool
	}
	compiled struct {
		e   *expression
		why string
	}
)

// compile is the function of that name, which looks at each text once: a server
// may have thousands of locations that ask the same.
func (im *importer) compile(text string, fold bool) (e *expression, why string) {
	c, ok := im.compiled[source{text, fold}]
	if !ok {
		c.e, c.why = compile(text, fold)
		im.compiled[source{text, fold}] = c
	}
	return c.e, c.why
}

// named is how PCRE may write a group with a name.
var namedGroup = regexp.MustCompile(`\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')`)

// anyText is what a full match has where a search would pass over it.
const anyText = "(?s:.*)"

// wholeEscapes is the same for a path, of which no escape is taken in part.
const wholeEscapes = "(?:[^%]|%..)*"

// compile turns a PCRE expression into RE2's. why is empty where RE2 reads it
// alike, or what it looks ahead for can be spelled out.
func compile(text string, fold bool) (e *expression, why string) {
	said, ok := pcre.Plain(text, fold)
	if !ok {
		said = text
	}
	plain := namedGroup.ReplaceAllString(said, "(?P<$1$2>")
	re2 := plain
	if fold {
		re2 = "(?i:" + re2 + ")"
	}
	tree, err := syntax.Parse(re2, syntax.Perl)
	if err != nil {
		return nil, whyNotRE2(text, err)
	}
	find, err := regexp.Compile(re2)
	if err != nil {
		return nil, whyNotRE2(text, err)
	}
	return &expression{text: text, plain: plain, fold: fold, re2: re2, tree: tree, find: find, names: find.SubexpNames()}, ""
}

// wider is an expression that takes all that a PCRE expression takes which RE2 has
// not, and more: everything where there is none.
func wider(text string, fold bool) *expression {
	if loose := pcre.Wider(text); loose != "" {
		if e, why := compile(loose, fold); why == "" {
			return e
		}
	}
	e, _ := compile("", false) // the empty expression always compiles
	return e
}

// whyNotRE2 says why RE2 does not take an expression, in the words of who wrote it.
func whyNotRE2(pcre string, err error) string {
	for _, f := range []struct{ mark, name string }{
		{"(?=", "look-ahead"}, {"(?!", "look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "look-behind"},
		{"(?>", "an atomic group"}, {"++", "a possessive quantifier"}, {"*+", "a possessive quantifier"},
		{"?+", "a possessive quantifier"}, {`\1`, "a back-reference"}, {`\k`, "a back-reference"}, {"(?R", "recursion"},
		{"(?(", "a conditional group"}, {`\K`, `\K`}, {`\G`, `\G`},
	} {
		if strings.Contains(pcre, f.mark) {
			return "the expression has " + f.name + ", which Envoy's RE2 has not"
		}
	}
	return "Envoy's RE2 does not take the expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// full is an expression that matches a whole text where nginx's search finds
// something in it.
func (e *expression) full() string {
	body, head, tail := e.plain, anyText, anyText
	if e.aligned {
		head = wholeEscapes
	}
	switch {
	case alternates(body):
		body = "(?:" + body + ")"
	default:
		if cut, ok := strings.CutPrefix(body, "^"); ok {
			body, head = cut, ""
		}
		if cut, ok := strings.CutSuffix(body, "$"); ok && !strings.HasSuffix(cut, `\`) {
			body, tail = cut, ""
		}
	}
	if e.fold {
		body = "(?i:" + body + ")"
	}
	return head + body + tail
}

// alternates reports whether an expression has a "|" outside of all groups.
func alternates(re string) bool {
	depth, class := 0, false
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if i+1 < len(re) && re[i+1] == '^' {
				i++
			}
			if i+1 < len(re) && re[i+1] == ']' {
				i++
			}
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			return true
		}
	}
	return false
}

// before is full for a text that goes on with this separator, which the
// expression must not look beyond: a path before its query, a name before its
// port.
func (e *expression) before(sep byte) string {
	if said, ok := e.upTo[sep]; ok {
		return said
	}
	if e.upTo == nil {
		e.upTo = map[byte]string{}
	}
	e.upTo[sep] = e.stopping(sep)
	return e.upTo[sep]
}

func (e *expression) stopping(sep byte) string {
	q := string(sep)
	if strings.ContainsRune(`?.+*|()[]{}^$\`, rune(sep)) {
		q = `\` + q
	}
	tail := "(?:" + q + anyText + ")?"
	head, tree := "[^"+q+"]*", e.tree
	if e.aligned {
		head = "(?:[^%" + q + "]|%..)*"
	}
	if tree.Op == syntax.OpConcat && tree.Sub[0].Op == syntax.OpBeginText {
		cut := *tree
		cut.Sub = tree.Sub[1:]
		head, tree = "", &cut
	}
	signs := !strings.Contains(strings.ToLower(e.re2), "10fff") && !strings.ContainsAny(e.re2, string(anyRune)+string(anyButNewline))
	body := within(tree, rune(sep), tail, signs).String()
	if signs {
		body = strings.NewReplacer(`\x{10fffe}`, "[^"+q+"]", `\x{10ffff}`, `[^\n`+q+"]").Replace(body)
	}
	return head + "(?:" + body + ")[^" + q + "]*" + tail
}

// anyRune and anyButNewline stand for what they say while an expression is put
// together, since package syntax takes milliseconds to write a class of nearly all
// runes. No text has them.
const anyRune, anyButNewline = '\U0010FFFE', '\U0010FFFF'

// begins reports whether something in an expression asks for the begin of the
// text, other than its head.
func begins(re *syntax.Regexp, head bool) bool {
	if re.Op == syntax.OpBeginText {
		return !head
	}
	for i, s := range re.Sub {
		if begins(s, head && i == 0 && (re.Op == syntax.OpConcat || re.Op == syntax.OpCapture)) {
			return true
		}
	}
	return false
}

// within rewrites an expression so that nothing in it takes the separator, and
// its end of text is the separator or the end. signs says that anyRune and
// anyButNewline are to stand for any.
func within(re *syntax.Regexp, sep rune, tail string, signs bool) *syntax.Regexp {
	out := *re
	out.Sub = nil
	for _, s := range re.Sub {
		out.Sub = append(out.Sub, within(s, sep, tail, signs))
	}
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		if signs {
			sign := anyRune
			if re.Op == syntax.OpAnyCharNotNL {
				sign = anyButNewline
			}
			return &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{sign}}
		}
	}
	switch re.Op {
	case syntax.OpAnyChar:
		return parsed(`[^\` + string(sep) + `]`)
	case syntax.OpAnyCharNotNL:
		return parsed(`[^\n\` + string(sep) + `]`)
	case syntax.OpCharClass:
		out.Rune = without(re.Rune, sep)
	case syntax.OpLiteral:
		if strings.ContainsRune(string(re.Rune), sep) {
			return &syntax.Regexp{Op: syntax.OpNoMatch}
		}
	case syntax.OpEndText:
		return parsed("(?:" + tail + `\z)`)
	}
	return &out
}

// parsed is for constant expressions.
func parsed(re string) *syntax.Regexp {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return &syntax.Regexp{Op: syntax.OpNoMatch}
	}
	return tree
}

// without takes one character out of a class of ranges.
func without(ranges []rune, c rune) []rune {
	var out []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if c < lo || c > hi {
			out = append(out, lo, hi)
			continue
		}
		if lo < c {
			out = append(out, lo, c-1)
		}
		if c < hi {
			out = append(out, c+1, hi)
		}
	}
	return out
}

// whole matches a whole path as nginx's search would find it, the leftmost
// first, so that its groups hold what nginx's hold.
func (e *expression) whole() string {
	if strings.HasPrefix(e.plain, "^") && !alternates(e.plain) {
		return "^" + e.full() + "$"
	}
	if e.aligned {
		return "^" + wholeEscapes + "?(?:" + e.re2 + ")" + anyText + "$"
	}
	return "^(?s:.*?)(?:" + e.re2 + ")" + anyText + "$"
}

// group is the number of the group that an nginx variable is, $1 or a name.
func (e *expression) group(variable string) (n int, ok bool) {
	if e == nil {
		return 0, false
	}
	if len(variable) == 1 && variable[0] >= '0' && variable[0] <= '9' {
		n = int(variable[0] - '0')
		return n, n < len(e.names)
	}
	for i, name := range e.names {
		if name != "" && name == variable {
			return i, true
		}
	}
	return 0, false
}
