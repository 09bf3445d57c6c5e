package widget

import (
	"strings"

	"example.com/meshtui/tui/theme"
)

// Rect is a rectangle of cells. A pane's Rect includes its border; neighbours
// share a border, so their Rects overlap by one cell.
type Rect struct{ X, Y, W, H int }

// Inner is what is left within the border.
func (r Rect) Inner() Rect { return Rect{r.X + 1, r.Y + 1, max(0, r.W-2), max(0, r.H-2)} }

// Empty reports whether no cell is within.
func (r Rect) Empty() bool { return r.W <= 0 || r.H <= 0 }

// Box is one bordered pane of a frame.
type Box struct {
	Rect
	Title string // drawn into the upper border
	Note  string // drawn into the upper border, on the right
	Focus bool
	Lines []string // of exactly Inner().W cells; missing ones are blank
}

// The directions in which a border leaves a cell, as theme.Glyphs.Border has
// them.
const (
	up = 1 << iota
	right
	down
	left
)

// Frame draws boxes whose borders join where they touch, on a screen of w×h
// cells, and returns its h lines.
func Frame(w, h int, t *theme.Theme, boxes []Box) []string {
	g := newGrid(w, h)
	for i := range boxes {
		g.outline(boxes[i].Rect, boxes[i].Focus)
	}
	for i := range boxes {
		if !boxes[i].Empty() {
			g.title(&boxes[i], t)
		}
	}
	out := make([]string, h)
	for y := range h {
		out[y] = g.line(y, t, boxes)
	}
	return out
}

// grid holds the border that passes through each cell, whether it belongs to
// the focused box, and the titles that lie over it.
type grid struct {
	w, h   int
	mask   []uint8
	focus  []bool
	titles [][]piece
}

// piece is finished text of some cells at x.
type piece struct {
	x, w int
	text string
}

func newGrid(w, h int) *grid {
	return &grid{w: w, h: h, mask: make([]uint8, w*h), focus: make([]bool, w*h), titles: make([][]piece, h)}
}

func (g *grid) put(x, y int, mask uint8, focus bool) {
	if x < 0 || y < 0 || x >= g.w || y >= g.h {
		return
	}
	g.mask[y*g.w+x] |= mask
	g.focus[y*g.w+x] = g.focus[y*g.w+x] || focus
}

func (g *grid) outline(r Rect, focus bool) {
	if r.Empty() {
		return
	}
	x2, y2 := r.X+r.W-1, r.Y+r.H-1
	for x := r.X + 1; x < x2; x++ {
		g.put(x, r.Y, left|right, focus)
		g.put(x, y2, left|right, focus)
	}
	for y := r.Y + 1; y < y2; y++ {
		g.put(r.X, y, up|down, focus)
		g.put(x2, y, up|down, focus)
	}
	g.put(r.X, r.Y, right|down, focus)
	g.put(x2, r.Y, left|down, focus)
	g.put(r.X, y2, right|up, focus)
	g.put(x2, y2, left|up, focus)
}

// title lays the box's title and note over its upper border.
func (g *grid) title(b *Box, t *theme.Theme) {
	room := b.W - 4
	if room < 3 || b.Y < 0 || b.Y >= g.h {
		return
	}
	style := t.Title
	if b.Focus {
		style = t.TitleFocus
	}
	text := Truncate(" "+Clean(b.Title)+" ", room)
	g.titles[b.Y] = append(g.titles[b.Y], piece{b.X + 1, Width(text), style.Render(text)})
	if b.Note == "" {
		return
	}
	note := " " + Clean(b.Note) + " "
	if n := Width(note); n+Width(text)+1 <= room {
		g.titles[b.Y] = append(g.titles[b.Y], piece{b.X + b.W - 2 - n, n, t.Dim.Render(note)})
	}
}

// line is row y: the boxes' text, and borders between them.
func (g *grid) line(y int, t *theme.Theme, boxes []Box) string {
	pieces := append([]piece(nil), g.titles[y]...)
	for i := range boxes {
		in := boxes[i].Inner()
		if in.Empty() || y < in.Y || y >= in.Y+in.H {
			continue
		}
		if row := y - in.Y; row < len(boxes[i].Lines) {
			pieces = append(pieces, piece{in.X, in.W, boxes[i].Lines[row]})
		}
	}
	sortPieces(pieces)
	var b strings.Builder
	x := 0
	for _, p := range pieces {
		if p.x < x {
			continue
		}
		g.borders(&b, x, p.x, y, t)
		b.WriteString(p.text)
		x = p.x + p.w
	}
	g.borders(&b, x, g.w, y, t)
	return b.String()
}

// borders writes the cells from x to end, runs of one style at a time.
func (g *grid) borders(b *strings.Builder, x, end, y int, t *theme.Theme) {
	for x < end {
		from, focus := x, g.focus[y*g.w+x]
		var run strings.Builder
		for x < end && g.focus[y*g.w+x] == focus {
			run.WriteString(t.Glyph.Border[g.mask[y*g.w+x]])
			x++
		}
		style := t.Border
		if focus {
			style = t.BorderFocus
		}
		if x > from {
			b.WriteString(style.Render(run.String()))
		}
	}
}

// sortPieces orders by x; there are only a handful, mostly in order.
func sortPieces(p []piece) {
	for i := 1; i < len(p); i++ {
		for j := i; j > 0 && p[j].x < p[j-1].x; j-- {
			p[j], p[j-1] = p[j-1], p[j]
		}
	}
}
