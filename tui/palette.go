package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

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
