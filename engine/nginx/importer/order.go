package importer

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// location is one location block. A server as a whole is one too, of which only
// the scope counts.
type location struct {
	d *conf.Directive
	found
	stop bool        // ^~: no expressions of this scope if it is the longest
	re   *expression // of byRegex
	in   *scope      // the locations within its braces

	closed bool // it stands for more than it is for, and lets nobody in
}

// scope is the locations of one block, as nginx looks them up.
type scope struct {
	exact   map[string]*location
	prefix  map[string]*location
	lengths []int // of the prefixes, longest first, each once
	regexes []*location
	named   map[string]*location

	exacts, prefixes []*location // in file order
	slots            []slot      // what order has said
}

// longest is the location with the longest prefix of a path; nil for none.
func (s *scope) longest(path string) *location {
	i, _ := slices.BinarySearchFunc(s.lengths, len(path), func(have, n int) int { return n - have })
	for _, n := range s.lengths[i:] {
		if l := s.prefix[path[:n]]; l != nil {
			return l
		}
	}
	return nil
}

// static is where the search for a literal path ends before any expression is
// tried: the way down through the scopes, exact if the last is a `=`.
func (s *scope) static(path string) (way []*location) {
	for sc := s; ; {
		if l := sc.exact[path]; l != nil {
			return append(way, l)
		}
		l := sc.longest(path)
		if l == nil {
			return way
		}
		way, sc = append(way, l), l.in
	}
}

// search is the location that nginx takes for a literal path, after expressions
// too; nil for none.
func (s *scope) search(path string) *location {
	way := s.static(path)
	if n := len(way); n > 0 && way[n-1].form == byPath {
		return way[n-1]
	}
	for _, re := range s.expressions(way) {
		if re.re.find.MatchString(path) {
			if within := re.in.search(path); within != nil {
				return within
			}
			return re
		}
	}
	if len(way) == 0 {
		return nil
	}
	return way[len(way)-1]
}

// expressions are those that nginx tries after the prefixes on that way down,
// in its order: the innermost scope's first, none of a scope where the way went
// on through a `^~`.
func (s *scope) expressions(way []*location) []*location {
	if len(way) == 0 {
		return s.regexes
	}
	out := way[len(way)-1].in.regexes
	for i := len(way) - 1; i >= 0; i-- {
		if way[i].stop {
			continue
		}
		outer := s
		if i > 0 {
			outer = way[i-1].in
		}
		switch {
		case len(out) == 0:
			out = outer.regexes
		case len(outer.regexes) > 0:
			out = slices.Concat(out, outer.regexes)
		}
	}
	return out
}

// slot is one entry of the order: a match, and what takes it.
type slot struct {
	form   form
	text   string      // path or prefix, decoded
	re     *expression // of byRegex
	guards []guard     // what a path must have besides
	loc    *location   // nil for none: nginx would look for a file
	slash  bool        // the redirect to the name with a slash
}

// slotCost and guardCost are about what they take, in bytes.
const (
	slotCost  = 128
	guardCost = 64
)

// guard is a condition on the path, said with a header matcher on :path.
type guard struct {
	prefix string
	re     *expression // nil for a prefix
}

// order lists what nginx does with paths, as the first match of a list. It stops
// where the file has no room for more.
func (s *scope) order(im *importer) []slot {
	if s.slots == nil {
		s.slots = s.ordered(im)
	}
	return s.slots
}

func (s *scope) ordered(im *importer) []slot {
	out := s.paths()
	leaves, plain := s.leaves(), len(s.regexes)
	special := map[string]bool{}
	slices.SortStableFunc(leaves, func(a, b leaf) int { return len(a.text) - len(b.text) })
	var lengths []int
	below := func(name string) bool {
		for _, n := range lengths {
			if n <= len(name) && special[name[:n]] {
				return true
			}
		}
		return false
	}
	for i, l := range leaves {
		same := len(l.regexes) == plain && (plain == 0 || &l.regexes[0] == &s.regexes[0] || slices.Equal(l.regexes, s.regexes))
		if leaves[i].special = !same || len(lengths) > 0 && below(l.text); leaves[i].special {
			special[l.text] = true
			if n := len(lengths); n == 0 || lengths[n-1] != len(l.text) {
				lengths = append(lengths, len(l.text))
			}
		}
	}
	slices.SortStableFunc(leaves, func(a, b leaf) int { return len(b.text) - len(a.text) })
	for _, l := range leaves {
		if l.special && !im.full() {
			for _, re := range l.regexes {
				out = append(out, re.slots(im, []guard{{prefix: l.text}})...)
			}
			out = append(out, slot{form: byPrefix, text: l.text, loc: l.location})
		}
	}
	for _, re := range s.regexes {
		out = append(out, re.slots(im, nil)...)
	}
	for _, l := range leaves {
		if !l.special {
			out = append(out, slot{form: byPrefix, text: l.text, loc: l.location})
		}
	}
	if s.prefix["/"] == nil {
		out = append(out, slot{form: byPrefix, text: "/"})
	}
	return out
}

// slots are those of an expression: the locations within its braces first, each
// only where the expression matches too.
func (l *location) slots(im *importer, guards []guard) []slot {
	if im.full() {
		return nil
	}
	im.spend(slotCost + guardCost*len(guards))
	var out []slot
	if l.in.any() {
		inner := append(slices.Clone(guards), guard{re: l.re})
		for _, s := range l.in.order(im) {
			if im.full() {
				return nil
			}
			if s.loc == nil && !s.slash {
				continue // none within takes it: the expression itself does
			}
			if s.form != byRegex && !s.holds(inner) {
				continue
			}
			s.guards = slices.Concat(inner, s.guards)
			im.spend(slotCost + guardCost*len(s.guards))
			out = append(out, s)
		}
	}
	return append(out, slot{form: byRegex, text: l.text, re: l.re, guards: guards, loc: l})
}

// holds reports whether a literal path can meet the guards; true for a prefix.
func (s slot) holds(gs []guard) bool {
	if s.form != byPath {
		return true
	}
	for _, g := range gs {
		if g.re != nil && !g.re.find.MatchString(s.text) || g.re == nil && !strings.HasPrefix(s.text, g.prefix) {
			return false
		}
	}
	return true
}

func (s *scope) any() bool { return len(s.exact)+len(s.prefix)+len(s.regexes) > 0 }

// paths are the literal paths that nginx decides without looking further: `=`
// locations that are reached, and the redirects to a name with a slash. An outer
// redirect wins over a nested `=`.
func (s *scope) paths() (out []slot) {
	done := map[string]bool{}
	s.each(func(l *location) {
		if l.slashed() {
			out = s.decide(strings.TrimSuffix(l.text, "/"), out, done)
		}
		if l.form == byPath {
			out = s.decide(l.text, out, done)
		}
	})
	return out
}

// decide adds the slot of a literal path, if one decides it.
func (s *scope) decide(u string, out []slot, done map[string]bool) []slot {
	if done[u] || u == "" {
		return out
	}
	done[u] = true
	for sc := s; ; {
		if l := sc.exact[u]; l != nil {
			return append(out, slot{form: byPath, text: u, loc: l})
		}
		if l := sc.slashedOf(u); l != nil && sc.prefix[u] == nil {
			return append(out, slot{form: byPath, text: u, loc: l, slash: true})
		}
		l := sc.longest(u)
		if l == nil {
			return out
		}
		sc = l.in
	}
}

// slashedOf is the location of which the redirect from u to u with a slash is. Where
// nginx has an `=` location of that name, it is this one, whichever of the two passes
// requests on.
func (s *scope) slashedOf(u string) *location {
	exact, prefix := s.exact[u+"/"], s.prefix[u+"/"]
	switch {
	case (exact == nil || !exact.slashed()) && (prefix == nil || !prefix.slashed()):
		return nil
	case exact != nil:
		return exact
	}
	return prefix
}

// passes are the directives that make nginx redirect a name without its last
// slash.
var passes = []string{"proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"}

// slashed reports whether nginx redirects the location's name without its last
// slash to the name with it.
func (l *location) slashed() bool {
	return len(l.text) > 1 && strings.HasSuffix(l.text, "/") && l.form != byRegex && first(l.d, passes...) != nil
}

// first is the first directive of one of these names within the braces.
func first(d *conf.Directive, names ...string) *conf.Directive {
	for _, c := range d.Block {
		if slices.Contains(names, c.Name) {
			return c
		}
	}
	return nil
}

// each walks the locations that are found by their name, each before those
// within it.
func (s *scope) each(yield func(*location)) {
	for _, l := range s.exacts {
		yield(l)
	}
	for _, l := range s.prefixes {
		yield(l)
		l.in.each(yield)
	}
}

// leaf is a prefix location that some path ends in, with the expressions that
// nginx tries before it.
type leaf struct {
	*location
	regexes []*location
	special bool
}

// leaves are the prefix locations of all depths that a search can end in.
func (s *scope) leaves() []leaf {
	var out []leaf
	s.each(func(l *location) {
		if l.form != byPrefix {
			return
		}
		way := s.descend(l.text)
		if len(way) > 0 && way[len(way)-1] == l {
			out = append(out, leaf{location: l, regexes: s.expressions(way)})
		}
	})
	return out
}

// descend is the way down by prefixes alone.
func (s *scope) descend(path string) (way []*location) {
	for l := s.longest(path); l != nil; l = l.in.longest(path) {
		way = append(way, l)
	}
	return way
}
