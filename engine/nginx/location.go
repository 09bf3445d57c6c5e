package nginx

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// order decides which of a virtual host's routes a request can reach, and how
// nginx must be told so that its best match is Envoy's first match.
type order struct {
	paths    map[string]bool
	prefixes map[string]bool
	regexes  []*regexp.Regexp
	longest  int // of the prefixes
	left     int // expressions that are still to come
	before   int // expressions that stand before

	plain map[string]int  // locations that routes for all requests still want
	gRPC  map[string]bool // locations that have gone to gRPC alone
}

// name tells locations apart.
func (c candidate) name() string { return fmt.Sprintf("%d%t%s", c.form, c.fold, c.text) }

// count notes which locations the routes for all requests want.
func (o *order) count(places []place) {
	for _, pl := range places {
		for _, c := range pl.candidates {
			if pl.condition == "" && !pl.grpc {
				o.plain[c.name()]++
			}
		}
	}
}

// comparedRegexes bounds how many expressions a path is tried against.
const comparedRegexes = 200

// shadowed reports whether every request for c is taken by an earlier route.
func (o *order) shadowed(c candidate) bool {
	if c.form == byRegex {
		return o.prefixes["/"]
	}
	for n := 1; n <= min(len(c.text), o.longest); n++ {
		if o.prefixes[c.text[:n]] {
			return true
		}
	}
	if c.form != byPath {
		return false
	}
	if o.paths[c.text] {
		return true
	}
	for _, re := range o.regexes[:min(len(o.regexes), comparedRegexes)] {
		if re.MatchString(c.text) {
			return true
		}
	}
	return false
}

// keep remembers a candidate that got its location.
func (o *order) keep(c candidate) {
	switch c.form {
	case byPath:
		o.paths[c.text] = true
	case byPrefix:
		o.prefixes[c.text] = true
		o.longest = max(o.longest, len(c.text))
	case byRegex:
		o.regexes = append(o.regexes, c.full)
		o.before++
		o.left--
	}
}

// place is one route with the locations that it would like to have.
type place struct {
	origin     Origin
	route      *routev3.Route
	candidates []candidate
	condition  string // besides the path, "" for none
	grpc       bool   // takes gRPC requests alone
}

// locations writes the routes of a virtual host in Envoy's order.
func (p *projection) locations(sc *scope) {
	ord := &order{paths: map[string]bool{}, prefixes: map[string]bool{}, plain: map[string]int{}, gRPC: map[string]bool{}}
	places := make([]place, len(sc.host.GetRoutes()))
	for i, r := range sc.host.GetRoutes() {
		o := sc.origin.at(fmt.Sprintf("routes[%d]", i))
		places[i] = place{o, r, candidates(o.at("match"), r.GetMatch()), conditions(r.GetMatch()), r.GetMatch().GetGrpc() != nil}
		for _, c := range places[i].candidates {
			if c.form == byRegex && places[i].condition == "" {
				ord.left++
			}
			if c.form == byPath {
				sc.exact[c.text] = true
			}
		}
	}
	ord.count(places)
	for _, pl := range places {
		p.place(sc, ord, pl)
	}
	if !ord.prefixes["/"] && !ord.gRPC[candidate{form: byPrefix, text: "/"}.name()] {
		m := exact(sc.origin).with(lessonNoMatch)
		p.open(m, "location /")
		p.add(m, "return 404;")
		p.end()
	}
}

// place writes the locations of one route, or a comment in their stead.
func (p *projection) place(sc *scope, ord *order, pl place) {
	match := pl.origin.at("match")
	if len(pl.candidates) == 0 {
		m := mark{from: match, also: []Origin{pl.origin}}.none(lessonMatcher)
		p.commented(sc, pl, candidate{text: describe(pl.route.GetMatch()), mark: m})
		return
	}
	if pl.condition != "" {
		m := mark{from: match, also: []Origin{pl.origin}}.none(lessonCondition)
		p.note(m, "only with %s:", pl.condition)
		for _, c := range pl.candidates {
			c.mark = c.mark.none(lessonCondition)
			p.commented(sc, pl, c)
		}
		return
	}
	for _, c := range pl.candidates {
		if ord.shadowed(c) {
			if c.form == byRegex {
				ord.left--
			}
			c.mark = c.mark.none(lessonShadowed)
			p.note(mark{from: match, also: []Origin{pl.origin}}.none(lessonShadowed), "never reached, an earlier route takes it:")
			p.commented(sc, pl, c)
			continue
		}
		c.mark.also = append(c.mark.also, pl.origin)
		if pl.grpc {
			p.grpcLocation(sc, ord, pl, c)
			continue
		}
		p.location(sc, pl, c, p.modifier(ord, &c))
		ord.keep(c)
	}
}

// grpcLocation writes a location of a route for gRPC requests alone. It keeps
// no later route from its own location, as the other requests go there.
func (p *projection) grpcLocation(sc *scope, ord *order, pl place, c candidate) {
	if c.form == byRegex {
		defer func() { ord.left--; ord.before++ }()
	}
	switch {
	case ord.gRPC[c.name()]:
		c.mark = c.mark.none(lessonShadowed)
	case ord.plain[c.name()] > 0:
		c.mark = c.mark.none(lessonGRPCBoth)
	default:
		modifier := p.modifier(ord, &c)
		c.mark = c.mark.approx(lessonGRPCOnly)
		ord.gRPC[c.name()] = true
		p.location(sc, pl, c, modifier)
		return
	}
	p.note(mark{from: pl.origin.at("match.grpc")}.none(c.mark.lesson), "for gRPC alone:")
	p.commented(sc, pl, c)
}

// modifier is what stands between `location` and its name. A prefix that Envoy
// tries before an expression needs `^~`.
func (p *projection) modifier(ord *order, c *candidate) string {
	switch {
	case c.form == byPath:
		return "= "
	case c.form == byRegex && c.fold:
		return "~* "
	case c.form == byRegex:
		return "~ "
	case ord.left > 0 && ord.before > 0:
		c.mark = c.mark.approx(lessonInterleaved)
	case ord.left > 0:
		c.mark = c.mark.with(lessonRegexAfter)
		return "^~ "
	}
	return ""
}

// commented writes a location that nginx must not have.
func (p *projection) commented(sc *scope, pl place, c candidate) {
	unmute := p.mute(None)
	defer unmute()
	modifier := map[form]string{byPath: "= ", byRegex: "~ "}[c.form]
	p.location(sc, pl, c, modifier)
}

// location writes one location with its route's action.
func (p *projection) location(sc *scope, pl place, c candidate, modifier string) {
	if c.form == byPrefix && strings.HasSuffix(c.text, "/") && c.text != "/" && pl.route.GetRoute() != nil &&
		c.mark.kind == Exact && !sc.exact[strings.TrimSuffix(c.text, "/")] {
		c.mark = c.mark.approx(lessonSlash)
	}
	p.open(c.mark, "location %s%s", modifier, token(c.text))
	p.action(sc, pl, c)
	p.end()
}
