package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A tree is what a text says, without how it says it: map[string]any, []any or
// a scalar as a string with its kind before it. An edit is checked by making it
// to the tree too and comparing.

var errTooLarge = errors.New("the text is too large once its aliases are written out")

func treeOf(n *yaml.Node, left int) (any, error) {
	return tree(n, 0, &left)
}

func tree(n *yaml.Node, depth int, left *int) (any, error) {
	*left--
	target := deref(n)
	if *left < 0 || depth > maxDepth || target == nil {
		return nil, errTooLarge
	}
	switch target.Kind {
	case yaml.SequenceNode:
		out := make([]any, 0, len(target.Content))
		for _, c := range target.Content {
			v, err := tree(c, depth+1, left)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		all, _, _ := entries(target)
		out := make(map[string]any, len(all))
		for _, p := range all {
			v, err := tree(p.value, depth+1, left)
			if err != nil {
				return nil, err
			}
			out[deref(p.key).Value] = v
		}
		return out, nil
	}
	return scalarTree(target), nil
}

func scalarTree(n *yaml.Node) any {
	switch kindOf(n) {
	case nullKind:
		return nil
	case stringKind:
		return "text " + n.Value
	}
	return "plain " + n.Value
}

// edit is one change at a path, made to a tree and to a text alike.
type edit uint8

const (
	setEdit edit = iota + 1
	insertEdit
	deleteEdit
)

// apply makes an edit to a tree. It fails where the path does not fit.
func apply(t any, steps []step, do edit, index int, value any) (any, error) {
	if len(steps) == 0 {
		return applyHere(t, do, index, value)
	}
	s := steps[0]
	if s.isIndex {
		list, ok := t.([]any)
		if t != nil && !ok {
			return nil, fmt.Errorf("%s is looked for in what is no list", s)
		}
		return applyToList(list, s, steps[1:], do, index, value)
	}
	m, ok := t.(map[string]any)
	if t != nil && !ok {
		return nil, fmt.Errorf("%s is looked for in what is no mapping", s)
	}
	if m == nil {
		m = map[string]any{}
	}
	key, there := treeKey(m, s.field)
	if do == deleteEdit && !there {
		return nil, fmt.Errorf("there is no %s", s)
	}
	if do == deleteEdit && len(steps) == 1 {
		delete(m, key)
		return m, nil
	}
	v, err := apply(m[key], steps[1:], do, index, value)
	if err != nil {
		return nil, err
	}
	m[key] = v
	return m, nil
}

func applyHere(t any, do edit, index int, value any) (any, error) {
	if do == setEdit {
		return value, nil
	}
	list, ok := t.([]any)
	switch {
	case do != insertEdit:
		return nil, errors.New("the resource as a whole cannot be deleted from its own text")
	case t != nil && !ok:
		return nil, errors.New("an item can only be put into a list")
	case index > len(list):
		return nil, fmt.Errorf("item %d cannot be put into a list of %d", index, len(list))
	case index < 0:
		index = len(list)
	}
	return slices.Insert(list, index, value), nil
}

func applyToList(list []any, s step, rest []step, do edit, index int, value any) (any, error) {
	switch {
	case s.index > len(list), s.index == len(list) && do == deleteEdit:
		return nil, fmt.Errorf("there is no item %s in a list of %d", s, len(list))
	case s.index == len(list):
		list = append(list, nil)
	case do == deleteEdit && len(rest) == 0:
		return slices.Delete(list, s.index, s.index+1), nil
	}
	v, err := apply(list[s.index], rest, do, index, value)
	if err != nil {
		return nil, err
	}
	list[s.index] = v
	return list, nil
}

// treeKey finds the key for a field, in either of its spellings.
func treeKey(m map[string]any, field string) (key string, ok bool) {
	if _, ok := m[field]; ok {
		return field, true
	}
	best := ""
	for k := range m {
		if camel(k) == camel(field) && (best == "" || strings.Compare(k, best) < 0) {
			best = k
		}
	}
	if best != "" {
		return best, true
	}
	return field, false
}
