package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// pushDialog shows what a push would send, and asks.
type pushDialog struct {
	note    *textinput.Model // being typed; nil when it is not
	written string
	entered bool // enter was pressed although only F pushes
	list    widget.List
	choice  nodeChoice
}

func (p *pushDialog) title() string { return "Push" }
func (p *pushDialog) width() int    { return 84 }

func (p *pushDialog) lines(a *App, w, h int) []string {
	head := append(paragraph("Revision "+itoa(a.nextRevision())+" to "+p.choice.goesTo(a), w, theme.Style{}), widget.Spaces(w))
	if p.choice.open {
		return append(head, p.choice.lines(a, w, h-len(head))...)
	}
	body := p.body(a, w)
	foot := p.foot(a, w)
	if room := h - len(head) - len(foot); len(body) > room {
		foot = shortened(foot, w, h-len(head)-leastBody)
	}
	p.list.Resize(len(body), min(len(body), max(1, h-len(head)-len(foot))))
	if p.list.Top > 0 || p.list.End() < len(body) {
		foot[0] = a.scrollHint(&p.list, w)
	}
	return slices.Concat(head, body[p.list.Top:p.list.End()], foot)
}

// body is what a push changes and how it is gone about. While a limited revision
// stands, that is said for each place that nodes start from.
func (p *pushDialog) body(a *App, w int) []string {
	d := a.data
	var body []string
	if d.ws.Limited != nil && len(chosenFrom(a)) > 0 {
		for i := range d.ws.Groups {
			body = append(body, a.groupFindings(&d.ws.Groups[i], w)...)
		}
		return append(body, a.courseLines(w)...)
	}
	var moved []kept.Move
	for i := range d.ws.Groups {
		moved = append(moved, d.ws.Groups[i].Moved...)
	}
	if n := len(d.ws.Kept); n > 0 {
		body = append(body, a.movedLines(moved, n, w)...)
	}
	body = append(body, a.sampleLines(true, w)...)
	for i := range d.ws.Groups {
		body = append(body, a.changeLines(&d.ws.Groups[i], len(d.ws.Groups) > 1, w)...)
	}
	return append(body, a.planLines(w)...)
}

// leastBody is how many lines of what a push does are seen at the least, as long
// as there is anything else to leave out.
const leastBody = 6

// shortened is a foot in n lines, of which the first, the blank one, and the
// last, that of the keys, stay.
func shortened(foot []string, w, n int) []string {
	if n = max(n, 3); len(foot) <= n {
		return foot
	}
	out := slices.Concat(foot[:n-2], []string{widget.Fit("…", w)}, foot[len(foot)-1:])
	return out
}

// scrollHint says that there is more than is seen, and how to get there.
func (a *App) scrollHint(l *widget.List, w int) string {
	return widget.Row(w, nil, []widget.Span{{Style: a.th.Key, Text: "j k"}, {Text: " scroll"}},
		[]widget.Span{{Style: a.th.Dim, Text: itoa(l.Top+1) + "–" + itoa(l.End()) + " of " + itoa(l.Len) + " lines"}})
}

func (p *pushDialog) foot(a *App, w int) []string {
	out := []string{widget.Spaces(w)}
	errors := a.errors()
	switch {
	case p.note != nil:
		return append(out, inputLine(a.th, "note", p.note, w), a.keysLine(w, "enter", "keep the note", "esc", "no note"))
	case p.written != "":
		out = append(out, widget.Fit("note: "+widget.Clean(p.written), w))
	}
	if unread := a.unreadText(); unread != "" {
		out = append(out, paragraph(unread+". What has an error is not in the mesh, and nothing is refused by it: a push may let in whom the whole file keeps out. "+
			"Mend the file; it is read again when it is saved.", w, a.th.Bad)...)
	}
	if errors > 0 {
		out = append(out, paragraph(count(errors, "error")+" found. "+a.product().The()+" may reject it (nothing that works is lost: "+
			"the old version stays active), or take it and answer requests there with 404 or 503.", w, a.th.Bad)...)
	}
	if a.needsForce() {
		if p.entered {
			out = append(out, paragraph("Enter is not enough for this: press F to push all the same.", w, a.th.Warn)...)
		}
		return append(out, widget.Spaces(w), a.keysLine(w, slices.Concat([]string{"F", "push all the same"}, p.choice.keys(a), []string{"n", "note", "esc", "cancel"})...))
	}
	return append(out, a.keysLine(w, slices.Concat([]string{"enter", "push"}, p.choice.keys(a), []string{"n", "note", "esc", "cancel"})...))
}

func (p *pushDialog) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	if p.note != nil {
		return p.noteKey(msg), false
	}
	k := keyName(msg)
	if p.choice.open {
		p.choice.key(a, k)
		return nil, false
	}
	only := p.choice.only(a)
	none := p.choice.none(a)
	switch {
	case k == "o" && len(chosenFrom(a)) > 1:
		p.choice.begin(a)
	case k == "esc" || k == "q":
		return nil, true
	case k == "n":
		in := newInput(p.written)
		p.note = &in
	case none && (k == "F" || k == "enter" || k == "y" || k == "p"):
		a.shout("no node is chosen: o chooses, and esc there means all")
	case k == "F" && a.needsForce():
		return a.push(engine.PushOptions{Note: p.written, Force: true, Only: only}), true
	case (k == "enter" || k == "y" || k == "p") && !a.needsForce():
		return a.push(engine.PushOptions{Note: p.written, Only: only}), true
	case k == "enter":
		p.entered = true
	default:
		p.list.ScrollKey(k)
	}
	return nil, false
}

func (p *pushDialog) noteKey(msg tea.KeyMsg) tea.Cmd {
	switch msg.Type {
	case tea.KeyEsc:
		p.note = nil
		return nil
	case tea.KeyEnter:
		p.written, p.note = strings.TrimSpace(p.note.Value()), nil
		return nil
	}
	var cmd tea.Cmd
	*p.note, cmd = p.note.Update(msg)
	return cmd
}

// needsForce reports whether enter is not enough for a push: the draft has errors,
// or something of what was opened could not be read and so is missing in it.
func (a *App) needsForce() bool { return a.errors() > 0 || len(a.unread()) > 0 }

// errors counts the error findings of every group's draft.
func (a *App) errors() int { return a.findings(mesh.Error) }

// findings counts those of a severity in every group's draft.
func (a *App) findings(s mesh.Severity) int {
	n := 0
	for i := range a.data.ws.Groups {
		for _, f := range a.data.ws.Groups[i].Findings {
			if f.Severity == s {
				n++
			}
		}
	}
	return n
}

// changeLines lists a group's changes and what the checks say.
func (a *App) changeLines(g *engine.GroupState, named bool, w int) []string {
	var out []string
	if named && len(g.Changes) > 0 {
		out = append(out, a.th.Strong.Render(widget.Fit("group "+g.Name, w)))
	}
	for _, c := range g.Changes {
		out = append(out, a.changeLine(c, w))
	}
	return append(out, a.groupFindings(g, w)...)
}

// groupFindings is what the checks say of a group's draft.
func (a *App) groupFindings(g *engine.GroupState, w int) []string {
	var out []string
	for _, f := range g.Findings {
		out = append(out, a.findingLines(f, w)...)
	}
	return out
}

// changeLine is a resource that changes, and by how many lines.
func (a *App) changeLine(c mesh.Change, w int) string {
	sign, style := a.th.Glyph.Edited, a.th.Warn
	if c.Old == nil {
		sign, style = a.th.Glyph.Added, a.th.Add
	} else if c.New == nil {
		sign, style = a.th.Glyph.Removed, a.th.Del
	}
	add, del := changedLines(c)
	return widget.Row(w, nil, []widget.Span{{Style: style, Text: " " + sign + " "}, {Text: c.Key.String()}},
		[]widget.Span{{Style: a.th.Add, Text: "+" + itoa(add)}, {Text: " "}, {Style: a.th.Del, Text: "-" + itoa(del)}})
}
