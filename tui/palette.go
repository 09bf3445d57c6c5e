package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/widget"
)

// palette finds an action by name or title and runs it. What cannot be done
// now stays in it, greyed, with the reason.
type palette struct {
	input textinput.Model
	list  widget.List
	hits  []*Action
}

func newPalette(a *App) *palette {
	p := &palette{input: newInput("")}
	p.find(a)
	return p
}

func (p *palette) title() string { return "Command" }
func (p *palette) width() int    { return 74 }

// find keeps the actions that have every word of the input in their id or
// title; those whose id begins with it come first.
func (p *palette) find(a *App) {
	words := strings.Fields(strings.ToLower(p.input.Value()))
	var first, rest []*Action
	for _, act := range a.reg.all {
		if act.In&a.context() == 0 && act.In&InMain == 0 {
			continue
		}
		hay := strings.ToLower(act.ID + " " + act.Title)
		all := true
		for _, w := range words {
			all = all && strings.Contains(hay, w)
		}
		switch {
		case !all:
		case len(words) > 0 && strings.HasPrefix(act.ID, words[0]):
			first = append(first, act)
		default:
			rest = append(rest, act)
		}
	}
	p.hits = slices.Concat(first, rest)
	p.list.Select(0)
}

func (p *palette) lines(a *App, w, h int) []string {
	p.list.Resize(len(p.hits), max(1, min(14, h-3)))
	out := []string{inputLine(a.th, ":", &p.input, w), widget.Spaces(w)}
	for i := p.list.Top; i < p.list.Top+p.list.Height; i++ {
		if i >= p.list.End() {
			out = append(out, widget.Spaces(w))
			continue
		}
		out = append(out, p.line(a, p.hits[i], i == p.list.Cursor, w))
	}
	if len(p.hits) == 0 {
		out[2] = a.th.Dim.Render(widget.Fit("nothing is called that; esc closes", w))
	}
	return out
}

func (p *palette) line(a *App, act *Action, cursor bool, w int) string {
	left := []widget.Span{{Style: a.th.Strong, Text: widget.Fit(act.ID, 16)}, {Text: " " + act.Title}}
	right := []widget.Span{{Style: a.th.Key, Text: act.KeyText()}}
	if ok, why := p.can(a, act); !ok {
		left = []widget.Span{{Style: a.th.Off, Text: widget.Fit(act.ID, 16) + " " + why}}
		right[0].Style = a.th.Off
	}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

func (p *palette) can(a *App, act *Action) (bool, string) {
	if act.In&a.context() == 0 {
		return false, "not on this " + a.place()
	}
	return act.Enabled(a)
}

// place is what the operator is looking at, in a word.
func (a *App) place() string {
	if a.screen != nil {
		return "screen"
	}
	return "pane"
}

func (p *palette) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	switch keyName(msg) {
	case "esc":
		return nil, true
	case "up", "ctrl+k":
		p.list.Move(-1)
		return nil, false
	case "down", "ctrl+j", "tab":
		p.list.Move(1)
		return nil, false
	case "enter":
		return p.run(a)
	}
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	p.find(a)
	return cmd, false
}

// run does what the cursor is on, after the palette has closed.
func (p *palette) run(a *App) (tea.Cmd, bool) {
	if len(p.hits) == 0 {
		return nil, false
	}
	act := p.hits[p.list.Cursor]
	if ok, why := p.can(a, act); !ok {
		a.shout(act.Title + ": " + why)
		return nil, true
	}
	// The palette is still the topmost overlay; what the action opens must lie
	// above where it was.
	a.overlays = a.overlays[:len(a.overlays)-1]
	return act.Run(a), false
}

// pushDialog shows what a push would send, and asks.
type pushDialog struct {
	note    *textinput.Model // being typed; nil when it is not
	written string
	entered bool // enter was pressed although only F pushes
	list    widget.List
}

func (p *pushDialog) title() string { return "Push" }
func (p *pushDialog) width() int    { return 84 }

func (p *pushDialog) lines(a *App, w, h int) []string {
	d := a.data
	next := 1
	if d.head != nil {
		next = d.head.Number + 1
	}
	to := a.nodes(d.connected())
	if d.connected() == 0 {
		to = "no " + a.product().one + ": none is connected; the next one that connects gets it"
	}
	head := []string{widget.Fit("Revision "+itoa(next)+" to "+to, w), widget.Spaces(w)}
	var body []string
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
	foot := p.foot(a, w)
	p.list.Resize(len(body), min(len(body), max(1, h-len(head)-len(foot))))
	return append(append(head, body[p.list.Top:p.list.End()]...), foot...)
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
	if errors > 0 {
		out = append(out, paragraph(count(errors, "error")+" found. "+a.product().The()+" may reject it (nothing that works is lost: "+
			"the old version stays active), or take it and answer requests there with 404 or 503.", w, a.th.Bad)...)
		if p.entered {
			out = append(out, paragraph("Enter is not enough for this: press F to push all the same.", w, a.th.Warn)...)
		}
		return append(out, widget.Spaces(w), a.keysLine(w, "F", "push all the same", "n", "note", "esc", "cancel"))
	}
	return append(out, a.keysLine(w, "enter", "push", "n", "note", "esc", "cancel"))
}

func (p *pushDialog) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	if p.note != nil {
		return p.noteKey(msg), false
	}
	k := keyName(msg)
	switch {
	case k == "esc" || k == "q":
		return nil, true
	case k == "n":
		in := newInput(p.written)
		p.note = &in
	case k == "F" && a.errors() > 0:
		return a.push(engine.PushOptions{Note: p.written, Force: true}), true
	case (k == "enter" || k == "y" || k == "p") && a.errors() == 0:
		return a.push(engine.PushOptions{Note: p.written}), true
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
		sign, style := a.th.Glyph.Edited, a.th.Warn
		if c.Old == nil {
			sign, style = a.th.Glyph.Added, a.th.Add
		} else if c.New == nil {
			sign, style = a.th.Glyph.Removed, a.th.Del
		}
		add, del := changedLines(c)
		out = append(out, widget.Row(w, nil, []widget.Span{{Style: style, Text: " " + sign + " "}, {Text: c.Key.String()}},
			[]widget.Span{{Style: a.th.Add, Text: "+" + itoa(add)}, {Text: " "}, {Style: a.th.Del, Text: "-" + itoa(del)}}))
	}
	for _, f := range g.Findings {
		out = append(out, a.findingLines(f, w)...)
	}
	return out
}
