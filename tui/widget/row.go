package widget

import (
	"strings"

	"example.com/meshtui/tui/theme"
)

// Span is text in one style. The text is cleaned when it is drawn.
type Span struct {
	Style theme.Style
	Text  string
}

// Row draws one line of exactly w cells: left from the left edge, right against
// the right one, at least one blank between them. When both do not fit, left
// is cut, and right only when it is wider than the line. With a whole style,
// that one is used for every cell and the spans' own are not, so that a
// selected row is one calm band.
func Row(w int, whole *theme.Style, left, right []Span) string {
	if w <= 0 {
		return ""
	}
	right, rw := fitSpans(right, w)
	room := w
	if rw > 0 {
		room = max(0, w-rw-1)
	}
	left, lw := fitSpans(left, room)
	var b strings.Builder
	b.Grow(w + 16*(len(left)+len(right)))
	if whole != nil {
		for _, s := range left {
			b.WriteString(s.Text)
		}
		b.WriteString(Spaces(w - lw - rw))
		for _, s := range right {
			b.WriteString(s.Text)
		}
		return whole.Render(b.String())
	}
	for _, s := range left {
		b.WriteString(s.Style.Render(s.Text))
	}
	b.WriteString(Spaces(w - lw - rw))
	for _, s := range right {
		b.WriteString(s.Style.Render(s.Text))
	}
	return b.String()
}

// fitSpans cleans the spans and cuts them to room cells in all.
func fitSpans(in []Span, room int) (out []Span, width int) {
	out = make([]Span, 0, len(in))
	for _, s := range in {
		s.Text = Clean(s.Text)
		w := Width(s.Text)
		if width+w > room {
			s.Text = Truncate(s.Text, room-width)
			w = Width(s.Text)
			if w > 0 {
				out = append(out, s)
				width += w
			}
			break
		}
		out = append(out, s)
		width += w
	}
	return out, width
}
