package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Move takes the item with index from out of the list at a path and puts it
// back so that it has index to. The items between them move up or down by one;
// each keeps its own text, with the comment directly above it. What Set says of
// failures holds.
func Move(text, listPath string, from, to int) (string, error) {
	fail := func(err error) (string, error) { return text, fmt.Errorf("%s: %w", listPath, err) }
	d, n, err := lookup(text, listPath)
	if err != nil {
		return fail(err)
	}
	list := deref(n)
	if list == nil || list.Kind != yaml.SequenceNode {
		return fail(errors.New("there is no list"))
	}
	if count := len(list.Content); from < 0 || to < 0 || from >= count || to >= count {
		return fail(fmt.Errorf("it has %d items: item %d cannot become item %d", count, from, to))
	}
	steps, err := parsePath(listPath)
	if err != nil {
		return fail(err)
	}
	was, err := expect(d, steps, deleteEdit, 0, nil)
	if err != nil {
		return fail(err)
	}
	order := moved(len(list.Content), from, to)
	items := &yaml.Node{Kind: yaml.SequenceNode}
	for _, i := range order {
		items.Content = append(items.Content, list.Content[i])
	}
	tree, err := treeOf(items, maxNodes(text))
	if err != nil {
		return fail(err)
	}
	want, err := apply(was, steps, setEdit, 0, tree)
	if err != nil {
		return fail(err)
	}
	out := d.permuted(d.slots(list), order)
	if err := prove(out, want); err != nil {
		return fail(err)
	}
	return out, nil
}

// moved is the order of count items once one of them has moved.
func moved(count, from, to int) []int {
	order := make([]int, count)
	for i := range order {
		order[i] = i
	}
	order = slices.Delete(order, from, from+1)
	return slices.Insert(order, to, from)
}

// slots are the bytes that each item of a list takes: between brackets its
// value, else whole lines from the comment above its dash on, but without the
// last line break. Where a dash does not begin its line the slot is the value.
func (d *document) slots(list *yaml.Node) [][2]int {
	flow := d.isFlow(list) || d.isFlow(d.root)
	lines := !flow && len(list.Content) > 0 && strings.TrimSpace(d.lineBefore(d.dash(list, 0))) == ""
	out := make([][2]int, 0, len(list.Content))
	for i, item := range list.Content {
		from, to := d.start(item), d.end(item)
		if !flow {
			to = d.lineEnd(to)
		}
		if lines {
			dash, floor := d.dash(list, i), -1
			if i > 0 {
				floor = d.end(list.Content[i-1])
			}
			from = d.withComment(d.lines[d.lineOf(dash)-1], d.column(dash), floor)
		}
		out = append(out, [2]int{from, to})
	}
	return out
}

// permuted is the text with slots filled in another order; what stands between
// the slots stays.
func (d *document) permuted(slots [][2]int, order []int) string {
	var b strings.Builder
	at := 0
	for i, slot := range slots {
		if slot[0] < at {
			return d.text // two items on one line: the proof fails
		}
		b.WriteString(d.text[at:slot[0]])
		b.WriteString(d.text[slots[order[i]][0]:slots[order[i]][1]])
		at = slot[1]
	}
	return b.String() + d.text[at:]
}
