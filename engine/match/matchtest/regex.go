package matchtest

import (
	"regexp/syntax"
	"strings"
)

// regex is a random regular expression over paths, one that RE2 takes too.
func (m *maker) regex() string {
	if m.chance(35) {
		return pick(m, ".*", "/.*", "/foo/.*", "/(foo|bar)(/.*)?", `/v\d+/.*`, `.*\.html`, "/[a-z]+", "(?i)/foo", `/[^/]+/b`, "/foo|/bar",
			`^/a$`, `/a{1,3}`, `/foo.*?bar`, `/\w+/\w*`, `/(?i:foo)/?`, `/a|b`, `/fo{2}`, `/[[:alpha:]]+`, `/.`, `/(?P<w>[a-z]+)`, `(/a)*`, `/foo$`, `/$`)
	}
	return "/" + m.term(2)
}

func (m *maker) term(depth int) string {
	var b strings.Builder
	for range 1 + m.IntN(3) {
		b.WriteString(m.atom(depth))
	}
	return b.String()
}

func (m *maker) atom(depth int) string {
	if depth == 0 || m.chance(45) {
		return pick(m, "a", "b", "foo", "bar", "/", "v1", `\.`, ".", `\d`, `\w`, "[a-c]", "[^/]", "[A-Z]", "-", "%20")
	}
	inner := m.term(depth - 1)
	switch m.IntN(8) {
	case 0:
		return "(" + inner + ")"
	case 1:
		return "(?:" + inner + ")?"
	case 2:
		return "(" + inner + "|" + m.term(depth-1) + ")"
	case 3:
		return "(?:" + inner + ")*"
	case 4:
		return "[^/]+"
	case 5:
		return "(?i:" + inner + ")"
	case 6:
		return "(?:" + inner + "){1,2}"
	default:
		return inner + ".*"
	}
}

// groups is how many capture groups a pattern has; -1 for one that Go does not
// take.
func groups(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return -1
	}
	return re.MaxCap()
}

// sample is a text that matches the pattern in full, most of the time (an
// anchor or a word boundary in its middle is not looked at). "" where the
// pattern is none.
func (m *maker) sample(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	m.walk(&b, re)
	return b.String()
}

func (m *maker) walk(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(m.rune(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(pick(m, "a", "b", "x", "/", ".", "1", "F"))
	case syntax.OpCapture, syntax.OpConcat:
		for _, s := range re.Sub {
			m.walk(b, s)
		}
	case syntax.OpAlternate:
		m.walk(b, pick(m, re.Sub...))
	case syntax.OpStar:
		m.repeat(b, re.Sub[0], 0, 3)
	case syntax.OpPlus:
		m.repeat(b, re.Sub[0], 1, 3)
	case syntax.OpQuest:
		m.repeat(b, re.Sub[0], 0, 1)
	case syntax.OpRepeat:
		m.repeat(b, re.Sub[0], re.Min, max(re.Min, min(re.Max, re.Min+3)))
	}
}

func (m *maker) repeat(b *strings.Builder, re *syntax.Regexp, from, to int) {
	for range from + m.IntN(to-from+1) {
		m.walk(b, re)
	}
}

// rune is one of a class given as pairs of bounds; a printable ASCII one where
// there is any.
func (m *maker) rune(pairs []rune) rune {
	var from []rune
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := max(pairs[i], '-'); r <= min(pairs[i+1], 'z'); r++ {
			if r != '?' && r != '\\' && r != '^' && r != '`' && r != '<' && r != '>' {
				from = append(from, r)
			}
		}
	}
	if len(from) == 0 {
		return 'a'
	}
	return pick(m, from...)
}
