package pcre

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
)

// beyond stands for all that is not ASCII, which is told apart nowhere here.
const beyond = 128

// set is a class of characters.
type set [beyond + 1]bool

func (s set) and(o set) set {
	for c := range s {
		s[c] = s[c] && o[c]
	}
	return s
}

func (s set) not() set {
	for c := range s {
		s[c] = !s[c]
	}
	return s
}

func (s set) or(o set) set {
	for c := range s {
		s[c] = s[c] || o[c]
	}
	return s
}

func (s set) empty() bool { return s == set{} }

// String is the set as an expression.
func (s set) String() string {
	members, negated, open := s, s[beyond], "["
	if negated {
		members, open = s.not(), "[^"
	}
	var b strings.Builder
	n, last := 0, byte(0)
	for c := range byte(beyond) {
		if members[c] {
			b.WriteString(classed(c))
			n, last = n+1, c
		}
	}
	switch {
	case n == 0 && negated:
		return "(?s:.)"
	case n == 1 && !negated && last >= ' ' && last < 0x7f:
		return regexp.QuoteMeta(string(last))
	}
	return open + b.String() + "]"
}

// classed is a character as it stands in a class.
func classed(c byte) string {
	if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' || c == '_' || c == '%' {
		return string(c)
	}
	return fmt.Sprintf(`\x%02x`, c)
}

// setOf is what an expression of one character takes; ok is false for any other,
// and for a class that tells characters beyond ASCII apart.
func setOf(re *syntax.Regexp) (s set, ok bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if len(re.Rune) != 1 {
			return s, false
		}
		return setOfRune(re.Rune[0], re.Flags&syntax.FoldCase != 0)
	case syntax.OpAnyChar:
		return set{}.not(), true
	case syntax.OpAnyCharNotNL:
		s['\n'] = true
		return s.not(), true
	case syntax.OpCharClass:
		return setOfRanges(re.Rune)
	}
	return s, false
}

func setOfRune(r rune, fold bool) (s set, ok bool) {
	if r >= beyond {
		return s, false
	}
	s[r] = true
	for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
		if f < beyond {
			s[f] = true
		}
	}
	return s, true
}

func setOfRanges(ranges []rune) (s set, ok bool) {
	const kelvin, longS = 0x212a, 0x17f // k and s in another case, which PCRE does not see in bytes
	odd := map[rune]bool{kelvin: true, longS: true}
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		for r := lo; r <= hi && r < beyond; r++ {
			s[r] = true
		}
		s[beyond] = s[beyond] || hi == unicode.MaxRune
		if hi < beyond || lo == hi && odd[lo] {
			continue
		}
		// A class holds all beyond ASCII or none of it, but for those two.
		begins, ends := lo <= beyond || odd[lo-1], hi == unicode.MaxRune || odd[hi+1]
		if !begins || !ends {
			return s, false
		}
	}
	return s, true
}
