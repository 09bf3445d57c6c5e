package pcre

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// kind is what an item of an expression is, as far as looking ahead goes.
type kind uint8

const (
	other  kind = iota
	one         // one character of a set
	many        // any number of them
	some        // one or more
	end         // the end of the text
	paren       // where a group begins or ends, which takes nothing
	ahead       // (?=…) or (?!…)
	behind      // (?<=…) or (?<!…)
	atomic      // (?>…)
)

// item is a piece of an expression, as it stands there.
type item struct {
	kind       kind
	text       string
	atom       string // text without its quantifier
	set        set
	body       string // of a group, or of what looks around
	not        bool   // it looks for what must not be there
	possessive bool
	plain      bool // a group without a name or number
}

var (
	counts  = regexp.MustCompile(`^\{\d+(?:,\d*)?\}`)
	escapes = regexp.MustCompile(`^\\(?:x\{[^}]*\}|x[0-9A-Fa-f]{0,2}|[pPgkoN]\{[^}]*\}|k<[^>]*>|k'[^']*'|.)`)
)

// read splits an expression, without "|" outside of its groups, into its items.
// Groups that hold one way only are taken apart. ok is false for what is not
// understood.
func read(s string, fold bool) (out []item, ok bool) {
	for len(s) > 0 {
		n := atomLength(s)
		if n == 0 {
			return nil, false
		}
		it := item{atom: s[:n]}
		s = s[n:]
		quantifier := quantifierOf(s)
		s = s[len(quantifier):]
		it.text = it.atom + quantifier
		if it.atom[0] == '(' && quantifier == "" {
			group, ok := it.open(fold)
			if !ok {
				return nil, false
			}
			out = append(out, group...)
			continue
		}
		it.judge(quantifier, fold)
		out = append(out, it)
	}
	return out, true
}

// atomLength is how long the first character, class or group is; 0 is for what
// is not understood.
func atomLength(s string) int {
	switch s[0] {
	case '\\':
		if strings.HasPrefix(s, `\Q`) {
			return 0
		}
		return len(escapes.FindString(s))
	case '[':
		return classLength(s)
	case '(':
		return groupLength(s)
	case ')', '*', '+', '?':
		return 0
	}
	return 1
}

func classLength(s string) int {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			return i + 1
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], "[:"):
			if n := strings.Index(s[i:], ":]"); n >= 0 {
				i += n + 1
			}
		}
		i++
	}
	return 0
}

func groupLength(s string) int {
	if strings.HasPrefix(s, "(*") || strings.HasPrefix(s, "(?#") {
		return 0
	}
	for i := 1; i < len(s); {
		switch s[i] {
		case ')':
			return i + 1
		case '?', '*', '+':
			i++
			continue
		}
		n := atomLength(s[i:])
		if n == 0 {
			return 0
		}
		i += n
	}
	return 0
}

func quantifierOf(s string) string {
	n := 0
	switch {
	case s == "":
	case strings.IndexByte("*+?", s[0]) >= 0:
		n = 1
	default:
		n = len(counts.FindString(s))
	}
	if n > 0 && n < len(s) && (s[n] == '?' || s[n] == '+') {
		n++
	}
	return s[:n]
}

// ways splits an expression at each "|" outside of its groups; nil for what is
// not understood.
func ways(s string) (out []string) {
	from := 0
	for i := 0; i < len(s); {
		switch s[i] {
		case '|':
			out, from = append(out, s[from:i]), i+1
			i++
			continue
		case '?', '*', '+':
			i++
			continue
		}
		n := atomLength(s[i:])
		if n == 0 {
			return nil
		}
		i += n
	}
	return append(out, s[from:])
}

// openings are how groups begin.
var openings = regexp.MustCompile(`^\((?:\?(?:<=|<!|=|!|>|:|P?<\w+>|'\w+'))?`)

// open is a group without a quantifier: what looks around, the items within it
// between its parentheses, or itself where it has several ways. ok is false for
// one of PCRE's own, or one that sets flags.
func (it item) open(fold bool) (out []item, ok bool) {
	opening := openings.FindString(it.atom)
	it.body = it.atom[len(opening) : len(it.atom)-1]
	if opening == "(" && strings.HasPrefix(it.body, "?") {
		return nil, false
	}
	it.plain = opening == "(?:"
	switch opening {
	case "(?=", "(?!":
		it.kind, it.not = ahead, opening == "(?!"
		return []item{it}, true
	case "(?<=", "(?<!":
		it.kind, it.not = behind, opening == "(?<!"
		return []item{it}, true
	case "(?>":
		it.kind = atomic
		return []item{it}, true
	}
	if len(ways(it.body)) != 1 {
		return []item{it}, true
	}
	within, ok := read(it.body, fold)
	out = append(out, item{kind: paren, text: opening})
	out = append(out, within...)
	return append(out, item{kind: paren, text: ")"}), ok
}

// judge says what an item is that is no group.
func (it *item) judge(quantifier string, fold bool) {
	if quantifier == "" && (it.atom == "$" || it.atom == `\z`) {
		it.kind = end
		return
	}
	s, ok := character(it.atom, fold)
	if !ok {
		return
	}
	it.set = s
	it.possessive = len(quantifier) > 1 && strings.HasSuffix(quantifier, "+")
	switch strings.TrimSuffix(quantifier, "+") {
	case "":
		it.kind = one
		if quantifier == "+" {
			it.kind = some
		}
	case "+":
		it.kind = some
	case "*":
		it.kind = many
	}
}

// character is the set of an atom that is one.
func character(atom string, fold bool) (set, bool) {
	if strings.Contains(atom, `\s`) || strings.Contains(atom, `\S`) || atom[0] >= 0x80 {
		return set{}, false // PCRE takes \v for a space, RE2 does not
	}
	tree, ok := parse(atom, fold)
	if !ok {
		return set{}, false
	}
	return setOf(tree)
}

func parse(s string, fold bool) (*syntax.Regexp, bool) {
	if fold {
		s = "(?i:" + s + ")"
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	return tree, err == nil
}
