package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// detailTitle names what is selected.
func (a *App) detailTitle() string {
	if a.focus == PanelNginx {
		return "nginx and Envoy"
	}
	r := a.selected()
	if r == nil {
		return "nothing selected"
	}
	return a.titleOf(r)
}

// titleOf names a row: its resource, and what it is in there.
func (a *App) titleOf(r *outline.Row) string {
	title := r.Key.String()
	if r.Path != "" && r.Label != "" {
		title += " " + a.th.Glyph.Cursor + " " + r.Label
	}
	return title
}

// detailNote is what can be asked of what is selected.
func (a *App) detailNote() string {
	if r := a.selected(); r != nil && a.focus == PanelRDS && r.Kind != outline.RouteConfigRow {
		return "t: try a request here"
	}
	return ""
}

// detailLines is what is known of the selection, as much as fits: what is
// wrong first.
func (a *App) detailLines(r widget.Rect) []string {
	w := r.W - 2
	var out []string
	if a.focus == PanelNginx {
		out = a.lessonLines(w)
	} else if row := a.selected(); row != nil {
		out = a.facts(row, w)
	} else {
		out = a.nothingLines(w)
	}
	if len(out) > r.H && r.H > 0 {
		more := len(out) - r.H + 1
		out = append(out[:r.H-1:r.H-1], a.th.Dim.Render(widget.Fit(fmt.Sprintf("… %d more lines: enter", more), w)))
	}
	for i, l := range out {
		out[i] = " " + l + " "
	}
	return out
}

// nothingLines says what to do where nothing is selected.
func (a *App) nothingLines(w int) []string {
	if unread := a.unreadText(); unread != "" {
		return paragraph(unread+": ! lists them. Mend the file; it is read again when it is saved.", w, a.th.Bad)
	}
	return paragraph("Nothing is here yet. Press n in a pane to make a resource from a template.", w, a.th.Dim)
}

// facts are all facts about a row: rejections and findings, its state on each
// node, an endpoint's health.
func (a *App) facts(r *outline.Row, w int) []string {
	var out []string
	out = append(out, a.rejections(r.Key, w)...)
	if r.Kind == outline.EndpointRow {
		out = append(out, a.endpointFacts(r, w)...)
	}
	for _, f := range a.findingsOf(r) {
		out = append(out, a.findingLines(f, w)...)
	}
	if a.data.outline.Draft(r.Key) == outline.Removed {
		out = append(out, a.th.Del.Render(widget.Fit("Removed in the draft; still live until the push.", w)))
	}
	out = append(out, a.stateLines(r.Key, w)...)
	return append(out, a.lesson(r, w)...)
}

// lesson is what the nginx line that mirrors a row has to teach, if there is
// such a line.
func (a *App) lesson(r *outline.Row, w int) []string {
	for _, i := range a.data.nginx.at[nginx.Origin{Key: r.Key, Path: r.Path}] {
		if l := &a.data.nginx.lines[i]; l.Lesson != "" {
			return paragraph("nginx: "+strings.TrimSpace(l.Text)+"  "+a.th.Glyph.Dot+"  "+l.Lesson, w, a.th.Dim)
		}
	}
	return nil
}

// findingsOf are the findings of the row's resource, those of the row itself
// first.
func (a *App) findingsOf(r *outline.Row) []mesh.Finding {
	var here, rest []mesh.Finding
	for _, f := range a.data.findings[r.Key] {
		if r.Path != "" && strings.HasPrefix(f.Path, r.Path) {
			here = append(here, f)
		} else {
			rest = append(rest, f)
		}
	}
	return append(here, rest...)
}

// rejections are why the nodes reject the served version of a resource, in plain
// words and in their own.
func (a *App) rejections(k mesh.Key, w int) []string {
	var out []string
	var said *refusal // by the node before
	for _, n := range a.data.nodes {
		st := n.Resources.Get(k)
		if st.Rejected == nil {
			continue
		}
		times := ""
		if st.Rejected.Sent > 1 {
			times = fmt.Sprintf(", sent %d times", st.Rejected.Sent)
		}
		text := fmt.Sprintf("%s rejected version %s %s ago%s", n.ID, st.Rejected.Version, age(a.at, st.Rejected.At), times)
		refused := a.data.refusalOn(n.ID, k)
		switch {
		case refused != nil && said != nil && refused.text == said.text:
			out = append(out, indented(text+", in the same words", a.th.Glyph.Rejected+" ", w, a.th.Bad)...)
		case refused != nil:
			said = refused
			out = append(out, a.reasonLines(text, refused, &k, w)...)
		default:
			out = append(out, indented(text+": "+st.Rejected.Detail, a.th.Glyph.Rejected+" ", w, a.th.Bad)...)
		}
		if left := a.afterRejection(n.ID, k, st.Acked); left != "" {
			out = append(out, paragraph("  "+left, w, a.th.Dim)...)
		}
	}
	return out
}

// afterRejection says what a node that rejected a resource goes on with; "" when
// that cannot be seen.
func (a *App) afterRejection(node string, k mesh.Key, acked xds.Fact) string {
	before := ""
	if !acked.At.IsZero() {
		before = fmt.Sprintf(" (%s, ACKed %s ago)", acked.Version, age(a.at, acked.At))
	}
	active := envoy.NotObservable
	if f := a.data.facts[node]; f != nil {
		active = f.Active[k].State
	}
	switch {
	case active == envoy.Absent:
		return node + " has nothing of this name"
	case active != envoy.NotObservable || before != "":
		return node + " goes on with what it had before" + before
	}
	return ""
}

// endpointFacts are an endpoint's health in words, and its counters.
func (a *App) endpointFacts(r *outline.Row, w int) []string {
	e, known := a.data.health[hostKey{r.Cluster, r.Address}]
	if !known {
		return paragraph("Its health is not known: no "+a.product().one+" has told anything of it.", w, a.th.Dim)
	}
	glyph, style := mark.Draw(e.Health, a.th)
	text := glyph + " " + e.Health.String()
	if a.healthWord(r.Cluster, e) == "no check" {
		text += ", as far as " + a.product().the + " can tell: the cluster has neither health_checks nor outlier_detection"
	}
	if e.Why != "" {
		text += ": " + e.Why
	}
	if since := age(a.at, e.Since); since != "" {
		text += ", for " + since
	}
	if !e.Health.Takes() && e.Health != envoy.HealthUnknown {
		text += ". It takes no new requests while others are healthy"
	}
	if e.Stale {
		text += ". This is stale: the admin interface of " + a.product().the + " does not answer"
	}
	out := paragraph(text+".", w, style)
	more := fmt.Sprintf("%d requests, %d errors so far", e.Requests, e.Errors)
	if b, ok := a.data.backends[r.Address]; ok {
		more += fmt.Sprintf("; backend %s %s, gave %s of the load's answers", b.Name, b.State, percent(b.Share))
	}
	if r.Uneven {
		more += fmt.Sprintf("; weight %d", max(r.Weight, 1))
		if r.Share > 0 {
			more += ", " + percent(r.Share) + " of its priority's"
		}
	}
	return append(out, paragraph(more, w, a.th.Dim)...)
}

// stateLines says for each node what it did with the resource, with versions
// and times.
func (a *App) stateLines(k mesh.Key, w int) []string {
	if a.data.outline.Draft(k) == outline.Added {
		return paragraph("New in the draft; no "+a.product().one+" has it. p pushes the draft.", w, a.th.Info)
	}
	if len(a.data.nodes) == 0 {
		return paragraph("No "+a.product().one+" is connected; the next one that connects gets it.", w, a.th.Dim)
	}
	var out []string
	states := mark.Of(k, a.data.hash(k), a.data.nodes, a.data.look(), a.at)
	for i := range states {
		if states[i].State == mark.Rejected {
			continue // its rejection stands above, with Envoy's words
		}
		out = append(out, a.stateLine(&states[i], w)...)
	}
	return out
}

func (a *App) stateLine(on *mark.OnNode, w int) []string {
	glyph, style := on.State.Draw(a.th)
	if n := a.data.xs.Node(on.Node); on.Truth != nil && n != nil {
		return a.truthLine(n, on, w)
	}
	text := on.Node + ": " + on.State.Word()
	if on.Served && !on.Status.Served.At.IsZero() {
		text += fmt.Sprintf("; served %s %s ago", on.Status.Served.Version, age(a.at, on.Status.Served.At))
	}
	if !on.Status.Acked.At.IsZero() {
		text += fmt.Sprintf("; ACKed %s", on.Status.Acked.Version)
		if d := on.Status.Acked.At.Sub(on.Status.Served.At); d > 0 && on.Status.Acked.Version == on.Status.Served.Version {
			text += " after " + short(d)
		}
	}
	if on.Served {
		text += "; in " + productOf(a.data.xs.Node(on.Node)).the + ": " + on.Active.State.String()
		if on.Active.Detail != "" {
			text += " (" + on.Active.Detail + ")"
		}
		if on.Stale {
			text += ", stale: last seen " + age(a.at, on.Observed) + " ago"
		}
	}
	lines := widget.Wrap(text, w-2)
	for i, l := range lines {
		if i == 0 {
			lines[i] = style.Render(glyph) + " " + widget.Fit(l, w-2)
		} else {
			lines[i] = "  " + widget.Fit(l, w-2)
		}
	}
	return lines
}

// truthLine says how a resource stands on a node, and the facts behind it.
func (a *App) truthLine(n *xds.Node, on *mark.OnNode, w int) []string {
	glyph, style := on.State.Draw(a.th)
	out := indented(on.Node+": "+inWords(on.State, on.Truth), glyph+" ", w, style)
	if facts := a.factsText(n, on.Truth); facts != "" {
		out = append(out, indented(facts, "  ", w, a.th.Dim)...)
	}
	return out
}

// openMsg hands in something to read that was made outside the event loop.
type openMsg struct {
	title string
	lines []string // plain text, a line each
	at    int      // the line to begin at
}

func (a *App) opened(msg openMsg) tea.Cmd {
	a.open(&pager{head: msg.title, text: msg.lines, start: msg.at})
	return nil
}

// openDetail opens everything about the selection; on the wire, the message.
func (a *App) openDetail() tea.Cmd {
	onMain := a.screen == nil
	if onMain && a.focus == PanelWire {
		if i := a.lists[PanelWire].Cursor; i < len(a.data.wire) {
			return a.openMessage(a.data.wire[i])
		}
		return nil
	}
	if onMain && a.focus == PanelNginx {
		return a.openNginxLine()
	}
	r := a.selected()
	if r == nil {
		return nil
	}
	p := &pager{head: a.titleOf(r), facts: func(w int) []string { return a.facts(r, w) }}
	if res := a.data.resource(r.Key); res != nil {
		p.text = shownText(res)
		if line, _, ok := text.Position(strings.Join(p.text, "\n"), r.Path); ok {
			p.start = line - 1
		}
	}
	a.open(p)
	return nil
}
