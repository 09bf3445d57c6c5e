package routes

import (
	"fmt"
	"regexp/syntax"
	"strings"
)

// CheckRegex says why Envoy cannot read an expression, nil when it can.
func CheckRegex(source string) error {
	_, err := newPattern(source)
	return err
}

// Unmatchable names the path expressions that no request's path can match in
// full, as Envoy asks it: those that do not begin with a slash, that want a
// query, or that have an anchor where none can be.
func (t *Table) Unmatchable() []Problem {
	var out []Problem
	for i := range t.hosts {
		for j := range t.hosts[i].routes {
			p := &t.hosts[i].routes[j].path
			if p.kind != pathRegex || p.re.full("*") || p.re.full("") || someMatch(p.re.tree) {
				continue
			}
			out = append(out, Problem{
				Kind:    Unmatchable,
				Path:    fmt.Sprintf("virtual_hosts[%d].routes[%d].match.safe_regex.regex", i, j),
				Message: fmt.Sprintf("no request matches %q, as Envoy compares the whole path with it", p.text),
				Hint:    p.unmatchableHint(),
			})
		}
	}
	return out
}

// unmatchableHint says what to do about an expression that no path matches.
func (p *pathMatch) unmatchableHint() string {
	for _, l := range literals(p.re.tree) {
		if strings.ContainsAny(l.text, "?#") {
			return "the path has no query; match the query with query_parameters"
		}
	}
	if p.re.head != "" && p.re.head[0] != '/' {
		return "a path begins with a slash: write the expression so that it takes the whole path, as in /.*" + strings.TrimPrefix(p.text, "^")
	}
	return "write the expression so that it takes the whole path, from its slash to its end"
}

// someMatch reports whether the expression can match all of a path that begins
// with a slash and has no query. Where it cannot tell, it says yes.
func someMatch(tree *syntax.Regexp) bool {
	prog, err := syntax.Compile(tree)
	if err != nil {
		return true
	}
	s := search{prog: prog, seen: map[place]bool{}}
	s.visit(place{pc: uint32(prog.Start)})
	for len(s.due) > 0 && !s.found {
		at := s.due[len(s.due)-1]
		s.due = s.due[:len(s.due)-1]
		s.follow(at)
	}
	return s.found
}

// place is where a search stands in a program.
type place struct {
	pc    uint32
	begun bool // a letter was read
	ended bool // none may follow
}

// search walks all ways through a program.
type search struct {
	prog  *syntax.Prog
	seen  map[place]bool
	due   []place // places to go on from
	found bool
}

func (s *search) visit(p place) {
	if !s.seen[p] {
		s.seen[p] = true
		s.due = append(s.due, p)
	}
}

func (s *search) follow(p place) {
	inst := &s.prog.Inst[p.pc]
	to := func(pc uint32) { s.visit(place{pc, p.begun, p.ended}) }
	switch inst.Op {
	case syntax.InstMatch:
		s.found = s.found || p.begun
	case syntax.InstAlt, syntax.InstAltMatch:
		to(inst.Out)
		to(inst.Arg)
	case syntax.InstCapture, syntax.InstNop:
		to(inst.Out)
	case syntax.InstEmptyWidth:
		s.anchor(p, inst)
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		if !p.ended && takes(inst, p.begun) {
			s.visit(place{pc: inst.Out, begun: true})
		}
	}
}

// anchor passes an anchor where a path can have it. A path has no line breaks,
// so that lines begin and end where it does.
func (s *search) anchor(p place, inst *syntax.Inst) {
	asked := syntax.EmptyOp(inst.Arg)
	if asked&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0 && p.begun {
		return
	}
	if asked&(syntax.EmptyEndText|syntax.EmptyEndLine) != 0 {
		p.ended = true
	}
	s.visit(place{inst.Out, p.begun, p.ended})
}

// takes reports whether an instruction takes a letter that can stand in a path:
// a slash at its beginning, anything but the begin of a query later.
func takes(inst *syntax.Inst, begun bool) bool {
	if !begun {
		return inst.MatchRune('/')
	}
	for r := rune('!'); r < 0x7f; r++ {
		if r != '?' && r != '#' && inst.MatchRune(r) {
			return true
		}
	}
	return false
}
