package routes

import (
	"regexp/syntax"
	"strings"
)

// literal is a text, in lower case, that everything an expression matches must
// hold.
type literal struct {
	text string
	head bool // at its beginning
}

// literals are the texts that all matches of an expression hold. A byte that is
// no ASCII splits a text that ignores case.
func literals(tree *syntax.Regexp) []literal {
	c := collector{head: true}
	c.visit(tree, 0)
	c.flush()
	return c.found
}

// collector walks an expression from the left, as far as what it reads must
// follow what came before.
type collector struct {
	found []literal
	text  strings.Builder
	head  bool // text began at the beginning
}

// flush ends a text: what follows is not known.
func (c *collector) flush() {
	if c.text.Len() > 0 {
		c.found = append(c.found, literal{lower(c.text.String()), c.head})
	}
	c.text.Reset()
	c.head = false
}

func (c *collector) visit(re *syntax.Regexp, depth int) {
	if depth > maxNesting {
		c.flush()
		return
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		// They match at a place and take no letter.
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r > 0xff || r >= 0x80 && re.Flags&syntax.FoldCase != 0 {
				c.flush()
				continue
			}
			c.text.WriteByte(byte(r))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			c.visit(sub, depth+1)
		}
	case syntax.OpCapture:
		c.visit(re.Sub[0], depth+1)
	case syntax.OpPlus:
		// At least once, and then perhaps again: what is held once stands alone.
		c.flush()
		c.visit(re.Sub[0], depth+1)
		c.flush()
	default:
		c.flush()
	}
}

// literalsOf are the texts of each route's expression, and in how many routes
// each text stands.
func literalsOf(routes []route) (held [][]literal, shared map[string]int) {
	held, shared = make([][]literal, len(routes)), map[string]int{}
	for i := range routes {
		if p := &routes[i].path; p.kind == pathRegex || p.kind == pathTemplate {
			held[i] = literals(p.re.tree)
			for _, l := range held[i] {
				shared[l.text]++
			}
		}
	}
	return held, shared
}

// rarest is the text that tells an expression best from the others: the one
// that the fewest share, then one at the beginning, then the longest.
func rarest(all []literal, shared map[string]int) literal {
	var best literal
	for _, l := range all {
		switch n, m := shared[l.text], shared[best.text]; {
		case best.text == "" || n < m:
			best = l
		case n == m && !best.head && (l.head || len(l.text) > len(best.text)):
			best = l
		}
	}
	return best
}
