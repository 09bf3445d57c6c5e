package sample

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// longest is how long a made-up text may become, so that a pattern such as
// (a{1000}){1000} costs nothing.
const longest = 256

// Regex is a short text that the pattern takes as a whole; "" when the pattern
// is wrong or none was found.
func Regex(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	whole, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return ""
	}
	for _, more := range []bool{true, false} {
		var b strings.Builder
		write(&b, tree, more)
		if s := b.String(); s != "" && whole.MatchString(s) {
			return s
		}
	}
	return ""
}

// write adds a text that the tree takes; with more, what may be left out is
// there once.
func write(b *strings.Builder, re *syntax.Regexp, more bool) {
	if b.Len() > longest {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpStar, syntax.OpQuest:
		if more {
			write(b, re.Sub[0], more)
		}
	case syntax.OpRepeat:
		for range max(re.Min, 0) {
			write(b, re.Sub[0], more)
		}
	case syntax.OpPlus, syntax.OpCapture, syntax.OpAlternate:
		write(b, re.Sub[0], more)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			write(b, sub, more)
		}
	default: // anchors, and what takes nothing
	}
}

// oneOf is a rune of a class, rather a letter or a digit that is easy to type.
func oneOf(class []rune) rune {
	for _, easy := range "a1xA-_/." {
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
