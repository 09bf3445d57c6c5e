package tui

import (
	"fmt"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// samples are what a push would do to requests that nobody kept: one was made
// up for every route of the draft and of what is live.
type samples struct {
	draft, live *routing
	asked       int
	moved       []kept.Move
}

// samplesMsg hands them in.
type samplesMsg struct{ *samples }

// askSamples has the samples asked, outside the event loop, while the diff or
// the push dialog is shown and there are none for this draft.
func (a *App) askSamples() tea.Cmd {
	draft, live := a.data.draftWays, a.data.liveWays
	if a.sampling || draft == live || !a.weighing() || a.samples != nil && a.samples.draft == draft && a.samples.live == live {
		return nil
	}
	a.sampling = true
	return func() tea.Msg {
		probes := kept.Probe(live.mesh, draft.mesh)
		return samplesMsg{&samples{draft: draft, live: live, asked: len(probes), moved: kept.Compare(live.get(), draft.get(), probes)}}
	}
}

// weighing reports whether the operator looks at what a push would do.
func (a *App) weighing() bool {
	if n := len(a.overlays); n > 0 {
		_, ok := a.overlays[n-1].(*pushDialog)
		return ok
	}
	_, ok := a.screen.(*diffScreen)
	return ok
}

func (a *App) sampled(msg samplesMsg) { a.sampling, a.samples = false, msg.samples }

// movedLines say which kept requests a push would send elsewhere, of n that
// are kept.
func (a *App) movedLines(moved []kept.Move, n, w int) []string {
	switch {
	case n == 0:
		return paragraph("No request is kept. t tries one and can keep it; then a push that changes its way says so here.", w, a.th.Dim)
	case len(moved) == 0:
		return paragraph(fmt.Sprintf("%s no kept request changes its target or policies (%d kept)", a.th.Glyph.Acked, n), w, a.th.Good)
	}
	out := paragraph(a.th.Glyph.Edited+" "+movesText(moved, count(n, "kept request"))+":", w, a.th.Warn)
	return append(out, a.moveLines(elsewhereFirst(moved), w)...)
}

// movesText counts what a push would do to requests, of all of them: "2 of 5 kept
// requests would go elsewhere, 1 would change otherwise".
func movesText(moved []kept.Move, all string) string {
	elsewhere := 0
	for i := range moved {
		if moved[i].From != moved[i].To {
			elsewhere++
		}
	}
	switch otherwise := len(moved) - elsewhere; {
	case elsewhere == 0:
		return fmt.Sprintf("%d of %s would keep their target, and change otherwise", otherwise, all)
	case otherwise == 0:
		return fmt.Sprintf("%d of %s would go elsewhere", elsewhere, all)
	default:
		return fmt.Sprintf("%d of %s would go elsewhere, %d would change otherwise", elsewhere, all, otherwise)
	}
}

// elsewhereFirst are moves with those before that lead to another target.
func elsewhereFirst(moved []kept.Move) []kept.Move {
	rank := func(m kept.Move) int {
		if m.From != m.To {
			return 0
		}
		return 1
	}
	moved = slices.Clone(moved)
	slices.SortStableFunc(moved, func(a, b kept.Move) int { return rank(a) - rank(b) })
	return moved
}

// mostSamples is how many samples that go elsewhere are listed.
const mostSamples = 8

// sampleLines say which samples of the group that is shown a push would send
// elsewhere; short leaves the list to the diff.
func (a *App) sampleLines(short bool, w int) []string {
	s := a.samples
	switch {
	case a.data.draftWays == a.data.liveWays:
		return nil
	case s == nil || s.draft != a.data.draftWays || s.live != a.data.liveWays:
		return paragraph("… a sample request for each route is being asked", w, a.th.Dim)
	case s.asked == 0:
		return nil
	case len(s.moved) == 0:
		return paragraph(fmt.Sprintf("%s no sample request changes its target or policies (%d, one for each route)", a.th.Glyph.Acked, s.asked), w, a.th.Good)
	}
	text := a.th.Glyph.Edited + " " + movesText(s.moved, count(s.asked, "sample request")+", one for each route,")
	if short {
		return paragraph(text+"; d lists them", w, a.th.Warn)
	}
	out := append(paragraph(text+":", w, a.th.Warn), a.moveLines(elsewhereFirst(s.moved)[:min(len(s.moved), mostSamples)], w)...)
	if more := len(s.moved) - mostSamples; more > 0 {
		out = append(out, paragraph(fmt.Sprintf("  … %d more", more), w, a.th.Dim)...)
	}
	return out
}

// moveLines draw each request with where it went and where it would go, and what
// else changes of it.
func (a *App) moveLines(moved []kept.Move, w int) []string {
	var out []string
	for i := range moved {
		m := &moved[i]
		out = append(out, a.th.Strong.Render(widget.Fit("  "+widget.Clean(m.Request.Name), w)))
		if m.From != m.To {
			out = append(out, indented(m.From, "    from ", w, a.th.Del)...)
			out = append(out, indented(m.To, "    to   ", w, a.th.Add)...)
		}
		for _, why := range m.Rest {
			out = append(out, indented(why, "    ", w, a.th.Warn)...)
		}
	}
	return out
}

// indented is text behind a head, its further lines below the first.
func indented(text, head string, w int, style theme.Style) []string {
	n := widget.Width(head)
	lines := widget.Wrap(text, w-n)
	for i, l := range lines {
		if i > 0 {
			head = widget.Spaces(n)
		}
		lines[i] = style.Render(widget.Fit(head+l, w))
	}
	return lines
}
