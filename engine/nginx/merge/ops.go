package merge

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// spot is a field of a resource.
type spot struct {
	key  mesh.Key
	path string
}

// ops gathers what is to be done, in terms of the mesh as it is before anything
// is.
type ops struct {
	set     map[spot]string // values, as YAML
	gone    map[spot]bool   // fields, not items
	lists   map[spot]*itemList
	put     []Edit
	removed []Edit
}

func newOps() *ops {
	return &ops{set: map[spot]string{}, gone: map[spot]bool{}, lists: map[spot]*itemList{}}
}

// itemList is a list on its way to another order and other items.
type itemList struct {
	was   int
	items []slot
}

// slot is an item that was there, or a new one.
type slot struct {
	was   int // -1 for a new one
	value string
}

// list is what becomes of the list at a path that has n items.
func (o *ops) list(at spot, n int) *itemList {
	l := o.lists[at]
	if l == nil {
		l = &itemList{was: n}
		for i := range n {
			l.items = append(l.items, slot{was: i})
		}
		o.lists[at] = l
	}
	return l
}

// at is where the item that was there now stands; -1 for one that is gone.
func (l *itemList) at(was int) int {
	return slices.IndexFunc(l.items, func(s slot) bool { return s.was == was })
}

func (l *itemList) remove(was int) {
	if i := l.at(was); i >= 0 {
		l.items = slices.Delete(l.items, i, i+1)
	}
}

func (l *itemList) insert(at int, value string) {
	l.items = slices.Insert(l.items, at, slot{was: -1, value: value})
}

// edits are the steps that lead there.
func (l *itemList) edits(at spot) []Edit {
	out := l.replaced(at)
	var now []slot
	for i := range l.was {
		if l.at(i) >= 0 {
			now = append(now, slot{was: i})
		}
	}
	for i := l.was - 1; i >= 0; i-- {
		if l.at(i) < 0 {
			out = append(out, Edit{Op: Delete, Key: at.key, Path: text.Item(at.path, i)})
		}
	}
	for i, want := range l.items {
		switch {
		case want.was < 0:
			out = append(out, Edit{Op: Insert, Key: at.key, Path: text.Item(at.path, i), Value: want.value})
			now = slices.Insert(now, i, want)
		case now[i].was != want.was:
			from := slices.IndexFunc(now, func(s slot) bool { return s.was == want.was })
			out = append(out, Edit{Op: Move, Key: at.key, Path: text.Item(at.path, from), Value: strconv.Itoa(i)})
			now = slices.Insert(slices.Delete(now, from, from+1), i, want)
		}
	}
	return out
}

// replaced sets the scalars whose place a new one takes, so that the list keeps
// its shape and its comments.
func (l *itemList) replaced(at spot) (out []Edit) {
	for i := range l.items {
		s := l.items[i]
		if s.was >= 0 || strings.ContainsAny(s.value, "\n{[:") {
			continue
		}
		was := 0
		if i > 0 {
			if was = l.items[i-1].was + 1; was == 0 {
				continue
			}
		}
		if was >= l.was || l.at(was) >= 0 {
			continue
		}
		out = append(out, Edit{Op: Set, Key: at.key, Path: text.Item(at.path, was), Value: s.value})
		l.items[i] = slot{was: was}
	}
	return out
}

// edits are all steps, in an order in which each path is right at its moment:
// fields first, then lists from the innermost out, then whole resources.
func (o *ops) edits() []Edit {
	var out []Edit
	order := func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.key.Type, b.key.Type), cmp.Compare(a.key.Name, b.key.Name), compare(a.path, b.path))
	}
	for _, s := range slices.SortedFunc(maps.Keys(o.gone), order) {
		if _, set := o.set[s]; !set && !o.goesWithin(s) {
			out = append(out, Edit{Op: Delete, Key: s.key, Path: s.path})
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(o.set), order) {
		out = append(out, Edit{Op: Set, Key: s.key, Path: s.path, Value: o.set[s]})
	}
	for _, s := range slices.SortedFunc(maps.Keys(o.lists), func(a, b spot) int {
		return cmp.Or(cmp.Compare(len(stepsOf(b.path)), len(stepsOf(a.path))), order(a, b))
	}) {
		out = append(out, o.lists[s].edits(s)...)
	}
	return append(append(out, o.removed...), o.put...) // what goes may come again under its name
}

// goesWithin reports whether a field goes with one around it.
func (o *ops) goesWithin(s spot) bool {
	for path := text.Parent(s.path); path != ""; path = text.Parent(path) {
		if o.gone[spot{s.key, path}] {
			return true
		}
	}
	return false
}

// place is where the item that was to stand before index was would stand: before
// the first that stays of those behind it.
func (l *itemList) place(was int) int {
	for i, s := range l.items {
		if s.was >= was {
			return i
		}
	}
	return len(l.items)
}
