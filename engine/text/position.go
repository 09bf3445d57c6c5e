package text

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position says where in the text the field at a path stands: its key, or the
// list item itself. Line and column are 1-based. A snake_case step finds a
// camelCase key; aliases and merge keys are followed. ok is false when there is
// no such field, or no valid YAML.
func Position(text, path string) (line, column int, ok bool) {
	return NewLocator(text).Position(path)
}

// Locator answers many questions about places in one text, which it reads once.
type Locator struct{ document *document }

// NewLocator reads a text. One that is no valid YAML has no places.
func NewLocator(text string) *Locator {
	d, err := newDocument(text)
	if err != nil {
		d = &document{}
	}
	return &Locator{d}
}

// Position is as the function Position.
func (l *Locator) Position(path string) (line, column int, ok bool) {
	steps, err := parsePath(path)
	n := l.document.root
	if err != nil || n == nil {
		return 0, 0, false
	}
	place := n
	for _, s := range steps {
		if place, n = child(n, s); n == nil {
			return 0, 0, false
		}
	}
	return place.Line, place.Column, true
}

// Nearest is the position of the field at a path or of the closest one above it
// that is written down.
func (l *Locator) Nearest(path string) (line, column int, ok bool) {
	for {
		if line, column, ok = l.Position(path); ok || path == "" {
			return line, column, ok
		}
		path = Parent(path)
	}
}

// child is what one step leads to: the node that shows the place, and the value.
func child(n *yaml.Node, s step) (place, value *yaml.Node) {
	if n = deref(n); n == nil {
		return nil, nil
	}
	switch {
	case n.Kind == yaml.SequenceNode && s.isIndex && s.index < len(n.Content):
		return n.Content[s.index], n.Content[s.index]
	case n.Kind == yaml.MappingNode && !s.isIndex:
		all, _, _ := entries(n)
		if i := entryIndex(all, s.field); i >= 0 {
			return all[i].key, all[i].value
		}
	}
	return nil, nil
}

// entryIndex finds the entry for a field, -1 without one: by its very name,
// else in the other of the two spellings that a proto field has.
func entryIndex(all []pair, field string) int {
	for i, p := range all {
		if deref(p.key).Value == field {
			return i
		}
	}
	for i, p := range all {
		if camel(deref(p.key).Value) == camel(field) {
			return i
		}
	}
	return -1
}

// camel is the name that protobuf gives a field in JSON.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	var b strings.Builder
	up := false
	for _, r := range name {
		switch {
		case r == '_':
			up = true
			continue
		case up && r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		up = false
		b.WriteRune(r)
	}
	return b.String()
}

// PathAt is the deepest field path that begins on a 1-based line or encloses
// it; where several fields of one parent share the line it is the parent's. It
// is "" for the resource as a whole and for a text that is no valid YAML.
func PathAt(text string, line int) string { return NewLocator(text).PathAt(line) }

// PathAt is as the function PathAt.
func (l *Locator) PathAt(line int) string {
	d, at := l.document, rootPath()
	for n := d.root; n != nil; {
		found := 0
		var next *yaml.Node
		var nextAt *path
		d.children(n, func(begin int, value *yaml.Node, s step) {
			if d.lineOf(begin) <= line && line <= d.lineOf(max(d.end(value)-1, begin)) {
				found++
				next, nextAt = value, at.item(s.index)
				if !s.isIndex {
					nextAt = at.mapKey(s.field)
				}
			}
		})
		if found != 1 {
			break
		}
		n, at = next, nextAt
	}
	return at.String()
}

// children visits the entries of a collection that are written where it is.
func (d *document) children(n *yaml.Node, visit func(begin int, value *yaml.Node, s step)) {
	switch n.Kind {
	case yaml.SequenceNode:
		for i, c := range n.Content {
			visit(d.start(c), c, step{index: i, isIndex: true})
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind == yaml.ScalarNode && !isMerge(key) {
				visit(d.start(key), n.Content[i+1], step{field: fieldName(key.Value)})
			}
		}
	}
}

// fieldName is a key as a field path has it. A key in lowerCamel is taken for a
// field's JSON name; Position finds it either way.
func fieldName(key string) string {
	if key == "" || key[0] < 'a' || key[0] > 'z' || strings.ContainsAny(key, "_.-/ ") {
		return key
	}
	return snake(key)
}
