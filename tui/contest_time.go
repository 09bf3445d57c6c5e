package tui

import (
	"fmt"
	"strings"
	"time"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// tickLines are the answers over time: bars of old ones, of new ones, and of
// failures where there are any, each of that many lines; above them the moment of
// each change.
func (a *App) tickLines(s *ContestSide, tall, w int) []string {
	room := max(1, w-contestLabel)
	ticks := s.Ticks[max(0, len(s.Ticks)-room):]
	most, failed := 1, false
	for _, t := range ticks {
		most = max(most, t.Old, t.New, t.Failed)
		failed = failed || t.Failed > 0
	}
	out := []string{a.momentLine(ticks, room, w)}
	bars := func(word string, style theme.Style, tall int, of func(Tick) int) {
		for row := tall - 1; row >= 0; row-- {
			line := overTime(ticks, room, func(t Tick) string { return a.barAt(of(t), most, tall, row) })
			label := ""
			if row == 0 {
				label = word
			}
			out = append(out, a.told(label, w, widget.Span{Style: style, Text: line}))
		}
	}
	bars("old answers", a.th.Dim, tall, func(t Tick) int { return t.Old })
	bars("new answers", a.th.Good, tall, func(t Tick) int { return t.New })
	if failed {
		bars("failed", a.th.Bad, 1, func(t Tick) int { return t.Failed })
	}
	return append(out, a.timeAxis(room, w))
}

// barAt is what is seen of a bar in one of its lines, of which 0 is the lowest.
// What is more than nothing is seen in the lowest.
func (a *App) barAt(n, most, tall, row int) string {
	steps := len(a.th.Glyph.Bars) - 1
	if n <= 0 {
		return a.th.Glyph.Bars[0]
	}
	height := max(1, (n*steps*tall+most/2)/most)
	return a.th.Glyph.Bars[max(0, min(height-row*steps, steps))]
}

// stripLines are the answers over time on one line, with the moment of each
// change above it.
func (a *App) stripLines(s *ContestSide, w int) []string {
	room := max(1, w-contestLabel)
	ticks := s.Ticks[max(0, len(s.Ticks)-room):]
	g := a.th.Glyph
	strip := overTime(ticks, room, func(t Tick) string {
		switch {
		case t.Failed > 0:
			return g.Rejected
		case t.Old > 0 && t.New > 0:
			return g.Mixed
		case t.New > 0:
			return g.Full
		case t.Old > 0:
			return g.Hollow
		}
		return " "
	})
	return []string{a.momentLine(ticks, room, w), a.told("old "+g.Hollow+" new "+g.Full, w, widget.Span{Style: a.th.Good, Text: strip})}
}

// momentLine marks the ticks in which a change was made.
func (a *App) momentLine(ticks []Tick, room, w int) string {
	return a.told("change", w, widget.Span{Style: a.th.Accent, Text: overTime(ticks, room, func(t Tick) string {
		if t.Change {
			return a.th.Glyph.Down
		}
		return " "
	})})
}

// overTime is a character for each tick, the last at the right end.
func overTime(ticks []Tick, room int, of func(Tick) string) string {
	var b strings.Builder
	b.WriteString(widget.Spaces(room - len(ticks)))
	for _, t := range ticks {
		b.WriteString(of(t))
	}
	return b.String()
}

// timeAxis is the scale below the answers: seconds before now, from the right.
func (a *App) timeAxis(room, w int) string {
	axis := []rune(strings.Repeat(" ", room))
	for back := 0; ; back += 2 {
		word := fmt.Sprintf("-%ds", back)
		if back == 0 {
			word = "now"
		}
		at := room - back*int(time.Second/TickLength) - len(word)
		if at < 0 {
			break
		}
		copy(axis[at:], []rune(word))
	}
	return a.told("", w, widget.Span{Style: a.th.Dim, Text: string(axis)})
}
