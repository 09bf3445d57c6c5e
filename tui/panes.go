package tui

import (
	"fmt"
	"strings"
	"unicode"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds/envoy"
)

// paneLines draws the rows of a pane that are seen, and nothing else.
func (a *App) paneLines(p outline.Pane, w, h int) []string {
	l := &a.lists[p]
	if l.Len == 0 {
		return a.emptyPane(p, w)
	}
	if a.columned(Panel(p)) {
		return a.zoomed(p, w, h)
	}
	var c columns
	for i := l.Top; i < l.End(); i++ {
		if r := a.row(p, i); r.Kind == outline.EndpointRow {
			c.address = max(c.address, min(widget.Width(r.Label), w/2))
			c.weight = c.weight || r.Uneven
		}
	}
	out := make([]string, 0, h)
	for i := l.Top; i < l.End(); i++ {
		out = append(out, a.rowLine(p, a.row(p, i), i == l.Cursor, w, c))
	}
	if p == outline.LDS && a.others() > 0 && len(out)+1 < h {
		for len(out) < h-1 {
			out = append(out, widget.Spaces(w))
		}
		out = append(out, a.othersLine(w))
	}
	return out
}

// columns is what the endpoints that are seen have in common, so that what
// stands beside addresses of different lengths is in line.
type columns struct {
	address int  // the room that every address gets
	weight  bool // whether those of any cluster differ in weight
}

// emptyPane says what would stand here and how to get it.
func (a *App) emptyPane(p outline.Pane, w int) []string {
	text := a.emptyText(int(p))
	if f := a.filter[p].text; f != "" {
		text = "Nothing here has “" + f + "” in it. esc clears the filter."
	}
	lines := widget.Wrap(text, w-2)
	for i, s := range lines {
		lines[i] = a.th.Dim.Render(widget.Fit(" "+s, w))
	}
	return lines
}

// rowLine draws one row: the thread and draft marks at the left, what it is,
// and how it stands at the right edge.
func (a *App) rowLine(p outline.Pane, r *outline.Row, cursor bool, w int, c columns) string {
	left := a.rowLeft(p, r, cursor)
	room := w - 2 - indent(r) - widget.Width(r.Label)
	if r.Kind == outline.EndpointRow {
		room = min(room, w-2-indent(r)-c.address)
	}
	least := 0
	if value := a.rowValue(r, 0); value != "" {
		least = widget.Width(value) + 1
	}
	right := a.rowState(r, room-least, c)
	if wordless(right) {
		right = a.rowState(r, room, c) // the state's word matters more than the value
	}
	if value := a.rowValue(r, room-spansWidth(right)-2); value != "" {
		if r.Label != "" {
			value = " " + value
		}
		left = append(left, widget.Span{Style: a.th.Dim, Text: value})
	}
	if cursor && Panel(p) == a.focus {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

// wordless reports whether a state is down to its glyph.
func wordless(state []widget.Span) bool {
	n := len(state)
	return n > 0 && !strings.ContainsFunc(state[n-1].Text, unicode.IsLetter)
}

// rowLeft are a row's marks and its name.
func (a *App) rowLeft(p outline.Pane, r *outline.Row, cursor bool) []widget.Span {
	on := a.thread.Has(r.Key, r.Path)
	gutter := widget.Span{Text: " "}
	if on {
		gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Thread}
	}
	if cursor && (on || Panel(p) == a.focus) {
		gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Cursor}
	}
	var text theme.Style
	if !on {
		text = a.th.Dim
	} else if r.Path == "" {
		text = a.th.Strong
	}
	return []widget.Span{gutter, a.draftSpan(r), {Text: widget.Spaces(indent(r))}, {Style: text, Text: r.Label}}
}

// indent is how far a row stands in from the left; filter chains and endpoints
// have no rows below them and need the room.
func indent(r *outline.Row) int {
	if r.Kind == outline.ChainRow || r.Kind == outline.EndpointRow {
		return 1
	}
	return 2 * r.Depth
}

// rowValue is what the row leads to, in the room that there is: of a
// listener's address the port is what matters.
func (a *App) rowValue(r *outline.Row, room int) string {
	if r.Kind != outline.ListenerRow || widget.Width(r.Value) <= room {
		return r.Value
	}
	if i := strings.LastIndexByte(r.Value, ':'); i >= 0 {
		return r.Value[i:]
	}
	return r.Value
}

// draftSpan marks a row of a resource that the draft adds, edits or removes.
func (a *App) draftSpan(r *outline.Row) widget.Span {
	if r.Path != "" {
		return widget.Span{Text: " "}
	}
	g := a.th.Glyph
	switch a.data.outline.Draft(r.Key) {
	case outline.Added:
		return widget.Span{Style: a.th.Add, Text: g.Added}
	case outline.Edited:
		return widget.Span{Style: a.th.Warn, Text: g.Edited}
	case outline.Removed:
		return widget.Span{Style: a.th.Del, Text: g.Removed}
	}
	return widget.Span{Text: " "}
}

// rowState is how a row stands: of a resource what its nodes did with it, of
// an endpoint its health, of a weighted cluster its weight. room is what is
// left of the row beside its name.
func (a *App) rowState(r *outline.Row, room int, c columns) []widget.Span {
	switch {
	case r.Kind == outline.EndpointRow:
		return a.endpointState(r, room, c)
	case r.Kind == outline.WeightRow:
		return []widget.Span{{Style: a.th.Strong, Text: fmt.Sprintf("%d", r.Weight)}, {Style: a.th.Dim, Text: fmt.Sprintf(" %4s", percent(r.Share))}}
	case r.Path != "":
		return a.findingMark(r, room, nil)
	}
	n := spansWidth(a.findingMark(r, room, nil))
	state := a.resourceState(r.Key, room-n)
	if wordless(state) && n > 3 { // the word of the finding gives way to that of the state
		n = 3
		state = a.resourceState(r.Key, room-n)
	}
	return a.findingMark(r, n+1, state)
}

// findingMark puts the number of errors, else of warnings, before a row's
// state, in a word where that leaves a blank of the room.
func (a *App) findingMark(r *outline.Row, room int, state []widget.Span) []widget.Span {
	var errors, warnings int
	for _, f := range a.data.findings[r.Key] {
		if r.Path != "" && (f.Path != r.Path && !strings.HasPrefix(f.Path, r.Path+".") || r.Kind == outline.VirtualHostRow) {
			continue
		}
		switch f.Severity {
		case mesh.Error:
			errors++
		case mesh.Warning:
			warnings++
		}
	}
	switch {
	case errors > 0:
		text := count(errors, "error") + " "
		if widget.Width(text) >= room {
			text = a.th.Glyph.Rejected + itoa(errors) + " "
		}
		return append([]widget.Span{{Style: a.th.Bad, Text: text}}, state...)
	case warnings > 0:
		return append([]widget.Span{{Style: a.th.Warn, Text: a.th.Glyph.Warning + itoa(warnings) + " "}}, state...)
	}
	return state
}

// stateWidth is the room for a state's word, so that glyphs stand in a column.
const stateWidth = 8

// resourceState is the worst state over the nodes that are shown; the word is
// left out where there is no room for it, never the glyph.
func (a *App) resourceState(k mesh.Key, room int) []widget.Span {
	d := a.data
	if d.outline.Draft(k) == outline.Added {
		return []widget.Span{{Style: a.th.Info, Text: a.th.Glyph.Added + " new"}}
	}
	s, n, stale := mark.Worst(k, d.hash(k), d.nodes, d.look(), a.at)
	glyph, style := s.Draw(a.th)
	word := s.Short()
	if s == mark.NoNode {
		word = "no " + a.product().short
	}
	if n < len(d.nodes) {
		word += fmt.Sprintf(" %d/%d", n, len(d.nodes))
	}
	if stale {
		word, style = "stale "+a.staleAge(), a.th.Dim
		if room >= stateWidth+12 {
			word = s.Short() + ", " + word
		}
	}
	if room < widget.Width(word)+3 {
		on := fmt.Sprintf(" %d/%d", n, len(d.nodes))
		if n == len(d.nodes) || room < widget.Width(on)+2 {
			on = ""
		}
		return []widget.Span{{Style: style, Text: glyph + on}}
	}
	if room >= stateWidth+4 {
		word = widget.Fit(word, max(stateWidth, widget.Width(word)))
	}
	return []widget.Span{{Style: style, Text: glyph + " " + word}}
}

// staleAge is how old the oldest of what is shown is.
func (a *App) staleAge() string {
	oldest := a.at
	for _, n := range a.data.nodes {
		if f := a.data.facts[n.ID]; f != nil && f.At.Before(oldest) {
			oldest = f.At
		}
	}
	return age(a.at, oldest)
}

// healthWidth is the room for a health's word, for the same reason: "refused
// 12s" fits.
const healthWidth = 11

// endpointState is an endpoint's health in glyph and word, with since when it
// is ill, and its part of the traffic, as far as there is room.
func (a *App) endpointState(r *outline.Row, room int, c columns) []widget.Span {
	e, known := a.data.health[hostKey{r.Cluster, r.Address}]
	glyph, style := mark.Draw(e.Health, a.th)
	word := a.healthWord(r.Cluster, e)
	switch {
	case !known && a.data.outline.Draft(r.Key) != outline.Unchanged:
		glyph, word, style = a.th.Glyph.Added, "not pushed", a.th.Info
	case !known && len(a.data.nodes) == 0:
		word = "no " + a.product().short
	case !known:
		word = "unknown"
	case r.Status == "DRAINING" && e.Health.Takes():
		glyph, word, style = a.th.Glyph.Draining, "to drain", a.th.Warn
	case r.Status == "" && e.Health == envoy.Draining:
		word = "to undrain"
	case e.Stale:
		word, style = "stale "+a.staleAge(), a.th.Dim
		if whole := a.healthWord(r.Cluster, e) + ", " + word; room >= len(whole)+3 {
			word = whole
		}
	case e.Health != envoy.Healthy && !e.Since.IsZero():
		word += " " + age(a.at, e.Since)
	}
	if known && e.Count < len(a.data.nodes) {
		word += fmt.Sprintf(" %d/%d", e.Count, len(a.data.nodes))
	}
	n := max(healthWidth, widget.Width(word))
	if room < n+3 {
		return []widget.Span{{Style: style, Text: glyph + " " + word}}
	}
	spans := []widget.Span{{Style: style, Text: glyph + " " + widget.Fit(word, n)}}
	room -= n + 3
	var beside []string
	if a.deps.Traffic != nil {
		beside = append(beside, a.shareOf(r))
	}
	if c.weight {
		beside = append(beside, weightOf(r))
	}
	for _, column := range beside {
		if room >= 5 {
			spans = append(spans, widget.Span{Style: a.th.Dim, Text: fmt.Sprintf(" %4s", column)})
		}
		room -= 5
	}
	return spans
}

// weightOf is an endpoint's weight, "" where all of its cluster weigh the same.
func weightOf(r *outline.Row) string {
	if !r.Uneven {
		return ""
	}
	return fmt.Sprintf("w %d", max(r.Weight, 1))
}

// shareOf is the endpoint's part of the load's answers, "" for one that is not
// of the demo.
func (a *App) shareOf(r *outline.Row) string {
	if b, ok := a.data.backends[r.Address]; ok {
		return percent(b.Share)
	}
	return ""
}

// healthWord is an endpoint's health in a word. Healthy is said only where
// something looks: without any check Envoy calls every host so.
func (a *App) healthWord(cluster string, e mark.Endpoint) string {
	if e.Health == envoy.Healthy && a.data.unchecked[cluster] {
		return "no check"
	}
	return e.Word()
}
