package pcre

import (
	"regexp"
	"strings"
)

// longest is how long an expression may become.
const longest = 16 << 10

// particular is what RE2 has not, or might not have.
var particular = regexp.MustCompile(`\(\?(?:[=!>]|<[=!])|[*+?}]\+`)

var looksBehind = regexp.MustCompile(`\(\?<[=!]`)

// grouped reports whether an expression has groups that hold something.
func grouped(s string) bool {
	tree, ok := parse(Wider(s), false)
	return !ok || tree.MaxCap() > 0
}

// Plain says an expression without looking around and without holding on to what
// it has taken (atomic groups, possessive quantifiers). A search with the outcome
// finds something in the same texts, and its groups hold the same; the text that
// is found as a whole may be longer. fold says that case does not matter; the
// outcome is to be used so too. An expression that has nothing of the kind is
// returned as it is. ok is false where it cannot be said so.
func Plain(expression string, fold bool) (plain string, ok bool) {
	if !particular.MatchString(expression) {
		return expression, true
	}
	body, cased := strings.CutPrefix(expression, "(?i)")
	plain, ok = spellOut(body, fold || cased)
	if cased {
		plain = "(?i)" + plain
	}
	return plain, ok
}

// spellOut is Plain for what is found at the end of an expression: nothing comes
// behind it.
func spellOut(s string, fold bool) (string, bool) {
	all := ways(s)
	if all == nil || len(all) > 1 && looksBehind.MatchString(s) && grouped(s) {
		return "", false // what stands before a place makes one way begin earlier than another
	}
	for i, way := range all {
		for range 64 { // each round takes one place out
			next, ok := round(way, fold)
			if !ok || len(next) > longest {
				return "", false
			}
			if next == way {
				break
			}
			way = next
		}
		all[i] = way
	}
	return strings.Join(all, "|"), true
}

// round takes the last place out that looks around or holds on.
func round(s string, fold bool) (string, bool) {
	items, ok := read(s, fold)
	if !ok {
		return "", false
	}
	for i := len(items) - 1; i >= 0; i-- {
		it, before, rest := items[i], texts(items[:i]), items[i+1:]
		switch {
		case it.kind == ahead:
			for i > 0 && it.not && items[i-1].kind == ahead && items[i-1].not {
				i--
				it.body, before = items[i].body+"|"+it.body, texts(items[:i])
			}
			out, ok := it.lookAhead(rest, fold)
			return before + out, ok
		case it.kind == behind:
			out, ok := it.lookBehind(i, fold)
			return before + out + texts(rest), ok
		case it.kind == atomic:
			return before + "(?:" + it.body + ")" + texts(rest), len(rest) == 0
		case it.possessive:
			it.text = strings.TrimSuffix(it.text, "+")
			return before + it.text + texts(rest), it.holdsOn(rest)
		case particular.MatchString(it.text) && it.kind == other:
			if !it.plain || len(rest) > 0 || it.text != it.atom {
				return "", false
			}
			out, ok := spellOut(it.body, fold)
			return before + "(?:" + out + ")", ok
		}
	}
	return s, true
}

// lookAhead spells out (?=…) or (?!…) before the rest.
func (it item) lookAhead(rest []item, fold bool) (string, bool) {
	if particular.MatchString(it.body) || strings.Contains(it.body, `\s`) || strings.Contains(it.body, `\S`) {
		return "", false
	}
	tree, ok := parse(it.body, fold)
	if !ok {
		return "", false
	}
	if !it.not && len(rest) == 0 {
		return "(?:" + it.body + ")", true
	}
	words, ok := wordsOf(tree, true)
	if !ok || !it.not && tree.MaxCap() > 0 {
		return "", false
	}
	out, v := look{not: it.not}.over(words, rest)
	if v == never {
		out, v = `[^\x00-\x{10FFFF}]`+texts(rest), spelled
	}
	return strings.Repeat("()", tree.MaxCap()) + out, v != cannot
}

// lookBehind spells out (?<=…) or (?<!…) of one character at the begin, where
// nothing has taken it yet.
func (it item) lookBehind(at int, fold bool) (string, bool) {
	tree, ok := parse(it.body, fold)
	if !ok || at > 0 || tree.MaxCap() > 0 {
		return "", false
	}
	words, ok := wordsOf(tree, false)
	var s set
	for _, w := range words {
		if len(w) != 1 || w[0].end {
			return "", false
		}
		s = s.or(w[0].set)
	}
	if it.not {
		return `(?:\A|` + s.not().String() + ")", ok
	}
	return s.String(), ok
}

// holdsOn reports whether nothing behind a run of a set wants any of it.
func (it item) holdsOn(rest []item) bool {
	for _, next := range rest {
		switch next.kind {
		case paren:
			continue
		case end:
			return true
		case one, some:
			return it.set.and(next.set).empty()
		}
		return false
	}
	return true
}

// Wider is an expression that RE2 takes and that finds something wherever this
// one does: it looks nowhere around, and takes anything for what stood before. It
// may still be one that RE2 refuses.
func Wider(expression string) string {
	var b strings.Builder
	for s := expression; len(s) > 0; {
		opening := openings.FindString(s)
		switch {
		case strings.HasPrefix(s, "(?") && (strings.HasSuffix(opening, "=") || strings.HasSuffix(opening, "!")):
			n := groupLength(s)
			if n == 0 {
				return ""
			}
			s = s[n:]
			if q := quantifierOf(s); q != "" {
				s = s[len(q):]
			}
		case strings.HasPrefix(s, "(?>"):
			b.WriteString("(?:")
			s = s[3:]
		case s[0] == '(':
			n := max(len(opening), 1)
			b.WriteString(s[:n])
			s = s[n:]
		case s[0] == '\\':
			n := max(atomLength(s), 1)
			b.WriteString(loosened(s[:n]))
			s = s[n:]
		case s[0] == '[':
			n := max(classLength(s), 1)
			b.WriteString(s[:n])
			s = s[n:]
		case strings.IndexByte("*+?{", s[0]) >= 0 && quantifierOf(s) != "":
			q := quantifierOf(s)
			s = s[len(q):]
			if len(q) > 1 {
				q = strings.TrimSuffix(q, "+")
			}
			b.WriteString(q)
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}

// loosened is an escape that RE2 takes, for one that it may not.
func loosened(escape string) string {
	switch c := escape[min(1, len(escape)-1)]; {
	case c >= '1' && c <= '9' || c == 'k' || c == 'g':
		return "(?s:.*)"
	case c == 'K' || c == 'G':
		return ""
	}
	return escape
}
