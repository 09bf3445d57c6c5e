package text

import (
	"errors"
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"go.yaml.in/yaml/v3"
)

// Chunk is one value of a text, cut out so that it is a text of its own.
type Chunk struct {
	From, To int    // the bytes of the whole text that it takes, dash included, line break not
	Body     int    // the offset of the value itself, past the dash
	Line     int    // 1-based line of Body
	Indent   int    // columns that were taken off its lines; add it to a column of Text
	Dash     int    // column of the dash; -1 without one
	Flow     bool   // the list that it is an item of stands in brackets
	Text     string // dedented; ends with a line break unless it is in brackets
	Expanded bool   // Text was written anew because it used anchors from outside of it

	column int              // of Body
	origin []mesh.LinePlace // of the lines of a Text that was written anew
}

// Items cuts out every item of the list at a path. A list that is missing,
// null or empty has none; found tells the first from the others. The finding is
// why the text is no YAML, or that the path leads to something else than a list.
func Items(text, path string) (items []Chunk, found bool, wrong *mesh.Finding) {
	d, n, err := lookup(text, path)
	if err != nil {
		return nil, false, asFinding(err)
	}
	if n == nil || isNull(n) {
		return nil, n != nil, nil
	}
	list := deref(n)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, true, &mesh.Finding{Severity: mesh.Error, Rule: "wrong-kind", Path: path, Line: n.Line, Column: n.Column,
			Message: "expected a list, got " + describe(n), Hint: "put \"- \" before each item"}
	}
	flow := d.isFlow(list) || d.isFlow(d.root)
	out := make([]Chunk, 0, len(list.Content))
	for i, c := range list.Content {
		dash := -1
		if !flow {
			dash = d.dash(list, i)
		}
		out = append(out, d.chunk(c, dash))
	}
	return out, true, nil
}

// Sub cuts the value at a path out; ok is false when there is none.
func Sub(text, path string) (c Chunk, ok bool) {
	d, n, err := lookup(text, path)
	if err != nil || n == nil {
		return Chunk{}, false
	}
	return d.chunk(n, -1), true
}

// lookup finds the node at a path; nil when there is none.
func lookup(text, path string) (*document, *yaml.Node, error) {
	d, err := newDocument(text)
	if err != nil {
		return nil, nil, err
	}
	return d, (&Locator{d}).node(path), nil
}

// chunk cuts a node out. dash is the offset of the dash before it, -1 without.
func (d *document) chunk(n *yaml.Node, dash int) Chunk {
	c := Chunk{From: d.start(n), Body: d.start(n), To: d.end(n), Line: n.Line, Dash: -1, Flow: dash < 0}
	c.column = d.column(c.Body)
	c.Indent = c.column
	inBlock := n.Kind != yaml.AliasNode && !d.isFlow(n)
	if dash >= 0 {
		c.From, c.Dash = dash, d.column(dash)
	}
	if dash >= 0 || inBlock {
		c.To = d.withTail(c.To, max(c.Indent-1, 0))
		if dash >= 0 {
			c.To = d.withTail(c.To, c.Dash)
		}
	}
	if !inBlock && dash < 0 {
		line := d.text[d.lines[n.Line-1]:]
		c.Indent = min(c.Indent, len(line)-len(strings.TrimLeft(line, " ")))
	}
	c.Text = dedent(d.text[c.Body:c.To], c.Indent)
	if inBlock && !strings.HasSuffix(c.Text, "\n") {
		c.Text += d.layoutEOL()
	}
	if usesOutside(n) {
		if whole, err := asWritten(n, d.text); err == nil {
			c.Text, c.Expanded = layout{eol: "\n", step: 2}.block(whole, 0)+"\n", true
			c.origin = follow(c.Text, n)
		}
	}
	return c
}

func (d *document) layoutEOL() string {
	if i := strings.IndexByte(d.text, '\n'); i > 0 && d.text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// withTail moves an end over the comment on its line and over the comment lines
// below that are indented by more than column.
func (d *document) withTail(end, column int) int {
	rest := d.text[end:d.lineEnd(end)]
	if t := strings.TrimLeft(rest, " \t"); t == "" || t[0] == '#' && t != rest {
		end += len(strings.TrimRight(rest, " \t"))
	} else {
		return end
	}
	for l := d.lineOf(end) + 1; l <= len(d.lines); l++ {
		from := d.lines[l-1]
		line := d.text[from:d.lineEnd(from)]
		body := strings.TrimLeft(line, " ")
		if body == "" {
			continue
		}
		if body[0] != '#' || len(line)-len(body) <= column {
			break
		}
		end = from + len(line)
	}
	return end
}

// dedent takes up to n leading spaces off every line but the first.
func dedent(s string, n int) string {
	lines := strings.SplitAfter(s, "\n")
	for i, line := range lines[1:] {
		cut := 0
		for cut < n && cut < len(line) && line[cut] == ' ' {
			cut++
		}
		lines[i+1] = line[cut:]
	}
	return strings.Join(lines, "")
}

// usesOutside reports whether n has an alias whose anchor is not below n.
func usesOutside(n *yaml.Node) bool {
	own := map[*yaml.Node]bool{}
	var aliases []*yaml.Node
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		own[n] = true
		if n.Kind == yaml.AliasNode {
			aliases = append(aliases, n.Alias)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(n)
	for _, a := range aliases {
		if !own[a] {
			return true
		}
	}
	return false
}

// Rename puts another field with another value in the place of the one at a
// path: a proto's oneof that changes its mind. What Set says of failures holds.
func Rename(text, path, key string, value any) (string, error) {
	fail := func(err error) (string, error) { return text, fmt.Errorf("%s: %w", path, err) }
	steps, err := parsePath(path)
	if err != nil {
		return text, err
	}
	d, err := newDocument(text)
	if err != nil {
		return fail(err)
	}
	node, err := nodeOf(value)
	if err != nil {
		return fail(err)
	}
	if len(steps) == 0 || steps[len(steps)-1].isIndex || d.root == nil {
		return fail(errors.New("only a field can be renamed"))
	}
	was, err := expect(d, steps, deleteEdit, 0, nil)
	if err != nil {
		return fail(err)
	}
	now := append(append([]step(nil), steps[:len(steps)-1]...), step{field: key})
	valueTree, err := treeOf(node, maxNodes(""))
	if err != nil {
		return fail(err)
	}
	want, err := apply(was, now, setEdit, 0, valueTree)
	if err != nil {
		return fail(err)
	}
	out, err := (&editor{document: d, layout: d.layoutOf()}).rename(steps, key, node)
	if err != nil {
		return fail(err)
	}
	if err := prove(out, want); err != nil {
		return fail(err)
	}
	return out, nil
}

// rename replaces the value first, then the key before it.
func (e *editor) rename(steps []step, key string, node *yaml.Node) (string, error) {
	n := e.root
	for i, s := range steps {
		j, ok := ownIndex(n, s)
		if !ok {
			return "", errors.New("it is shared by an alias")
		}
		if i < len(steps)-1 {
			n = n.Content[j]
			continue
		}
		k := n.Content[j-1]
		from, to := e.start(k), e.end(k)
		replaced, err := e.edit(steps, setEdit, 0, node)
		if err != nil {
			return "", err
		}
		return replaced[:from] + e.layout.flowLike(stringNode(key), k) + replaced[to:], nil
	}
	return "", errors.New("there is no such field")
}

// Scalar is the text of the scalar at a path; ok is false when there is none.
func Scalar(text, path string) (value string, ok bool) { return NewLocator(text).Scalar(path) }

// Scalar is as the function Scalar.
func (l *Locator) Scalar(path string) (value string, ok bool) {
	n := deref(l.node(path))
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return "", false
	}
	return n.Value, true
}

// Has reports whether there is a field at a path.
func (l *Locator) Has(path string) bool { return l.node(path) != nil }

func (l *Locator) node(path string) *yaml.Node {
	steps, err := parsePath(path)
	if err != nil {
		return nil
	}
	n := l.document.root
	for _, s := range steps {
		if n == nil {
			return nil
		}
		_, n = child(n, s)
	}
	return n
}

// Check says what keeps a text from being one YAML document; nil when it is one
// (an empty text is).
func Check(text string) *mesh.Finding {
	_, err := parse(text)
	return asFinding(err)
}

// asFinding is a syntax error for the operator; nil for nil.
func asFinding(err error) *mesh.Finding {
	var syntax *syntaxError
	switch {
	case errors.As(err, &syntax):
		return &mesh.Finding{Severity: mesh.Error, Rule: "yaml", Line: syntax.line, Message: syntax.message, Hint: syntax.hint}
	case err != nil:
		return &mesh.Finding{Severity: mesh.Error, Rule: "yaml", Message: err.Error()}
	}
	return nil
}

// Flow is a text as it can stand in brackets: as it is when it is in brackets
// itself, else as JSON. Its lines but the first begin with indent.
func Flow(text, indent string) (string, error) {
	d, err := newDocument(text)
	if err != nil || d.root == nil {
		return text, err
	}
	if d.isFlow(d.root) {
		lines := strings.Split(strings.TrimRight(text, " \r\n"), "\n")
		return strings.Join(lines, "\n"+indent), nil
	}
	n, err := asWritten(d.root, text)
	if err != nil {
		return "", err
	}
	return layout{json: true}.pretty(n, indent), nil
}

// pretty writes a value as JSON over several lines.
func (l layout) pretty(n *yaml.Node, indent string) string {
	if n.Kind == yaml.ScalarNode || len(n.Content) == 0 {
		return l.flow(n)
	}
	var parts []string
	open, end, more := "[", "]", indent+"  "
	if n.Kind == yaml.MappingNode {
		open, end = "{", "}"
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, quote(n.Content[i].Value)+": "+l.pretty(n.Content[i+1], more))
		}
	} else {
		for _, c := range n.Content {
			parts = append(parts, l.pretty(c, more))
		}
	}
	return open + "\n" + more + strings.Join(parts, ",\n"+more) + "\n" + indent + end
}
