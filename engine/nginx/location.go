package nginx

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// place is one route, with the locations that it would like to have.
type place struct {
	origin  Origin
	route   *routev3.Route
	rows    []*row
	asks    asks
	careful bool   // POST has a route of its own, with fewer retries
	said    string // what nginx does by itself in its stead, "" for nothing
	wide    string // why its locations refuse more than Envoy does, "" where they do not

	judged, out bool // whether it is known, and so, that nobody else may have its requests
}

// proxies reports whether the place's location has a proxy_pass.
func (pl *place) proxies() bool { return pl.route.GetRoute() != nil && pl.wide == "" }

// locations writes the routes of a virtual host in Envoy's order.
func (p *projection) locations(sc *scope) {
	sc.places = make([]*place, len(sc.host.GetRoutes()))
	for i, r := range sc.host.GetRoutes() {
		o := sc.origin.at(fmt.Sprintf("routes[%d]", sc.index(i)))
		sc.places[i] = &place{origin: o, route: r, said: sc.byItself(i), careful: i > 0 && notRepeated(sc.host.GetRoutes()[i-1], r)}
	}
	var rows []*row
	for _, pl := range sc.places {
		rows = append(rows, p.rowsOf(sc, pl)...)
	}
	p.spelling(sc)
	ord := newOrder(rows, func(r *row) bool { return sc.keepsOut(p, r.pl) })
	sc.order = ord
	for _, pl := range sc.places {
		p.place(sc, ord, pl)
	}
	for _, text := range sortedKeys(ord.heads) {
		p.locate(sc, ord, ord.heads[text])
	}
}

// rowsOf are the paths that a place asks for, none where nginx has no words for its
// match. One whose requests nobody else may have asks for more then.
func (p *projection) rowsOf(sc *scope, pl *place) []*row {
	if pl.said != "" {
		return nil
	}
	match := pl.origin.at("match")
	pl.asks = questions(match, pl.route.GetMatch(), sc.skip, refusing(pl.route) > 0 || len(pl.route.GetTypedPerFilterConfig()) > 0)
	escaped := false
	for _, c := range candidates(match, pl.route.GetMatch()) {
		pl.rows = append(pl.rows, &row{pl: pl, c: c, asks: pl.asks})
		escaped = escaped || c.sent != ""
	}
	said := pl.asks.ok && len(pl.rows) > 0
	switch {
	case said && !escaped:
		return pl.rows
	case sc.keepsOut(p, pl) && pl.widen():
		return pl.rows
	case said:
		return pl.rows
	}
	return nil
}

// place writes the locations of one route that do not stand yet, or a comment in
// their stead.
func (p *projection) place(sc *scope, ord *order, pl *place) {
	match := pl.origin.at("match")
	if pl.said != "" {
		m := mark{kind: Exact, from: match, also: []Origin{pl.origin}, lesson: pl.said}
		p.note(m, "%s: nginx by itself", titleOf(pl.route))
		return
	}
	if len(pl.rows) == 0 {
		m := mark{from: match, also: []Origin{pl.origin}}.none(lessonMatcher)
		p.commented(sc, pl, candidate{text: describe(pl.route.GetMatch()), mark: m})
		return
	}
	if !pl.asks.ok {
		m := mark{from: match, also: []Origin{pl.origin}}.none(lessonCondition)
		p.note(m, "only with %s:", conditions(pl.route.GetMatch()))
		for _, r := range pl.rows {
			c := r.c
			c.mark = c.mark.none(lessonCondition)
			p.commented(sc, pl, c)
		}
		return
	}
	if pl.wide != "" {
		p.note(mark{from: match, also: []Origin{pl.origin}}.approx(pl.wide), "closed: Envoy refuses no more than %s", pl.refuses())
	}
	for _, r := range pl.rows {
		if !r.used {
			lesson, why := lessonShadowed, "never reached, an earlier route takes it:"
			if sc.refusedBefore(r) {
				lesson, why = lessonShadowedWide, "not reached here, all of it is refused above:"
			}
			c := r.c
			c.mark = c.mark.none(lesson)
			p.note(mark{from: match, also: []Origin{pl.origin}}.none(lesson), "%s", why)
			p.commented(sc, pl, c)
			continue
		}
		p.locate(sc, ord, ord.of(r))
	}
}

// of is the location that stands where the row does; nil when it needs none.
func (o *order) of(r *row) *location {
	switch {
	case r.c.form == byPath:
		return o.paths[r.c.text]
	case r.c.form == byPrefix:
		return o.heads[r.c.text]
	case r.asks.guard != "":
		return o.heads[r.asks.guard]
	}
	return o.alike[r]
}

// locate writes a location, what it needs beside it, and the one that keeps
// nginx from redirecting to it, unless it stands already.
func (p *projection) locate(sc *scope, ord *order, l *location) {
	if l == nil || l.written {
		return
	}
	l.written = true
	if ord.redirectsItself(l) {
		m := p.markOf(sc, l).with(lessonSlashItself)
		p.note(m, "%s: nginx by itself", titleOf(l.sure.pl.route))
		return
	}
	if len(l.inner) == 0 {
		p.locationOf(sc, l)
	} else {
		m := p.markOf(sc, l)
		m.lesson = lessonScope
		p.open(m, "location %s%s", l.modifier(), token(l.text))
		for _, in := range l.inner {
			p.locationOf(sc, in)
		}
		p.locationOf(sc, &location{form: byPrefix, text: l.text, asked: l.asked, sure: l.sure, from: l.from, rough: l.rough, shut: l.shut})
		p.end()
	}
	for text := l.text; len(text) > 1 && strings.HasSuffix(text, "/"); {
		text = strings.TrimSuffix(text, "/")
		path := ord.paths[text]
		if path == nil || !path.slash || path.written {
			break
		}
		path.written = true
		p.locationOf(sc, path)
	}
	p.namedLocations(sc)
}

// titleOf is what to call a route that has no location.
func titleOf(r *routev3.Route) string {
	return orElse(strings.TrimPrefix(r.GetName(), "nginx: "), describe(r.GetMatch()))
}

// markOf is the mark of the line that begins a location.
func (p *projection) markOf(sc *scope, l *location) mark {
	m := exact(sc.origin).with(lessonNoMatch)
	from := l.from
	if l.sure != nil && l.sure.c.form == l.form && l.sure.c.text == l.text {
		from = l.sure
	}
	if from != nil {
		m = from.c.mark
		m.also = append(m.also[:len(m.also):len(m.also)], from.pl.origin)
	}
	if l.sure != nil && l.sure != from {
		if from == nil {
			m = exact(l.sure.pl.origin.at("match")).with(lessonLocation)
		}
		m.also = append(m.also[:len(m.also):len(m.also)], l.sure.pl.origin)
	}
	for _, twin := range sc.order.twins[l.from] {
		m.also = append(m.also[:len(m.also):len(m.also)], twin.pl.origin)
	}
	if l.alone && m.kind == Exact {
		m.lesson = lessonRegexAfter
	}
	if l.slash {
		m = m.with(lessonSlash)
	}
	if l.rough != "" {
		m = m.approx(l.rough)
	}
	return m
}

// locationOf writes one location: the questions, and what is left without them.
func (p *projection) locationOf(sc *scope, l *location) {
	p.open(p.markOf(sc, l), "location %s%s", l.modifier(), token(l.text))
	p.questions(sc, l.asked)
	switch {
	case l.shut:
		p.shut(sc, l)
	case l.sure == nil:
		p.add(exact(sc.origin).with(lessonNoMatch), "return 404;")
	default:
		p.action(sc, l.sure.pl, l.sure.within(l))
	}
	p.end()
}

// within is the row's candidate at a location: a rewrite of the path's head is
// the URI of proxy_pass only where the location's name is that head.
func (r *row) within(l *location) candidate {
	c := r.c
	if l.form != c.form || l.text != c.text {
		c.form = byRegex
	}
	return c
}

// commented writes a location that nginx must not have.
func (p *projection) commented(sc *scope, pl *place, c candidate) {
	unmute := p.mute(None)
	defer unmute()
	modifier := map[form]string{byPath: "= ", byRegex: "~ "}[c.form]
	p.open(c.mark, "location %s%s", modifier, token(c.text))
	p.action(sc, pl, c)
	p.end()
}
