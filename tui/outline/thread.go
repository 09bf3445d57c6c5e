package outline

import "example.com/meshtui/engine/mesh"

// Thread is the way of a request that leads through what is selected: every
// resource on it, with the fields that it leads through; "" is all of it.
type Thread struct {
	Key   mesh.Key // what is selected
	Path  string
	parts map[mesh.Key][]string
}

// Thread follows the references from the field down to the endpoints, and up
// to the listeners.
func (o *Outline) Thread(k mesh.Key, path string) *Thread {
	t := &Thread{Key: k, Path: path, parts: map[mesh.Key][]string{}}
	if k.IsZero() {
		return t
	}
	t.parts[k] = []string{path}
	o.down(t, k, path)
	o.up(t, k)
	return t
}

// down takes in everything that is named at path in k or below.
func (o *Outline) down(t *Thread, k mesh.Key, path string) {
	for _, ref := range o.from[k] {
		if _, seen := t.parts[ref.To]; seen || !related(ref.Path, path) {
			continue
		}
		t.parts[ref.To] = []string{""}
		o.down(t, ref.To, "")
	}
}

// up takes in every place that names k, and those who name them.
func (o *Outline) up(t *Thread, k mesh.Key) {
	for _, ref := range o.to[k] {
		if ref.From == t.Key {
			continue
		}
		_, seen := t.parts[ref.From]
		t.parts[ref.From] = append(t.parts[ref.From], ref.Path)
		if !seen {
			o.up(t, ref.From)
		}
	}
}

// Has reports whether the field, or part of it, is on the thread.
func (t *Thread) Has(k mesh.Key, path string) bool {
	if t == nil {
		return false
	}
	for _, p := range t.parts[k] {
		if related(p, path) {
			return true
		}
	}
	return false
}

// Selects reports whether the field is what is selected, or stands within it.
func (t *Thread) Selects(k mesh.Key, path string) bool {
	return t != nil && t.Key == k && within(path, t.Path)
}

// Keys calls fn for each resource on the thread.
func (t *Thread) Keys(fn func(mesh.Key)) {
	for k := range t.parts {
		fn(k)
	}
}

// Row is the row of a pane that the thread leads to first, or -1: of the first
// resource in the pane that is on it, the deepest row that encloses the field.
func (o *Outline) Row(p Pane, t *Thread) int {
	best := -1
	for k, paths := range t.parts {
		span, ok := o.span[p][k]
		if !ok || (best >= 0 && span[0] > best) {
			continue
		}
		if i := o.firstOf(p, span, paths); i >= 0 && (best < 0 || i < best) {
			best = i
		}
	}
	return best
}

// firstOf is the deepest row of the span that encloses the first of the paths,
// else the first that is on one of them.
func (o *Outline) firstOf(p Pane, span [2]int, paths []string) int {
	if paths[0] == "" {
		return span[0]
	}
	best, depth, any := -1, -1, -1
	for i := span[0]; i < span[1]; i++ {
		path := o.Rows[p][i].Path
		if within(paths[0], path) && len(path) > depth {
			best, depth = i, len(path)
		} else if any < 0 && within(path, paths[0]) {
			any = i
		}
	}
	if depth <= 0 && any >= 0 {
		return any
	}
	return best
}
