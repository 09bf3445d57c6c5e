package text

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (e *editor) splice(from, to int, with string) string {
	return e.text[:from] + with + e.text[to:]
}

// holderColumn is the column of the key or dash that holds the value.
func (e *editor) holderColumn(h holder) int {
	switch {
	case h.parent == nil:
		return 0
	case h.parent.Kind == yaml.MappingNode:
		return e.column(e.start(h.parent.Content[h.index-1]))
	}
	return e.column(e.dash(h.parent, h.index))
}

// dash is the offset of the "-" before an item of a block list.
func (d *document) dash(list *yaml.Node, index int) int {
	from := d.content(list)
	if index > 0 {
		from = d.end(list.Content[index-1])
	}
	return d.skip(from)
}

// colon is the offset past the ":" after the key of a value.
func (e *editor) colon(h holder) int {
	i := e.skip(e.end(h.parent.Content[h.index-1]))
	return min(i+1, len(e.text))
}

// replace writes a value in the place of another.
func (e *editor) replace(h holder, node *yaml.Node) (string, error) {
	from, to := e.start(h.value), e.end(h.value)
	column := e.holderColumn(h)
	oldInline := h.value.Kind == yaml.ScalarNode || h.value.Kind == yaml.AliasNode || e.isFlow(h.value)
	switch {
	case h.flow:
		return e.splice(from, to, e.spaced(from, e.layout.flowLike(node, h.value))), nil
	case h.parent == nil && !oldInline:
		return e.splice(from, to, e.layout.block(node, e.column(from))), nil
	case h.parent == nil:
		return e.splice(from, to, e.layout.flow(node)), nil
	case oldInline && e.stays(h, node):
		return e.splice(from, to, e.spaced(from, e.layout.flow(node))), nil
	case isInline(node):
		return e.replaceInline(h, column, from, to, oldInline, node), nil
	case h.parent.Kind == yaml.SequenceNode:
		indent := column + 2
		if !oldInline {
			indent = e.column(e.content(h.value))
		}
		return e.splice(from, to, e.spaced(from, e.layout.block(node, indent))), nil
	}
	// A block below a key; a comment on the key's line stays there.
	indent := e.layout.indentFor(node, column)
	if !oldInline && node.Kind == h.value.Kind {
		at := e.content(h.value)
		return e.splice(at, to, e.layout.block(node, e.column(at))), nil
	}
	after := e.colon(h)
	comment := e.text[after:e.lineEnd(after)]
	if oldInline {
		end := e.lineEnd(to)
		comment, to = e.text[to:end], end
	} else if e.lineOf(from) == e.lineOf(after) {
		comment = ""
	}
	body := strings.TrimRight(comment, " \t\r") + e.layout.eol + pad(indent) + e.layout.block(node, indent)
	return e.splice(after, to, body), nil
}

// stays reports whether brackets are kept: where a filled collection in
// brackets is given a new collection.
func (e *editor) stays(h holder, node *yaml.Node) bool {
	return e.isFlow(h.value) && len(h.value.Content) > 0 && node.Kind == h.value.Kind
}

// replaceInline puts a value on the line of its key or dash.
func (e *editor) replaceInline(h holder, column, from, to int, oldInline bool, node *yaml.Node) string {
	if oldInline {
		return e.splice(from, to, e.spaced(from, e.layout.inline(node, column, h.value)))
	}
	value := " " + e.layout.inline(node, column, nil)
	if h.parent.Kind == yaml.SequenceNode {
		return e.splice(e.dash(h.parent, h.index)+1, to, value)
	}
	after := e.colon(h)
	comment := ""
	if e.lineOf(from) > e.lineOf(after) && !strings.Contains(value, "\n") {
		comment = strings.TrimRight(e.text[after:e.lineEnd(after)], " \t\r")
	}
	return e.splice(after, to, value+comment)
}

// spaced puts a space before what would otherwise touch a colon or dash.
func (e *editor) spaced(at int, s string) string {
	if at > 0 && (e.text[at-1] == ':' || e.text[at-1] == '-') {
		return " " + s
	}
	return s
}

// flowLike writes a value within brackets, a string quoted like the old one.
func (l layout) flowLike(n, was *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && isText(n) && was.Kind == yaml.ScalarNode {
		switch {
		case was.Style&yaml.DoubleQuotedStyle != 0:
			return quote(n.Value)
		case was.Style&yaml.SingleQuotedStyle != 0 && printable(n.Value):
			return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
		}
	}
	return l.flow(n)
}

// addEntry puts a new field at the end of a mapping.
func (e *editor) addEntry(n *yaml.Node, flow bool, key string, value *yaml.Node) (string, error) {
	if n.Kind != yaml.MappingNode {
		return "", errors.New("its parent is no mapping")
	}
	entry := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{stringNode(key), value}}
	if flow || len(n.Content) == 0 {
		return e.addFlow(n, strings.TrimSuffix(strings.TrimPrefix(e.layout.flow(entry), "{"), "}"), entry)
	}
	column := e.column(e.start(n.Content[0]))
	return e.addLines(e.end(n.Content[len(n.Content)-1]), column, e.layout.block(entry, column)), nil
}

// addLines adds lines after the line that holds offset.
func (e *editor) addLines(offset, column int, lines string) string {
	at := e.lineEnd(offset)
	return e.splice(at, at, e.layout.eol+pad(column)+lines)
}

// addFlow adds an entry or item at the end of a collection in brackets; whole
// is the collection to write in place of an empty one.
func (e *editor) addFlow(n *yaml.Node, entry string, whole *yaml.Node) (string, error) {
	if len(n.Content) == 0 {
		h, ok := e.holderOf(e.root, n, false)
		if !ok {
			h = holder{value: n}
		}
		if h.parent == nil && !e.layout.json {
			return e.splice(e.start(n), e.end(n), e.layout.block(whole, 0)), nil
		}
		return e.replace(h, whole)
	}
	first := n.Content[len(n.Content)-1]
	if n.Kind == yaml.MappingNode {
		first = n.Content[len(n.Content)-2]
	}
	at := e.end(n.Content[len(n.Content)-1])
	comma := ","
	if i := e.skip(at); i < len(e.text) && e.text[i] == ',' {
		at, comma = i+1, ""
	}
	lineStart := e.lines[e.lineOf(e.start(first))-1]
	if indent := e.text[lineStart:e.start(first)]; strings.TrimSpace(indent) == "" && e.start(first) > e.content(n) && lineStart > e.content(n) {
		return e.splice(at, at, comma+e.layout.eol+indent+entry), nil
	}
	return e.splice(at, at, comma+" "+entry), nil
}

// holderOf finds the entry whose value is the node want.
func (e *editor) holderOf(n, want *yaml.Node, flow bool) (holder, bool) {
	if n.Kind == yaml.AliasNode {
		return holder{}, false
	}
	flow = flow || e.isFlow(n)
	for i, c := range n.Content {
		if c == want {
			return holder{parent: n, index: i, value: c, flow: flow}, true
		}
		if h, ok := e.holderOf(c, want, flow); ok {
			return h, true
		}
	}
	return holder{}, false
}

// insert puts an item into a list that has some.
func (e *editor) insert(n *yaml.Node, flow bool, index int, node *yaml.Node) (string, error) {
	if n.Kind != yaml.SequenceNode {
		return "", errors.New("it is no list")
	}
	if index < 0 {
		index = len(n.Content)
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
	if flow || len(n.Content) == 0 {
		if index == len(n.Content) {
			return e.addFlow(n, e.layout.flow(node), list)
		}
		at := e.start(n.Content[index])
		return e.splice(at, at, e.layout.flow(node)+", "), nil
	}
	dash := e.dash(n, 0)
	column := e.column(dash)
	item := e.layout.block(list, column)
	if index == 0 {
		return e.splice(dash, dash, item+e.layout.eol+pad(column)), nil
	}
	return e.addLines(e.end(n.Content[index-1]), column, item), nil
}
