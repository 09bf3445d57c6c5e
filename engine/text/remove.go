package text

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

// remove takes an entry or item out.
func (e *editor) remove(h holder) (string, error) {
	if h.parent == nil {
		return "", errors.New("the resource as a whole cannot be deleted from its own text")
	}
	per := 1
	if h.parent.Kind == yaml.MappingNode {
		per = 2
	}
	nth, count := h.index/per, len(h.parent.Content)/per
	switch {
	case h.flow:
		return e.removeFlow(h, per), nil
	case count == 1:
		return e.emptied(h.parent)
	}
	first := h.parent.Content[h.index-(per-1)]
	begin := e.start(first)
	if per == 1 {
		begin = e.dash(h.parent, h.index)
	}
	end := e.end(h.value)
	if nth == 0 && strings.TrimSpace(e.lineBefore(begin)) != "" {
		return e.removeInlineFirst(h, begin, end), nil
	}
	from := e.lines[e.lineOf(begin)-1]
	if nth > 0 {
		from = e.withComment(from, e.column(begin), e.end(h.parent.Content[h.index-per]))
	}
	to := e.lineEnd(end)
	switch {
	case to < len(e.text):
		to = e.lines[e.lineOf(to)] // past the line break
	case from > 0:
		// It is the last line and has no line break: take the one before it.
		from = len(strings.TrimSuffix(strings.TrimSuffix(e.text[:from], "\n"), "\r"))
	}
	return e.splice(from, to, ""), nil
}

// lineBefore is what stands before offset on its line.
func (d *document) lineBefore(offset int) string { return d.text[d.lines[d.lineOf(offset)-1]:offset] }

// removeInlineFirst takes out the first entry of a collection that begins on
// the line of its dash, as in "- name: x"; the next entry takes its place.
func (e *editor) removeInlineFirst(h holder, begin, end int) string {
	next := h.index + 1
	at := 0
	if h.parent.Kind == yaml.SequenceNode {
		at = e.dash(h.parent, next)
	} else {
		at = e.start(h.parent.Content[next])
	}
	if strings.Contains(e.text[e.lineEnd(end):at], "#") {
		// Comments of the next entry stand between: they stay on their lines.
		return e.splice(len(strings.TrimRight(e.text[:begin], " ")), e.lineEnd(end), "")
	}
	return e.splice(begin, at, "")
}

// withComment moves from, the start of a line, up over the comment lines
// directly above it that stand in the same column, but not above floor.
func (d *document) withComment(from, column, floor int) int {
	for l := d.lineOf(from) - 1; l >= 1; l-- {
		start := d.lines[l-1]
		line := d.text[start:d.lineEnd(start)]
		body := strings.TrimLeft(line, " ")
		if start <= floor || !strings.HasPrefix(body, "#") || len(line)-len(body) != column {
			break
		}
		from = start
	}
	return from
}

// removeFlow takes an entry out of brackets, with one comma.
func (e *editor) removeFlow(h holder, per int) string {
	from, to := e.start(h.parent.Content[h.index-(per-1)]), e.end(h.value)
	if i := e.skip(to); i < len(e.text) && e.text[i] == ',' {
		next := h.index + 1
		if next < len(h.parent.Content) {
			return e.splice(from, e.start(h.parent.Content[next]), "")
		}
		to = i + 1
	}
	if h.index >= per {
		before := e.end(h.parent.Content[h.index-per])
		return e.splice(before, to, "")
	}
	return e.splice(from, to, "")
}

// emptied is the text with a block collection replaced by an empty one.
func (e *editor) emptied(n *yaml.Node) (string, error) {
	empty := &yaml.Node{Kind: n.Kind, Style: yaml.FlowStyle}
	h, ok := e.holderOf(e.root, n, false)
	if !ok {
		return e.splice(e.start(n), e.end(n), e.layout.flow(empty)), nil
	}
	return e.replace(h, empty)
}
