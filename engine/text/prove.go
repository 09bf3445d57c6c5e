package text

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expect is the tree that the text must have after the edit.
func expect(d *document, steps []step, do edit, index int, node *yaml.Node) (any, error) {
	var was, value any
	var err error
	if d.root != nil {
		if was, err = treeOf(d.root, maxNodes(d.text)); err != nil {
			return nil, err
		}
	}
	if node != nil {
		if value, err = treeOf(node, maxNodes("")); err != nil {
			return nil, err
		}
	}
	return apply(was, steps, do, index, value)
}

// prove reads a text and compares what it says with what it is to say.
func prove(out string, want any) error {
	hint := "it cannot be changed by itself here (an alias shares it, or it is laid out unusually): edit the YAML"
	n, err := parse(out)
	if err != nil {
		return errors.New(hint)
	}
	var got any
	if n != nil {
		if got, err = treeOf(n, maxNodes(out)); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(got, want) {
		return errors.New(hint)
	}
	return nil
}

// A vicinity is a few neighbouring items of a list, which stand on lines of their
// own or between commas. What they say depends on nothing else: with the same
// bytes before and after them, a text whose few items read by themselves as they
// are to is right as a whole. So an edit in a list of ten thousand is proven by
// reading three items rather than all.
type vicinity struct {
	from, to int  // the bytes of the text: whole lines, or what commas enclose
	column   int  // of the dashes
	flow     bool // in brackets, and so without dashes
	last     bool // the text ends with it
	items    []*yaml.Node
	steps    []step // of the edit, from the list of these items on
	index    int    // of an insertion, in that list
}

// editNear makes an edit whose proof needs no more than the vicinity; ok is
// false where there is none, or where it does not prove the edit.
func (e *editor) editNear(steps []step, do edit, index int, node *yaml.Node) (out string, ok bool) {
	v, ok := e.vicinityOf(steps, do, index)
	if !ok {
		return "", false
	}
	// This list is a document to itself, as far as proofs go.
	alone, ok := v.alone(e.text[v.from:v.to])
	if !ok || len(alone.Content) != len(v.items) {
		return "", false
	}
	own := &yaml.Node{Kind: yaml.SequenceNode, Content: v.items}
	was, err := treeOf(own, maxNodes(""))
	if err != nil {
		return "", false
	}
	if is, err := treeOf(alone, maxNodes("")); err != nil || !reflect.DeepEqual(is, was) {
		return "", false
	}
	want, err := expect(&document{root: own}, v.steps, do, v.index, node)
	if err != nil {
		return "", false
	}
	if out, err = e.edit(steps, do, index, node); err != nil {
		return "", false
	}
	return out, v.proves(e.text, out, want)
}

// proves reports whether out differs from text in the vicinity only and says
// there what it is to say.
func (v vicinity) proves(text, out string, want any) bool {
	tail := len(text) - v.to
	if len(out) < v.from+tail || out[:v.from] != text[:v.from] || out[len(out)-tail:] != text[v.to:] {
		return false
	}
	n, ok := v.alone(out[v.from : len(out)-tail])
	if !ok {
		return false
	}
	got, err := treeOf(n, maxNodes(out))
	return err == nil && reflect.DeepEqual(got, want)
}

// alone reads a part of a text as a list by itself. It takes none that has
// anchors, aliases, tags, tabs or the marks that begin and end a document, which
// would reach beyond it, and none that does not end where an item can end.
func (v vicinity) alone(part string) (*yaml.Node, bool) {
	if strings.ContainsAny(part, "&*!\t\ufeff") {
		return nil, false
	}
	for line := range strings.Lines(part) {
		if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...") || strings.HasPrefix(line, "%") {
			return nil, false
		}
	}
	if v.flow {
		if part == "" || strings.HasSuffix(strings.TrimRight(part, " \r\n"), ",") {
			return nil, false
		}
		part = "[" + part + "]"
	} else if !strings.HasPrefix(part, pad(v.column)+"-") || !v.last && !strings.HasSuffix(part, "\n") {
		return nil, false
	}
	n, err := parse(part)
	if err != nil || n == nil || n.Kind != yaml.SequenceNode || n.Line != 1 || n.Column != v.column+1 {
		return nil, false
	}
	return n, len(n.Content) > 0
}

// vicinityOf follows the path of an edit to the deepest list whose items stand
// on lines of their own. There is none below an anchor, by which another place
// may say the same.
func (e *editor) vicinityOf(steps []step, do edit, index int) (best vicinity, ok bool) {
	n, limit := e.root, len(e.text)
	for i, flow := 0, false; n != nil && n.Kind != yaml.AliasNode; i++ {
		if n.Anchor != "" {
			return best, false
		}
		flow = flow || e.isFlow(n)
		if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
			first, last := touched(n, steps[i:], index)
			around := e.itemsOnLines
			if flow {
				around = e.itemsBetweenCommas
			}
			if v, fits := around(n, first, last, limit); fits {
				v.steps, v.index = slices.Clone(steps[i:]), index
				if i < len(steps) {
					v.steps[0].index -= first
				} else if index >= 0 {
					v.index -= first
				}
				best, ok = v, true
			}
		}
		if i == len(steps) {
			break
		}
		j, own := ownIndex(n, steps[i])
		if !own {
			break
		}
		if !flow {
			if limit, own = e.limit(n, j, limit); !own {
				break
			}
		}
		n = n.Content[j]
	}
	return best, ok
}

// touched says which items of a list an edit touches: the one that the path
// leads to, with its neighbours where it may come or go. index is that of an
// insertion, for a path that ends with the list.
func touched(list *yaml.Node, steps []step, index int) (first, last int) {
	end := len(list.Content) - 1
	switch {
	case len(steps) == 0 && index < 0:
		first, last = end, end
	case len(steps) == 0:
		first, last = index-1, index
	case len(steps) == 1:
		first, last = steps[0].index-1, steps[0].index+1
	default:
		first, last = steps[0].index, steps[0].index
	}
	return min(max(first, 0), end), min(max(last, 0), end)
}

// itemsOnLines is the vicinity of the items first to last of a list in block
// style. limit is where what follows the list begins.
func (e *editor) itemsOnLines(list *yaml.Node, first, last, limit int) (v vicinity, ok bool) {
	dash := e.dash(list, first)
	from, ok := e.ownLine(dash)
	if !ok || dash >= len(e.text) || e.text[dash] != '-' {
		return v, false
	}
	to, ok := e.limit(list, last, limit)
	v = vicinity{from: from, to: to, column: e.column(dash), last: to == len(e.text), items: list.Content[first : last+1]}
	return v, ok && from < to
}

// itemsBetweenCommas is the vicinity of the items first to last of a list in
// brackets. Nothing but blanks may stand between them and the commas or brackets
// around them.
func (e *editor) itemsBetweenCommas(list *yaml.Node, first, last, _ int) (v vicinity, ok bool) {
	v = vicinity{flow: true, from: e.start(list.Content[first]), to: e.end(list.Content[last]), items: list.Content[first : last+1]}
	before, sign := e.content(list), "["
	if first > 0 {
		before, sign = e.end(list.Content[first-1]), ","
	}
	if before > v.from || v.from >= v.to || strings.Trim(e.text[before:v.from], " \r\n") != sign {
		return v, false
	}
	after := strings.TrimLeft(e.text[v.to:], " \r\n")
	return v, after != "" && (after[0] == ',' || after[0] == ']')
}

// limit is where the line of what follows the entry with index j of n begins;
// outer is that of what follows n. ok is false when it has no line of its own.
func (e *editor) limit(n *yaml.Node, j, outer int) (int, bool) {
	if j+1 >= len(n.Content) {
		return outer, true
	}
	if n.Kind == yaml.SequenceNode {
		return e.ownLine(e.dash(n, j+1))
	}
	return e.ownLine(e.start(n.Content[j+1]))
}

// ownLine is the beginning of the line that holds offset, when only spaces stand
// before it there.
func (e *editor) ownLine(offset int) (int, bool) {
	from := e.lines[max(e.lineOf(offset), 1)-1]
	return from, from <= offset && strings.Trim(e.text[from:offset], " ") == ""
}
