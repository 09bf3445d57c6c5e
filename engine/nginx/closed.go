package nginx

import (
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	templatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"

	"example.com/meshtui/engine/mesh"
)

// Where Envoy refuses by what nginx cannot ask, the next location would let in.
// There nginx refuses all that it cannot tell apart, and says so.

// refusing is the status with which a route refuses whatever it takes; 0 for one
// that does not.
func refusing(r *routev3.Route) uint32 {
	if status := r.GetDirectResponse().GetStatus(); status >= 400 {
		return status
	}
	return 0
}

// keepsOut reports whether nginx must not give the place's requests to another
// one: Envoy lets nobody through here, or asks more than it asks elsewhere in the
// virtual host.
func (sc *scope) keepsOut(p *projection, pl *place) bool {
	if !pl.judged {
		pl.judged, pl.out = true, refusing(pl.route) > 0 || p.leadsNowhere(pl.route.GetRoute()) || sc.asksMore(pl)
	}
	return pl.out
}

// leadsNowhere reports whether a route sends to a cluster that the mesh does not
// have, or that has nobody in it for good: Envoy answers 503.
func (p *projection) leadsNowhere(ra *routev3.RouteAction) bool {
	if ra.GetCluster() == "" {
		return false
	}
	at := Origin{Key: mesh.Key{Type: mesh.Cluster, Name: ra.GetCluster()}}
	r := p.mesh.Get(at.Key)
	if r == nil {
		return true
	}
	c, ok := r.Message.(*clusterv3.Cluster)
	return ok && c.GetClusterDiscoveryType() != nil && c.GetType() == clusterv3.Cluster_STATIC && p.count(at, c).servers == 0
}

// asksMore reports whether something guards the place that does not guard every
// route to a cluster.
func (sc *scope) asksMore(pl *place) bool {
	own := sc.guardsOf(pl)
	if len(own) == 0 {
		return false
	}
	if sc.guarding == nil {
		sc.guarding = map[Origin]int{}
		for _, other := range sc.places {
			if other.route.GetRoute() == nil {
				continue
			}
			sc.forwards++
			seen := map[Origin]bool{}
			for _, g := range sc.guardsOf(other) {
				if !seen[g.from] {
					seen[g.from] = true
					sc.guarding[g.from]++
				}
			}
		}
	}
	for _, g := range own {
		if sc.guarding[g.from] < sc.forwards {
			return true
		}
	}
	return false
}

// widen gives the place the nearest match around its own that nginx can write;
// what it cannot ask is left out. It reports whether there is one: what takes no
// request that nginx passes on needs none.
func (pl *place) widen() bool {
	m := pl.route.GetMatch()
	match := pl.origin.at("match")
	if pl.asks.never || m.GetConnectMatcher() != nil {
		return false
	}
	all := candidates(match, m)
	sent := test{"$request_uri", "~", "", match}
	for _, c := range all {
		sent.value = orElse(sent.value, c.sent)
		if m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue() {
			sent.operator = "~*"
		}
	}
	pl.wide = lessonWideCondition
	if len(all) == 0 || sent.value != "" {
		c, ok := prefixAround(match, m, pl.asks.guard)
		if !ok {
			return false
		}
		all, pl.wide, pl.asks.guard = []candidate{c}, lessonWidePath, ""
	}
	if sent.value != "" {
		sent.value = "^[^?]*" + strings.TrimSuffix(sent.value, sentQuery) // of a path_separated_prefix the first alone is too little
		pl.asks.tests = append(pl.asks.tests, sent)
	}
	pl.asks.ok = true
	pl.rows = nil
	for _, c := range all {
		c.mark = c.mark.approx(pl.wide)
		pl.rows = append(pl.rows, &row{pl: pl, c: c, asks: pl.asks})
	}
	return true
}

// prefixAround is a prefix of all paths that the match takes. guard is what they begin
// with besides.
func prefixAround(o Origin, m *routev3.RouteMatch, guard string) (candidate, bool) {
	head, field := "", "prefix"
	switch ps := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		head = ps.Prefix
	case *routev3.RouteMatch_Path:
		head, field = ps.Path, "path"
	case *routev3.RouteMatch_PathSeparatedPrefix:
		head, field = ps.PathSeparatedPrefix, "path_separated_prefix"
	case *routev3.RouteMatch_SafeRegex:
		head, field = headOfRegex(ps.SafeRegex.GetRegex()), "safe_regex"
	case *routev3.RouteMatch_PathMatchPolicy:
		field = "path_match_policy"
		if t, ok := unpack(ps.PathMatchPolicy.GetTypedConfig()).(*templatev3.UriTemplateMatchConfig); ok {
			head = t.GetPathTemplate()
			head = head[:strings.IndexAny(head+"*", "*{")]
		}
	}
	if head == "" {
		head = "/"
	}
	if !strings.HasPrefix(head, "/") {
		return candidate{}, false // no path begins with it
	}
	end := strings.IndexFunc(head, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '%' || r == 0xfffd })
	if end < 0 {
		end = len(head)
	}
	head = head[:min(end, 250)]
	if len(guard) > len(head) {
		head = guard
	}
	c := candidate{form: byPrefix, text: head, raw: head, matched: head, field: field, mark: exact(o.at(field))}
	if m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue() && head != "/" {
		c.toRegex(true)
	}
	return c, true
}

// refuseAll writes what stands at a place that takes more than Envoy gives to it.
func (p *projection) refuseAll(pl *place) {
	status := refusing(pl.route)
	if status == 0 || status > 599 || status == 444 {
		status = 403
	}
	m := mark{from: pl.origin.at("match"), also: []Origin{pl.origin}}.approx(pl.wide)
	if pl.route.GetDirectResponse() != nil {
		m.also = append(m.also, pl.origin.at("direct_response"))
	}
	p.closed(m)
	p.add(m, "return %d;", status)
	p.routeRest(pl)
}

// closed remembers a place that refuses more than Envoy does, for the head of the
// text.
func (p *projection) closed(m mark) {
	if p.muted {
		return
	}
	i := slices.IndexFunc(p.closures, func(c closure) bool { return c.mark.lesson == m.lesson })
	if i < 0 {
		i, p.closures = len(p.closures), append(p.closures, closure{mark: m})
	} else if c := &p.closures[i]; c.places < mostNamed && m.from != c.mark.from && !slices.Contains(c.mark.also, m.from) {
		c.mark.also = append(c.mark.also, m.from)
	}
	p.closures[i].places++
}

// closure is where nginx refuses more than Envoy does, all of it for one reason.
type closure struct {
	mark   mark
	places int
}

// mostNamed is of how many such places the line at the head of the text names the
// resources.
const mostNamed = 100

// opening is a filter that may refuse requests by a program of its own.
type opening struct {
	mark   mark
	filter string
}

// announce says at the head of the text that it refuses more than Envoy does, and
// what may refuse in Envoy and not here.
func (p *projection) announce() {
	for _, o := range p.openings {
		p.note(o.mark, "OPEN: http filter %s may refuse requests in Envoy, by a program that does not run in nginx.", o.filter)
	}
	for _, c := range p.closures {
		in := "1 place"
		if c.places > 1 {
			in = fmt.Sprintf("%d places", c.places)
		}
		p.note(c.mark, "CLOSED in %s: %s", in, c.mark.lesson)
	}
}

// refuses says what Envoy refuses at a place, where nginx refuses more.
func (pl *place) refuses() string {
	what, only := describe(pl.route.GetMatch()), conditions(pl.route.GetMatch())
	if only != "" {
		what += " with " + only
	}
	return what
}

// shut refuses what is left at a location of which too many routes have a say.
func (p *projection) shut(sc *scope, l *location) {
	m := mark{from: sc.origin}.approx(lessonWideMany)
	if l.sure != nil {
		m.also = []Origin{l.sure.pl.origin}
	}
	p.closed(m)
	p.add(m, "return 403;")
}

// refusedBefore reports whether an earlier place that refuses more than Envoy does
// takes all that the row could.
func (sc *scope) refusedBefore(r *row) bool {
	for _, pl := range sc.places {
		if pl == r.pl {
			break
		}
		for _, w := range pl.rows {
			if pl.wide != "" && w.sure() && w.c.form == byPrefix && strings.HasPrefix(orElse(r.c.head, r.c.text), w.c.text) {
				return true
			}
		}
	}
	return false
}
