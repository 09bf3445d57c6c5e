package sample

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// longest is how long a made-up text may become, so that a pattern such as
// (a{1000}){1000} costs nothing.
const longest = 256

// Regex is a short text that the pattern takes as a whole; "" when the pattern
// is wrong or none was found.
func Regex(pattern string) string {
	for _, s := range regexes(pattern) {
		if s != "" {
			return s
		}
	}
	return ""
}

// taste is how a text is made where a pattern leaves a choice.
type taste struct {
	times  int // how often what may be left out, or come often, is there
	branch int // which alternative is taken
	letter byte
}

// tastes are tried in this order.
var tastes = []taste{{1, 0, 'x'}, {0, 0, 'x'}, {1, 1, 'z'}, {2, 2, '1'}, {3, 3, '/'}, {1, 3, '~'}}

// regexes are texts that the pattern takes as a whole, the best first; none
// where the pattern is wrong.
func regexes(pattern string) []string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil
	}
	var out []string
	for _, t := range tastes {
		var b strings.Builder
		t.write(&b, tree)
		if s := b.String(); whole.MatchString(s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// write adds a text that the tree takes.
func (t taste) write(b *strings.Builder, re *syntax.Regexp) {
	if b.Len() > longest {
		return
	}
	repeat := func(n int) {
		for range n {
			t.write(b, re.Sub[0])
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune, rune(t.letter)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(t.letter)
	case syntax.OpStar:
		repeat(t.times)
	case syntax.OpQuest:
		repeat(min(t.times, 1))
	case syntax.OpPlus:
		repeat(max(t.times, 1))
	case syntax.OpRepeat:
		n := re.Min
		if t.times > 1 && (re.Max < 0 || re.Max > n) {
			n++
		}
		repeat(n)
	case syntax.OpCapture:
		repeat(1)
	case syntax.OpAlternate:
		t.write(b, re.Sub[t.branch%len(re.Sub)])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			t.write(b, sub)
		}
	default: // anchors, and what takes nothing
	}
}

// oneOf is a rune of a class, rather a letter or a digit that is easy to type.
// first is the one that is taken where it can be and is not the usual x.
func oneOf(class []rune, first rune) rune {
	easily := "a1xA-_/."
	if first != 'x' {
		easily = string(first) + easily
	}
	for _, easy := range easily {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= easy && easy <= class[i+1] {
				return easy
			}
		}
	}
	if len(class) == 0 {
		return 'x'
	}
	return class[0]
}
