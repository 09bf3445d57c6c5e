package mesh

import (
	"fmt"
	"sort"
)

// Mesh is an immutable set of resources by type and name. The zero value and
// nil are both the empty mesh. Order is that in which resources were given,
// which is the order in the operator's files.
type Mesh struct {
	order []*Resource
	byKey map[Key]int
}

// New builds a mesh. It fails when two resources share a key.
func New(resources ...*Resource) (*Mesh, error) {
	m := &Mesh{order: make([]*Resource, 0, len(resources)), byKey: make(map[Key]int, len(resources))}
	for _, r := range resources {
		if _, dup := m.byKey[r.Key]; dup {
			return nil, fmt.Errorf("two resources are called %s", r.Key)
		}
		m.byKey[r.Key] = len(m.order)
		m.order = append(m.order, r)
	}
	return m, nil
}

// Len is the number of resources.
func (m *Mesh) Len() int {
	if m == nil {
		return 0
	}
	return len(m.order)
}

// Get is the resource with that key, or nil.
func (m *Mesh) Get(k Key) *Resource {
	if m == nil {
		return nil
	}
	if i, ok := m.byKey[k]; ok {
		return m.order[i]
	}
	return nil
}

// All lists every resource in order. The slice is the caller's own.
func (m *Mesh) All() []*Resource {
	if m == nil {
		return nil
	}
	return append([]*Resource(nil), m.order...)
}

// List lists the resources of one type in order.
func (m *Mesh) List(t Type) []*Resource {
	if m == nil {
		return nil
	}
	var out []*Resource
	for _, r := range m.order {
		if r.Key.Type == t {
			out = append(out, r)
		}
	}
	return out
}

// With is this mesh with r added, or put in the place of the one with its key.
func (m *Mesh) With(r *Resource) *Mesh {
	all := m.All()
	if m != nil {
		if i, ok := m.byKey[r.Key]; ok {
			all[i] = r
			return rebuilt(all)
		}
	}
	return rebuilt(append(all, r))
}

// Replace is this mesh with r in the place of the resource called old, whose
// name may differ. Where there is no such resource, or where another one has
// r's key already, it is With.
func (m *Mesh) Replace(old Key, r *Resource) *Mesh {
	if old == r.Key || m.Get(old) == nil || m.Get(r.Key) != nil {
		return m.With(r)
	}
	all := m.All()
	all[m.byKey[old]] = r
	return rebuilt(all)
}

// InsertAfter is this mesh with r added right behind the resource called k, or
// at the end where there is none. A resource that has r's key keeps its place
// and is replaced.
func (m *Mesh) InsertAfter(k Key, r *Resource) *Mesh {
	if m.Get(k) == nil || m.Get(r.Key) != nil {
		return m.With(r)
	}
	all, i := m.All(), m.byKey[k]+1
	return rebuilt(append(all[:i:i], append([]*Resource{r}, all[i:]...)...))
}

// Without is this mesh less the resource with that key; unknown keys change
// nothing.
func (m *Mesh) Without(k Key) *Mesh {
	all := m.All()
	kept := all[:0]
	for _, r := range all {
		if r.Key != k {
			kept = append(kept, r)
		}
	}
	return rebuilt(kept)
}

func rebuilt(all []*Resource) *Mesh {
	m := &Mesh{order: all, byKey: make(map[Key]int, len(all))}
	for i, r := range all {
		m.byKey[r.Key] = i
	}
	return m
}

// Change is one resource that differs between two meshes. Old is nil for an
// addition, New for a removal.
type Change struct {
	Key      Key
	Old, New *Resource
}

// Diff lists what must change to get from one mesh to the other, by content:
// a resource whose text alone changed (a comment) is not in it. It is ordered
// by type, then name.
func Diff(from, to *Mesh) []Change { return diff(from, to, SameContent) }

// DiffText is Diff, but a resource whose text changed counts too: what an
// operator would see as edited. A leading "@type" line does not count: where
// only one of the two texts has it, the Change holds that one without it.
func DiffText(from, to *Mesh) []Change {
	out := diff(from, to, func(a, b *Resource) bool {
		return SameContent(a, b) && (a.Source.Text == b.Source.Text || a.Source.Body() == b.Source.Body())
	})
	for i, c := range out {
		if c.Old == nil || c.New == nil || c.Old.Source.headed() == c.New.Source.headed() {
			continue
		}
		out[i].Old, out[i].New = c.Old.headless(), c.New.headless()
	}
	return out
}

func diff(from, to *Mesh, same func(a, b *Resource) bool) []Change {
	var out []Change
	for _, old := range from.All() {
		if now := to.Get(old.Key); now == nil || (old != now && !same(old, now)) {
			out = append(out, Change{Key: old.Key, Old: old, New: now})
		}
	}
	for _, now := range to.All() {
		if from.Get(now.Key) == nil {
			out = append(out, Change{Key: now.Key, New: now})
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Key, out[j].Key
		if a.Type != b.Type {
			return a.Type < b.Type
		}
		return a.Name < b.Name
	})
	return out
}
