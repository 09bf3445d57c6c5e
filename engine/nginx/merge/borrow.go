package merge

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// lender is the route whose answer a location of the shown text gives besides the
// one that it is named for: a route with a condition lets the other requests for
// its path go on to a later one. ok is false for a location that stands for one
// route alone.
func (m *merger) lender(o nginx.Origin, d *conf.Directive) (lender nginx.Origin, ok bool) {
	for _, in := range d.Block {
		if isQuestion(in) {
			continue // it mirrors the match of the route that takes the others
		}
		for _, from := range m.origins(in) {
			path := routePath.FindString(from.Path)
			if path != "" && (path != o.Path || from.Key != o.Key) {
				return nginx.Origin{Key: from.Key, Path: path}, true
			}
			break
		}
	}
	return nginx.Origin{}, false
}

func (m *merger) borrows(o nginx.Origin, d *conf.Directive) bool {
	_, ok := m.lender(o, d)
	return ok
}

// borrowed brings over a location that stands for a route's path and for another
// one's answer. Where the edit gives it an answer of its own, that needs a route of
// its own.
func (m *merger) borrowed(o nginx.Origin, was, now *conf.Directive) {
	if !same(was, now) {
		m.refuse(&concern{was: was, now: now}, o2s(o), "it stands for two of Envoy's routes, the one with a condition and the one that takes the rest", "rename the route in Envoy's own terms")
		return
	}
	from, _ := m.lender(o, was)
	for _, d := range m.mirrorsOf[o2s(from)] {
		if other, ok := m.routeOf(d); !ok || !isLocation(d) || other != from || m.borrows(other, d) {
			continue
		}
		then := answersAlike(m.before, was, d)
		if after := m.trees.now[d]; after == nil || answersAlike(m.after, now, after) || !then && answering(was) == answering(now) && answering(d) == answering(after) {
			return
		}
		m.newRoute(now)
		return
	}
	if answering(was) != answering(now) {
		m.newRoute(now)
	}
}

// answering is what a location says but for what asks for a condition.
func answering(d *conf.Directive) string {
	var b strings.Builder
	for _, in := range d.Block {
		if !isQuestion(in) {
			write(&b, in)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// answersAlike reports whether two locations give the same answer.
func answersAlike(s *side, a, b *conf.Directive) bool {
	x, okX := s.route(a)
	y, okY := s.route(b)
	return okX && okY && proto.Equal(answer(s.route1(x)), answer(s.route1(y)))
}

// answer is a route without what it is found by.
func answer(r *routev3.Route) *routev3.Route {
	out := proto.Clone(r).(*routev3.Route)
	out.Name, out.Match = "", nil
	return out
}

// isLent reports whether a line stands in a location that borrows its answer: what
// it mirrors may change without it.
func (m *merger) isLent(d *conf.Directive) bool {
	p := d.Parent
	if p == nil || !isLocation(p) {
		return false
	}
	o, ok := m.routeOf(p)
	return ok && m.borrows(o, p)
}
