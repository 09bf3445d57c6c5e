package tui

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/term"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// Choice is what was chosen on the start page.
type Choice struct {
	Kind ChoiceKind
	Path string // for ChoseOpen
}

// ChoiceKind says which of the start page's entries it was.
type ChoiceKind uint8

// The entries. ChoseNothing is that the operator left.
const (
	ChoseNothing ChoiceKind = iota
	ChoseDemo
	ChoseOpen
	ChoseHelp
)

// RunStart shows the start page, for when there is no workspace to open:
// the demo, a path, help, and the workspaces opened before, newest first.
// Errors are those of Run.
func RunStart(ctx context.Context, recent []string, o Options) (Choice, error) {
	if !term.IsTerminal(os.Stdin.Fd()) || !term.IsTerminal(os.Stdout.Fd()) {
		return Choice{}, ErrNoTerminal
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	page := newStartPage(recent, theme.New(theme.Options{ASCII: o.ASCII}))
	group, _ := task.New(ctx)
	stop := make(chan struct{})
	group.Go("signals", func() error { return watchSignals(ctx, stop, func() bool { return false }, cancel) })
	_, err := tea.NewProgram(page, tea.WithContext(ctx), tea.WithAltScreen(), tea.WithoutSignalHandler()).Run()
	close(stop)
	return page.choice, errors.Join(ended(ctx, err), group.Wait())
}

// startPage is the model of the start page.
type startPage struct {
	th      *theme.Theme
	w, h    int
	list    widget.List
	entries []startEntry
	input   *textinput.Model // a path is being typed
	choice  Choice
}

type startEntry struct {
	key, title, text string
	choice           Choice
}

func newStartPage(recent []string, th *theme.Theme) *startPage {
	p := &startPage{th: th, entries: []startEntry{
		{"d", "Demo", "a small mesh with backends and live traffic", Choice{Kind: ChoseDemo}},
		{"o", "Open", "an nginx.conf, an Envoy bootstrap, a folder of xDS", Choice{Kind: ChoseOpen}},
		{"h", "Help", "the commands, and how to bring an Envoy", Choice{Kind: ChoseHelp}},
	}}
	for i, path := range recent[:min(len(recent), 5)] {
		p.entries = append(p.entries, startEntry{itoa(i + 1), path, "", Choice{ChoseOpen, path}})
	}
	p.list.Resize(len(p.entries), len(p.entries))
	return p
}

func (p *startPage) Init() tea.Cmd { return nil }

func (p *startPage) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.w, p.h = msg.Width, msg.Height
	case tea.KeyMsg:
		return p, p.key(msg)
	}
	return p, nil
}

func (p *startPage) key(msg tea.KeyMsg) tea.Cmd {
	k := keyName(msg)
	switch {
	case k == "ctrl+c":
		return tea.Quit
	case p.input != nil:
		return p.typed(msg)
	case k == "q":
		return tea.Quit
	case k == "enter":
		return p.choose(p.list.Cursor)
	case p.list.Key(k):
		return nil
	}
	for i, e := range p.entries {
		if e.key == k {
			return p.choose(i)
		}
	}
	return nil
}

func (p *startPage) choose(i int) tea.Cmd {
	p.list.Select(i)
	if e := p.entries[i]; e.choice.Kind != ChoseOpen || e.choice.Path != "" {
		p.choice = e.choice
		return tea.Quit
	}
	in := newInput("")
	p.input = &in
	return nil
}

func (p *startPage) typed(msg tea.KeyMsg) tea.Cmd {
	switch msg.Type {
	case tea.KeyEsc:
		p.input = nil
		return nil
	case tea.KeyEnter:
		if path := strings.TrimSpace(p.input.Value()); path != "" {
			p.choice = Choice{ChoseOpen, path}
			return tea.Quit
		}
		return nil
	}
	var cmd tea.Cmd
	*p.input, cmd = p.input.Update(msg)
	return cmd
}

func (p *startPage) View() string {
	if p.w <= 0 || p.h <= 0 {
		return ""
	}
	w := min(78, p.w)
	var body []string
	add := func(left []widget.Span) { body = append(body, widget.Row(w, nil, left, nil)) }
	add([]widget.Span{{Style: p.th.Accent, Text: "  meshtui"}, {Text: "  an Envoy control plane in your terminal"}})
	add(nil)
	for _, l := range widget.Wrap("It is the management server that Envoys ask: which port? where does /foo go? where is app? "+
		"You edit, push, and see what each Envoy did with it, beside the nginx.conf that says the same.", w-4) {
		add([]widget.Span{{Style: p.th.Dim, Text: "  " + l}})
	}
	add(nil)
	for i, e := range p.entries {
		left := []widget.Span{{Style: p.th.Key, Text: "  " + e.key + "  "}, {Style: p.th.Strong, Text: widget.Fit(e.title, max(8, widget.Width(e.title)+2))}, {Style: p.th.Dim, Text: e.text}}
		if i == p.list.Cursor {
			body = append(body, widget.Row(w, &p.th.Selected, left, nil))
			continue
		}
		add(left)
	}
	add(nil)
	if p.input != nil {
		body = append(body, inputLine(p.th, "  path", p.input, w))
		add([]widget.Span{{Style: p.th.Key, Text: "  enter"}, {Text: " open   "}, {Style: p.th.Key, Text: "esc"}, {Text: " back"}})
	} else {
		add([]widget.Span{{Style: p.th.Key, Text: "  enter"}, {Text: " choose   "}, {Style: p.th.Key, Text: "q"}, {Text: " leave"}})
	}
	view := strings.Join(centred(body, p.w, p.h, w), "\n")
	if p.th.Plain != nil {
		view = p.th.Plain.Replace(view)
	}
	return view
}

// centred puts body of width bw into the middle of w×h cells.
func centred(body []string, w, h, bw int) []string {
	out := make([]string, h)
	top, left := max(0, (h-len(body))/3), (w-bw)/2
	for y := range out {
		line := ""
		if i := y - top; i >= 0 && i < len(body) {
			line = widget.Spaces(left) + body[i]
		}
		out[y] = widget.Fit(line, w)
	}
	return out
}
