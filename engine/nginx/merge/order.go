package merge

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/text"
)

// placeFor is where in the mesh's list a route of the edited import goes: behind
// all that it must let go first, before all that it must go before, and of the
// places between them the last.
func (m *merger) placeFor(l *itemList, at spot, o nginx.Origin, r *routev3.Route) int {
	first, last := 0, len(l.items)
	for i, s := range l.items {
		other, place, ok := m.routeAt(at, s)
		if !ok || !overlap(r.GetMatch(), other.GetMatch()) || place == (nginx.Origin{}) {
			continue
		}
		// A route with a condition stands before the one that takes the rest of its
		// location.
		if compare(place.Path, o.Path) < 0 || place == o {
			first = max(first, i+1)
		} else {
			last = min(last, i)
		}
	}
	if last < first {
		return first
	}
	return last
}

// routeAt is the route of a slot, and its place in the edited import; no place for
// one that nginx does not know.
func (m *merger) routeAt(at spot, s slot) (*routev3.Route, nginx.Origin, bool) {
	if s.was < 0 {
		for o, value := range m.placed {
			if value == s.value {
				return m.after.route1(o), o, true
			}
		}
		return nil, nginx.Origin{}, false
	}
	path := text.Item(at.path, s.was)
	c, ok := lookup(m.message(at.key), path)
	if !ok || c.message() == nil {
		return nil, nginx.Origin{}, false
	}
	r, _ := c.message().Interface().(*routev3.Route)
	var best *routev3.Route
	var place nginx.Origin
	for _, d := range m.mirrorsOf[spot{at.key, path}] {
		now := m.trees.now[d]
		if now == nil || !isLocation(d) || isNamed(now) {
			continue
		}
		// One route may be shown as several locations: the last one takes what none
		// of the others does.
		if o, ok := m.after.route(now); ok && (best == nil || compare(place.Path, o.Path) < 0) {
			best, place = m.after.route1(o), o
		}
	}
	if best != nil {
		return best, place, true
	}
	return r, nginx.Origin{}, true
}

// overlap reports whether some path may be taken by both. Expressions overlap
// with everything that their own literal beginning does not rule out.
func overlap(a, b *routev3.RouteMatch) bool {
	if a.GetSafeRegex() != nil && b.GetSafeRegex() == nil {
		a, b = b, a
	}
	switch {
	case a.GetSafeRegex() != nil:
		return true
	case b.GetSafeRegex() != nil:
		re, err := regexp.Compile("^(?:" + b.GetSafeRegex().GetRegex() + ")$")
		if err != nil {
			return true
		}
		if a.GetPath() != "" {
			return re.MatchString(a.GetPath())
		}
		begin, _ := re.LiteralPrefix()
		return strings.HasPrefix(begin, prefixOf(a)) || strings.HasPrefix(prefixOf(a), begin)
	case a.GetPath() != "" && b.GetPath() != "":
		return a.GetPath() == b.GetPath()
	case a.GetPath() != "":
		return strings.HasPrefix(a.GetPath(), prefixOf(b))
	case b.GetPath() != "":
		return strings.HasPrefix(b.GetPath(), prefixOf(a))
	}
	return strings.HasPrefix(prefixOf(a), prefixOf(b)) || strings.HasPrefix(prefixOf(b), prefixOf(a))
}

func prefixOf(m *routev3.RouteMatch) string {
	if p := m.GetPathSeparatedPrefix(); p != "" {
		return p
	}
	return m.GetPrefix()
}

// reorder moves the routes whose location was renamed, or stands elsewhere among
// the expressions, to where nginx would look for them.
func (m *merger) reorder() {
	for _, p := range m.pairs(isLocation) {
		o, ok := m.routeOf(p[0])
		a, okA := m.before.route(p[0])
		b, okB := m.after.route(p[1])
		if !ok || !okA || !okB || !m.turned(p[0], p[1], a, b) {
			continue
		}
		path, i := lastIndex(o.Path)
		at := spot{o.Key, path}
		n, _ := lookup(m.message(o.Key), path)
		_, had := m.ops.lists[at]
		l := m.ops.list(at, n.value.List().Len())
		now := l.at(i)
		if now < 0 {
			continue
		}
		s := l.items[now]
		l.items = append(l.items[:now:now], l.items[now+1:]...)
		to := m.placeFor(l, at, b, m.after.route1(b))
		if m.fits(l, at, b, now) {
			to = now
		}
		l.items = append(l.items[:to:to], append([]slot{s}, l.items[to:]...)...)
		if to == now && !had {
			delete(m.ops.lists, at)
			continue
		}
		if to != now {
			m.say("%s of %s: tried in another order", p[1], m.hostName(o))
		}
	}
}

// fits reports whether a route may stand where it does.
func (m *merger) fits(l *itemList, at spot, o nginx.Origin, now int) bool {
	r := m.after.route1(o)
	for i, s := range l.items {
		other, place, ok := m.routeAt(at, s)
		if !ok || place == (nginx.Origin{}) || !overlap(r.GetMatch(), other.GetMatch()) {
			continue
		}
		if (compare(place.Path, o.Path) < 0) != (i < now) {
			return false
		}
	}
	return true
}

// turned reports whether a location may have changed places with another: it was
// renamed, or it is an expression and stands elsewhere among those.
func (m *merger) turned(was, now *conf.Directive, _, _ nginx.Origin) bool {
	if isNamed(was) || isNamed(now) {
		return false
	}
	if !same(was, now) {
		return true
	}
	modifier, _ := location(now)
	if !strings.HasPrefix(modifier, "~") || was.Parent == nil || now.Parent == nil {
		return false
	}
	var before, after []*conf.Directive
	for _, d := range was.Parent.Block {
		if o, _ := location(d); isLocation(d) && strings.HasPrefix(o, "~") && m.trees.now[d] != nil {
			before = append(before, m.trees.now[d])
		}
	}
	for _, d := range now.Parent.Block {
		if o, _ := location(d); isLocation(d) && strings.HasPrefix(o, "~") && m.trees.was[d] != nil {
			after = append(after, d)
		}
	}
	for i := range before {
		if before[i] == now || after[i] == now {
			return before[i] != after[i]
		}
	}
	return false
}
