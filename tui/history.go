package tui

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/widget"
)

// historyScreen lists the revisions, newest first, with the diff that each
// made below.
type historyScreen struct{ list widget.List }

func newHistoryScreen(*App) *historyScreen { return &historyScreen{} }

func (s *historyScreen) context() Context  { return InHistory }
func (s *historyScreen) title(*App) string { return "History" }
func (s *historyScreen) note(*App) string  { return "r rolls back to it   esc back" }

// at is the i-th revision from the newest.
func (s *historyScreen) at(a *App, i int) *engine.Revision {
	revs := a.data.ws.Revisions
	if i < 0 || i >= len(revs) {
		return nil
	}
	return revs[len(revs)-1-i]
}

func (s *historyScreen) lines(a *App, w, h int) []string {
	revs := a.data.ws.Revisions
	if len(revs) == 0 {
		return paragraph("Nothing was pushed yet.", w, a.th.Dim)
	}
	rows := max(3, min(len(revs), h/2))
	s.list.Resize(len(revs), rows)
	var out []string
	for i := s.list.Top; i < s.list.End(); i++ {
		out = append(out, s.line(a, s.at(a, i), i == s.list.Cursor, w))
	}
	r, older := s.at(a, s.list.Cursor), s.at(a, s.list.Cursor+1)
	out = append(out, widget.Spaces(w))
	if r.Outcome.Detail != "" {
		out = append(out, paragraph(r.Outcome.Detail, w, a.th.Warn)...)
	}
	out = append(out, diffLines(a.th, changesOf(older, r, a.group), w)...)
	if older == nil {
		out = append(out, paragraph("The first revision.", w, a.th.Dim)...)
	}
	return out[:min(len(out), h)]
}

// changesOf is what a revision changed in a group against the one before.
func changesOf(older, r *engine.Revision, group string) []mesh.Change {
	if older == nil {
		return nil
	}
	return mesh.DiffText(older.Meshes[group], r.Meshes[group])
}

func (s *historyScreen) line(a *App, r *engine.Revision, cursor bool, w int) string {
	word, glyph, style := a.outcome(r)
	if r != a.data.head && word == "live" {
		word = "accepted"
	}
	left := []widget.Span{{Style: a.th.Strong, Text: fmt.Sprintf("%5d  ", r.Number)}, {Style: style, Text: widget.Fit(glyph+" "+word, 14)},
		{Text: widget.Fit(r.At.Format("2006-01-02 15:04:05"), 21)}, {Text: r.Note}, {Style: a.th.Dim, Text: wentTo(r)}}
	right := []widget.Span{{Style: a.th.Dim, Text: strings.TrimSpace(r.Author + " " + short(r.Outcome.Took))}}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

// wentTo says where a revision went that did not go to all at once.
func wentTo(r *engine.Revision) string {
	switch {
	case len(r.Only) > 0:
		return "  on " + listed(r.Only) + " only"
	case len(r.First) > 0:
		return "  first on " + listed(r.First)
	}
	return ""
}

func (s *historyScreen) key(_ *App, key string) bool { return s.list.Key(key) }
