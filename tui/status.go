package tui

import (
	"fmt"
	"slices"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// statusLine is the line at the top: what is open, what is live, who is here,
// what waits to be pushed, how the traffic does. On a narrow screen the parts
// that matter least go first.
func (a *App) statusLine(w int) string {
	d := a.data
	name := a.namePart(w)
	parts := a.mainParts(w, spansWidth(name)+1)
	if w < 100 && d.ws.Draft > 0 { // what waits to be pushed must not fall off the edge
		parts[1], parts[2] = parts[2], parts[1]
	}
	if a.deps.Traffic != nil {
		style := a.th.Good
		if d.traffic.Errors > 0 {
			style = a.th.Bad
		}
		parts = append(parts, []widget.Span{{Text: fmt.Sprintf("%.0f req/s ", d.traffic.RPS)},
			{Style: style, Text: percent(d.traffic.Errors) + " 5xx" + failing(d.traffic)}})
	}
	if d.plane != "" {
		parts = append(parts, []widget.Span{{Style: a.th.Dim, Text: d.plane}})
	}
	if a.frozen {
		name = append(name, widget.Span{Style: a.th.Bar, Text: " FROZEN, P goes on "})
	}
	gap := "   "
	if w < 100 {
		gap = "  "
		name = name[1:]
	}
	used := spansWidth(name) + 1
	line := name
	for _, p := range parts {
		n := spansWidth(p) + len(gap)
		if used+n > w {
			continue
		}
		line = append(append(line, widget.Span{Style: a.th.Dim, Text: gap}), p...)
		used += n
	}
	return widget.Row(w, nil, line, nil)
}

// mainParts are what must be on the screen, said as fully as there is room beside
// the name.
func (a *App) mainParts(w, name int) [][]widget.Span {
	var parts [][]widget.Span
	for b := full; b <= barest; b++ {
		parts = [][]widget.Span{a.revisionPart(w), a.nodesPart(b), a.draftPart(w, b)}
		used := name
		for _, p := range parts {
			used += spansWidth(p) + 3
		}
		if used <= w {
			break
		}
	}
	return parts
}

// namePart is what is open, where it is saved to when that is elsewhere, and
// the group that is shown.
func (a *App) namePart(w int) []widget.Span {
	ws := a.data.ws
	name := []widget.Span{{Style: a.th.Strong, Text: " meshtui "}, {Text: " " + ws.Name}}
	if to := baseName(ws.SaveTo); to != "" && to != ws.Name && ws.SaveTo != ws.Path {
		name = append(name, widget.Span{Style: a.th.Dim, Text: " → "}, widget.Span{Text: to})
	}
	arrow := widget.Span{Style: a.th.Dim, Text: " " + a.th.Glyph.Cursor + " "}
	if n := len(ws.Groups); n > 1 {
		at := slices.IndexFunc(ws.Groups, func(g engine.GroupState) bool { return g.Name == a.data.group })
		return append(name, arrow, widget.Span{Text: fmt.Sprintf("group %s, %d of %d", a.data.group, at+1, n)},
			widget.Span{Style: a.th.Key, Text: "  { }"})
	}
	if w >= 100 {
		name = append(name, arrow, widget.Span{Text: a.data.group})
	}
	return name
}

// failing names the newest failure of the load while there are any: " (503 NC)".
func failing(t TrafficSnapshot) string {
	if t.Errors == 0 {
		return ""
	}
	for i := len(t.Last) - 1; i >= 0; i-- {
		switch a := t.Last[i]; {
		case a.Code == 0:
			return " (no answer)"
		case a.Code >= 500 && a.Flags != "":
			return fmt.Sprintf(" (%d %s)", a.Code, a.Flags)
		case a.Code >= 500:
			return fmt.Sprintf(" (%d)", a.Code)
		}
	}
	return ""
}

func spansWidth(spans []widget.Span) int {
	n := 0
	for _, s := range spans {
		n += widget.Width(s.Text)
	}
	return n
}

// revisionPart is the live revision and what became of it.
func (a *App) revisionPart(w int) []widget.Span {
	r := a.data.head
	if r == nil {
		return []widget.Span{{Style: a.th.Dim, Text: "nothing pushed yet"}}
	}
	word, glyph, style := a.outcome(r)
	waits := a.warming()
	switch under := r.Outcome.Result == engine.Pending || r.Outcome.Result == engine.TimedOut; {
	case under && len(waits) > 0 && w >= 100:
		word, glyph, style = "waiting for warm: "+listed(waits), a.th.Glyph.Warming, a.th.Warn
	case under && len(waits) > 0:
		word, glyph, style = "warming "+listed(waits), a.th.Glyph.Warming, a.th.Warn
	case r.Outcome.Result == engine.Pending:
		if step := a.slowest(); step != "" {
			word = step
		}
	}
	if on, of := a.reach(r); a.data.ws.Limited != nil && of > 0 {
		word += fmt.Sprintf(" on %d of %d", on, of)
	}
	return []widget.Span{{Text: fmt.Sprintf("rev %d ", r.Number)}, {Style: style, Text: glyph + " " + word}}
}

// outcome is a revision's result as it is drawn.
func (a *App) outcome(r *engine.Revision) (word, glyph string, style theme.Style) {
	g := a.th.Glyph
	switch r.Outcome.Result {
	case engine.Accepted:
		return "live", g.Active, a.th.Good
	case engine.Rejected:
		return "rejected", g.Rejected, a.th.Bad
	case engine.TimedOut:
		return "unanswered", g.NotActive, a.th.Warn
	case engine.Superseded:
		return "superseded", g.Dot, a.th.Dim
	case engine.NoNodes:
		return "ready", g.NotSent, a.th.Dim
	}
	return "pending", g.Warming, a.th.Info
}

// slowest is how far the node that is furthest behind has come.
func (a *App) slowest() string {
	text, least := "", 1<<30
	for _, n := range a.data.members {
		if r := n.Rollout; n.Connected && r.Step > 0 && r.Step < least {
			least = r.Step
			text = fmt.Sprintf("step %d of %d", r.Step, r.Steps)
		}
	}
	return text
}

// draftPart says what waits to be pushed.
func (a *App) draftPart(w int, b brevity) []widget.Span {
	if a.data.ws.ReadOnly != "" {
		return []widget.Span{{Style: a.th.Warn, Text: "read-only"}}
	}
	unread, errors, warnings := a.unreadText(), a.findings(mesh.Error), a.findings(mesh.Warning)
	if a.data.ws.Draft == 0 {
		spans := []widget.Span{{Style: a.th.Dim, Text: "no draft"}}
		if errors > 0 {
			spans = []widget.Span{{Style: a.th.Bad, Text: count(errors, "error") + " in what is live"}}
		}
		if unread != "" {
			spans = append(spans, widget.Span{Text: ", "}, widget.Span{Style: a.th.Bad, Text: unread})
		}
		return spans
	}
	changes := count(a.data.ws.Draft, "change")
	if b == barest {
		changes = itoa(a.data.ws.Draft)
	}
	spans := []widget.Span{{Style: a.th.Warn, Text: "draft: " + changes}, {Text: ", "}}
	if errors > 0 {
		spans = append(spans, widget.Span{Style: a.th.Bad, Text: count(errors, "error")})
	} else {
		spans = append(spans, widget.Span{Style: a.th.Dim, Text: "0 errors"})
	}
	switch {
	case warnings > 0 && w >= 120:
		spans = append(spans, widget.Span{Text: ", "}, widget.Span{Style: a.th.Warn, Text: count(warnings, "warning")})
	case warnings > 0:
		spans = append(spans, widget.Span{Style: a.th.Warn, Text: " " + a.th.Glyph.Warning + itoa(warnings)})
	}
	if unread != "" {
		spans = append(spans, widget.Span{Text: ", "}, widget.Span{Style: a.th.Bad, Text: unread})
	}
	return spans
}

// bar is a line above the footer that stays for as long as it is so.
type bar struct {
	bad  bool
	text string
	tail string // what can be done about it; never cut off for the text's sake
}

// wayOut is what to do about a rejected revision.
func (a *App) wayOut() string {
	why := ""
	if ok, _ := isRejected(a); ok {
		why = a.keyOf("doctor") + " says why   "
	}
	if r := acceptedBefore(a.data.ws.Revisions); r != nil {
		return why + fmt.Sprintf("r rolls back to %d", r.Number)
	}
	return why + "mend the draft (e) and push again"
}

// bars are what asks for attention, the worst first.
func (a *App) bars() []bar {
	var out []bar
	out = append(out, a.rolloutBars()...)
	out = append(out, a.ownBars()...)
	for _, f := range a.data.besides {
		if f.Severity == mesh.Error {
			out = append(out, bar{bad: true, text: f.Key.String() + ": " + f.Message, tail: a.keyOf("findings") + " lists all"})
			break
		}
	}
	for _, n := range a.data.notices {
		out = append(out, bar{bad: n.Bad, text: n.Text})
	}
	if c := a.data.ws.Disk; c != nil {
		out = append(out, diskBar(c))
	}
	if why := a.data.ws.ReadOnly; why != "" {
		out = append(out, bar{text: "read-only: " + why})
	}
	switch f := a.data.ws.Notices; {
	case len(a.unread()) > 0:
		out = append(out, bar{bad: true, text: a.unreadText() + ", not in the mesh: " + a.unread()[0].Message, tail: "! lists them"})
	case len(f) > 0 && a.data.ws.Draft == 0 && len(a.data.ws.Revisions) <= 1:
		out = append(out, bar{text: fmt.Sprintf("%s on opening: %s", count(len(f), "remark"), f[0].Message), tail: ":notices lists them"})
	}
	return out
}

func diskBar(c *engine.DiskChange) bar {
	files := ""
	for i, f := range c.Files {
		if i > 0 {
			files += ", "
		}
		files += baseName(f)
	}
	if len(c.Problem) > 0 {
		return bar{bad: true, text: fmt.Sprintf("%s changed on disk, but cannot be read: %s", files, c.Problem[0]), tail: "! lists why   O ignore"}
	}
	return bar{text: fmt.Sprintf("%s changed on disk: %s", files, count(c.Changes, "resource")), tail: "o take as draft   O ignore"}
}

func baseName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

func (a *App) drawBar(b bar, w int) string {
	glyph, style := a.th.Glyph.Warning, a.th.Bar
	if b.bad {
		glyph, style = a.th.Glyph.Rejected, a.th.BadBar
	}
	text, tail := widget.Clean(" "+glyph+" "+b.text), ""
	if b.tail != "" {
		tail = "   " + b.tail + " "
		text = widget.Truncate(text, max(w/3, w-widget.Width(tail)))
	}
	return style.Render(widget.Fit(text+tail, w))
}
