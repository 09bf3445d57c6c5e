package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// pager is something to read: facts that wrap, then text that does not.
type pager struct {
	head  string
	facts func(w int) []string
	text  []string
	start int
	list  widget.List
	begun bool
}

func (p *pager) title() string { return p.head }
func (p *pager) width() int    { return 112 }

func (p *pager) lines(a *App, w, h int) []string {
	var body []string
	if p.facts != nil {
		body = append(p.facts(w), widget.Spaces(w))
	}
	head := len(body)
	for i, l := range p.text {
		body = append(body, yamlLine(a.th, l, w, p.start > 0 && i == p.start))
	}
	rows := max(1, min(len(body), h-2))
	p.list.Resize(len(body), rows)
	if !p.begun {
		p.begun = true
		if p.start > rows/2 {
			p.list.Top = max(0, min(head+p.start-rows/2, len(body)-rows))
		}
		p.list.Cursor = p.list.Top
	}
	out := append([]string(nil), body[p.list.Top:p.list.End()]...)
	foot := a.keysLine(w, "esc", "close")
	if len(body) > rows {
		foot = widget.Row(w, nil, []widget.Span{{Style: a.th.Key, Text: "j k"}, {Text: " scroll   "}, {Style: a.th.Key, Text: "esc"}, {Text: " close"}},
			[]widget.Span{{Style: a.th.Dim, Text: fmt.Sprintf("%d–%d of %d", p.list.Top+1, p.list.End(), len(body))}})
	}
	return append(append(out, widget.Spaces(w)), foot)
}

func (p *pager) key(_ *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	k := keyName(msg)
	if k == "esc" || k == "q" || k == "enter" {
		return nil, true
	}
	p.list.ScrollKey(k)
	return nil, false
}

// yamlLine draws one line of YAML, its key in another colour than its value.
func yamlLine(th *theme.Theme, line string, w int, marked bool) string {
	line = widget.Clean(line)
	if marked {
		return th.Selected.Render(widget.Fit(line, w))
	}
	trimmed := strings.TrimLeft(line, " -")
	if strings.HasPrefix(trimmed, "#") {
		return th.Comment.Render(widget.Fit(line, w))
	}
	if i := strings.Index(trimmed, ":"); i > 0 && (i+1 == len(trimmed) || trimmed[i+1] == ' ') {
		at := len(line) - len(trimmed) + i
		return widget.Row(w, nil, []widget.Span{{Style: th.Name, Text: line[:at]}, {Text: line[at:]}}, nil)
	}
	return widget.Fit(line, w)
}
