package text

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
)

// layout is how a document is written, so that what is added looks alike.
type layout struct {
	eol  string
	step int  // spaces that a mapping is indented by under its key
	list int  // spaces that a list's dashes are indented by under its key
	json bool // keys and strings in double quotes
}

// layoutOf finds out a document's habits from its first examples.
func (d *document) layoutOf() layout {
	l := layout{eol: "\n", step: 2}
	if i := strings.IndexByte(d.text, '\n'); i > 0 && d.text[i-1] == '\r' {
		l.eol = "\r\n"
	}
	if d.root == nil {
		return l
	}
	if d.isFlow(d.root) && d.root.Kind == yaml.MappingNode && len(d.root.Content) > 0 {
		l.json = true
		for i := 0; i < len(d.root.Content); i += 2 {
			l.json = l.json && d.root.Content[i].Style&yaml.DoubleQuotedStyle != 0
		}
	}
	var step, list bool
	d.habits(d.root, &l, &step, &list)
	return l
}

func (d *document) habits(n *yaml.Node, l *layout, step, list *bool) {
	if *step && *list || n.Kind == yaml.AliasNode || d.isFlow(n) {
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && len(c.Content) > 0 && c.Kind != yaml.AliasNode && !d.isFlow(c) {
			by := d.column(d.content(c)) - d.column(d.start(n.Content[i-1]))
			switch {
			case c.Kind == yaml.MappingNode && !*step && by > 0:
				l.step, *step = by, true
			case c.Kind == yaml.SequenceNode && !*list && by >= 0:
				l.list, *list = by, true
			}
		}
		d.habits(c, l, step, list)
	}
}

// nodeOf turns a value given to Set or Insert into a node.
func nodeOf(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case *yaml.Node:
		return asWritten(v, "")
	case yaml.Node:
		return asWritten(&v, "")
	case proto.Message:
		return messageNode(v.ProtoReflect(), rootPath(), 0)
	case time.Duration:
		return stringNode(formatDuration(int64(v/time.Second), int32(v%time.Second))), nil
	case string:
		return stringNode(v), nil
	case nil:
		return plainNode("null"), nil
	}
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return nil, fmt.Errorf("a %T cannot be written as YAML: %w", value, err)
	}
	return forEnvoy(&n), nil
}

// forEnvoy quotes the strings below n that Envoy would take for something else.
func forEnvoy(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return stringNode(n.Value)
	}
	for i, c := range n.Content {
		n.Content[i] = forEnvoy(c)
	}
	return n
}

// isInline reports whether a value is written on the line of its key.
func isInline(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode || len(n.Content) == 0 || n.Style&yaml.FlowStyle != 0
}

func pad(n int) string { return strings.Repeat(" ", n) }

// block writes a value whose first line begins at column indent; the first
// line itself is not indented.
func (l layout) block(n *yaml.Node, indent int) string {
	if isInline(n) {
		return l.inline(n, indent, nil)
	}
	var b strings.Builder
	for i := 0; i < len(n.Content); i++ {
		if b.Len() > 0 {
			b.WriteString(l.eol + pad(indent))
		}
		if n.Kind == yaml.SequenceNode {
			if c := n.Content[i]; isInline(c) {
				b.WriteString("- " + l.inline(c, indent, nil))
			} else {
				b.WriteString("- " + l.block(c, indent+2))
			}
			continue
		}
		b.WriteString(l.inline(n.Content[i], indent, nil) + ":" + l.after(n.Content[i+1], indent))
		i++
	}
	return b.String()
}

// after is what follows a key's colon, or a dash, at column holder.
func (l layout) after(n *yaml.Node, holder int) string {
	if isInline(n) {
		return " " + l.inline(n, holder, nil)
	}
	indent := l.indentFor(n, holder)
	return l.eol + pad(indent) + l.block(n, indent)
}

func (l layout) indentFor(n *yaml.Node, holder int) int {
	if n.Kind == yaml.SequenceNode {
		return holder + l.list
	}
	return holder + l.step
}

// inline writes a scalar, an alias or a collection in brackets, under a key or
// dash at column holder, quoted like the node that it replaces.
func (l layout) inline(n *yaml.Node, holder int, was *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return l.flow(n)
	}
	if !isText(n) {
		return orNull(n.Value)
	}
	s := n.Value
	multi := strings.Contains(s, "\n") && literalFits(s) && !strings.HasSuffix(s, "\n\n")
	switch {
	case multi && (was == nil || was.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || was.Style&quoted == 0):
		header := "|-"
		if strings.HasSuffix(s, "\n") {
			header = "|"
		}
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		for i, line := range lines {
			if line != "" {
				lines[i] = pad(holder+l.step) + line
			}
		}
		return header + l.eol + strings.Join(lines, l.eol)
	case was != nil && was.Style&yaml.DoubleQuotedStyle != 0:
		return quote(s)
	case was != nil && was.Style&yaml.SingleQuotedStyle != 0 && printable(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return l.plainOrQuoted(s, false)
}

// isText reports whether a scalar must stay a string. The tag of a plain null,
// number or boolean that was read is set to !!null by expanded.
func isText(n *yaml.Node) bool {
	return n.Tag != "!!null" && (n.ShortTag() == "!!str" || n.Style&quoted != 0 || plainKind(n.Value) == stringKind)
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return false
		}
	}
	return true
}

func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Sprintf("%q", s) // cannot be: a string always encodes
	}
	out := strings.TrimSuffix(b.String(), "\n")
	return strings.NewReplacer("\u0085", `\u0085`, "\u007f", `\u007f`, "\ufeff", `\ufeff`).Replace(out)
}

// simple are the strings that need no quotes anywhere, brackets included.
var simple = regexp.MustCompile(`^[A-Za-z0-9_/.][-A-Za-z0-9_/.*+=@]*(:[-A-Za-z0-9_/.*+=@]+)*$`)

func (l layout) plainOrQuoted(s string, inFlow bool) string {
	if l.json || s == "" || plainKind(s) != stringKind {
		return quote(s)
	}
	if simple.MatchString(s) && resolvesToText(s) {
		return s
	}
	if inFlow || !printable(s) {
		return quote(s)
	}
	// The library knows what a longer plain text may hold.
	t, err := nodeText(stringNode(s))
	if t = strings.TrimSuffix(t, "\n"); err != nil || strings.Contains(t, "\n") {
		return quote(s)
	}
	return t
}

// resolvesToText reports whether our library too takes an unquoted s for a
// string.
func resolvesToText(s string) bool {
	return (&yaml.Node{Kind: yaml.ScalarNode, Value: s}).ShortTag() == "!!str"
}

// flow writes a value on one line, in brackets where it is a collection.
func (l layout) flow(n *yaml.Node) string {
	switch n.Kind {
	case yaml.AliasNode:
		return "*" + n.Value
	case yaml.ScalarNode:
		if isText(n) {
			return l.plainOrQuoted(n.Value, true)
		}
		return orNull(n.Value)
	}
	var parts []string
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			parts = append(parts, l.flow(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		parts = append(parts, l.flow(n.Content[i])+": "+l.flow(n.Content[i+1]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
