package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

func canEditNginx(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	return a.data.gs.Draft.Len() > 0, "the mesh is empty: there is nothing to say in nginx.conf"
}

// startNginxEdit opens the projected nginx.conf of the draft at the line under
// the cursor.
func (a *App) startNginxEdit() tea.Cmd {
	shown := a.data.nginx.config
	return a.editText(&editJob{shown: shown, text: shown.String(), line: a.lists[PanelNginx].Cursor + 1, what: "edit nginx.conf"})
}

// nginxEdited says what came of an edit of the nginx.conf that was taken. Where
// not all of it was carried over, the text stays on disk.
func (a *App) nginxEdited(job *editJob, c *merge.Change) tea.Cmd {
	switch {
	case len(c.Report) > 0:
		a.surprise(&changeWindow{change: c, path: job.path})
		return nil
	case len(c.Edits) == 0:
		a.surprise(&notice{head: job.what, text: "Nothing that the mesh says has changed: the draft is as it was.\n" +
			"Comments, blanks and the order of what has none are not kept. The text is in " + job.path + "."})
		return nil
	}
	a.surprise(&changeWindow{change: c})
	return removeCmd(job.path)
}

// changeWindow says what an edit of the nginx.conf changed in the draft, and what
// of it was not carried over.
type changeWindow struct {
	change *merge.Change
	path   string // where the text is kept; "" where all of it was carried over
	list   widget.List
}

func (c *changeWindow) title() string {
	switch n := len(c.change.Edits); {
	case n == 0:
		return "nginx.conf: nothing was carried over"
	case len(c.change.Report) > 0:
		return "nginx.conf: in the draft, but not all of it"
	}
	return "nginx.conf: in the draft"
}

func (c *changeWindow) width() int { return 96 }

func (c *changeWindow) lines(a *App, w, h int) []string {
	body := c.body(a, w)
	foot := []string{widget.Spaces(w), a.keysLine(w, c.pairs()...)}
	c.list.Resize(len(body), max(1, min(len(body), h-len(foot))))
	if c.list.Top > 0 || c.list.End() < len(body) {
		foot[0] = a.scrollHint(&c.list, w)
	}
	return append(slices.Clone(body[c.list.Top:c.list.End()]), foot...)
}

func (c *changeWindow) pairs() []string {
	if len(c.change.Edits) == 0 {
		return []string{"esc", "close"}
	}
	return []string{"d", "diff", "u", "take it back", "p", "push", "esc", "close"}
}

func (c *changeWindow) body(a *App, w int) []string {
	var out []string
	if len(c.change.Edits) > 0 {
		out = append(out, a.th.Strong.Render(widget.Fit("What changed in the mesh", w)))
		says := c.change.Summary
		if len(says) == 0 {
			says = []string{count(len(c.change.Edits), "edit")}
		}
		for _, s := range says {
			out = append(out, indented(s, "  "+a.th.Glyph.Edited+" ", w, a.th.Good)...)
		}
		out = append(out, paragraph("Everything else of these resources stays as it was, also what nginx cannot say.", w, a.th.Dim)...)
	}
	if len(c.change.Report) == 0 {
		return out
	}
	if len(out) > 0 {
		out = append(out, widget.Spaces(w))
	}
	out = append(out, a.th.Strong.Render(widget.Fit("What Envoy does not say, or not quite", w)))
	for i := range c.change.Report {
		out = append(out, a.entryLines(&c.change.Report[i], w)...)
	}
	return append(out, paragraph("Your text is kept in "+c.path+".", w, a.th.Dim)...)
}

// entryLines draws what was not, or not wholly, carried over: the line and the
// directive, why, and what to do instead.
func (a *App) entryLines(e *importer.Entry, w int) []string {
	glyph, style := kindMark(e.Kind, a.th)
	if e.Kind == nginx.None {
		style = a.th.Warn
	}
	out := indented(fmt.Sprintf("line %d: %s", e.Line, e.Directive), "  "+glyph+" ", w, style)
	out = append(out, indented(sentence(e.Reason), "      ", w, theme.Style{})...)
	if e.Instead != "" {
		out = append(out, indented(sentence(e.Instead), "      "+a.th.Glyph.Arrow+" ", w, a.th.Info)...)
	}
	return out
}

// sentence begins with a capital and ends in a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if !strings.ContainsRune(".!?:", rune(s[len(s)-1])) {
		s += "."
	}
	if strings.HasPrefix(s, "nginx") { // that is how it is written, everywhere
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (c *changeWindow) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	k := keyName(msg)
	if len(c.change.Edits) > 0 {
		switch k {
		case "d":
			a.show(&diffScreen{})
			return nil, true
		case "u", "p":
			return a.do(a.reg.find(InNginx, k)), true
		}
	}
	switch k {
	case "esc", "q", "enter":
		return nil, true
	}
	c.list.ScrollKey(k)
	return nil, false
}
