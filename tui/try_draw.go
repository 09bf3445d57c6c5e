package tui

import (
	"fmt"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// sideBySide is the width from which predicted and observed stand beside each
// other.
const sideBySide = 110

// lines draws the form, and below it what scrolls: how it went, the predicted
// and the observed way, and why every other route lost.
func (s *tryScreen) lines(a *App, w, h int) []string {
	out := s.form.lines(a, w, max(3, h/3))
	out = append(out, s.hintLine(a, w))
	head := s.headLines(a, w)
	var picked []string
	s.head, s.reasons = len(head), s.countReasons()
	if !s.form.typing() {
		picked = s.reasonLines(a, s.window.pick, w)
	}
	s.window.resize(h-len(out), s.head, s.reasons, len(picked))
	for i := 0; len(out) < h && s.window.top+i < s.head+s.reasons+s.window.tall-1; i++ {
		row, n := s.window.line(i, s.head)
		switch {
		case row < 0:
			out = append(out, head[n])
		case row == s.window.pick && len(picked) > 0:
			out = append(out, picked[n])
		case row < s.reasons:
			out = append(out, s.reasonLine(a, row, w))
		}
	}
	return out
}

// hintLine stands between the form and the rest: what is wrong with a field,
// else what can be typed into the one that has the keyboard.
func (s *tryScreen) hintLine(a *App, w int) string {
	_, wrong := s.form.request()
	if len(wrong) > 0 {
		return a.th.Bad.Render(widget.Fit(widget.Clean(a.th.Glyph.Rejected+" "+strings.Join(wrong, "; ")), w))
	}
	var right []widget.Span
	if ok, _ := canTurn(a); ok {
		right = []widget.Span{{Style: a.th.Key, Text: "ctrl+t"}, {Style: a.th.Dim, Text: " live or draft"}}
	}
	return widget.Row(w, nil, []widget.Span{{Style: a.th.Dim, Text: "  " + s.hint(a)}}, right)
}

// hint is what can be typed into the field that has the keyboard.
func (s *tryScreen) hint(a *App) string {
	switch s.form.focus {
	case fieldMethod:
		return "space: the next method"
	case fieldHost:
		return "the Host header as sent; a whole URL may be pasted"
	case fieldPath:
		return "the path as sent, with its query; a whole URL may be pasted"
	case fieldListener:
		return "a name or a port; space: the next of " + orNone(strings.Join(a.listenerNames(), ", "))
	case fieldSNI:
		return "makes it TLS: the name that the client asks for; " + tlsOnly + " without one"
	case fieldRandom:
		return "the request's random value: it decides weighted clusters and fractions"
	case len(s.form.fields):
		return "ctrl+g shows this route in the panes; tab goes back to the form"
	}
	return "name: value"
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// headLines are what stands above the reasons.
func (s *tryScreen) headLines(a *App, w int) []string {
	out := s.verdictLines(a, w)
	switch {
	case w >= sideBySide:
		left := (w - 3) * 55 / 100
		right := w - 3 - left
		out = append(out, beside(s.predictedLines(a, left), s.observedLines(a, right), left, right, a.th)...)
		if s.seen != nil {
			out = append(out, beside([]string{widget.Spaces(left)}, nil, left, right, a.th)...)
			out = append(out, beside(s.nginxWayLines(a, left), s.nginxObserved(a, right), left, right, a.th)...)
		}
	case s.reasonsOfNginx():
		out = append(out, s.nginxWayLines(a, w)...)
		out = append(out, s.envoyBrief(a, w)...)
		out = append(out, s.nginxObserved(a, w)...)
	default:
		out = append(out, s.predictedLines(a, w)...)
		out = append(out, s.nginxBrief(a, w)...)
		seen := s.observedLines(a, w)
		if s.shot == nil {
			seen = seen[1:] // that nothing was sent needs no heading
		}
		out = append(out, seen...)
	}
	out = append(out, a.th.Dim.Render(widget.Fit(a.keepHint(), w)))
	if s.seen == nil || !s.reasonsOfNginx() && s.seen.Config == nil { // no route was asked for
		return out
	}
	return append(append(out, widget.Spaces(w)), s.reasonHeading(a, w))
}

// beside joins two columns of lw and rw cells by a line between them.
func beside(left, right []string, lw, rw int, th *theme.Theme) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		l, r := widget.Spaces(lw), widget.Spaces(rw)
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = l + th.Border.Render(" "+th.Glyph.Border[5]+" ") + r
	}
	return out
}

// labelWidth is the room for the word before each fact.
const labelWidth = 14

// factLines draws a word, and beside it what it is, and why that is so.
func (a *App) factLines(word, what, why string, style theme.Style, w int) []string {
	room := w - labelWidth
	what, why = widget.Clean(what), widget.Clean(why)
	var lines []string
	n := widget.Width(what)
	switch {
	case why == "" || n > room-12: // each on lines of its own
		lines = styled(widget.Wrap(what, room), style, room)
		if why != "" {
			lines = append(lines, styled(widget.Wrap(why, room), a.th.Dim, room)...)
		}
	default: // one behind the other; the first is a word that is not broken
		wrapped := widget.Wrap(strings.Repeat("x", n)+"  "+why, room)
		first := style.Render(what) + a.th.Dim.Render(widget.Fit(wrapped[0][n:], room-n))
		lines = append([]string{first}, styled(wrapped[1:], a.th.Dim, room)...)
	}
	for i, l := range lines {
		head := widget.Spaces(labelWidth)
		if i == 0 {
			head = a.th.Dim.Render(widget.Fit(widget.Clean(word), labelWidth))
		}
		lines[i] = head + l
	}
	return lines
}

// styled are lines in a style, each w cells wide.
func styled(lines []string, style theme.Style, w int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = style.Render(widget.Fit(l, w))
	}
	return out
}

// predictedLines are the way that the request takes, link by link, and what is
// in force on it.
func (s *tryScreen) predictedLines(a *App, w int) []string {
	out := []string{a.th.Strong.Render(widget.Fit("predicted", w))}
	f := s.seen
	if f == nil {
		return append(out, a.th.Dim.Render(widget.Fit("…", w)))
	}
	if f.missed != "" {
		out = append(out, paragraph(a.th.Glyph.Warning+" not the route that you came from: "+f.missed, w, a.th.Warn)...)
	}
	for i := range f.Steps {
		step := &f.Steps[i]
		name, why := step.Name, step.Why
		switch {
		case step.Kind == "endpoints":
			name, why = step.Why, a.hostsText(step.Key)
		case step.Kind == "listener" && f.request.Listener != "":
			why = "" // the operator chose it
			if l, ok := a.message(step.Key).(*listenerv3.Listener); ok {
				why = mesh.Address(l.GetAddress())
			}
		}
		out = append(out, a.factLines(shortKind(step.Kind), name, why, a.th.Strong, w)...)
	}
	out = append(out, a.endLines(&f.Way, w)...)
	if settings := settingsText(f.Settings); settings != "" {
		out = append(out, a.factLines("in force", settings, "", theme.Style{}, w)...)
	}
	for _, c := range f.Caveats {
		out = append(out, a.factLines(a.th.Glyph.Warning+" caveat", c, "", a.th.Warn, w)...)
	}
	if f.differ && a.data.head != nil {
		out = append(out, a.otherLines(f, s.live, w)...)
	}
	return out
}

// mostHosts is how many endpoints are listed.
const mostHosts = 4

// hostsText are the endpoints that stand in a resource, with their health.
func (a *App) hostsText(k mesh.Key) string {
	var parts []string
	from, to := a.data.outline.Span(outline.EDS, k)
	for _, r := range a.data.outline.Rows[outline.EDS][from:to] {
		if r.Kind != outline.EndpointRow {
			continue
		}
		if len(parts) == mostHosts {
			parts = append(parts, a.th.Glyph.Ellipsis)
			break
		}
		text := r.Address
		if e, known := a.data.health[hostKey{r.Cluster, r.Address}]; known {
			glyph, _ := mark.Draw(e.Health, a.th)
			text += " " + glyph + " " + a.healthWord(r.Cluster, e)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// shortKind is a step's kind in the room that it has.
func shortKind(kind string) string {
	if kind == "route configuration" {
		return "route config"
	}
	return kind
}

// endLines say what becomes of the request at the end of its way.
func (a *App) endLines(way *match.Way, w int) []string {
	switch way.Action {
	case match.Forward:
		if way.Status != 0 {
			return a.factLines("answer", fmt.Sprintf("%d %s", way.Status, way.Detail), way.Reason, a.th.Bad, w)
		}
		var out []string
		if len(way.Weighted) > 0 && way.Cluster == "" {
			out = a.shareLines(way.Weighted, w)
		}
		return append(out, a.factLines("sent upstream", way.Host+" "+way.Path, "", a.th.Strong, w)...)
	case match.Redirect:
		return a.factLines("answer", fmt.Sprintf("%d to %s", way.Status, way.Location), "redirect", a.th.Info, w)
	case match.DirectResponse:
		return a.factLines("answer", fmt.Sprint(way.Status), strings.TrimSpace("direct response "+quoted(way.Body)), a.th.Info, w)
	}
	if way.Action == match.TCPProxy && way.Reason == "" {
		return a.factLines("answer", "TCP", "bytes are passed on to the cluster; no request is looked at", a.th.Info, w)
	}
	what := strings.ReplaceAll(string(way.Action), "_", " ")
	if way.Status > 0 {
		what = fmt.Sprintf("%d %s", way.Status, what)
	}
	if way.Location != "" {
		what += " to " + way.Location
	}
	why := way.Reason
	if way.Detail != "" {
		why = strings.TrimSpace(why + " (" + way.Detail + ")")
	}
	return a.factLines("answer", what, why, a.th.Warn, w)
}

// mostShares is how many weighted clusters have a line each.
const mostShares = 4

// shareLines are the clusters that a request is drawn among, each with its
// share and its endpoints.
func (a *App) shareLines(ws []routes.Weighted, w int) []string {
	if len(ws) > mostShares {
		return a.factLines("clusters", sharesText(ws), "by its random value", a.th.Strong, w)
	}
	var out []string
	for i := range ws {
		word := ""
		if i == 0 {
			word = "clusters"
		}
		k := mesh.Key{Type: mesh.Cluster, Name: ws[i].Name}
		if service, ok := mesh.EndpointsOf(a.message(k)); ok {
			k = mesh.Key{Type: mesh.Endpoints, Name: service}
		}
		out = append(out, a.factLines(word, shareText(ws, i), a.hostsText(k), a.th.Strong, w)...)
	}
	return out
}

// quoted is the beginning of a body on one line.
func quoted(body string) string {
	if body == "" {
		return ""
	}
	return fmt.Sprintf("“%s”", widget.Truncate(widget.Clean(body), 60))
}

// sharesText is how a request's cluster is drawn by lot: "app 90%, app-v2 10%".
func sharesText(ws []routes.Weighted) string {
	parts := make([]string, len(ws))
	for i := range ws {
		parts[i] = shareText(ws, i)
	}
	return strings.Join(parts, ", ")
}

// shareText is the i-th of them: "app 90%".
func shareText(ws []routes.Weighted, i int) string {
	var sum uint64
	for _, c := range ws {
		sum += uint64(c.Weight)
	}
	name, share := ws[i].Name, 0.0
	if name == "" {
		name = "by header " + ws[i].Header
	}
	if sum > 0 {
		share = float64(ws[i].Weight) / float64(sum)
	}
	return name + " " + percent(share)
}

// settingsText are the policies in force, each with the level that it comes
// from: "timeout: 5s (route)".
func settingsText(settings []routes.Setting) string {
	var parts []string
	for _, s := range settings {
		parts = append(parts, fmt.Sprintf("%s: %s (%s)", s.Name, s.Value, s.Level))
	}
	return strings.Join(parts, ", ")
}

// otherLines say where the mesh that is not shown sends the request.
func (a *App) otherLines(f *forecast, live bool, w int) []string {
	which := "on live"
	if live {
		which = "on the draft"
	}
	here, there := f.Target(), f.other.Target()
	if here == there {
		return a.factLines(which, "the same target", "", a.th.Dim, w)
	}
	return a.factLines(which, there, "a push changes this", a.th.Warn, w)
}
