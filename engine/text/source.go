package text

import (
	"strings"

	"example.com/meshtui/engine/mesh"
	"go.yaml.in/yaml/v3"
)

// Whole is the source that the whole text of a file is.
func Whole(file, text string) mesh.Source {
	return mesh.NewSource(file, text, []mesh.LinePlace{{Line: 1, Exact: true}})
}

// Source is the chunk as a source of its own. from is the one that it was cut
// out of; the chunk's lines keep their places in its file.
func (c Chunk) Source(from mesh.Source) mesh.Source {
	if from.File == "" {
		return mesh.Source{Text: c.Text}
	}
	at, first := c.origin, 1
	if !c.Expanded {
		at, first = c.places(from.Text[c.Body:c.To]), c.Line
	}
	last := first
	for _, p := range at {
		last = max(last, p.Line)
	}
	outer := from.LinesFrom(first, last-first+1)
	out := make([]mesh.LinePlace, len(at))
	for i, p := range at {
		in := outer[max(p.Line-first, 0)]
		out[i] = mesh.LinePlace{Line: in.Line, Indent: in.Indent + p.Indent, Exact: in.Exact && p.Exact}
	}
	return mesh.NewSource(from.File, c.Text, out)
}

// places are where the chunk's lines stand in the text that it was cut out of;
// raw is the chunk as it reads there.
func (c Chunk) places(raw string) []mesh.LinePlace {
	lines := splitLines(raw)
	at := make([]mesh.LinePlace, len(lines))
	for i, line := range lines {
		shift := c.column
		if i > 0 {
			shift = min(len(line)-len(strings.TrimLeft(line, " ")), c.Indent)
			if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
				shift = at[i-1].Indent // nothing stands there, so it need not break a run
			}
		}
		at[i] = mesh.LinePlace{Line: c.Line + i, Indent: shift, Exact: true}
	}
	return at
}

// Edited is a source whose text was edited. Lines that the texts have in common
// at their beginning and end stay where they are in the file; what is new in
// between belongs to the line that it replaces or stands behind, and its columns
// are not known.
func Edited(src mesh.Source, text string) mesh.Source {
	if text == src.Text || src.File == "" {
		src.Text = text
		return src
	}
	was, now := splitLines(src.Text), splitLines(text)
	at := src.LinesAt(len(was))
	head := 0
	for head < len(was) && head < len(now) && was[head] == now[head] {
		head++
	}
	tail := 0
	for tail < min(len(was), len(now))-head && was[len(was)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	changed := at[max(head-1, 0)]
	if head+tail < len(was) {
		changed = at[head]
	}
	out := append([]mesh.LinePlace(nil), at[:head]...)
	for range len(now) - head - tail {
		out = append(out, mesh.LinePlace{Line: changed.Line})
	}
	return mesh.NewSource(src.File, text, append(out, at[len(was)-tail:]...))
}

// Rewritten is a source whose text was written anew from what it says: each
// line stands where its field stood.
func Rewritten(src mesh.Source, text string) mesh.Source {
	d, err := newDocument(src.Text)
	if err != nil || src.File == "" {
		return Edited(src, text)
	}
	at := follow(text, d.root)
	outer := src.LinesAt(len(d.lines))
	for i, p := range at {
		at[i] = mesh.LinePlace{Line: outer[min(max(p.Line, 1), len(outer))-1].Line}
	}
	return mesh.NewSource(src.File, text, at)
}

// splitLines is a text's lines as YAML counts them, without their breaks.
func splitLines(text string) []string {
	starts := lineStarts(text)
	lines := make([]string, len(starts))
	for i, from := range starts {
		to := len(text)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		lines[i] = strings.TrimRight(text[from:to], "\r\n\u0085\u2028\u2029")
	}
	return lines
}

// follow finds, for each line of a text, the place of the same field below was,
// a node of another text that says the same in other words.
func follow(text string, was *yaml.Node) []mesh.LinePlace {
	d, err := newDocument(text)
	if err != nil || was == nil {
		return nil
	}
	at := make([]mesh.LinePlace, len(d.lines))
	var visit func(n, was *yaml.Node, depth int)
	visit = func(n, was *yaml.Node, depth int) {
		if depth > maxDepth || n.Kind == yaml.AliasNode {
			return
		}
		d.children(n, func(begin int, value *yaml.Node, s step) {
			place, old := child(was, s)
			if old == nil {
				return
			}
			if s.isIndex {
				visit(value, old, depth+1) // an item's first field stands on the item's line
			}
			if line := &at[max(d.lineOf(begin), 1)-1]; line.Line == 0 {
				*line = mesh.LinePlace{Line: place.Line, Indent: place.Column - 1 - d.column(begin), Exact: true}
			}
			if !s.isIndex {
				visit(value, old, depth+1)
			}
		})
	}
	if d.root != nil {
		visit(d.root, was, 0)
	}
	if at[0].Line < was.Line {
		at[0] = mesh.LinePlace{Line: was.Line} // the first field may be merged in from elsewhere
	}
	last := was.Line
	for i := range at {
		if at[i].Line == 0 {
			at[i].Line = last
		}
		last = at[i].Line
	}
	return at
}
