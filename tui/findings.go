package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/widget"
)

// findingsWindow lists findings, the worst first and each file's in the order of
// its lines. A filter keeps those that have all its words.
type findingsWindow struct {
	head  string
	of    func(a *App) []mesh.Finding
	above func(a *App, w int) []string // what stands before them
	below func(a *App, w int) []string // and after them
	none  string

	list  widget.List
	input *textinput.Model // the filter is being typed
	words string

	made findingsKey // what all, kept and body were made of
	all  []mesh.Finding
	kept int
	body []string
}

// findingsKey is what the window's lines depend on.
type findingsKey struct {
	data  *data
	w     int
	words string
}

func (p *findingsWindow) title() string { return p.head }
func (p *findingsWindow) width() int    { return 112 }

// sortedFindings are findings in the order in which they are read.
func sortedFindings(fs []mesh.Finding) []mesh.Finding {
	out := slices.Clone(fs)
	slices.SortStableFunc(out, func(x, y mesh.Finding) int {
		if c := cmp.Compare(y.Severity, x.Severity); c != 0 {
			return c
		}
		if x.File != y.File || x.File == "" {
			return cmp.Compare(x.File, y.File)
		}
		return cmp.Compare(x.Line, y.Line)
	})
	return out
}

// keeps reports whether a finding has every word of the filter: with case where
// the filter has a capital, else without.
func (p *findingsWindow) keeps(f *mesh.Finding) bool {
	if p.words == "" {
		return true
	}
	hay := strings.Join([]string{f.Severity.String(), f.Rule, f.Key.String(), f.Path, placeOf(*f, ""), f.Message, f.Hint}, " ")
	if !strings.ContainsFunc(p.words, unicode.IsUpper) {
		hay = strings.ToLower(hay)
	}
	for word := range strings.FieldsSeq(p.words) {
		if !strings.Contains(hay, word) {
			return false
		}
	}
	return true
}

// make draws everything that there is to read, when that has changed.
func (p *findingsWindow) make(a *App, w int) {
	key := findingsKey{a.data, w, p.words}
	if p.made == key {
		return
	}
	p.made, p.all, p.kept, p.body = key, sortedFindings(p.of(a)), 0, nil
	if p.above != nil {
		p.body = p.above(a, w)
	}
	for i := range p.all {
		if p.keeps(&p.all[i]) {
			p.kept++
			p.body = append(p.body, a.findingLines(p.all[i], w)...)
		}
	}
	switch {
	case len(p.all) == 0:
		p.body = append(p.body, paragraph(p.none, w, a.th.Good)...)
	case p.kept == 0:
		p.body = append(p.body, paragraph("None of them has "+quoted(p.words)+".", w, a.th.Dim)...)
	}
	if p.below != nil {
		p.body = append(p.body, p.below(a, w)...)
	}
}

func (p *findingsWindow) lines(a *App, w, h int) []string {
	p.make(a, w)
	head := p.headLine(a, w)
	p.list.Resize(len(p.body), max(1, min(len(p.body), h-len(head)-2)))
	return slices.Concat(head, p.body[p.list.Top:p.list.End()], []string{widget.Spaces(w), p.foot(a, w)})
}

// headLine counts them, or is where the filter is typed.
func (p *findingsWindow) headLine(a *App, w int) []string {
	switch {
	case p.input != nil:
		return []string{inputLine(a.th, " /", p.input, w)}
	case len(p.all) < 2:
		return nil
	case p.words != "":
		return []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: " /" + p.words}, {Style: a.th.Dim, Text: fmt.Sprintf("  %d of %d", p.kept, len(p.all))}}, nil)}
	}
	return []string{a.th.Strong.Render(widget.Fit(" "+mesh.Tally(p.all), w))}
}

func (p *findingsWindow) foot(a *App, w int) string {
	var pairs []string
	seen := ""
	if p.list.Top > 0 || p.list.End() < p.list.Len {
		pairs = append(pairs, "j k", "scroll")
		seen = fmt.Sprintf("%d–%d of %d lines", p.list.Top+1, p.list.End(), p.list.Len)
	}
	if len(p.all) > 1 {
		pairs = append(pairs, "/", "filter")
	}
	last := "close"
	if p.words != "" || p.input != nil {
		last = "all of them again"
	}
	var spans []widget.Span
	for i, s := range append(pairs, "esc", last) {
		if i%2 == 0 {
			spans = append(spans, widget.Span{Style: a.th.Key, Text: s})
		} else {
			spans = append(spans, widget.Span{Text: " " + s + "   "})
		}
	}
	return widget.Row(w, nil, spans, []widget.Span{{Style: a.th.Dim, Text: seen}})
}

func (p *findingsWindow) key(_ *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	k := keyName(msg)
	if p.input != nil {
		return p.typed(k, msg), false
	}
	switch k {
	case "esc":
		if p.words == "" {
			return nil, true
		}
		p.words, p.list = "", widget.List{}
	case "q", "enter":
		return nil, true
	case "/":
		in := newInput(p.words)
		p.input = &in
	default:
		p.list.ScrollKey(k)
	}
	return nil, false
}

// typed takes a key of the filter's line.
func (p *findingsWindow) typed(k string, msg tea.KeyMsg) tea.Cmd {
	switch k {
	case "esc":
		p.input, p.words = nil, ""
	case "enter":
		p.input = nil
	default:
		in, cmd := p.input.Update(msg)
		p.input, p.words, p.list = &in, strings.TrimSpace(in.Value()), widget.List{}
		return cmd
	}
	return nil
}
