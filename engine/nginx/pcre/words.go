package pcre

import (
	"fmt"
	"regexp/syntax"
	"strings"
)

// step is one character of a word, or the end of the text.
type step struct {
	set set
	end bool
}

// word is one of the texts that a look-ahead asks for.
type word []step

// mostWords is how many of them are told apart.
const mostWords = 128

// wordsOf are the texts that an expression may begin with; ok is false where
// they cannot be counted. last says that nothing comes behind re.
func wordsOf(re *syntax.Regexp, last bool) (out []word, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []word{nil}, true
	case syntax.OpLiteral:
		w := word{}
		for _, r := range re.Rune {
			s, ok := setOfRune(r, re.Flags&syntax.FoldCase != 0)
			if !ok {
				return nil, false
			}
			w = append(w, step{set: s})
		}
		return []word{w}, true
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s, ok := setOf(re)
		return []word{{{set: s}}}, ok
	case syntax.OpEndText:
		out = []word{{{end: true}}}
		if re.Flags&syntax.WasDollar != 0 { // PCRE's is before a newline at the end, too
			var newline set
			newline['\n'] = true
			out = append(out, word{{set: newline}, {end: true}})
		}
		return out, last
	case syntax.OpCapture:
		return wordsOf(re.Sub[0], last)
	case syntax.OpQuest:
		out, ok = wordsOf(re.Sub[0], last)
		return append(out, nil), ok
	case syntax.OpStar:
		return []word{nil}, last
	case syntax.OpPlus:
		out, ok = wordsOf(re.Sub[0], last)
		return out, ok && last
	case syntax.OpRepeat:
		return repeated(re, last)
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			ws, ok := wordsOf(s, last)
			if out = append(out, ws...); !ok || len(out) > mostWords {
				return nil, false
			}
		}
		return out, true
	case syntax.OpConcat:
		out = []word{nil}
		for i, s := range re.Sub {
			ws, ok := wordsOf(s, last && i == len(re.Sub)-1)
			if out = times(out, ws); !ok || len(out) > mostWords {
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

func repeated(re *syntax.Regexp, last bool) (out []word, ok bool) {
	if !last && re.Max != re.Min || re.Min > mostWords {
		return nil, false
	}
	one, ok := wordsOf(re.Sub[0], false)
	out = []word{nil}
	for range re.Min {
		if out = times(out, one); len(out) > mostWords {
			return nil, false
		}
	}
	return out, ok
}

// times is each of the words with each of the others behind it.
func times(heads, tails []word) (out []word) {
	if len(heads)*len(tails) > mostWords {
		return make([]word, mostWords+1)
	}
	for _, h := range heads {
		for _, t := range tails {
			out = append(out, append(h[:len(h):len(h)], t...))
		}
	}
	return out
}

// state is what is left of the words behind what has been read.
type state []word

// done reports whether one of them has been read whole.
func (st state) done() bool {
	for _, w := range st {
		if len(w) == 0 {
			return true
		}
	}
	return false
}

// ends reports whether one of them is read whole if the text ends here.
func (st state) ends() bool {
	for _, w := range st {
		if len(w) == 1 && w[0].end {
			return true
		}
	}
	return false
}

// move is where the characters of a set lead.
type move struct {
	set  set
	next state
}

// moves are the ways on, their sets apart; other is what leads nowhere.
func (st state) moves() (ms []move, other set) {
	index := map[string]int{}
	for c := range beyond + 1 {
		var next state
		var key strings.Builder
		for i, w := range st {
			if len(w) > 0 && w[0].set[c] {
				next = append(next, w[1:])
				fmt.Fprint(&key, i, " ")
			}
		}
		if next == nil {
			other[c] = true
			continue
		}
		i, known := index[key.String()]
		if !known {
			i = len(ms)
			index[key.String()] = i
			ms = append(ms, move{next: next})
		}
		ms[i].set[c] = true
	}
	return ms, other
}
