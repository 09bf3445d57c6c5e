package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/cursor"
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// newInput is a text line with a cursor that does not blink: a blinking one
// would draw the screen twice a second for nothing.
func newInput(text string) textinput.Model {
	in := textinput.New()
	in.Prompt = ""
	in.Cursor.SetMode(cursor.CursorStatic)
	in.SetValue(text)
	in.CursorEnd()
	in.Focus()
	return in
}

// inputLine draws a label and the line that is typed, w cells wide.
func inputLine(th *theme.Theme, label string, in *textinput.Model, w int) string {
	head := th.Dim.Render(label) + " "
	room := w - widget.Width(label) - 1
	in.Width = max(1, room-1)
	return widget.Fit(head+in.View(), w)
}

// prompt asks for one line.
type prompt struct {
	head, label, text, hint string
	do                      func(a *App, text string) tea.Cmd
	input                   *textinput.Model
}

func (p *prompt) title() string { return p.head }
func (p *prompt) width() int    { return 60 }

func (p *prompt) ready() *textinput.Model {
	if p.input == nil {
		in := newInput(p.text)
		p.input = &in
	}
	return p.input
}

func (p *prompt) lines(a *App, w, _ int) []string {
	out := []string{widget.Spaces(w), inputLine(a.th, p.label, p.ready(), w), widget.Spaces(w)}
	if p.hint != "" {
		out = append(out, paragraph(p.hint, w, a.th.Dim)...)
		out = append(out, widget.Spaces(w))
	}
	return append(out, a.keysLine(w, "enter", "go on", "esc", "cancel"))
}

func (p *prompt) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	in := p.ready()
	switch msg.Type {
	case tea.KeyEsc:
		return nil, true
	case tea.KeyEnter:
		text := strings.TrimSpace(in.Value())
		if text == "" {
			return nil, false
		}
		return p.do(a, text), true
	}
	var cmd tea.Cmd
	*in, cmd = in.Update(msg)
	return cmd, false
}

// filterInput is the line that a filter is typed into, in place of the footer.
type filterInput struct {
	pane  outline.Pane
	input textinput.Model
}

func (a *App) startFilter() tea.Cmd {
	p := outline.Pane(a.focus)
	a.input = &filterInput{pane: p, input: newInput(a.filter[p].text)}
	return nil
}

// filterKey filters as it is typed; enter keeps the filter, esc clears it.
func (a *App) filterKey(msg tea.KeyMsg) tea.Cmd {
	p := a.input.pane
	switch msg.Type {
	case tea.KeyEsc:
		a.input = nil
		a.setFilter(p, "")
		return nil
	case tea.KeyEnter:
		a.input = nil
		return nil
	case tea.KeyUp, tea.KeyDown:
		a.navigate(keyName(msg))
		return nil
	}
	var cmd tea.Cmd
	a.input.input, cmd = a.input.input.Update(msg)
	a.setFilter(p, a.input.input.Value())
	return cmd
}

// setFilter filters a pane and keeps the cursor on its row where that is let
// through.
func (a *App) setFilter(p outline.Pane, text string) {
	a.filter[p].text = text
	a.refilter(p)
	a.arrange()
	a.refind(p)
	a.moved()
}
