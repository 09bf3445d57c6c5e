package merge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// matchPath is what a location mirrors: a route as a whole, or what it matches.
var matchPath = regexp.MustCompile(`^((?:.*\.)?virtual_hosts\[\d+\]\.routes\[\d+\])(?:\.match\b.*)?$`)

// routeOf is the route that a location of the shown text is; false for one that
// Project adds by itself (the 404 at the end, what a mirror goes to).
func (m *merger) routeOf(d *conf.Directive) (nginx.Origin, bool) {
	for _, o := range m.origins(d) {
		if f := matchPath.FindStringSubmatch(o.Path); f != nil {
			return nginx.Origin{Key: o.Key, Path: f[1]}, true
		}
	}
	return nginx.Origin{}, false
}

// ownName begins the names of routes that the importer adds by itself.
const ownName = "nginx: "

// routes are those that a location became, without what the importer adds by
// itself, in their order.
func (s *side) routes(d *conf.Directive) (out []nginx.Origin) {
	for _, o := range s.places(d, 0, routePath) {
		if r := s.route1(o); r != nil && !strings.HasPrefix(r.GetName(), ownName) {
			out = append(out, o)
		}
	}
	return out
}

func (s *side) route1(o nginx.Origin) *routev3.Route {
	c, ok := s.at(o)
	if !ok || c.message() == nil {
		return nil
	}
	r, _ := c.message().Interface().(*routev3.Route)
	return r
}

// route is the one that stands for the location: the others have conditions on
// the method or the path that the importer needs to say the same as nginx.
func (s *side) route(d *conf.Directive) (best nginx.Origin, ok bool) {
	least := 0
	for _, o := range s.routes(d) {
		n := len(s.route1(o).GetMatch().GetHeaders()) + len(s.route1(o).GetMatch().GetQueryParameters())
		if !ok || n < least {
			best, least, ok = o, n, true
		}
	}
	return best, ok
}

// locations brings the location blocks into routes.
func (m *merger) locations() {
	gone := map[nginx.Origin]*conf.Directive{}
	for _, d := range m.gone(isLocation) {
		if o, ok := m.routeOf(d); ok && gone[o] == nil {
			gone[o] = d
			m.removeRoute(o, d)
		}
	}
	for _, p := range m.pairs(isLocation) {
		o, ok := m.routeOf(p[0])
		switch {
		case ok && m.borrows(o, p[0]):
			m.borrowed(o, p[0], p[1])
		case ok:
			m.location(o, p[0], p[1])
		case written(p[0]) != written(p[1]) && !m.mirrors(p[0]):
			m.newRoute(p[1])
		}
	}
	for _, d := range m.fresh(isLocation) {
		m.newRoute(d)
	}
	m.reorder()
}

// mirrors reports whether a location is what a mirror goes to.
func (m *merger) mirrors(d *conf.Directive) bool {
	return slices.ContainsFunc(m.origins(d), func(o nginx.Origin) bool { return strings.Contains(o.Path, "request_mirror_policies") })
}

func (m *merger) removeRoute(o nginx.Origin, d *conf.Directive) {
	for _, other := range m.mirrorsOf[o2s(o)] {
		if m.trees.now[other] != nil && isLocation(other) {
			m.refuse(&concern{was: d}, o2s(o), fmt.Sprintf("Envoy has one route for it and for %s", m.trees.now[other]), "take both out")
			return
		}
	}
	list, i := lastIndex(o.Path)
	l, ok := lookup(m.message(o.Key), list)
	if !ok {
		return
	}
	m.removeItem(spot{o.Key, list}, l.value.List().Len(), i)
	m.say("take %s out of %s", d, m.hostName(o))
}

// hostName is the name of the virtual host that a path leads through.
func (m *merger) hostName(o nginx.Origin) string {
	c, ok := lookup(m.message(o.Key), below(hostPath.FindString(o.Path), "name"))
	if !ok {
		return o.Key.Name
	}
	return c.value.String()
}

// location brings one location into its route.
func (m *merger) location(o nginx.Origin, was, now *conf.Directive) {
	a, okA := m.before.route(was)
	b, okB := m.after.route(now)
	ours, ok := lookup(m.message(o.Key), o.Path)
	if !okA || !okB || !ok {
		return
	}
	from, to := m.before.route1(a), m.after.route1(b)
	m.conditions(o, was, now)
	m.about(a, b)
	if proto.Equal(from, to) && len(m.concerns) == 0 {
		return
	}
	steps := len(m.ops.set) + len(m.ops.gone) + len(m.ops.lists)
	r := target{spot: o2s(o), message: ours.message()}
	if !same(was, now) && isNamed(was) != isNamed(now) {
		m.newNamed(now)
		return
	}
	if !same(was, now) && !isNamed(now) {
		m.match(r, from, to, was, now)
	}
	m.fields(r, from.ProtoReflect(), to.ProtoReflect(), "name", "match")
	m.weights(r, from, to)
	if name, ok := lookup(ours.message().Interface(), "name"); ok && !isNamed(now) && from.GetName() != to.GetName() && name.value.String() == from.GetName() {
		m.ops.set[spot{o.Key, below(o.Path, "name")}] = quoted(to.GetName())
	}
	if details := m.details(was, now); details != "" && len(m.ops.set)+len(m.ops.gone)+len(m.ops.lists) > steps {
		m.say("%s of %s%s", now, m.hostName(o), details)
	}
}

// details are the lines that differ within a location, in short.
func (m *merger) details(was, now *conf.Directive) string {
	var out []string
	if !same(was, now) {
		out = append(out, "was "+was.String())
	}
	for _, d := range now.Block {
		if before := m.trees.was[d]; before == nil || !same(before, d) {
			out = append(out, d.String())
		}
	}
	for _, d := range was.Block {
		if m.trees.now[d] == nil {
			out = append(out, "without "+d.String())
		}
	}
	if len(out) > 2 {
		out = append(out[:2], fmt.Sprintf("and %d more", len(out)-2))
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, ", ")
}

// match brings a location's new name into what its route matches.
func (m *merger) match(r target, from, to *routev3.Route, was, now *conf.Directive) {
	if proto.Equal(from.GetMatch(), to.GetMatch()) {
		return // `^~` alone: where the route stands says it
	}
	ours, _ := r.message.Interface().(*routev3.Route)
	if sep := ours.GetMatch().GetPathSeparatedPrefix(); sep != "" {
		m.separated(r, was, now)
		return
	}
	fd := r.message.Descriptor().Fields().ByName("match")
	m.fields(r.field(fd), from.GetMatch().ProtoReflect(), to.GetMatch().ProtoReflect(), "headers")
}

// separated renames a path_separated_prefix, of which nginx has two locations.
func (m *merger) separated(r target, was, now *conf.Directive) {
	_, name := location(now)
	name = strings.TrimSuffix(name, "/")
	at := spot{r.key, below(r.path, "match.path_separated_prefix")}
	for _, d := range m.mirrorsOf[at] {
		other := m.trees.now[d]
		if other == nil || !isLocation(d) {
			continue
		}
		if _, n := location(other); strings.TrimSuffix(n, "/") != name {
			m.refuse(&concern{was: was, now: now}, at, fmt.Sprintf("Envoy has one route, a path_separated_prefix, for it and for %s", other), "rename both")
			return
		}
	}
	m.ops.set[at] = quoted(name)
}

// newRoute adds a location's routes where nginx's choice wants them.
func (m *merger) newRoute(d *conf.Directive) {
	if isNamed(d) {
		m.newNamed(d)
		return
	}
	server := d.Parent
	for server != nil && !isServer(server) {
		server = server.Parent
	}
	places := m.after.routes(d)
	if was := m.trees.was[d]; was != nil && len(places) > 0 {
		if o, ok := m.routeOf(was); ok && m.borrows(o, was) {
			plain, _ := m.after.route(d)
			places = []nginx.Origin{plain}
		}
	}
	m.remade[d] = true
	if server == nil || len(places) == 0 {
		return
	}
	if m.trees.was[server] == nil {
		return // it comes with its server
	}
	host, ok := m.hostOf(m.trees.was[server])
	if !ok {
		return // the server was Project's own, and is new now
	}
	list := spot{host.Key, below(host.Path, "routes")}
	n := 0
	if l, ok := lookup(m.message(list.key), list.path); ok {
		n = l.value.List().Len()
	}
	first := hostPath.FindString(places[0].Path)
	best, _ := m.after.route(d)
	from, cut := m.cutFrom(d)
	for _, o := range places {
		if o.Key != places[0].Key || hostPath.FindString(o.Path) != first {
			continue // the same server again: at another address, or as the default
		}
		r, ok := m.bare(o, m.after.route1(o))
		if !ok {
			continue
		}
		value, err := routeYAML(r)
		if err != nil {
			continue
		}
		if cut && o == best {
			value = m.take(o2s(from), func(yaml string) (string, error) { return yaml, nil })
		}
		l := m.ops.list(list, n)
		l.insert(m.placeFor(l, list, o, r), value)
		m.placed[o] = value
	}
	m.say("new %s in %s", d, m.hostName(host))
	m.withoutSlash(d, host)
}

// withoutSlash reports what nginx does by itself for a new location whose name ends
// in a slash and that goes to an upstream.
func (m *merger) withoutSlash(d *conf.Directive, host nginx.Origin) {
	modifier, name := location(d)
	bare := strings.TrimSuffix(name, "/")
	passes := slices.ContainsFunc(d.Block, func(in *conf.Directive) bool { return strings.HasSuffix(in.Name, "_pass") })
	if bare == "" || bare == name || !passes || strings.HasPrefix(modifier, "~") || modifier == "=" {
		return
	}
	m.report(importer.Entry{Kind: nginx.Approximate, Directive: d.String(), File: file, Line: d.Line, Key: host.Key, Path: host.Path,
		Reason: fmt.Sprintf("nginx redirects %s to %s by itself, Envoy does not", bare, name), Instead: "add a location = " + bare + " with a return 301 where clients need it"})
}

func routeYAML(r *routev3.Route) (string, error) {
	out, err := text.Set("", "v", r)
	if err != nil {
		return "", err
	}
	c, _ := text.Sub(out, "v")
	return c.Text, nil
}

// hostOf is the virtual host that a server of the shown text is; false for one
// that Project adds by itself.
func (m *merger) hostOf(d *conf.Directive) (nginx.Origin, bool) {
	for _, o := range m.origins(d) {
		if path := hostPath.FindString(o.Path); path != "" && path == o.Path && (o.Key.Type == mesh.Route || o.Key.Type == mesh.Listener) {
			return o, true
		}
	}
	return nginx.Origin{}, false
}
