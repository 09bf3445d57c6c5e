package spelling

import "regexp/syntax"

// Runs is an expression for the whole of :path which takes the paths that have an
// escaped slash beside another slash.
const Runs = `[^?]*(?:/%2[Ff]|%2[Ff](?:/|%2[Ff])).*`

// Splits reports whether a rewritten expression may take several slashes that
// nginx merges for one each: it has two parts beside each other that both take
// one. Where that matters it is not to be asked about paths of Runs.
func (w Way) Splits(re *syntax.Regexp) bool {
	_, splits := ends(re, false)
	return w.Merge && splits
}

// ends follows an expression behind a text that may end in a slash which the part
// before has taken. It says the same of the text behind it, and whether a slash
// stood beside a slash.
func ends(re *syntax.Regexp, slash bool) (after, splits bool) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			splits = splits || slash && c == '/'
			slash = c == '/'
		}
		return slash, splits
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s, _ := setOf(re)
		return s['/'], s['/'] && slash
	case syntax.OpCapture:
		return ends(re.Sub[0], slash)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			next, split := ends(sub, slash)
			slash, splits = next, splits || split
		}
		return slash, splits
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			next, split := ends(sub, slash)
			after, splits = after || next, splits || split
		}
		return after, splits
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return repeatedEnds(re, slash)
	}
	return slash, false
}

func repeatedEnds(re *syntax.Regexp, slash bool) (after, splits bool) {
	sub := re.Sub[0]
	_, one := setOf(sub)
	if one && re.Op == syntax.OpStar { // it takes any number: as well none
		return slash, false
	}
	after, splits = ends(sub, slash)
	if once := re.Op == syntax.OpQuest || one && re.Op == syntax.OpPlus; !once {
		_, again := ends(sub, after)
		splits = splits || again
	}
	return after || mayBeEmpty(re) && slash, splits
}
