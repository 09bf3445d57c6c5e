package text

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Set gives the field at a path a value: a scalar, map, slice, proto message,
// time.Duration or yaml.Node. Parents that are missing are made. Only that node
// is rewritten. It fails on a text that is no YAML, on a path that does not fit
// the text, and where the node cannot be changed without touching others (its
// anchor is used elsewhere); the text is then unchanged.
func Set(text, path string, value any) (string, error) {
	return change(text, path, setEdit, 0, value)
}

// Insert puts a value into the list at a path before the item with that index;
// a negative index appends. A list that is missing is made.
func Insert(text, listPath string, index int, value any) (string, error) {
	return change(text, listPath, insertEdit, index, value)
}

// Delete takes the field or list item at a path out, with the comment directly
// above it. A mapping or list that loses its last entry stays, empty.
func Delete(text, path string) (string, error) {
	return change(text, path, deleteEdit, 0, nil)
}

// change makes one edit and proves it: the new text must say what the old one
// said with that edit made, else the text is left alone.
func change(text, path string, do edit, index int, value any) (string, error) {
	fail := func(err error) (string, error) {
		if path == "" {
			return text, err
		}
		return text, fmt.Errorf("%s: %w", path, err)
	}
	steps, err := parsePath(path)
	if err != nil {
		return text, err
	}
	d, err := newDocument(text)
	if err != nil {
		return fail(err)
	}
	var node *yaml.Node
	if do != deleteEdit {
		if node, err = nodeOf(value); err != nil {
			return fail(err)
		}
	}
	e := &editor{document: d, layout: d.layoutOf()}
	if out, ok := e.editNear(steps, do, index, node); ok {
		return out, nil
	}
	want, err := expect(d, steps, do, index, node)
	if err != nil {
		return fail(err)
	}
	out, err := e.edit(steps, do, index, node)
	if err != nil {
		return fail(err)
	}
	if err := prove(out, want); err != nil {
		return fail(err)
	}
	return out, nil
}

// editor splices one document.
type editor struct {
	*document
	layout layout
}

// holder is the collection entry that an edit works on.
type holder struct {
	parent *yaml.Node // mapping or sequence as written; nil for the root
	index  int        // of the value in parent.Content
	value  *yaml.Node
	flow   bool // parent stands in brackets
}

// edit finds the deepest node that the path reaches as written and splices
// there.
func (e *editor) edit(steps []step, do edit, index int, node *yaml.Node) (string, error) {
	if e.root == nil {
		return e.text + e.layout.block(nested(steps, do, node), 0) + e.layout.eol, nil
	}
	h := holder{value: e.root}
	for i, s := range steps {
		if h.value.Kind == yaml.AliasNode {
			return e.unshared(h, steps[i:], do, index, node)
		}
		if isNull(h.value) {
			return e.replace(h, nested(steps[i:], do, node))
		}
		flow := h.flow || e.isFlow(h.value)
		j, ok := ownIndex(h.value, s)
		if !ok {
			return e.missing(h.value, flow, steps[i:], do, index, node)
		}
		h = holder{parent: h.value, index: j, value: h.value.Content[j], flow: flow}
	}
	switch do {
	case setEdit:
		return e.replace(h, node)
	case deleteEdit:
		return e.remove(h)
	}
	if h.value.Kind == yaml.AliasNode {
		return e.unshared(h, nil, do, index, node)
	}
	if isNull(h.value) || len(h.value.Content) == 0 {
		return e.replace(h, nested(nil, do, node))
	}
	return e.insert(h.value, h.flow || e.isFlow(h.value), index, node)
}

// nested is the value to write where steps begin to be missing.
func nested(steps []step, do edit, node *yaml.Node) *yaml.Node {
	if do == insertEdit {
		node = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].isIndex {
			node = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
		} else {
			node = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode(steps[i].field), node}}
		}
	}
	return node
}

// ownIndex is where in n.Content the value for a step stands; ok is false for
// what is missing or only merged in.
func ownIndex(n *yaml.Node, s step) (int, bool) {
	switch n.Kind {
	case yaml.SequenceNode:
		return s.index, s.isIndex && s.index < len(n.Content)
	case yaml.MappingNode:
		if s.isIndex {
			return 0, false
		}
		other := -1
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := deref(n.Content[i])
			switch {
			case k == nil || k.Kind != yaml.ScalarNode || isMerge(k):
			case k.Value == s.field:
				return i + 1, true
			case other < 0 && camel(k.Value) == camel(s.field):
				other = i + 1
			}
		}
		return other, other >= 0
	}
	return 0, false
}

// missing makes what a step does not find in the collection n.
func (e *editor) missing(n *yaml.Node, flow bool, steps []step, do edit, index int, node *yaml.Node) (string, error) {
	if steps[0].isIndex {
		return e.insert(n, flow, -1, nested(steps[1:], do, node))
	}
	key := steps[0].field
	if all, _, _ := entries(n); entryIndex(all, key) >= 0 {
		// It is merged in: an entry of its own goes before that.
		p := all[entryIndex(all, key)]
		if do == deleteEdit && len(steps) == 1 {
			return "", errors.New("it comes from a merge key (<<), so it cannot be deleted here")
		}
		value, err := editedCopy(p.value, steps[1:], do, index, node)
		if err != nil {
			return "", err
		}
		return e.addEntry(n, flow, deref(p.key).Value, value)
	}
	return e.addEntry(n, flow, key, nested(steps[1:], do, node))
}

// unshared replaces an alias by a copy of what it stands for, with the edit
// made to the copy.
func (e *editor) unshared(h holder, steps []step, do edit, index int, node *yaml.Node) (string, error) {
	value, err := editedCopy(h.value, steps, do, index, node)
	if err != nil {
		return "", err
	}
	return e.replace(h, value)
}

// editedCopy is what n stands for, aliases written out and the edit made.
func editedCopy(n *yaml.Node, steps []step, do edit, index int, node *yaml.Node) (*yaml.Node, error) {
	c, err := asWritten(n, "")
	if err != nil {
		return nil, err
	}
	d, err := newDocument(layout{eol: "\n", step: 2}.block(c, 0) + "\n")
	if err != nil {
		return nil, err
	}
	out, err := (&editor{document: d, layout: d.layoutOf()}).edit(steps, do, index, node)
	if err != nil {
		return nil, err
	}
	if c, err = parse(out); err != nil || c == nil {
		return plainNode("null"), err
	}
	return asWritten(c, out)
}

// asWritten is a copy of n, without aliases, that is written as it is read. text
// is what n is of, "" when it is of none.
func asWritten(n *yaml.Node, text string) (*yaml.Node, error) {
	left := maxNodes(text)
	return expanded(n, 0, &left)
}

// expanded is a copy of n without aliases, anchors and merge keys. What was
// unquoted and is no string to Envoy stays unquoted, whatever our library
// thinks of it.
func expanded(n *yaml.Node, depth int, left *int) (*yaml.Node, error) {
	*left--
	target := deref(n)
	if *left < 0 || depth > maxDepth || target == nil {
		return nil, errTooLarge
	}
	c := *target
	c.Anchor, c.Content = "", nil
	if c.Kind == yaml.ScalarNode && c.Line > 0 && kindOf(target) != stringKind {
		c.Tag, c.Style = "!!null", 0
	}
	add := func(n *yaml.Node) error {
		child, err := expanded(n, depth+1, left)
		c.Content = append(c.Content, child)
		return err
	}
	if target.Kind == yaml.MappingNode {
		all, _, _ := entries(target)
		for _, p := range all {
			if err := errors.Join(add(p.key), add(p.value)); err != nil {
				return nil, err
			}
		}
		return &c, nil
	}
	for _, item := range target.Content {
		if err := add(item); err != nil {
			return nil, err
		}
	}
	return &c, nil
}
