package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// nginxView is an nginx.conf with its source map turned round, and with the
// false friends on its lines.
type nginxView struct {
	config  *nginx.Config
	lines   []nginx.Line
	at      map[nginx.Origin][]int
	friends []friends.Friend
	on      map[int][]int // the friends on each line, by their index
	marked  []int         // the lines that have some, ascending
}

func newNginxView(c *nginx.Config, fs []friends.Friend) *nginxView {
	v := &nginxView{config: c, lines: c.Lines, at: map[nginx.Origin][]int{}, friends: fs, on: map[int][]int{}}
	for i, l := range v.lines {
		if !l.From.Key.IsZero() {
			v.at[l.From] = append(v.at[l.From], i)
		}
		for _, o := range l.Also {
			v.at[o] = append(v.at[o], i)
		}
	}
	for i := range fs {
		for _, line := range fs[i].Lines {
			if line < 0 || line >= len(v.lines) {
				continue
			}
			if len(v.on[line]) == 0 {
				v.marked = append(v.marked, line)
			}
			v.on[line] = append(v.on[line], i)
		}
	}
	slices.Sort(v.marked)
	return v
}

// line is the first line that mirrors the field, or the closest field that
// encloses it; -1 when no line does.
func (v *nginxView) line(k mesh.Key, path string) int {
	for {
		if at := v.at[nginx.Origin{Key: k, Path: path}]; len(at) > 0 {
			return at[0]
		}
		if path == "" {
			return -1
		}
		path = parent(path)
	}
}

// mark is the glyph before a line: a false friend, or how far it says the same.
func (v *nginxView) mark(i int, th *theme.Theme) (string, theme.Style) {
	if len(v.on[i]) > 0 {
		return th.Glyph.Friend, th.Warn
	}
	return kindMark(v.lines[i].Kind, th)
}

// kindMark is the glyph of a kind; a blank for a line that mirrors nothing.
func kindMark(k nginx.Kind, th *theme.Theme) (string, theme.Style) {
	switch k {
	case nginx.Exact:
		return th.Glyph.Exact, th.Dim
	case nginx.Approximate:
		return th.Glyph.About, th.Info
	case nginx.None:
		return th.Glyph.Lacking, th.Dim
	}
	return " ", theme.Style{}
}

// nginxLines draws the nginx.conf with the lines on the thread marked.
func (a *App) nginxLines(w, h int) []string {
	l := &a.lists[PanelNginx]
	out := make([]string, 0, h)
	for i := l.Top; i < l.End(); i++ {
		line := &a.data.nginx.lines[i]
		strong, on := a.mirrors(line)
		cursor := i == l.Cursor && a.focus == PanelNginx
		gutter := widget.Span{Text: " "}
		style := a.nginxStyle(line)
		switch {
		case cursor || strong:
			gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Cursor}
			style = a.th.Accent
		case on:
			gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Thread}
		case line.Kind != nginx.None:
			style = a.th.Dim
		}
		glyph, marked := a.data.nginx.mark(i, a.th)
		spans := []widget.Span{gutter, {Style: marked, Text: glyph}, {Style: style, Text: widget.Skip(tightened(line.Text), a.nginxShift)}}
		if cursor {
			out = append(out, widget.Row(w, &a.th.Selected, spans, nil))
		} else {
			out = append(out, widget.Row(w, nil, spans, nil))
		}
	}
	return out
}

// mirrors reports whether a line mirrors what is selected, and whether
// anything on the thread.
func (a *App) mirrors(line *nginx.Line) (strong, on bool) {
	for i := -1; i < len(line.Also); i++ {
		o := line.From
		if i >= 0 {
			o = line.Also[i]
		}
		if o.Key.IsZero() {
			continue
		}
		strong = strong || a.thread.Selects(o.Key, o.Path)
		on = on || a.thread.Has(o.Key, o.Path)
	}
	return strong, on
}

func (a *App) nginxStyle(line *nginx.Line) theme.Style {
	if line.Kind == nginx.None || strings.HasPrefix(strings.TrimSpace(line.Text), "#") {
		return a.th.Comment
	}
	return theme.Style{}
}

// nginxTitle is the panel's, with how many false friends the mesh has.
func (a *App) nginxTitle() string {
	n := len(a.data.nginx.friends)
	if n == 0 {
		return "5 nginx.conf"
	}
	return fmt.Sprintf("5 nginx.conf %s %s", a.th.Glyph.Friend, count(n, "false friend"))
}

// currentNginx is the index of the line under the panel's cursor; -1 where there
// is none.
func (a *App) currentNginx() int {
	if i := a.lists[PanelNginx].Cursor; i >= 0 && i < len(a.data.nginx.lines) {
		return i
	}
	return -1
}

// likeness says how far a line means the same, in a sentence.
func likeness(k nginx.Kind) string {
	switch k {
	case nginx.Exact:
		return "Means the same in both."
	case nginx.Approximate:
		return "Close, but not the same."
	case nginx.None:
		return "No counterpart in nginx."
	}
	return "Mirrors nothing."
}

// lessonLines are what there is to know of the nginx line under the cursor: the
// line itself where the panel cuts it off, its false friends, how far it means
// the same, what it mirrors.
func (a *App) lessonLines(w int) []string {
	i := a.currentNginx()
	if i < 0 {
		return nil
	}
	l := &a.data.nginx.lines[i]
	var out []string
	if a.cutNginx() {
		out = paragraph(strings.TrimSpace(l.Text), w, a.th.Accent)
	}
	for _, n := range a.data.nginx.on[i] {
		out = append(out, a.friendBrief(&a.data.nginx.friends[n], w)...)
	}
	glyph, _ := kindMark(l.Kind, a.th)
	out = append(out, indented(strings.TrimSpace(likeness(l.Kind)+" "+l.Lesson), glyph+" ", w, theme.Style{})...)
	if !l.From.Key.IsZero() {
		from := "From " + l.From.Key.String()
		if l.From.Path != "" {
			from += ", " + l.From.Path
		}
		out = append(out, paragraph(from, w, a.th.Dim)...)
	}
	return out
}

// openNginxLine opens everything about the line under the cursor, with the YAML
// of what it mirrors.
func (a *App) openNginxLine() tea.Cmd {
	i := a.currentNginx()
	if i < 0 {
		return nil
	}
	l := &a.data.nginx.lines[i]
	p := &pager{head: fmt.Sprintf("nginx.conf, line %d", i+1), facts: func(w int) []string {
		return append(paragraph(strings.TrimSpace(l.Text), w, a.th.Accent), a.lessonLines(w)...)
	}}
	if res := a.data.resource(l.From.Key); res != nil {
		p.head += " and " + l.From.Key.String()
		p.text = shownText(res)
		if line, _, ok := text.Position(strings.Join(p.text, "\n"), l.From.Path); ok {
			p.start = line - 1
		}
	}
	a.open(p)
	return nil
}

// gotoNginx puts the cursor of the nginx panel on a line.
func (a *App) gotoNginx(line int) {
	a.screen = nil
	a.arrange()
	a.lists[PanelNginx].Select(line)
	a.focusOn(PanelNginx)
	a.lists[PanelNginx].Select(line) // the panel may only now have its height
}

func hasMarks(a *App) (bool, string) {
	return len(a.data.nginx.marked) > 0, "no line of this nginx.conf is a false friend"
}

// nextMark goes to the next line that is a false friend, or the one before;
// beyond the last comes the first.
func (a *App) nextMark(step int) tea.Cmd {
	marked := a.data.nginx.marked
	i, found := slices.BinarySearch(marked, a.lists[PanelNginx].Cursor)
	switch {
	case step < 0:
		i--
	case found:
		i++
	}
	a.gotoNginx(marked[(i+len(marked))%len(marked)])
	return nil
}

func nginxActions() []*Action {
	const group = "nginx.conf"
	return []*Action{
		{ID: "edit-nginx", Title: "edit this nginx.conf; what changes in it becomes a draft", Short: "edit", Group: group, Keys: []string{"E"},
			In: InMain, Enabled: canEditNginx, Hidden: func(a *App) bool { return a.focus != PanelNginx }, Run: (*App).startNginxEdit},
		{ID: "friends", Title: "false friends: what looks alike and is not, and the setting that makes it so", Short: "false friends", Group: group, Keys: []string{"F"},
			In: InMain, Enabled: hasFriends, Hidden: func(a *App) bool { return a.focus != PanelNginx }, Run: (*App).openFriends},
		{ID: "friend-next", Title: "the next line that is a false friend", Short: "next", Group: group, Keys: []string{"n"}, In: InNginx,
			Enabled: hasMarks, Hidden: func(a *App) bool { return len(a.data.nginx.marked) == 0 }, Run: func(a *App) tea.Cmd { return a.nextMark(1) }},
		{ID: "friend-previous", Title: "the line before that is one", Group: group, Keys: []string{"b"}, In: InNginx,
			Enabled: hasMarks, Run: func(a *App) tea.Cmd { return a.nextMark(-1) }},
		{ID: "nginx-right", Title: "the lines further right, where they are longer than the pane", Short: "right", Group: group, Keys: []string{">", "shift+right"}, In: InNginx,
			Hidden: func(a *App) bool { return !a.cutNginx() }, Run: func(a *App) tea.Cmd { return a.scrollNginx(1) }},
		{ID: "nginx-left", Title: "and back to their beginning", Short: "left", Group: group, Keys: []string{"<", "shift+left"}, In: InNginx,
			Hidden: func(a *App) bool { return a.nginxShift == 0 }, Run: func(a *App) tea.Cmd { return a.scrollNginx(-1) }},
	}
}

// nginxLegend says what the marks of the panel mean.
func (a *App) nginxLegend(w int) []string {
	g := a.th.Glyph
	return paragraph(g.Friend+" false friend: looks alike, and is not   "+g.Exact+" means the same   "+g.About+" close, but not the same   "+
		g.Lacking+" nginx has no counterpart", w, theme.Style{})
}
