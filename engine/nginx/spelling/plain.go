package spelling

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Plain takes back what Expression, Path and Prefix have written: the outcome is
// the expression for decoded paths. ok is false for one that they have not
// written, or that cannot be taken back.
func Plain(re string) (text string, ok bool) {
	var b strings.Builder
	for re != "" {
		one, rest := token(re)
		if one == "" {
			n := literalLength(re)
			if strings.HasPrefix(re, "%") {
				return "", false
			}
			b.WriteString(re[:n])
			re = re[n:]
			continue
		}
		b.WriteString(one)
		re, ok = rest, true
	}
	if _, err := syntax.Parse(b.String(), syntax.Perl); err != nil {
		return "", false
	}
	return b.String(), ok
}

// Literal is the decoded path of an expression that Path has written, or of one of
// Prefix's; ok is false for any other.
func Literal(re string) (decoded string, prefix, ok bool) {
	plain, ok := Plain(re)
	if !ok {
		return "", false, false
	}
	plain, prefix = strings.CutSuffix(plain, anyText)
	tree, err := syntax.Parse(plain, syntax.Perl)
	if err != nil || tree.Op != syntax.OpLiteral || tree.Flags&syntax.FoldCase != 0 {
		return "", false, false
	}
	raw := make([]byte, len(tree.Rune))
	for i, c := range tree.Rune {
		if c > 0xff {
			return "", false, false
		}
		raw[i] = byte(c)
	}
	return string(raw), prefix, true
}

var (
	slashToken = regexp.MustCompile(`^\(\?:/\|%2\[Ff\]\)\+?`)
	eitherWay  = regexp.MustCompile(`^\(\?:\\?([!$&'()*+,;=:@\[\]])\|%(?:[0-9]|\[[A-F][a-f]\]){2}\)`)
	escapeOnly = regexp.MustCompile(`^%([0-9]|\[[A-F][a-f]\])([0-9]|\[[A-F][a-f]\])`)
	allOfOne   = "(?:[^%]|%..)"
)

// token takes back the first thing of an expression; "" where it is none of ours.
func token(re string) (one, rest string) {
	if m := slashToken.FindString(re); m != "" {
		return "/", re[len(m):]
	}
	if m := eitherWay.FindStringSubmatch(re); m != nil {
		return quoted(m[1][0]), re[len(m[0]):]
	}
	if m := escapeOnly.FindStringSubmatch(re); m != nil {
		var c byte
		if _, err := fmt.Sscanf(strings.Trim(m[1], "[]")[:1]+strings.Trim(m[2], "[]")[:1], "%02X", &c); err != nil {
			return "", re
		}
		return fmt.Sprintf(`\x%02x`, c), re[len(m[0]):]
	}
	if rest, ok := strings.CutPrefix(re, allOfOne); ok {
		return ".", rest
	}
	return class(re)
}

// class takes back a set of bytes.
func class(re string) (one, rest string) {
	end := closing(re)
	if end < 0 || !strings.HasPrefix(re, "(?:[") && !strings.HasPrefix(re, "(?:%") {
		return "", re
	}
	group := re[:end+1]
	on, err := regexp.Compile("^" + group + "$")
	if err != nil {
		return "", re
	}
	var s bytes
	for c := range s {
		if b := byte(c); unreserved(b) || b == '/' {
			s[c] = on.MatchString(string(rune(c)))
		} else {
			s[c] = on.MatchString(fmt.Sprintf("%%%02X", c))
		}
	}
	for _, w := range []Way{{true}, {false}} {
		if w.spelled(s) == group {
			if text, ok := s.class(); ok {
				return text, re[end+1:]
			}
		}
	}
	return "", re
}

// class is the set as an expression of one character; ok is false where it tells
// bytes beyond ASCII apart.
func (s *bytes) class() (text string, ok bool) {
	var in, out strings.Builder
	for c, has := range s {
		switch {
		case c >= 0x80:
			if has != s[0xff] {
				return "", false
			}
			continue
		}
		b := &out
		if has {
			b = &in
		}
		if unreserved(byte(c)) || c == '/' {
			b.WriteString(classed(byte(c)))
		} else {
			fmt.Fprintf(b, `\x%02x`, c)
		}
	}
	switch {
	case s[0xff] && (out.String() == `\x0a` || out.String() == ""):
		return ".", true
	case s[0xff]:
		return "[^" + out.String() + "]", true
	}
	return "[" + in.String() + "]", true
}

// closing is where the group ends that an expression begins with; -1 for none.
func closing(re string) int {
	depth, within := 0, false
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\':
			i++
		case within:
			within = c != ']'
		case c == '[':
			within = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth <= 0 {
				return i
			}
		}
	}
	return -1
}

// literalLength is how long the first thing of an expression is that is not ours.
func literalLength(re string) int {
	switch {
	case re[0] == '\\' && len(re) > 1:
		return 2
	case re[0] == '[':
		for i := 1; i < len(re); i++ {
			if re[i] == '\\' {
				i++
			} else if re[i] == ']' && i > 1 {
				return i + 1
			}
		}
	}
	return 1
}
