package engine

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// content is what a draft, a revision or a folder says. It is immutable.
type content struct {
	rules  []mesh.Rule
	meshes map[string]*mesh.Mesh
}

// groups lists the group names, the default one first.
func (c content) groups() []string {
	out := make([]string, 0, len(c.meshes))
	for g := range c.meshes {
		if g != mesh.DefaultGroup {
			out = append(out, g)
		}
	}
	sort.Strings(out)
	return append([]string{mesh.DefaultGroup}, out...)
}

// changes counts the resources that differ by text between two contents; other
// rules count as one change.
func changes(from, to content) int {
	n := 0
	for g, m := range to.meshes {
		n += len(mesh.DiffText(from.meshes[g], m))
	}
	for g, m := range from.meshes {
		if to.meshes[g] == nil {
			n += m.Len()
		}
	}
	if !slices.Equal(from.rules, to.rules) {
		n++
	}
	return n
}

// draft is the content being edited, and the ways back and forth. A step holds
// the content to go to; the newest is the last.
type draft struct {
	now        content
	undo, redo []step
}

type step struct {
	does    string
	content content
}

// become makes c the draft's content, as one step that can be undone.
func (d *draft) become(does string, c content) {
	d.undo = append(d.undo, step{does: does, content: d.now})
	if over := len(d.undo) - undoKept; over > 0 {
		d.undo = slices.Delete(d.undo, 0, over)
	}
	d.redo = nil
	d.now = c
}

// back moves one step from one list to the other; false when there is none.
func (d *draft) back(from, to *[]step) bool {
	n := len(*from)
	if n == 0 {
		return false
	}
	s := (*from)[n-1]
	*from = (*from)[:n-1]
	*to = append(*to, step{does: s.does, content: d.now})
	d.now = s.content
	return true
}

// describe lists what the steps do, nearest first.
func describe(steps []step) []string {
	out := make([]string, 0, len(steps))
	for i := len(steps) - 1; i >= 0; i-- {
		out = append(out, steps[i].does)
	}
	return out
}

// Edit makes edits to one group's draft, all of them or none, as one step that
// can be undone. A text that does not decode comes back in an *EditError.
// Edits that change nothing leave no step.
func (w *Workspace) Edit(group string, edits ...Edit) error {
	return w.change(func() error {
		m, ok := w.draft.now.meshes[group]
		if !ok {
			return fmt.Errorf("there is no group %q; there are: %s", group, strings.Join(w.draft.now.groups(), ", "))
		}
		before, edits := m, slices.Clone(edits) // the caller's stay as they are
		live := w.live().meshes[group]
		for i, e := range edits {
			edits[i] = named(e, m)
			var err error
			if m, err = e.apply(m, live); err != nil {
				return err
			}
		}
		if len(mesh.DiffText(before, m)) == 0 {
			return nil
		}
		meshes := maps.Clone(w.draft.now.meshes)
		meshes[group] = m
		w.draft.become(describeAll(edits), content{rules: w.draft.now.rules, meshes: meshes})
		return nil
	})
}

// Undo takes the last step back. It returns ErrNothingToUndo without one.
func (w *Workspace) Undo() error {
	return w.change(func() error {
		if !w.draft.back(&w.draft.undo, &w.draft.redo) {
			return ErrNothingToUndo
		}
		return nil
	})
}

// Redo makes the step again that was last undone. It returns ErrNothingToRedo
// without one.
func (w *Workspace) Redo() error {
	return w.change(func() error {
		if !w.draft.back(&w.draft.redo, &w.draft.undo) {
			return ErrNothingToRedo
		}
		return nil
	})
}

// Discard makes the draft what is served, or what is on disk where nothing was
// pushed yet. It is a step that can be undone.
func (w *Workspace) Discard() error {
	return w.change(func() error {
		to := w.base
		if len(w.revisions) > 0 {
			to = w.live()
		}
		n := changes(to, w.draft.now)
		if n == 0 {
			return ErrNothingToDiscard
		}
		w.draft.become(fmt.Sprintf("discard %s", plural(n, "change")), to)
		return nil
	})
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
