package tui

import (
	"fmt"
	"strings"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// nodeColumn is a column of the nodes screen: an age, or of a type a number.
type nodeColumn struct {
	head  string
	width int
	// rank says which columns go first where there is no room: the greatest.
	rank int
	fact func(*truth.Resource) truth.Mark
}

var nodeColumns = []nodeColumn{
	{"served", 8, 3, func(r *truth.Resource) truth.Mark { return r.Served }},
	{"ACKed", 8, 2, func(r *truth.Resource) truth.Mark { return r.Acked }},
	{"warming", 9, 6, func(r *truth.Resource) truth.Mark { return r.Warming }},
	{"active", 8, 1, func(r *truth.Resource) truth.Mark { return r.Active }},
	{"carrying", 10, 5, func(r *truth.Resource) truth.Mark { return r.Carrying }},
	{"rejected", 9, 4, func(r *truth.Resource) truth.Mark { return r.Rejected }},
}

// The room that a name and a verdict get: a name up to a third of the screen.
const (
	nodeNameWidth, nodeVerdictWidth = 26, 22
)

// nameWidth is the room that the longest name needs, within bounds.
func (s *nodesScreen) nameWidth(w int) int {
	return max(nodeNameWidth, min(s.longest+7, w/3))
}

// nodeColumnsIn are the columns that fit in the room beside name and verdict.
func nodeColumnsIn(room int) []nodeColumn {
	fits := 0
	for rank := 1; rank <= len(nodeColumns); rank++ {
		for _, c := range nodeColumns {
			if c.rank == rank && c.width <= room && fits == rank-1 {
				room -= c.width
				fits = rank
			}
		}
	}
	var out []nodeColumn
	for _, c := range nodeColumns {
		if c.rank <= fits {
			out = append(out, c)
		}
	}
	return out
}

func (s *nodesScreen) lines(a *App, w, h int) []string {
	s.refresh(a)
	if len(s.rows) == 0 {
		return a.noWire(w, h)
	}
	below := 5
	if h >= 26 {
		below = 9
	}
	name := s.nameWidth(w)
	cols := nodeColumnsIn(w - name - nodeVerdictWidth)
	s.list.Resize(len(s.rows), h-below-1)
	heads := ""
	for _, c := range cols {
		heads += fmt.Sprintf("%*s", c.width, c.head)
	}
	out := []string{a.th.Dim.Render(widget.Fit(widget.Fit("  name", name)+widget.Fit("state", nodeVerdictWidth)+heads, w))}
	for i := s.list.Top; i < s.list.End(); i++ {
		out = append(out, a.nodeRowLine(&s.rows[i], name, cols, i == s.list.Cursor, w))
	}
	for len(out) < h-below {
		out = append(out, widget.Spaces(w))
	}
	return append(out, s.strip(a, w, below)...)
}

// strip is what is known of the cursor's row, in n lines.
func (s *nodesScreen) strip(a *App, w, n int) []string {
	row := s.current()
	if row == nil || row.n == nil {
		return nil
	}
	out := []string{a.ruled(s.about(row), w)}
	return append(out, a.clipped(a.spotLines(row.nodeSpot, w), w, n-1)...)
}

// clipped are at most n of the lines; that there are more is said in the last.
func (a *App) clipped(lines []string, w, n int) []string {
	if len(lines) <= n || n < 1 {
		return lines
	}
	more := fmt.Sprintf("%s %d more lines: enter", a.th.Glyph.Ellipsis, len(lines)-n+1)
	return append(lines[:n-1:n-1], a.th.Dim.Render(widget.Fit(more, w)))
}

// nodeRowLine draws a row: what it is, how it stands, and since when each fact
// about it holds.
func (a *App) nodeRowLine(row *nodeRow, name int, cols []nodeColumn, cursor bool, w int) string {
	var left, right []widget.Span
	switch {
	case row.n == nil && row.text == "":
		return widget.Spaces(w)
	case row.text != "":
		style := a.th.Dim
		if row.bad {
			style = a.th.Warn
		}
		indent := "    "
		if row.t != 0 {
			indent = "        "
		}
		return style.Render(widget.Fit(indent+widget.Clean(row.text), w))
	case row.r != nil:
		left = a.resourceOnNode(row, name, cols, len(cols) == len(nodeColumns))
	case row.t != 0:
		left = a.typeOnNode(row, name, cols)
	default:
		left, right = a.nodeItself(row.n)
	}
	gutter := widget.Span{Text: "  "}
	if cursor {
		gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Cursor + " "}
	}
	left = append([]widget.Span{gutter}, left...)
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

// nodeItself says who a node is, and whether it is here.
func (a *App) nodeItself(n *xds.Node) (left, right []widget.Span) {
	glyph, style, word := a.th.Glyph.Active, a.th.Good, "connected "
	if !n.Connected {
		glyph, style, word = a.th.Glyph.Offline, a.th.Warn, "gone "
	}
	if s := a.standingOf(n); n.Connected && s != synced {
		glyph, style, word = a.th.Glyph.Differs, a.th.Warn, standingWords[s]+", "+word
		if s == refused {
			glyph, style = a.th.Glyph.Rejected, a.th.Bad
		}
	}
	about := "  " + agentOf(n) + "  " + n.Variant.String()
	if len(a.data.ws.Groups) > 1 {
		about += "  group " + n.Group
	}
	return []widget.Span{{Style: style, Text: glyph + " "}, {Style: a.th.Strong, Text: n.ID}, {Style: a.th.Dim, Text: about}},
		[]widget.Span{{Style: style, Text: word + age(a.at, n.Since)}}
}

// agentOf is what a node says it is; of one that says nothing, that.
func agentOf(n *xds.Node) string {
	if n.Agent == "" {
		return "(says not what it is)"
	}
	return n.Agent
}

// typeOnNode sums up the conversation about a type.
func (a *App) typeOnNode(row *nodeRow, name int, cols []nodeColumn) []widget.Span {
	st := row.n.Types[row.t]
	total, active, worst := row.sum.total, row.sum.active, row.sum.worst
	what := row.t.String()
	if row.t == mesh.Endpoints {
		what = "assignment"
	}
	service := "  " + row.t.Service() + " "
	out := []widget.Span{{Style: a.th.Strong, Text: service}, {Text: widget.Fit(count(total, what), name-2-widget.Width(service))}}
	glyph, style := worst.Draw(a.th)
	word := worst.Word()
	if worst.Good() {
		word = worst.Short()
	}
	if total == 0 {
		glyph, style, word = a.th.Glyph.NotSent, a.th.Dim, "nothing to have"
	}
	out = append(out, widget.Span{Style: style, Text: widget.Fit(glyph+" "+word, nodeVerdictWidth)})
	for _, c := range cols {
		text, style := "", a.th.Dim
		switch c.head {
		case "served":
			text = age(a.at, st.Sent.At)
		case "ACKed":
			text = age(a.at, st.Acked.At)
			if st.Acked.Version != st.Sent.Version {
				style = a.th.Warn
			}
		case "active":
			text = fmt.Sprintf("%d/%d", active, total)
			if a.data.facts[row.node] == nil && a.data.truths[row.node] == nil || a.unheard(row.n) {
				text = "?" // what it runs now is not known
			}
		case "rejected":
			if st.Rejected != nil {
				text, style = age(a.at, st.Rejected.At), a.th.Bad
			}
		}
		out = append(out, widget.Span{Style: style, Text: fmt.Sprintf("%*s", c.width, text)})
	}
	return out
}

// typeSum is how many resources of a type a node is to have, how many of them
// are active, and the worst state among them.
type typeSum struct {
	total, active int
	worst         mark.State
}

func (s *typeSum) add(active bool, state mark.State) {
	s.total++
	if active {
		s.active++
	}
	s.worst = max(s.worst, state)
}

func (a *App) sumOf(n *xds.Node, t mesh.Type) typeSum {
	var sum typeSum
	if tn := a.data.truths[n.ID]; tn != nil {
		for i := range tn.Resources {
			r := &tn.Resources[i]
			if r.Key.Type == t {
				sum.add(r.Active.Yes(), a.stateOn(n, r))
			}
		}
		return sum
	}
	f := a.data.facts[n.ID]
	for k := range n.Resources.All() {
		if k.Type == t {
			s, _, _ := mark.Worst(k, a.data.hash(k), []*xds.Node{n}, a.data.look(), a.at)
			sum.add(f != nil && f.Active[k].State == envoy.ActiveSame, s)
		}
	}
	return sum
}

// stateOn is how a resource is drawn on a node.
func (a *App) stateOn(n *xds.Node, r *truth.Resource) mark.State {
	if s := drawn(r); n.Connected || s == mark.Rejected {
		return s
	}
	return mark.Offline
}

func drawn(r *truth.Resource) mark.State { return mark.Verdict(r.Verdict) }

// resourceOnNode is a resource with the age of each fact that holds of it, and
// its verdict in words where that has no line of its own and there is room.
func (a *App) resourceOnNode(row *nodeRow, name int, cols []nodeColumn, says bool) []widget.Span {
	state := a.stateOn(row.n, row.r)
	glyph, style := state.Draw(a.th)
	word := state.Word()
	if old := a.seenAge(row.node); a.blind(row.n) && old != "" && row.r.Active.Yes() {
		word += ", " + old + " old"
	}
	out := []widget.Span{{Text: widget.Fit("    "+widget.Clean(row.key.Name), name-2)}, {Style: style, Text: widget.Fit(glyph+" "+word, nodeVerdictWidth)}}
	for _, c := range cols {
		m := c.fact(row.r)
		text, style := "", a.th.Dim
		if m.Yes() {
			text = age(a.at, m.At)
			if text == "" {
				text = "yes"
			}
		}
		if c.head == "rejected" {
			style = a.th.Bad
		}
		out = append(out, widget.Span{Style: style, Text: fmt.Sprintf("%*s", c.width, text)})
	}
	if says && state.Good() && row.r.Says != "" && row.r.Says != word {
		out = append(out, widget.Span{Style: a.th.Dim, Text: "  " + row.r.Says})
	}
	return out
}

// blind reports whether what the node itself says is too old to be believed, or
// cannot be had.
func (a *App) blind(n *xds.Node) bool {
	if t := a.data.truths[n.ID]; t != nil {
		return t.Why != "" || t.Stale || t.Seen.IsZero() || a.at.Sub(t.Seen) > staleAfter
	}
	f := a.data.facts[n.ID]
	return f == nil || f.Stale(a.at)
}

// staleAfter is when a look into a node is too old: its admin interface is asked
// every second.
const staleAfter = 3 * time.Second

// seenAge is how old the newest look into a node is, "" when there was none.
func (a *App) seenAge(node string) string {
	if t := a.data.truths[node]; t != nil {
		return age(a.at, t.Seen)
	}
	if f := a.data.facts[node]; f != nil {
		return age(a.at, f.At)
	}
	return ""
}

func rolloutText(n *xds.Node) string {
	r := n.Rollout
	s := fmt.Sprintf("revision %d: %s", r.Revision, r.Result)
	switch {
	case r.Revision == 0:
		return "nothing sent yet"
	case r.Step > 0 && r.Waiting == "":
		s += fmt.Sprintf(" at step %d of %d", r.Step, r.Steps)
	case r.Step > 0:
		s = fmt.Sprintf("revision %d: step %d of %d, waiting for %s", r.Revision, r.Step, r.Steps, r.Waiting)
	case r.Detail != "":
		s += ": " + r.Detail
	case !r.Ended.IsZero() && r.Result == engine.Accepted:
		s += " after " + short(r.Ended.Sub(r.Started))
	}
	return s
}

// adminText says what the node itself tells, and how old that is.
func (a *App) adminText(n *xds.Node) string {
	f, name := a.data.facts[n.ID], "admin"
	if productOf(n) == grpcProduct {
		name = "CSDS"
	}
	why, old := "", a.seenAge(n.ID)
	if t := a.data.truths[n.ID]; t != nil {
		why = t.Why
	}
	var text string
	switch {
	case f == nil && why == "":
		return name + ": unknown, so what is active cannot be seen"
	case f == nil:
		text = name + ": " + why
	case f.Err != "":
		text = fmt.Sprintf("%s %s does not answer: %s", name, f.Admin, f.Err)
	default:
		who := strings.TrimSpace(productOf(n).one + " " + f.Version)
		if f.Ready != "" {
			who = f.Ready + ", " + who
		}
		text = fmt.Sprintf("%s %s: %s, seen %s ago", name, f.Admin, who, old)
		if len(f.Warming) > 0 {
			text += fmt.Sprintf(", %d warming", len(f.Warming))
		}
		if f.Draining > 0 {
			text += fmt.Sprintf(", %d draining", f.Draining)
		}
	}
	if a.blind(n) {
		text += "; STALE"
		if old != "" {
			text += ": what it runs is as it was " + old + " ago"
		}
	}
	return text
}
