package nginx

import (
	"slices"
	"strings"
)

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
	shut  bool        // what is left refuses everybody: for want of room it is not known what Envoy refuses

	written bool
}

// question is a route that asks for more than the path, at one location. It
// has a path of its own to ask for where the location's says too little.
type question struct {
	row  *row
	path bool
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
		l.rough = lessonInterleaved
		if l.sure != nil && o.keepsOut(l.sure) || slices.ContainsFunc(before, func(r *row) bool { return r.asks.guard != "" && o.keepsOut(r) }) {
			l.shut, l.alone, all = true, true, nil
		}
		before = nil
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
			if !o.keepsOut(r) {
				continue
			}
			if o.last--; o.last < 0 {
				l.shut = true
				break
			}
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
	if most := max(0, min(mostAsked, o.room)); len(asked) > most {
		l.rough = lessonManyQuestions
		more := slices.DeleteFunc(slices.Clone(asked[most:]), func(r *row) bool { return !o.keepsOut(r) })
		if asked = slices.Concat(asked[:most], more); len(asked) > max(0, o.room) {
			asked, l.shut = asked[:max(0, o.room)], true
		}
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
