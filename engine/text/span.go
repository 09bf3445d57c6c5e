package text

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document is a parsed text that knows which bytes each of its nodes has. The
// library gives where a node begins; where it ends is found here.
type document struct {
	text  string
	lines []int // byte offset at which each line begins
	root  *yaml.Node
}

func newDocument(text string) (*document, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &document{text: text, lines: lineStarts(text), root: root}, nil
}

// lineStarts counts lines as YAML does, where more than "\n" ends one.
func lineStarts(text string) []int {
	starts := []int{0}
	if strings.HasPrefix(text, "\ufeff") {
		starts[0] = len("\ufeff") // the library's columns leave it out
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				i++
			}
			starts = append(starts, i)
		case '\n', 0x85, 0x2028, 0x2029:
			starts = append(starts, i)
		}
	}
	return starts
}

// at is the byte offset of a 1-based line and column, which counts runes.
func (d *document) at(line, column int) int {
	if line < 1 || line > len(d.lines) {
		return len(d.text)
	}
	off := d.lines[line-1]
	for range column - 1 {
		_, n := utf8.DecodeRuneInString(d.text[off:])
		off += n
	}
	return off
}

// lineOf is the 1-based line that holds a byte offset.
func (d *document) lineOf(offset int) int {
	return sort.Search(len(d.lines), func(i int) bool { return d.lines[i] > offset })
}

// lineEnd is the offset of the line break after offset, or the text's end.
func (d *document) lineEnd(offset int) int {
	if i := strings.IndexAny(d.text[offset:], "\r\n"); i >= 0 {
		return offset + i
	}
	return len(d.text)
}

// column is the 0-based column of a byte offset, in runes.
func (d *document) column(offset int) int {
	line := max(d.lineOf(offset), 1)
	return utf8.RuneCountInString(d.text[d.lines[line-1]:offset])
}

func (d *document) start(n *yaml.Node) int { return d.at(n.Line, n.Column) }

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skip goes past white space and comments.
func (d *document) skip(i int) int {
	for i < len(d.text) {
		switch {
		case isBlank(d.text[i]):
			i++
		case d.text[i] == '#':
			i = d.lineEnd(i)
		default:
			return i
		}
	}
	return i
}

// content is where a node's value begins, past its anchor and tag.
func (d *document) content(n *yaml.Node) int {
	i := d.start(n)
	if n.Kind == yaml.AliasNode {
		return i
	}
	for i < len(d.text) && (d.text[i] == '&' || d.text[i] == '!') {
		for i < len(d.text) && !isBlank(d.text[i]) {
			i++
		}
		if n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&quoted == 0 {
			return i
		}
		i = d.skip(i)
	}
	return i
}

// end is the offset past a node's last byte.
func (d *document) end(n *yaml.Node) int {
	i := d.content(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return min(i+1+len(n.Value), len(d.text))
	case n.Kind == yaml.ScalarNode:
		return d.scalarEnd(n, i)
	case d.isFlow(n):
		if len(n.Content) > 0 {
			i = d.end(n.Content[len(n.Content)-1])
		} else {
			i++
		}
		for i = d.skip(i); i < len(d.text) && d.text[i] != ']' && d.text[i] != '}'; i = d.skip(i) {
			i++
		}
		return min(i+1, len(d.text))
	case len(n.Content) > 0:
		return d.end(n.Content[len(n.Content)-1])
	}
	return i
}

// isFlow reports whether a collection is written in brackets.
func (d *document) isFlow(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return false
	}
	i := d.content(n)
	open := byte('{')
	if n.Kind == yaml.SequenceNode {
		open = '['
	}
	// A block mapping may well begin with a key in brackets, so the first
	// child must lie within.
	return i < len(d.text) && d.text[i] == open && (len(n.Content) == 0 || d.start(n.Content[0]) > i)
}

func (d *document) scalarEnd(n *yaml.Node, i int) int {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i++; i < len(d.text) && d.text[i] != '"'; i++ {
			if d.text[i] == '\\' {
				i++
			}
		}
		return min(i+1, len(d.text))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i++; i < len(d.text); i++ {
			if d.text[i] == '\'' {
				if i+1 < len(d.text) && d.text[i+1] == '\'' {
					i++
					continue
				}
				break
			}
		}
		return min(i+1, len(d.text))
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockEnd(i)
	}
	return d.plainEnd(n, i)
}

// plainEnd counts the value's letters off against the text, whose white space
// may be laid out otherwise.
func (d *document) plainEnd(n *yaml.Node, i int) int {
	end := i
	for _, r := range n.Value {
		if isYAMLSpace(r) {
			continue
		}
		for i < len(d.text) {
			t, size := utf8.DecodeRuneInString(d.text[i:])
			i += size
			if !isYAMLSpace(t) {
				end = i
				break
			}
		}
	}
	return end
}

func isYAMLSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// blockEnd is the end of a literal or folded block whose | or > is at i: its
// last line that is not blank.
func (d *document) blockEnd(i int) int {
	end := d.lineEnd(i)
	line := d.lineOf(i)
	holder := d.holderIndent(line)
	for l := line + 1; l <= len(d.lines); l++ {
		from := d.lines[l-1]
		to := d.lineEnd(from)
		body := strings.TrimLeft(d.text[from:to], " ")
		if body == "" {
			continue
		}
		if to-from-len(body) <= holder {
			break
		}
		end = to
	}
	return end
}

// holderIndent is the column of the key or innermost dash that holds the block
// scalar whose header is on the line: its content is indented by more. It is -1
// for a block that is the whole document.
func (d *document) holderIndent(line int) int {
	from := d.lines[line-1]
	s := d.text[from:d.lineEnd(from)]
	indent := len(s) - len(strings.TrimLeft(s, " "))
	if strings.HasPrefix(s[indent:], "|") || strings.HasPrefix(s[indent:], ">") || strings.HasPrefix(s, "---") {
		return indent - 1
	}
	for strings.HasPrefix(s[indent:], "- ") {
		rest := strings.TrimLeft(s[indent+2:], " ")
		if rest == "" || rest[0] == '|' || rest[0] == '>' || rest[0] == '&' || rest[0] == '!' {
			return indent
		}
		indent = len(s) - len(rest)
	}
	return indent
}
