package nginx

import (
	"regexp"
	"slices"
	"strings"
)

// row is one path that a route asks for. A route with a path_separated_prefix
// has two, any other has one.
type row struct {
	index int
	pl    *place
	c     candidate
	asks  asks
	used  bool   // some location does what its route says
	label string // of its named location, once it has one
}

// sure reports whether the route takes every request that has the path.
func (r *row) sure() bool { return len(r.asks.tests) == 0 && r.asks.share == nil }

// location is one location of nginx, and what Envoy would do with each request
// that ends there: first whatever route asks for more than the path, in their
// order, then the first that does not.
type location struct {
	form  form
	text  string
	fold  bool
	alone bool // ^~: no expression outside of it is tried
	asked []question
	sure  *row        // nil: 404
	inner []*location // expressions that are tried for its paths alone, or first
	slash bool        // it is there because nginx would redirect its path, for want of a slash
	from  *row        // the row that gives it its name; nil for none
	rough string      // why it is not exact, "" when it is

	written bool
}

// question is a route that asks for more than the path, at one location. It
// has a path of its own to ask for where the location's says too little.
type question struct {
	row  *row
	path bool
}

// order finds the locations with which nginx's best match is Envoy's first.
//
// Envoy takes the first route. Of the prefixes that a path begins with, one
// that Envoy reaches stands before all that are shorter, so that the first is
// the longest, as in nginx. An expression counts where it stands before that
// prefix. A location whose prefix stands behind all expressions is a plain one,
// behind none of them it has ^~, behind some of them it holds those.
type order struct {
	rows     []*row
	exacts   map[string][]*row
	prefixes map[string][]*row // that are reached; a guard alone has an empty list
	lengths  []int             // of the prefixes, ascending
	regexes  []*row            // that may be reached
	asking   []*row            // that ask for more than the path, and may be reached

	shared []*row // expressions of the whole server
	work   int    // comparisons of paths with expressions that are left
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

func newOrder(rows []*row) *order {
	o := &order{rows: rows, exacts: map[string][]*row{}, prefixes: map[string][]*row{}, work: mostWork, room: mostRoom,
		paths: map[string]*location{}, heads: map[string]*location{}, alike: map[*row]*location{}, twins: map[*row][]*row{}}
	sure := map[string]int{} // the first sure row of a prefix
	for i, r := range rows {
		r.index = i
		if _, ok := sure[r.c.text]; r.c.form == byPrefix && r.sure() && !ok {
			sure[r.c.text] = i
		}
	}
	var lengths []int
	for text := range sure {
		lengths = append(lengths, len(text))
	}
	slices.Sort(lengths)
	lengths = slices.Compact(lengths)
	taken := func(head string, before int) bool {
		for _, n := range lengths {
			if n > len(head) {
				return false
			}
			if i, ok := sure[head[:n]]; ok && i < before {
				return true
			}
		}
		return false
	}
	for i, r := range rows {
		head := r.c.text
		if r.c.form == byRegex {
			if head = r.c.head; len(r.asks.guard) > len(head) {
				head = r.asks.guard
			}
		}
		if taken(head, i) || !strings.HasPrefix(head, r.asks.guard) || !strings.HasPrefix(head, r.c.head) {
			continue
		}
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
	if o.prefixes["/"] == nil {
		o.prefixes["/"] = []*row{}
	}
	for text := range o.prefixes {
		o.lengths = append(o.lengths, len(text))
	}
	slices.Sort(o.lengths)
	o.lengths = slices.Compact(o.lengths)
	for _, r := range o.regexes {
		if r.sure() && r.asks.guard == "" {
			o.shared = append(o.shared, r)
		}
	}
	o.build()
	return o
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
	if !cut || path == "" || len(l.inner) > 0 || l.sure == nil || l.sure.pl.route.GetRoute() == nil || o.paths[path] != nil || o.heads[path] != nil {
		return
	}
	u := o.path(path)
	u.slash = true
	o.use(u)
	o.paths[path] = u
	o.slash(u)
}

// prefix makes the location of a prefix. needed gathers the expressions that
// the server must have for it.
func (o *order) prefix(text string, needed map[*row]bool) *location {
	l := &location{form: byPrefix, text: text}
	if own := o.prefixes[text]; len(own) > 0 {
		l.from = own[0]
	}
	end, asked := o.above(l, text)
	var before, all []*row
	for _, r := range o.regexes {
		if r.index < end && o.within(r, text) {
			if r.sure() {
				before = append(before, r)
			} else {
				asked = append(asked, r)
			}
		}
	}
	for _, r := range o.shared {
		if o.within(r, text) {
			all = append(all, r)
		}
	}
	o.ask(l, asked, func(r *row) bool { return r.c.form == byRegex })
	head := len(before) - len(all)
	behind := head >= 0 && slices.EqualFunc(before[head:], all, (*row).same)
	switch {
	case behind:
		for i, r := range before[head:] {
			if s := all[i]; s != r {
				r.used = true
				o.twins[s] = append(o.twins[s], r)
			}
		}
		before = before[:head]
	case len(before) > o.room:
		l.rough, before = lessonInterleaved, nil
	default:
		l.alone, all = true, nil
	}
	for _, r := range all {
		needed[r] = true
	}
	for _, r := range before {
		o.room--
		l.inner = append(l.inner, o.expression(r, text))
	}
	o.use(l)
	return l
}

// same reports whether the two do the same with the same expression.
func (r *row) same(s *row) bool {
	return r == s || r.c.text == s.c.text && r.c.fold == s.c.fold && sameEffect(r.pl.route, s.pl.route)
}

// above finds the first route that takes all requests which begin with text,
// and those before it that ask for more.
func (o *order) above(l *location, text string) (end int, asked []*row) {
	end = len(o.rows)
	for _, n := range o.lengths {
		if n > len(text) {
			break
		}
		for _, r := range o.prefixes[text[:n]] {
			if r.sure() {
				if r.index < end {
					end, l.sure = r.index, r
				}
				break
			}
			asked = append(asked, r)
		}
	}
	return end, slices.DeleteFunc(asked, func(r *row) bool { return r.index > end })
}

// expression makes the location of an expression, within a prefix where there
// is one.
func (o *order) expression(r *row, within string) *location {
	l := &location{form: byRegex, text: r.c.text, fold: r.c.fold, sure: r, from: r}
	var asked []*row
	maybe := map[*row]bool{}
	for _, q := range o.asking {
		if q.index > r.index {
			break
		}
		switch {
		case q.c.form == byPath:
			continue // has a location of its own
		case within != "" && q.c.form == byPrefix:
			if !strings.HasPrefix(within, q.c.text) {
				continue
			}
		case within != "":
			if !o.within(q, within) {
				continue
			}
			maybe[q] = true
		default:
			head := q.c.head
			if q.c.form == byPrefix {
				head = q.c.text
			}
			if !strings.HasPrefix(head, r.c.head) && !strings.HasPrefix(r.c.head, head) {
				continue
			}
			maybe[q] = q.c.form == byRegex || head != "/" && !strings.HasPrefix(r.c.head, head)
		}
		asked = append(asked, q)
	}
	o.ask(l, asked, func(q *row) bool { return maybe[q] })
	o.use(l)
	return l
}

// path makes the location of one path, whose routes are all known.
func (o *order) path(text string) *location {
	l := &location{form: byPath, text: text}
	raw := text // as Envoy compares it
	if own := o.exacts[text]; len(own) > 0 {
		raw = own[0].c.raw
	}
	end, asked := o.above(l, text)
	for _, r := range o.exacts[text] {
		if r.index > end {
			break
		}
		if l.from == nil {
			l.from = r
		}
		if r.sure() {
			end, l.sure = r.index, r
			break
		}
		asked = append(asked, r)
	}
	for _, r := range o.regexes {
		if r.index > end {
			break
		}
		if !strings.HasPrefix(text, r.asks.guard) || !strings.HasPrefix(text, r.c.head) {
			continue
		}
		if o.work--; o.work < 0 {
			l.rough = lessonManyRegexes
			break
		}
		if !r.c.full.MatchString(raw) {
			continue
		}
		if r.sure() {
			end, l.sure = r.index, r
			break
		}
		asked = append(asked, r)
	}
	asked = slices.DeleteFunc(asked, func(r *row) bool { return r.index > end })
	if l.from != nil && l.from.index > end {
		l.from = nil // another route takes it, whose location does so too
	}
	o.ask(l, asked, func(*row) bool { return false })
	return l
}

// ask gives a location its questions, in Envoy's order and as many as there is
// room for.
func (o *order) ask(l *location, asked []*row, maybe func(*row) bool) {
	slices.SortFunc(asked, func(a, b *row) int { return a.index - b.index })
	asked = slices.DeleteFunc(asked, func(r *row) bool {
		return slices.ContainsFunc(asked, func(q *row) bool { return q.index < r.index && !maybe(q) && q.asks.covers(r.asks) })
	})
	if len(asked) > min(mostAsked, o.room) {
		l.rough, asked = lessonManyQuestions, asked[:max(0, min(mostAsked, o.room))]
	}
	o.room -= len(asked)
	for _, r := range asked {
		l.asked = append(l.asked, question{r, maybe(r)})
	}
}

// use marks what the location says.
func (o *order) use(l *location) {
	if l.sure != nil {
		l.sure.used = true
	}
	for _, q := range l.asked {
		q.row.used = true
	}
}

// paths that a question has to ask for itself.
func (r *row) pathTests() []test {
	at := r.pl.origin.at("match")
	if r.c.form == byPrefix {
		return []test{{"$uri", "~", "^" + regexp.QuoteMeta(r.c.text), at}}
	}
	operator := "~"
	if r.c.fold {
		operator = "~*"
	}
	out := []test{{"$uri", operator, r.c.text, at}}
	if r.asks.guard != "" {
		out = append(out, test{"$uri", "~", "^" + regexp.QuoteMeta(r.asks.guard), at})
	}
	return out
}

// modifier is what stands between `location` and its name.
func (l *location) modifier() string {
	switch {
	case l.form == byPath:
		return "= "
	case l.form == byRegex && l.fold:
		return "~* "
	case l.form == byRegex:
		return "~ "
	case l.alone:
		return "^~ "
	}
	return ""
}
