package mesh

import (
	"fmt"
	"strconv"
	"strings"
)

// Lines says where in a file the lines of a text stand, as far as they do not
// follow each other there: resources are served as RDS and EDS that stood within
// others, so that their text is not what the file says line by line. It is
// comma-separated runs, each of which begins at a 1-based line of the text and
// lasts until the next one:
//
//	9:14:4  line 9 is line 14 of the file, 10 is 15 and so on, each shifted left by 4 columns
//	9:14    lines from 9 on are not in the file; they belong to its line 14
//
// "" is one run from Source.Line on, shifted by Source.Indent.
type Lines string

// LinePlace is where one line of a text stands in a file.
type LinePlace struct {
	Line   int  // 1-based line of the file
	Indent int  // what is to be added to a column of the text
	Exact  bool // the line stands in the file; else it was added there, and Indent says nothing
}

// NewSource is a text and where its lines stand, the first line first. What at
// is too short for follows its last line; none at all begins with line 1.
func NewSource(file, text string, at []LinePlace) Source {
	if file == "" {
		return Source{Text: text}
	}
	src := Source{File: file, Line: 1, Text: text}
	if len(at) == 0 {
		return src
	}
	src.Line = max(at[0].Line, 1)
	if at[0].Exact {
		src.Indent = max(at[0].Indent, 0)
	}
	var b strings.Builder
	now := src.first()
	for i, p := range at {
		if now.at(i+1) == p || !p.Exact && now.at(i+1) == (LinePlace{Line: p.Line}) {
			continue
		}
		now = run{from: i + 1, to: p.Line, indent: p.Indent, exact: p.Exact, follows: p.Exact}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(now.String())
	}
	src.Lines = Lines(b.String())
	return src
}

// LineAt is where a 1-based line of Text stands in File; without a File, it is
// the line itself.
func (s Source) LineAt(line int) LinePlace {
	if s.File == "" || line < 1 {
		return LinePlace{Line: line, Exact: true}
	}
	in := s.first()
	for rest := string(s.Lines); rest != ""; {
		var r run
		var ok bool
		if r, rest, ok = nextRun(rest); ok && r.from > line {
			break
		} else if ok {
			in = r
		}
	}
	return in.at(line)
}

// LinesAt is LineAt for the first n lines.
func (s Source) LinesAt(n int) []LinePlace { return s.LinesFrom(1, n) }

// LinesFrom is LineAt for n lines, from a 1-based line on.
func (s Source) LinesFrom(line, n int) []LinePlace {
	out := make([]LinePlace, 0, n)
	if s.File == "" {
		for i := range n {
			out = append(out, s.LineAt(line+i))
		}
		return out
	}
	in, rest := s.first(), string(s.Lines)
	for rest != "" && len(out) < n {
		var r run
		var ok bool
		if r, rest, ok = nextRun(rest); !ok {
			continue
		}
		for i := line + len(out); i < r.from && len(out) < n; i++ {
			out = append(out, in.at(i))
		}
		in = r
	}
	for len(out) < n {
		out = append(out, in.at(line+len(out)))
	}
	return out
}

// Place turns a line and column of Text, both 1-based, into those of File.
// Without a File they stay what they are. The column is 0 where it is not known.
func (s Source) Place(line, column int) (fileLine, fileColumn int) {
	at := s.LineAt(line)
	if !at.Exact || column < 1 {
		return at.Line, 0
	}
	return at.Line, max(column+at.Indent, 0)
}

// run is a part of Lines.
type run struct {
	from, to, indent int
	exact            bool // columns are known
	follows          bool // each line is one further down in the file
}

// first is the run that Line and Indent stand for.
func (s Source) first() run {
	return run{from: 1, to: max(s.Line, 1), indent: s.Indent, exact: s.Indent > 0, follows: true}
}

func (r run) at(line int) LinePlace {
	if !r.follows {
		return LinePlace{Line: r.to}
	}
	p := LinePlace{Line: r.to + line - r.from, Exact: r.exact}
	if r.exact {
		p.Indent = r.indent
	}
	return p
}

func (r run) String() string {
	if !r.exact {
		return fmt.Sprintf("%d:%d", r.from, r.to)
	}
	return fmt.Sprintf("%d:%d:%d", r.from, r.to, r.indent)
}

// nextRun reads the first run of a list; ok is false for one that is malformed.
func nextRun(list string) (r run, rest string, ok bool) {
	this, rest, _ := strings.Cut(list, ",")
	from, after, _ := strings.Cut(this, ":")
	to, indent, exact := strings.Cut(after, ":")
	var bad [3]error
	r.from, bad[0] = strconv.Atoi(from)
	r.to, bad[1] = strconv.Atoi(to)
	if exact {
		r.indent, bad[2] = strconv.Atoi(indent)
	}
	r.exact, r.follows = exact, exact
	return r, rest, bad == [3]error{}
}
