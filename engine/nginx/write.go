package nginx

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// commentLimit bounds a comment line: nginx refuses one that overflows its
// 4096-byte read buffer, as it does any other token.
const commentLimit = 300

// mark is what a line says about itself besides its text.
type mark struct {
	kind   Kind
	from   Origin
	also   []Origin
	lesson string
}

// with is the mark with a lesson.
func (m mark) with(lesson string) mark { m.lesson = lesson; return m }

// approx is the mark with a lesson that says where the two part.
func (m mark) approx(lesson string) mark { m.kind, m.lesson = Approximate, lesson; return m }

// none is the mark of what nginx cannot say.
func (m mark) none(lesson string) mark { m.kind, m.lesson = None, lesson; return m }

func exact(o Origin) mark { return mark{kind: Exact, from: o} }

// writer collects lines. While muted, everything comes out as comments: what
// nginx cannot do stands there as it would look.
type writer struct {
	lines []Line
	depth int
	muted bool
	base  int  // depth at which the comments stand while muted
	as    Kind // of the lines that are not Structure while muted
}

const indent = "    "

// add writes one directive, which brings its own semicolon.
func (w *writer) add(m mark, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if w.muted {
		if m.kind != Structure {
			m.kind = w.as
		}
		text = "# " + strings.Repeat(indent, w.depth-w.base) + text
		w.append(m, w.base, oneLine(text))
		return
	}
	w.append(m, w.depth, text)
}

// wide is how many columns a comment takes at the most, where its words allow.
const wide = 76

// note writes a comment at this place, in as many lines as it needs. Each of them
// has the mark.
func (w *writer) note(m mark, format string, args ...any) {
	head, depth := "# ", w.depth
	if w.muted {
		m.kind, depth = w.as, w.base
		head += strings.Repeat(indent, w.depth-w.base) + "# "
	}
	lines := wrapped(oneLine(fmt.Sprintf(format, args...)), wide-depth*len(indent)-len(head))
	for i, line := range lines {
		if i > 0 {
			line = "  " + line
		}
		w.append(m, depth, head+line)
	}
}

// wrapped is the text in lines of so many characters, two less from the second on;
// a longer word has a line of its own.
func wrapped(text string, columns int) (lines []string) {
	line, room := "", max(columns, 30)
	for word := range strings.SplitSeq(text, " ") {
		switch n := utf8.RuneCountInString(line) + 1 + utf8.RuneCountInString(word); {
		case line == "" && len(lines) == 0 || line == "":
			line = word
		case n > room:
			if lines = append(lines, line); len(lines) == 1 {
				room -= 2
			}
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func (w *writer) append(m mark, depth int, text string) {
	w.lines = append(w.lines, Line{
		Text: strings.Repeat(indent, depth) + text, Kind: m.kind, From: m.from, Also: m.also, Lesson: m.lesson,
	})
}

// open begins a block.
func (w *writer) open(m mark, format string, args ...any) {
	w.add(m, format+" {", args...)
	w.depth++
}

// end closes a block.
func (w *writer) end() {
	w.depth--
	w.add(mark{}, "}")
}

// mute turns what is written from here to unmute into comments of that kind.
// Nested calls keep the outermost.
func (w *writer) mute(as Kind) (unmute func()) {
	if w.muted {
		return func() {}
	}
	w.muted, w.base, w.as = true, w.depth, as
	return func() { w.muted = false }
}

// oneLine makes any text fit for a comment: no control characters, no more
// than commentLimit bytes.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > commentLimit {
			b.WriteString("…")
			break
		}
		if r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// tokenLimit is the longest value that is written as an argument; nginx's own
// limit is a little below 4096 bytes, escapes included.
const tokenLimit = 1500

// writable reports whether s can be an argument at all.
func writable(s string) bool {
	if len(s) > tokenLimit || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

// literal reports whether s can stand where nginx expands variables: it has no
// way to write a dollar sign there.
func literal(s string) bool { return writable(s) && !strings.Contains(s, "$") }

// token writes s as one argument, quoted where it must be. In nginx a
// backslash takes the next character literally only before a quote, another
// backslash, t, r or n; elsewhere it stands for itself, so that most regular
// expressions look as they were written.
func token(s string) string {
	quote := s == "" || strings.ContainsAny(s, " \t\r\n;{}#'\"")
	var b strings.Builder
	if quote {
		b.WriteByte('"')
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			b.WriteByte('\\')
			if i+1 == len(s) || strings.IndexByte("\\\"'trn\t\r\n", s[i+1]) >= 0 {
				b.WriteByte('\\')
			}
		case '"':
			b.WriteString(`\"`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteByte(c)
		}
	}
	if quote {
		b.WriteByte('"')
	}
	return b.String()
}
