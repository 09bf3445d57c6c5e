package merge

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// One location of nginx may need several routes, of which Project shows one and
// leaves out the others, as nginx does by itself what they say. They follow the
// one that is shown.

// follower is a route that goes along with another of the same virtual host.
type follower struct {
	index   int
	twin    bool // it takes the same, for the methods that are not sent twice
	slashes bool // it takes what consists of slashes
	slash   bool // it leads to the name with a slash
}

// follow makes the changes of routes to those that go along with them.
func (m *merger) follow() {
	changed := m.changedRoutes()
	for _, r := range m.mesh.List(mesh.Route) {
		rc, _ := r.Message.(*routev3.RouteConfiguration)
		for i, h := range rc.GetVirtualHosts() {
			list := spot{r.Key, below(text.Item("virtual_hosts", i), "routes")}
			all := m.ops.lists[list] != nil
			for j := range h.GetRoutes() {
				if !all && !changed[spot{list.key, text.Item(list.path, j)}] {
					continue
				}
				for _, f := range followers(h.GetRoutes(), j) {
					m.followRoute(list, h.GetRoutes(), j, f)
				}
			}
		}
	}
}

// changedRoutes are the routes in which something changes.
func (m *merger) changedRoutes() map[spot]bool {
	out := map[spot]bool{}
	note := func(s spot) { out[spot{s.key, routePath.FindString(s.path)}] = true }
	for s := range m.ops.set {
		note(s)
	}
	for s := range m.ops.gone {
		note(s)
	}
	for s := range m.ops.lists {
		note(s)
	}
	return out
}

// followers are the routes that go along with one.
func followers(all []*routev3.Route, leader int) (out []follower) {
	l := all[leader]
	if isMethods(l) || l.GetMatch().GetSafeRegex().GetRegex() == "//+" {
		return nil
	}
	if leader > 0 && isTwinOf(all[leader-1], l) {
		out = append(out, follower{index: leader - 1, twin: true})
	}
	prefix := l.GetMatch().GetPrefix()
	root := prefix == "/" || l.GetMatch().GetPath() == "/"
	slash := len(prefix) > 1 && strings.HasSuffix(prefix, "/")
	if !root && !slash {
		return out
	}
	for i, r := range all {
		switch {
		case i == leader:
		case root && isSlashes(r) && sameAnswer(r, l):
			out = append(out, follower{index: i, slashes: true})
		case slash && r.GetMatch().GetPath()+"/" == prefix && r.GetRedirect().GetPathRedirect() == prefix:
			out = append(out, follower{index: i, slash: true})
		}
	}
	return out
}

// isTwinOf reports whether a route takes the same as another, for the methods that
// are not sent twice.
func isTwinOf(r, l *routev3.Route) bool {
	if !isMethods(r) {
		return false
	}
	match := proto.CloneOf(r.GetMatch())
	match.Headers = match.Headers[:len(match.Headers)-1]
	return proto.Equal(match, l.GetMatch()) && sameAnswer(r, l)
}

// isSlashes reports whether a route takes what consists of slashes, and maybe has
// a twin that does for some methods.
func isSlashes(r *routev3.Route) bool {
	if r.GetMatch().GetSafeRegex().GetRegex() != "//+" {
		return false
	}
	n := len(r.GetMatch().GetHeaders())
	return n == 0 || n == 1 && isMethods(r)
}

// isMethods reports whether a route is for some methods alone, those that nginx
// does not send twice.
func isMethods(r *routev3.Route) bool {
	hs := r.GetMatch().GetHeaders()
	if len(hs) == 0 || r.GetRoute() == nil {
		return false
	}
	h := hs[len(hs)-1]
	return h.GetName() == ":method" && strings.Contains(h.GetStringMatch().GetSafeRegex().GetRegex(), "POST")
}

// sameAnswer reports whether two routes answer alike but for their retries.
func sameAnswer(a, b *routev3.Route) bool {
	plain := func(r *routev3.Route) *routev3.Route {
		r = answer(r)
		if r.GetRoute() != nil {
			r.GetRoute().RetryPolicy = nil
		}
		return r
	}
	return proto.Equal(plain(a), plain(b))
}

// followRoute makes the changes of one route to one that goes along.
func (m *merger) followRoute(list spot, all []*routev3.Route, leader int, f follower) {
	from, to := text.Item(list.path, leader), text.Item(list.path, f.index)
	if l := m.ops.lists[list]; l != nil {
		at := l.at(leader)
		switch {
		case at < 0:
			l.remove(f.index)
			return
		case f.twin:
			l.remove(f.index)
			at = l.at(leader)
			l.items = append(l.items[:at:at], append([]slot{{was: f.index}}, l.items[at:]...)...)
		}
	}
	if f.slash {
		if prefix := m.ops.set[spot{list.key, below(from, "match.prefix")}]; prefix != "" {
			m.ops.set[spot{list.key, below(to, "match.path")}] = strings.TrimSuffix(strings.TrimSpace(prefix), "/")
			m.ops.set[spot{list.key, below(to, "redirect.path_redirect")}] = prefix
		}
		return
	}
	takes := func(rel string) bool {
		return rel != "" && rel != "name" && (f.twin || !strings.HasPrefix(rel, "match"))
	}
	for s, v := range m.ops.set {
		if rel, in := under(s.path, from); in && s.key == list.key && takes(rel) {
			if rel == "route.retry_policy.retry_on" && isMethods(all[f.index]) {
				v = quoted(careful(v))
			}
			m.ops.set[spot{s.key, below(to, rel)}] = v
		}
	}
	for s := range m.ops.gone {
		if rel, in := under(s.path, from); in && s.key == list.key && takes(rel) {
			if _, there := lookup(all[f.index], rel); there {
				m.ops.gone[spot{s.key, below(to, rel)}] = true
			}
		}
	}
	for s, l := range m.ops.lists {
		rel, in := under(s.path, from)
		if !in || s.key != list.key || !takes(rel) {
			continue
		}
		if c, there := lookup(all[f.index], rel); there && c.list && c.value.List().Len() == l.was || !there && l.was == 0 {
			m.ops.lists[spot{s.key, below(to, rel)}] = &itemList{was: l.was, items: append([]slot{}, l.items...)}
		}
	}
}

// careful are the conditions for another try of a request that must not be made
// twice.
func careful(yaml string) string {
	var out []string
	for on := range strings.SplitSeq(strings.Trim(yaml, `"' `), ",") {
		if on == "connect-failure" || on == "refused-stream" {
			out = append(out, on)
		}
	}
	return strings.Join(out, ",")
}
