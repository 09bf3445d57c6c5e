package nginx

import (
	"fmt"
	"strings"
)

// firstCode is the first of the statuses by which a location asks for a named
// one. Nothing else answers with them.
const firstCode = 460

// questions writes what is asked of a request before the location does its own.
// A redirect or an answer stands there itself; a route to a cluster is a named
// location, which `return` and error_page lead to, as they change nothing of the
// request.
func (p *projection) questions(sc *scope, asked []question) {
	codes := map[*row]int{}
	for _, q := range asked {
		if !q.row.short(sc) {
			codes[q.row] = firstCode + len(codes)
			m := exact(q.row.pl.origin.at("match")).with(lessonNamed)
			p.add(m, "error_page %d = %s;", codes[q.row], p.label(sc, q.row))
		}
	}
	for _, q := range asked {
		p.question(sc, q, codes[q.row])
	}
}

// short reports whether the route's action fits into `if`: a return that
// touches no header.
func (r *row) short(sc *scope) bool {
	if r.pl.wide != "" {
		return true
	}
	if r.pl.route.GetRoute() != nil || len(r.pl.route.GetTypedPerFilterConfig()) > 0 {
		return false
	}
	for _, l := range headerLevels(sc, r.pl) {
		if len(l.config.GetResponseHeadersToAdd())+len(l.config.GetResponseHeadersToRemove()) > 0 {
			return false
		}
	}
	return true
}

// label is the name of the named location that does what the row's route says.
func (p *projection) label(sc *scope, r *row) string {
	if r.label == "" {
		stem := "route"
		if all := clustersOf(r.pl.route.GetRoute()); len(all) > 0 && strings.Trim(strings.Join(all, ""), " ") != "" {
			stem = identifier(strings.Join(all[:1], "")+strings.Join(all[1:min(2, len(all))], ""), 24)
		}
		r.label = "@" + stem
		for i := 2; sc.labels[r.label]; i++ {
			r.label = fmt.Sprintf("@%s_%d", stem, i)
		}
		sc.labels[r.label] = true
		sc.pending = append(sc.pending, r)
	}
	return r.label
}

// question writes one of them. Several tests count together.
func (p *projection) question(sc *scope, q question, code int) {
	r := q.row
	match := r.pl.origin.at("match")
	var tests []test
	if q.path {
		tests = r.pathTests()
	}
	tests = append(tests, r.asks.tests...)
	if r.asks.share != nil {
		tests = append(tests, test{"$" + p.shareOf(r), "=", "1", r.asks.share.mark.from})
	}
	m := func(t test) mark {
		m := mark{kind: Exact, from: t.origin, also: []Origin{match, r.pl.origin}, lesson: lessonQuestion}
		switch {
		case r.asks.strict && strings.HasPrefix(t.variable, "$http_") && t.variable != "$http_host" && t.operator[0] != '!':
			m = m.approx(lessonFirstHeader)
		case r.asks.lesson != "":
			m = m.approx(r.asks.lesson)
		}
		return m
	}
	last := tests[0]
	if len(tests) > 1 {
		p.add(m(last), "set $taken 1;")
		for _, t := range tests {
			p.add(m(t), "if (%s) { set $taken 0; }", t.not())
		}
		last = test{"$taken", "=", "1", match}
	}
	if code != 0 {
		p.add(m(last), "if (%s) { return %d; }", last, code)
		return
	}
	p.open(m(last), "if (%s)", last)
	c := r.c
	c.form = byRegex
	p.action(sc, r.pl, c)
	p.end()
}

// shareOf is the variable that draws a share of the requests for a row.
func (p *projection) shareOf(r *row) string {
	o := r.asks.share.mark.from
	if name, ok := p.drawn[o]; ok {
		return name
	}
	if p.muted {
		return "share"
	}
	name := p.variableName("share_" + identifier(r.pl.route.GetRoute().GetCluster(), 24))
	rest := part{mark: r.asks.share.mark, name: "0", weight: 1_000_000 - r.asks.share.weight}
	one := *r.asks.share
	one.name = "1"
	p.splits = append(p.splits, split{name: name, origin: o, parts: []part{one, rest}})
	p.drawn[o] = name
	return name
}

// namedLocations writes those that were asked for since the last time.
func (p *projection) namedLocations(sc *scope) {
	for len(sc.pending) > 0 {
		r := sc.pending[0]
		sc.pending = sc.pending[1:]
		m := r.c.mark.with(lessonNamed)
		m.also = append(m.also[:len(m.also):len(m.also)], r.pl.origin)
		p.open(m, "location %s", r.label)
		c := r.c
		c.form = byRegex
		p.action(sc, r.pl, c)
		p.end()
	}
}
