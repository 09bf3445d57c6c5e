package merge

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/text"
)

// bare is a route of the edited import as the mesh takes it in: without what
// nginx inherits from lines that were there before. The mesh has that already,
// further out, or it is Envoy's own habit said aloud. ok is false for a route that
// then has nothing of its own: the twin for the methods that must not be retried.
func (m *merger) bare(o nginx.Origin, r *routev3.Route) (out *routev3.Route, ok bool) {
	out = proto.Clone(r).(*routev3.Route)
	paths := m.inherited(o)
	if len(paths) == 0 {
		return out, true
	}
	twin := isTwin(r)
	slices.SortFunc(paths, func(a, b string) int { return compare(b, a) })
	retries := false
	for _, p := range paths {
		retries = retries || strings.HasPrefix(p, "route.retry_policy")
		remove(out.ProtoReflect(), p)
		if p == "route.idle_timeout" {
			remove(out.ProtoReflect(), "route.timeout")
		}
	}
	if retries {
		remove(out.ProtoReflect(), "route.retry_policy")
	}
	return out, !twin || !retries
}

// isTwin reports whether a route is there for the methods alone that nginx does
// not send twice.
func isTwin(r *routev3.Route) bool {
	return slices.ContainsFunc(r.GetMatch().GetHeaders(), func(h *routev3.HeaderMatcher) bool { return h.GetName() == ":method" }) &&
		strings.Contains(r.GetName(), " for POST, ")
}

// inherited are the fields of a route that come from unchanged lines outside of
// its location which mirror something.
func (m *merger) inherited(o nginx.Origin) (out []string) {
	if m.outer == nil {
		m.outer = map[nginx.Origin][]string{}
		for d := range m.after.conf.All() {
			was := m.trees.was[d]
			if was == nil || !same(was, d) || d.IsBlock || isLocation(parent(d)) || isUpstream(parent(d)) || shares(d.Parent) || d.Name == "listen" || d.Name == "server_name" {
				continue
			}
			if from := m.origins(was); len(from) == 0 || from[0].Key.IsZero() || routePath.MatchString(from[0].Path) {
				continue // what is said of each route must be said of a new one, too
			}
			if d.Name == "return" || d.Name == "rewrite" || isServer(parent(d)) && m.isNew(parent(d)) {
				continue // the mesh has not said it of anything that stays
			}
			for _, l := range m.after.links[d] {
				if top := routePath.FindString(l.Path); top != "" {
					rel, _ := under(l.Path, top)
					if rel == "" || rel == "route" {
						continue
					}
					at := nginx.Origin{Key: l.Key, Path: top}
					m.outer[at] = append(m.outer[at], rel)
				}
			}
		}
	}
	if paths := m.outer[o]; len(paths) > 0 {
		return slices.Clone(paths)
	}
	// A twin has no links of its own; its route stands right behind it.
	if r := m.after.route1(o); r != nil && isTwin(r) {
		list, i := lastIndex(o.Path)
		return slices.Clone(m.outer[nginx.Origin{Key: o.Key, Path: text.Item(list, i+1)}])
	}
	return nil
}

// isNew reports whether a server of the edited text is no virtual host of the mesh
// yet.
func (m *merger) isNew(server *conf.Directive) bool {
	was := m.trees.was[server]
	if was == nil {
		return true
	}
	_, ok := m.hostOf(was)
	return !ok
}

// gatherSteady notes the fields of the edited import's routes that come from lines
// which are as they were.
func (m *merger) gatherSteady() {
	for d := range m.after.conf.All() {
		was := m.trees.was[d]
		if was == nil || !same(was, d) || d.IsBlock {
			continue
		}
		for _, l := range m.after.links[d] {
			if top := routePath.FindString(l.Path); top != "" {
				rel, _ := under(l.Path, top)
				at := nginx.Origin{Key: l.Key, Path: top}
				if strings.Contains(rel, ".") {
					m.steady[at] = append(m.steady[at], rel)
				}
			}
		}
	}
}

// follows reports whether what differs in a field only follows from other lines:
// the line that says it is as it was.
func (m *merger) follows(rel string) bool {
	return slices.ContainsFunc(m.still, func(r string) bool { _, in := under(r, rel); return in }) && !m.asked(rel)
}

func parent(d *conf.Directive) *conf.Directive {
	if d.Parent == nil {
		return &conf.Directive{}
	}
	return d.Parent
}

// remove takes a field or a list's item out of a message.
func remove(m protoreflect.Message, path string) {
	holder, ok := lookup(m.Interface(), text.Parent(path))
	steps := stepsOf(path)
	if !ok || len(steps) == 0 {
		return
	}
	last := steps[len(steps)-1]
	if last.index >= 0 && holder.list {
		l := holder.value.List()
		for i := last.index; i+1 < l.Len(); i++ {
			l.Set(i, l.Get(i+1))
		}
		if last.index < l.Len() {
			l.Truncate(l.Len() - 1)
		}
		return
	}
	if in := holder.message(); in != nil {
		if fd := in.Descriptor().Fields().ByName(protoreflect.Name(last.field)); fd != nil {
			in.Clear(fd)
		}
	}
}

// stripped are the routes of a virtual host that is new, without those that are
// the importer's own.
func (m *merger) stripped(host nginx.Origin, routes []*routev3.Route) (out []*routev3.Route) {
	for i, r := range routes {
		if strings.HasPrefix(r.GetName(), ownName) || isOfNamed(r) {
			continue
		}
		if b, ok := m.bare(nginx.Origin{Key: host.Key, Path: text.Item(below(host.Path, "routes"), i)}, r); ok {
			out = append(out, b)
		}
	}
	return out
}
