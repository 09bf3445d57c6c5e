package nginx

import (
	"slices"
	"strings"
)

// order finds the locations with which nginx's best match is Envoy's first.
//
// Envoy takes the first route. Of the prefixes that a path begins with, one
// that Envoy reaches stands before all that are shorter, so that the first is
// the longest, as in nginx. An expression counts where it stands before that
// prefix. A location whose prefix stands behind all expressions is a plain one,
// behind none of them it has ^~, behind some of them it holds those.
type order struct {
	rows     []*row
	keepsOut func(*row) bool
	exacts   map[string][]*row
	prefixes map[string][]*row // that are reached; a guard alone has an empty list
	lengths  []int             // of the prefixes, ascending
	regexes  []*row            // that may be reached
	asking   []*row            // that ask for more than the path, and may be reached

	shared []*row // expressions of the whole server
	work   int    // comparisons of paths with expressions that are left
	last   int    // of these, for expressions that keep out, when none is left
	room   int    // copies of expressions and questions that are left

	paths map[string]*location
	heads map[string]*location
	alike map[*row]*location // of an expression of the whole server
	twins map[*row][]*row    // of an expression of the whole server: that do the same for some paths
}

// Bounds of what is worked out for one virtual host. Beyond them the lines are
// Approximate.
const (
	mostWork  = 400_000
	mostRoom  = 2_000
	mostAsked = 24 // questions of one location
)

// newOrder finds the locations for the rows of a virtual host. keepsOut says of a row
// that nobody else may have its requests.
func newOrder(rows []*row, keepsOut func(*row) bool) *order {
	o := &order{rows: rows, keepsOut: keepsOut, exacts: map[string][]*row{}, prefixes: map[string][]*row{}, work: mostWork, last: mostWork, room: mostRoom,
		paths: map[string]*location{}, heads: map[string]*location{}, alike: map[*row]*location{}, twins: map[*row][]*row{}}
	taken := takenPrefixes(rows)
	for i, r := range rows {
		r.index = i
		head := r.c.text
		if r.c.form == byRegex {
			if head = r.c.head; len(r.asks.guard) > len(head) {
				head = r.asks.guard
			}
		}
		if taken(head, i) || !strings.HasPrefix(head, r.asks.guard) || !strings.HasPrefix(head, r.c.head) {
			continue
		}
		o.reached(r)
	}
	if o.prefixes["/"] == nil {
		o.prefixes["/"] = []*row{}
	}
	o.lengths = lengthsOf(o.prefixes)
	for _, r := range o.regexes {
		if r.sure() && r.asks.guard == "" {
			o.shared = append(o.shared, r)
		}
	}
	o.build()
	return o
}

// takenPrefixes tells whether a row before this one takes all paths that begin with
// head.
func takenPrefixes(rows []*row) (taken func(head string, before int) bool) {
	first := map[string]int{} // sure row of a prefix
	for i, r := range rows {
		if _, ok := first[r.c.text]; r.c.form == byPrefix && r.sure() && !ok {
			first[r.c.text] = i
		}
	}
	lengths := lengthsOf(first)
	return func(head string, before int) bool {
		for _, n := range lengths {
			if n > len(head) {
				return false
			}
			if i, ok := first[head[:n]]; ok && i < before {
				return true
			}
		}
		return false
	}
}

// lengthsOf are those of the keys, ascending, each once.
func lengthsOf[V any](of map[string]V) []int {
	var out []int
	for text := range of {
		out = append(out, len(text))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reached takes in a row that Envoy may come to.
func (o *order) reached(r *row) {
	if !r.sure() {
		o.asking = append(o.asking, r)
	}
	switch r.c.form {
	case byPath:
		o.exacts[r.c.text] = append(o.exacts[r.c.text], r)
	case byPrefix:
		o.prefixes[r.c.text] = append(o.prefixes[r.c.text], r)
	case byRegex:
		o.regexes = append(o.regexes, r)
		if g := r.asks.guard; g != "" && o.prefixes[g] == nil {
			o.prefixes[g] = []*row{}
		}
	}
}

// longest is the longest prefix that the path begins with.
func (o *order) longest(path string) string {
	for i := len(o.lengths) - 1; i >= 0; i-- {
		if n := o.lengths[i]; n <= len(path) && o.prefixes[path[:n]] != nil {
			return path[:n]
		}
	}
	return ""
}

// within reports whether an expression can match a path whose longest prefix is
// this one.
func (o *order) within(r *row, prefix string) bool {
	if g := r.asks.guard; g != "" && !strings.HasPrefix(prefix, g) {
		return false
	}
	if strings.HasPrefix(r.c.head, prefix) {
		return o.longest(r.c.head) == prefix
	}
	return strings.HasPrefix(prefix, r.c.head)
}

// build makes the locations: prefixes first, since what expressions are needed
// for all follows from them.
func (o *order) build() {
	needed := map[*row]bool{}
	for _, text := range sortedKeys(o.prefixes) {
		o.heads[text] = o.prefix(text, needed)
	}
	o.shared = slices.DeleteFunc(o.shared, func(r *row) bool { return !needed[r] })
	for _, r := range o.shared {
		o.alike[r] = o.expression(r, "")
	}
	for _, text := range sortedKeys(o.exacts) {
		if l := o.path(text); l.from != nil {
			o.paths[text] = l
			o.use(l)
		}
	}
	for _, all := range []map[string]*location{o.heads, o.paths} {
		for _, text := range sortedKeys(all) {
			o.slash(all[text])
		}
	}
}

// slash gives the path without the slash a location, where nginx would redirect
// it to the one that ends in a slash and proxies.
func (o *order) slash(l *location) {
	path, cut := strings.CutSuffix(l.text, "/")
	if !cut || path == "" || len(l.inner) > 0 || l.sure == nil || !l.sure.pl.proxies() || o.paths[path] != nil || o.heads[path] != nil {
		return
	}
	u := o.path(path)
	u.slash = true
	o.use(u)
	o.paths[path] = u
	o.slash(u)
}
