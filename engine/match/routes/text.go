package routes

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// pattern is a regular expression that must match the whole of a text. Go and
// Envoy's RE2 read the same syntax, but Envoy has RE2 read bytes, each as one
// Latin-1 letter, and so does pattern.
type pattern struct {
	source string // in Go's words
	tree   *syntax.Regexp
	head   string // all that it matches begins with it

	once sync.Once
	re   *regexp.Regexp // compiled when it is first asked: a table of thousands is compiled on every edit
}

// newPattern reads an expression. The error is Go's, without its prefix.
func newPattern(source string) (*pattern, error) {
	source, err := byByte(source)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p := &pattern{source: source, tree: tree.Simplify()}
	p.head, _ = headOf(p.tree, 0)
	return p, nil
}

// full reports whether the expression matches all of s.
func (p *pattern) full(s string) bool {
	if !strings.HasPrefix(s, p.head) {
		return false
	}
	re := p.whole()
	return re != nil && re.MatchString(latin1(s))
}

// whole is the expression, to be matched with all of a text.
func (p *pattern) whole() *regexp.Regexp {
	p.once.Do(func() { p.re, _ = regexp.Compile(`\A(?:` + p.source + `)\z`) })
	return p.re
}

// finds reports whether the expression matches some part of s.
func (p *pattern) finds(s string) bool {
	for _, l := range literals(p.tree) {
		if !strings.Contains(lower(s), l.text) {
			return false // without the cost of an expression to search with
		}
	}
	re, err := regexp.Compile(p.source)
	return err == nil && re.MatchString(latin1(s))
}

// latin1 is a text each of whose letters is one byte of s.
func latin1(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			out := make([]rune, len(s))
			for j := range len(s) {
				out[j] = rune(s[j])
			}
			return string(out)
		}
	}
	return s
}

// byByte is an expression that says of latin1 texts what source says of bytes.
func byByte(source string) (string, error) {
	source = latin1(source)
	for i := 0; i+1 < len(source); i++ {
		if source[i] != '\\' {
			continue
		}
		switch i++; source[i] {
		case 'Q':
			end := strings.Index(source[i:], `\E`)
			if end < 0 {
				return source, nil
			}
			i += end + 1
		case 'C': // any byte at all
			source = source[:i-1] + "(?s:.)" + source[i+1:]
		case 'x':
			if hex, _, ok := strings.Cut(source[i+1:], "}"); ok && strings.HasPrefix(hex, "{") {
				if n, err := strconv.ParseUint(hex[1:], 16, 32); err == nil && n > 0xff {
					return "", fmt.Errorf("invalid escape sequence: `\\x%s}`, as Envoy matches single bytes", hex)
				}
			}
		}
	}
	return source, nil
}

// textKind is how a text is compared.
type textKind uint8

const (
	textNever textKind = iota // an extension, or a matcher that says nothing
	textExact
	textPrefix
	textSuffix
	textContains
	textRegex
)

// textMatch is one StringMatcher.
type textMatch struct {
	kind textKind
	want string // in lower case when fold is set
	fold bool   // case is ignored, of ASCII letters
	re   *pattern
	why  string // of textNever: why nothing matches
}

// compileText reads a StringMatcher; the problem is "" when it can be used.
func compileText(m *matcherv3.StringMatcher) (textMatch, string) {
	t := textMatch{fold: m.GetIgnoreCase()}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		t.kind, t.want = textExact, p.Exact
	case *matcherv3.StringMatcher_Prefix:
		t.kind, t.want = textPrefix, p.Prefix
	case *matcherv3.StringMatcher_Suffix:
		t.kind, t.want = textSuffix, p.Suffix
	case *matcherv3.StringMatcher_Contains:
		t.kind, t.want = textContains, p.Contains
	case *matcherv3.StringMatcher_SafeRegex:
		return regexText(p.SafeRegex.GetRegex())
	case *matcherv3.StringMatcher_Custom:
		t.why = fmt.Sprintf("the extension %q decides, and it is not known here", p.Custom.GetName())
		return t, t.why
	default:
		t.why = "the matcher says nothing to compare with"
		return t, t.why
	}
	if t.fold {
		t.want = lower(t.want)
	}
	return t, ""
}

// regexText is a textMatch of an expression.
func regexText(source string) (textMatch, string) {
	re, err := newPattern(source)
	if err != nil {
		why := fmt.Sprintf("%q is no regular expression: %s", source, err)
		return textMatch{why: why}, why
	}
	return textMatch{kind: textRegex, want: source, re: re}, ""
}

// holds reports whether s is what the matcher wants.
func (t *textMatch) holds(s string) bool {
	switch t.kind {
	case textExact:
		return s == t.want || t.fold && equalFold(s, t.want)
	case textPrefix:
		return len(s) >= len(t.want) && (s[:len(t.want)] == t.want || t.fold && equalFold(s[:len(t.want)], t.want))
	case textSuffix:
		at := len(s) - len(t.want)
		return at >= 0 && (s[at:] == t.want || t.fold && equalFold(s[at:], t.want))
	case textContains:
		return strings.Contains(s, t.want) || t.fold && strings.Contains(lower(s), t.want)
	case textRegex:
		return t.re.full(s)
	}
	return false
}

// verdict says what s is or is not, to follow its name: "is not abc", "starts
// with abc".
func (t *textMatch) verdict(met bool) string {
	words := [...][2]string{
		textExact:    {"is not", "is"},
		textPrefix:   {"does not start with", "starts with"},
		textSuffix:   {"does not end in", "ends in"},
		textContains: {"does not contain", "contains"},
		textRegex:    {"does not match the regex", "matches the regex"},
	}
	if t.kind == textNever {
		return "cannot be judged: " + t.why
	}
	i := 0
	if met {
		i = 1
	}
	s := words[t.kind][i] + " " + show(t.want)
	if t.fold {
		s += " in any case"
	}
	return s
}

// show is a text as a sentence carries it: in quotes only where it would not
// read as one word, and not longer than a line can bear.
func show(s string) string {
	const longest = 120
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if s == "" || strings.ContainsAny(s, " \"'`,") {
		return strconv.Quote(s)
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return strconv.Quote(s)
		}
	}
	return s
}

// lower is s with its ASCII letters in lower case, as Envoy compares names.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lowerByte(b[i])
			}
			return string(b)
		}
	}
	return s
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// equalFold compares without the case of ASCII letters; others must be equal.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

// integer reads a whole number as Envoy does: blanks around it and a sign are
// allowed, anything else is none.
func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(trimNumber(s), 10, 64)
	return n, err == nil
}

// trimNumber takes off what Envoy reads over at a number: blanks and a plus.
func trimNumber(s string) string {
	s = strings.Trim(s, " \t\n\v\f\r")
	if rest, ok := strings.CutPrefix(s, "+"); ok && rest != "" && rest[0] != '+' && rest[0] != '-' {
		return rest
	}
	return s
}
