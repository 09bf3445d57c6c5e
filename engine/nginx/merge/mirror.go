package merge

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// concern is a directive that the operator changed, added (was is nil) or took
// out (now is nil), with the fields that it leads to within one entity.
type concern struct {
	was, now *conf.Directive
	rels     []string
}

// origins are what a directive of the shown text mirrors.
func (m *merger) origins(d *conf.Directive) []nginx.Origin {
	if d == nil || d.Line < 1 || d.Line > len(m.shown.Lines) {
		return nil
	}
	l := m.shown.Lines[d.Line-1]
	return append([]nginx.Origin{l.From}, l.Also...)
}

// mirrors notes which directives mirror which fields.
func (m *merger) gatherMirrors() {
	for d := range m.before.conf.All() {
		for _, o := range m.origins(d) {
			m.mirrorsOf[o2s(o)] = append(m.mirrorsOf[o2s(o)], d)
		}
	}
}

func o2s(o nginx.Origin) spot { return spot{o.Key, o.Path} }

// gatherConcerns notes every directive that differs with the entities that it
// leads to in either import.
func (m *merger) gatherConcerns() {
	note := func(was, now *conf.Directive) {
		m.changed = append(m.changed, concern{was: was, now: now})
		found := map[nginx.Origin]*concern{}
		for _, side := range []struct {
			s *side
			d *conf.Directive
		}{{m.before, was}, {m.after, now}} {
			if side.d == nil {
				continue
			}
			for _, o := range side.s.links[side.d] {
				for _, entity := range entitiesOf(o.Path) {
					at := nginx.Origin{Key: o.Key, Path: entity}
					c := found[at]
					if c == nil {
						c = &concern{was: was, now: now}
						found[at] = c
						if side.s == m.before {
							m.concerned[false][at] = append(m.concerned[false][at], c)
						} else {
							m.concerned[true][at] = append(m.concerned[true][at], c)
						}
					}
					rel, _ := under(o.Path, entity)
					c.rels = append(c.rels, rel)
				}
			}
		}
	}
	for d := range m.before.conf.All() {
		if now := m.trees.now[d]; now == nil || !same(d, now) {
			note(d, now)
		}
	}
	for d := range m.after.conf.All() {
		if m.trees.was[d] == nil {
			note(nil, d)
		}
	}
}

// entitiesOf are the entities that a field path leads through.
func entitiesOf(path string) []string {
	out := []string{""}
	for _, form := range entityForms {
		if p := form.FindString(path); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// about turns to one entity: was and now are its places in the two imports.
func (m *merger) about(was, now nginx.Origin) {
	m.concerns = slices.Concat(m.concerned[false][was], m.concerned[true][now])
	m.still = m.steady[now]
	for _, c := range m.concerns {
		m.handled[c.now] = true
	}
}

// asked reports whether a directive that is new or changed, or was taken out of a
// block that is still there, leads to the field itself.
func (m *merger) asked(rel string) bool {
	return slices.ContainsFunc(m.concerns, func(c *concern) bool {
		if c.now == nil && (c.was.Parent == nil || m.trees.now[c.was.Parent] == nil) {
			return false
		}
		if rel == "outlier_detection" && !countsOtherwise(c) {
			return false
		}
		return slices.ContainsFunc(c.rels, func(r string) bool { return r != "" && r != "route" && covers(r, rel) })
	})
}

// countsOtherwise reports whether a server line that is still there counts
// failures in another way. How many servers there are decides too whether nginx
// counts at all; that is no reason to change what Envoy does.
func countsOtherwise(c *concern) bool {
	if c.was == nil || c.now == nil || !isMember(c.now) {
		return c.now != nil && !isMember(c.now)
	}
	for _, name := range []string{"max_fails", "fail_timeout"} {
		a, _ := c.was.Parameter(name)
		b, _ := c.now.Parameter(name)
		if a != b {
			return true
		}
	}
	return false
}

// mirrored is where a field of an entity really stands: where nginx's line mirrors
// another field of the same kind (a timeout for an idle_timeout, a virtual host's
// retry policy for its routes'), that one.
func (m *merger) mirrored(t target, was cell) spot {
	if ours, ok := lookup(m.message(t.key), t.path); ok && (!was.value.IsValid() || ours.value.Equal(was.value)) {
		return t.spot
	}
	for _, c := range m.concerns {
		if c.was == nil || !c.leads(t.rel) {
			continue
		}
		for _, o := range m.origins(c.was) {
			if o2s(o) == t.spot {
				return t.spot
			}
			if o.Key == t.key && m.standsFor(o, t, was) {
				return o2s(o)
			}
		}
	}
	return t.spot
}

func (c *concern) leads(rel string) bool {
	return slices.ContainsFunc(c.rels, func(r string) bool { return covers(r, rel) })
}

// standsFor reports whether the field at o is what an import says at t: a value of
// the same kind, which is the same or, under the same name, not set.
func (m *merger) standsFor(o nginx.Origin, t target, was cell) bool {
	fd, now := m.fieldAt(o)
	if fd == nil || !sameKind(fd, was.fd) {
		return false
	}
	switch {
	case fd.Name() == was.fd.Name():
		return true
	case !was.value.IsValid():
		return false
	}
	return !now.value.IsValid() || now.value.Equal(was.value)
}

func sameKind(a, b protoreflect.FieldDescriptor) bool {
	if a.Kind() != b.Kind() || a.IsList() || a.IsMap() || b.IsList() || b.IsMap() {
		return false
	}
	return a.Message() == nil || a.Message().FullName() == b.Message().FullName() && atomic(a.Message())
}

// fieldAt is the field at a place of the mesh, set or not; nil when there can be
// none.
func (m *merger) fieldAt(o nginx.Origin) (protoreflect.FieldDescriptor, cell) {
	r := m.mesh.Get(o.Key)
	if r == nil || o.Path == "" {
		return nil, cell{}
	}
	if c, ok := lookup(r.Message, o.Path); ok {
		return c.fd, c
	}
	steps := stepsOf(o.Path)
	last := steps[len(steps)-1]
	holder, ok := lookup(r.Message, text.Parent(o.Path))
	if !ok || last.index >= 0 {
		return nil, cell{}
	}
	in := unpacked(holder.message())
	if in == nil {
		return nil, cell{}
	}
	return in.Descriptor().Fields().ByName(protoreflect.Name(last.field)), cell{}
}

// isMirror reports whether a line that concerns the entity mirrors the field.
func (m *merger) isMirror(s spot) bool {
	return slices.ContainsFunc(m.concerns, func(c *concern) bool {
		return c.was != nil && slices.ContainsFunc(m.origins(c.was), func(o nginx.Origin) bool { return o2s(o) == s })
	})
}

// said reports whether a directive that is new, or that mirrored no field of its
// own, sets the field: it then holds whatever the mesh had there.
func (m *merger) said(rel string) bool {
	return slices.ContainsFunc(m.concerns, func(c *concern) bool {
		return c.now != nil && slices.Contains(c.rels, rel) && !m.part(c.now) && !m.mirrorsField(c.was)
	})
}

func (m *merger) saidWithin(rel string) bool {
	return slices.ContainsFunc(m.concerns, func(c *concern) bool {
		return c.now != nil && !m.part(c.now) && !m.mirrorsField(c.was) && slices.ContainsFunc(c.rels, func(r string) bool { _, in := under(r, rel); return in })
	})
}

// mirrorsField reports whether a directive of the shown text mirrors a single
// field rather than a whole.
func (m *merger) mirrorsField(d *conf.Directive) bool {
	return slices.ContainsFunc(m.origins(d), func(o nginx.Origin) bool {
		fd, _ := m.fieldAt(o)
		return fd != nil && (fd.Message() == nil || atomic(fd.Message()))
	})
}

// shared is a directive of the shown text that mirrors the same field and says
// still what it said; nil when there is none.
func (m *merger) shared(s spot) *conf.Directive {
	for _, d := range m.mirrorsOf[s] {
		if now := m.trees.now[d]; now != nil && same(d, now) && !d.IsBlock && !m.isLent(d) {
			return d
		}
	}
	return nil
}

// free reports whether a field may be changed: where another line that still
// stands mirrors it too, it is reported instead.
func (m *merger) free(s spot) bool {
	d := m.shared(s)
	if d == nil || m.forced {
		return true
	}
	for _, c := range m.concerns {
		for _, o := range m.origins(c.was) {
			if o2s(o) == s {
				m.refuse(c, s, fmt.Sprintf("Envoy has one %s for this line and for line %d, which still says %q", lastName(s.path), m.trees.now[d].Line, d), "change all the lines that say it")
				return false
			}
		}
	}
	return true
}

// lastName is the last field of a path.
func lastName(path string) string {
	for path != "" && strings.HasSuffix(path, "]") {
		path, _ = lastIndex(path)
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// unmirror takes out what a line that is gone mirrored in a list elsewhere: a
// header of the virtual host.
func (m *merger) unmirror(at target, was cell) {
	if s, n, i, ok := m.elsewhere(at, was); ok && m.free(spot{s.key, text.Item(s.path, i)}) {
		m.removeItem(s, n, i)
	}
}

// remirror changes what a line mirrors in a list elsewhere; false when it mirrors
// no such item.
func (m *merger) remirror(at target, was, now cell) bool {
	s, _, i, ok := m.elsewhere(at, was)
	if !ok {
		return false
	}
	item := spot{s.key, text.Item(s.path, i)}
	if !m.free(item) {
		return true
	}
	r := m.mesh.Get(s.key)
	ours, ok := lookup(r.Message, item.path)
	if !ok {
		return false
	}
	m.fields(target{spot: item, message: ours.message(), rel: at.rel}, was.message(), now.message())
	return true
}

// elsewhere finds the list item that stands for one of an import's in a list of
// the same kind.
func (m *merger) elsewhere(at target, was cell) (list spot, n, index int, ok bool) {
	for _, c := range m.concerns {
		if c.was == nil || !c.leads(at.rel) {
			continue
		}
		for _, o := range m.origins(c.was) {
			path, i := lastIndex(o.Path)
			holder, found := lookup(m.message(o.Key), path)
			if o.Key != at.key || i < 0 || !found || !holder.list || path == at.path || holder.fd.Name() != was.fd.Name() || i >= holder.value.List().Len() {
				continue
			}
			if keyOf(cell{fd: holder.fd, value: holder.value.List().Get(i)}) == keyOf(was) {
				return spot{o.Key, path}, holder.value.List().Len(), i, true
			}
		}
	}
	return spot{}, 0, 0, false
}

// refuse reports that a change is not made.
func (m *merger) refuse(c *concern, s spot, reason, instead string) {
	e := importer.Entry{Kind: nginx.None, File: file, Reason: reason, Instead: instead, Key: s.key, Path: s.path}
	if c.now != nil {
		e.Directive, e.Line = c.now.String(), c.now.Line
	} else {
		e.Directive, e.Line = c.was.String(), m.lineOf(c.was)
	}
	m.report(e)
}

// lineOf is where a directive of the shown text stands in the edited one; one that
// is gone stood near the line that the nearest before it has now.
func (m *merger) lineOf(d *conf.Directive) int {
	if now := m.trees.now[d]; now != nil {
		return now.Line
	}
	line := 1
	for other := range m.before.conf.All() {
		if other.Line > d.Line {
			break
		}
		if now := m.trees.now[other]; now != nil {
			line = now.Line
		}
	}
	return line
}
