package nack

import (
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// suspects are the resources that a reason may mean, those that are likelier in
// an earlier group: the one that it names; what the push changed; what was new to
// the node; the rest of the type.
func (r Rejection) suspects(why reason) [][]suspect {
	if res := r.Mesh.Get(why.named); res != nil {
		return [][]suspect{{r.suspect(res, why)}}
	}
	sent := map[mesh.Key]bool{}
	for _, k := range r.Changed {
		sent[k] = true
	}
	var edited, changed, rest []suspect
	for _, res := range r.Mesh.List(r.Type) {
		s := r.suspect(res, why)
		switch differs := r.Before != nil && !mesh.SameContent(r.Before.Get(res.Key), res); {
		case differs && (sent[res.Key] || len(sent) == 0):
			edited = append(edited, s)
		case sent[res.Key] || differs:
			changed = append(changed, s)
		default:
			rest = append(rest, s)
		}
	}
	var out [][]suspect
	for _, group := range [][]suspect{edited, changed, rest} {
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	return out
}

func (r Rejection) suspect(res *mesh.Resource, why reason) suspect {
	s := suspect{Resource: res, reason: why, in: r.Mesh, values: sync.OnceValue(func() map[string]string { return byPath(res) })}
	if r.Before != nil {
		s.changes = changesOf(r.Before.Get(res.Key), res)
	}
	return s
}

// changes are what is new in a resource, and what was in its place.
type changes struct {
	old      *mesh.Resource
	was, now map[string]string // values by path
	paths    []string          // where they differ, in order
}

func changesOf(before, now *mesh.Resource) *changes {
	if before == nil || mesh.SameContent(before, now) {
		return nil
	}
	c := &changes{old: before, was: byPath(before), now: byPath(now)}
	for at, value := range c.now {
		if was, ok := c.was[at]; !ok || was != value {
			c.paths = append(c.paths, at)
		}
	}
	for at := range c.was {
		if _, ok := c.now[at]; !ok {
			c.paths = append(c.paths, at)
		}
	}
	slices.Sort(c.paths)
	return c
}

func byPath(r *mesh.Resource) map[string]string {
	out := map[string]string{}
	values(r, func(path, value string) { out[path] = value })
	return out
}

// rank is 1 for a path at or below which something is new, also where nothing is
// known of before; else 0.
func (c *changes) rank(path string) int {
	if c == nil {
		return 1
	}
	for _, at := range c.paths {
		if below(at, path) {
			return 1
		}
	}
	return 0
}

// only is the one path that changed and still has a value; ok is false when there
// are several or none.
func (c *changes) only() (path string, ok bool) {
	if c == nil || len(c.paths) != 1 {
		return "", false
	}
	_, ok = c.now[c.paths[0]]
	return c.paths[0], ok
}

// before is the value that stood at a path where another one stands now.
func (c *changes) before(path string) (value string, ok bool) {
	if c == nil || c.was[path] == c.now[path] {
		return "", false
	}
	value, ok = c.was[path]
	return value, ok && value != ""
}

// below reports whether path is at or below root.
func below(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (root == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// textOf is the text of a resource; one that has none is written out.
func textOf(r *mesh.Resource) string {
	if r.Source.Text != "" {
		return r.Source.Text
	}
	out, err := text.Encode(r.Message)
	if err != nil {
		return ""
	}
	return out
}

// has reports whether a resource has a field at a path.
func has(r *mesh.Resource, path string) bool {
	return text.NewLocator(textOf(r)).Has(path)
}

// messageName is how generated validation calls a message: with those that it is
// nested in, without its package.
func messageName(m proto.Message) string {
	d := m.ProtoReflect().Descriptor()
	name := string(d.Name())
	for p, ok := d.Parent().(protoreflect.MessageDescriptor); ok; p, ok = p.Parent().(protoreflect.MessageDescriptor) {
		name = string(p.Name()) + "_" + name
	}
	return name
}
