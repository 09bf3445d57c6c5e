package spelling

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Expression rewrites an expression that nginx searches for in decoded paths, so
// that it finds the same in normalised ones. Groups keep their numbers and names.
// aligned reports whether what stands before the match has to be whole: not the
// beginning of an escape, whose digits the expression may begin with. changed is
// false where the expression takes every spelling as it is.
func (w Way) Expression(re *syntax.Regexp) (text string, aligned, changed bool) {
	r := rewriter{Way: w}
	text = r.rewrite(re, false)
	return text, mayBeginWithDigit(re), r.changed
}

type rewriter struct {
	Way
	changed bool
}

// rewrite is one part. digit says whether what follows may begin with a
// hexadecimal digit.
func (r *rewriter) rewrite(re *syntax.Regexp, digit bool) string {
	switch re.Op {
	case syntax.OpLiteral:
		return r.literal(re)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s, _ := setOf(re)
		if s.plain() {
			return re.String()
		}
		r.changed = true
		return r.spelled(s)
	case syntax.OpBeginText:
		return "^"
	case syntax.OpEndText:
		if re.Flags&syntax.WasDollar != 0 {
			return "$"
		}
		return `\z`
	case syntax.OpCapture:
		open := "("
		if re.Name != "" {
			open = "(?P<" + re.Name + ">"
		}
		return open + r.rewrite(re.Sub[0], digit) + ")"
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return r.repeated(re, digit)
	case syntax.OpConcat:
		return r.concat(re, digit)
	case syntax.OpAlternate:
		var ways []string
		for _, sub := range re.Sub {
			ways = append(ways, r.rewrite(sub, digit))
		}
		return "(?:" + strings.Join(ways, "|") + ")"
	}
	return re.String()
}

func (r *rewriter) concat(re *syntax.Regexp, digit bool) string {
	parts := make([]string, len(re.Sub))
	for i := len(re.Sub) - 1; i >= 0; i-- {
		sub := re.Sub[i]
		parts[i] = r.rewrite(sub, digit)
		digit = mayBeginWithDigit(sub) || mayBeEmpty(sub) && digit
	}
	return strings.Join(parts, "")
}

// repeated is a part that comes any number of times. One that takes all there is
// may go on as it is where what follows cannot begin within an escape.
func (r *rewriter) repeated(re *syntax.Regexp, digit bool) string {
	sub, one := re.Sub[0], ""
	any := sub.Op == syntax.OpAnyChar || sub.Op == syntax.OpAnyCharNotNL
	switch many := re.Op == syntax.OpStar || re.Op == syntax.OpPlus; {
	case any && many && !digit && sub.Op == syntax.OpAnyChar:
		one = "(?s:.)"
	case any && many && !digit:
		one = "."
	case any && many:
		r.changed = true
		one = "(?:[^%]|%..)"
	case single(sub):
		one = r.rewrite(sub, true)
	default:
		one = "(?:" + r.rewrite(sub, true) + ")"
	}
	switch re.Op {
	case syntax.OpStar:
		one += "*"
	case syntax.OpPlus:
		one += "+"
	case syntax.OpQuest:
		one += "?"
	default:
		one += count(re.Min, re.Max)
	}
	if re.Flags&syntax.NonGreedy != 0 {
		one += "?"
	}
	return one
}

// single reports whether an expression is one thing that can be repeated as it is
// rewritten.
func single(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpCapture, syntax.OpAlternate:
		return true
	}
	return false
}

// count is {min,max}; no max is none.
func count(least, most int) string {
	switch {
	case most == least:
		return fmt.Sprintf("{%d}", least)
	case most < 0:
		return fmt.Sprintf("{%d,}", least)
	}
	return fmt.Sprintf("{%d,%d}", least, most)
}

// literal is a text.
func (r *rewriter) literal(re *syntax.Regexp) string {
	fold := re.Flags&syntax.FoldCase != 0
	var b strings.Builder
	for _, c := range re.Rune {
		text := string(c)
		if c < utf8.RuneSelf && unreserved(byte(c)) {
			b.WriteString(quoted(byte(c)))
			continue
		}
		r.changed = true
		for i := range len(text) {
			b.WriteString(r.byte(text[i]))
		}
	}
	if fold {
		return "(?i:" + b.String() + ")"
	}
	return b.String()
}

// mayBeginWithDigit reports whether some match begins with a hexadecimal digit
// that stands there as it is, or with nothing.
func mayBeginWithDigit(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return strings.ContainsRune("0123456789abcdefABCDEF", re.Rune[0])
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s, _ := setOf(re)
		for _, c := range []byte("0123456789abcdefABCDEF") {
			if s[c] {
				return true
			}
		}
		return false
	case syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return mayBeginWithDigit(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if mayBeginWithDigit(sub) {
				return true
			}
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if mayBeginWithDigit(sub) {
				return true
			}
			if !mayBeEmpty(sub) {
				return false
			}
		}
	}
	return false
}

// mayBeEmpty reports whether some match has no bytes.
func mayBeEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || mayBeEmpty(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if mayBeEmpty(sub) {
				return true
			}
		}
		return false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !mayBeEmpty(sub) {
				return false
			}
		}
	}
	return true
}
