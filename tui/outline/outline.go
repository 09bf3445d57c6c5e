package outline

import (
	"cmp"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Outline is a mesh as rows. It is immutable.
type Outline struct {
	Rows [Panes][]*Row
	// Others are the resources of the types that have no pane, a row each, by
	// type in the order of mesh.Types, then by name.
	Others []*Row

	span  [Panes]map[mesh.Key][2]int
	draft map[mesh.Key]Draft
	from  map[mesh.Key][]mesh.Reference // what a resource names
	to    map[mesh.Key][]mesh.Reference // who names it
}

// Builder makes outlines and keeps what it made of each resource, so that a
// change to one costs no more than that one. It must not be used by two
// goroutines at once.
type Builder struct {
	kept map[*mesh.Resource]*kept
}

type kept struct {
	rows   [Panes][]Row
	others []Row
	refs   []mesh.Reference
}

// Build makes the outline of a draft. What the draft removed from live keeps
// its place at the end of its pane, marked as removed.
func (b *Builder) Build(draft *mesh.Mesh, changes []mesh.Change) *Outline {
	o := &Outline{draft: map[mesh.Key]Draft{}, from: map[mesh.Key][]mesh.Reference{}, to: map[mesh.Key][]mesh.Reference{}}
	all := draft.All()
	for _, c := range changes {
		switch {
		case c.New == nil:
			o.draft[c.Key] = Removed
			all = append(all, c.Old)
		case c.Old == nil:
			o.draft[c.Key] = Added
		default:
			o.draft[c.Key] = Edited
		}
	}
	next := make(map[*mesh.Resource]*kept, len(all))
	for p := range o.span {
		o.span[p] = make(map[mesh.Key][2]int)
	}
	for _, r := range all {
		k := b.kept[r]
		if k == nil {
			k = &kept{refs: mesh.References(r)}
			k.rows, k.others = rowsOf(r)
		}
		next[r] = k
		o.add(r.Key, k)
	}
	b.kept = next
	slices.SortStableFunc(o.Others, func(x, y *Row) int {
		return cmp.Or(cmp.Compare(x.Key.Type, y.Key.Type), strings.Compare(x.Key.Name, y.Key.Name))
	})
	return o
}

func (o *Outline) add(key mesh.Key, k *kept) {
	for p := range k.rows {
		if len(k.rows[p]) == 0 {
			continue
		}
		from := len(o.Rows[p])
		for i := range k.rows[p] {
			o.Rows[p] = append(o.Rows[p], &k.rows[p][i])
		}
		o.span[p][key] = [2]int{from, len(o.Rows[p])}
	}
	for i := range k.others {
		o.Others = append(o.Others, &k.others[i])
	}
	o.from[key] = k.refs
	for _, ref := range k.refs {
		o.to[ref.To] = append(o.to[ref.To], ref)
	}
}

// Draft says how the resource differs from what is live.
func (o *Outline) Draft(k mesh.Key) Draft { return o.draft[k] }

// UsedBy lists who names the resource, by reference.
func (o *Outline) UsedBy(k mesh.Key) []mesh.Reference { return o.to[k] }

// Find is the row in the pane that stands for the field: the deepest one that
// encloses it; -1 when the resource has no row there.
func (o *Outline) Find(p Pane, k mesh.Key, path string) int {
	best, depth := -1, -1
	span := o.span[p][k]
	for i := span[0]; i < span[1]; i++ {
		if r := o.Rows[p][i]; within(path, r.Path) && len(r.Path) > depth {
			best, depth = i, len(r.Path)
		}
	}
	return best
}

// Span is where the rows of a resource stand in a pane: from, and one past the
// last. Both are 0 when it has none.
func (o *Outline) Span(p Pane, k mesh.Key) (from, to int) {
	s := o.span[p][k]
	return s[0], s[1]
}
