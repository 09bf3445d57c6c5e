package tui

import (
	"fmt"
	"path/filepath"
	"strings"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// changedLines counts the lines that a change adds and removes.
func changedLines(c mesh.Change) (added, removed int) {
	for line := range strings.SplitSeq(engine.TextDiff(c), "\n") {
		switch {
		case strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "---"):
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return added, removed
}

// diffLines draws changes, each under its own heading, w cells wide.
func diffLines(th *theme.Theme, changes []mesh.Change, w int) []string {
	var out []string
	for i, c := range changes {
		if i > 0 {
			out = append(out, widget.Spaces(w))
		}
		what := "changed"
		if c.Old == nil {
			what = "new"
		} else if c.New == nil {
			what = "removed"
		}
		out = append(out, th.Strong.Render(widget.Fit(widget.Clean(fmt.Sprintf("%s  %s (%s)", c.Key.Type.Service(), c.Key, what)), w)))
		diff := engine.TextDiff(mesh.Change{Key: c.Key, Old: withoutKeys(c.Old), New: withoutKeys(c.New)})
		if diff == "" {
			out = append(out, th.Dim.Render(widget.Fit("only private keys differ, and those are not shown", w)))
			continue
		}
		for line := range strings.SplitSeq(strings.TrimRight(diff, "\n"), "\n") {
			if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") {
				continue
			}
			style := th.Dim
			switch {
			case strings.HasPrefix(line, "@@"):
				style = th.Hunk
			case strings.HasPrefix(line, "+"):
				style = th.Add
			case strings.HasPrefix(line, "-"):
				style = th.Del
			}
			out = append(out, style.Render(widget.Fit(widget.Clean(line), w)))
		}
	}
	return out
}

// withoutKeys is a resource with the text that may be seen of it.
func withoutKeys(r *mesh.Resource) *mesh.Resource {
	if r == nil || r.Key.Type != mesh.Secret && r.Key.Type != mesh.Listener && r.Key.Type != mesh.Cluster || mesh.Redacted(r.Message) == r.Message {
		return r
	}
	return &mesh.Resource{Key: r.Key, Message: r.Message, Source: mesh.Source{Text: strings.Join(shownText(r), "\n")}}
}

// The rules of the remarks on an nginx.conf that was opened.
const (
	ruleNotCarried  = "nginx-not-carried"
	ruleApproximate = "nginx-approximate"
)

// findingLines draws one finding: what, where, and what to do.
func (a *App) findingLines(f mesh.Finding, w int) []string {
	glyph, style := severity(a.th, f.Severity)
	text := f.Severity.String() + ": "
	switch f.Rule { // of an nginx.conf that was opened
	case ruleNotCarried:
		glyph, text = a.th.Glyph.Lacking, "not carried over: "
	case ruleApproximate:
		glyph, text = a.th.Glyph.About, "nearly the same: "
	}
	if !f.Key.IsZero() {
		text += f.Key.String() + ": "
	}
	text += f.Message
	if place := placeOf(f, a.home()); place != "" {
		text += "  [" + place + "]"
	}
	lines := widget.Wrap(text, w-3)
	if f.Hint != "" {
		lines = append(lines, widget.Wrap("→ "+f.Hint, w-3)...)
	}
	for i, l := range lines {
		head := "   "
		if i == 0 {
			head = " " + glyph + " "
		}
		lines[i] = style.Render(widget.Fit(head+l, w))
	}
	return lines
}

// home is the folder of what was opened; "" for a mesh made in memory.
func (a *App) home() string {
	path := a.data.ws.Path
	if path == "" || path == a.data.ws.SaveTo { // a folder
		return path
	}
	return filepath.Dir(path)
}

// placeOf is where a finding is: file and line, else line and field. A file below
// home is named from there on.
func placeOf(f mesh.Finding, home string) string {
	file := f.File
	if rel, err := filepath.Rel(home, file); home != "" && err == nil && filepath.IsLocal(rel) {
		file = rel
	}
	switch {
	case file != "" && f.Line > 0:
		return fmt.Sprintf("%s:%d", file, f.Line)
	case file != "":
		return file
	case f.Line > 0 && f.Path != "":
		return fmt.Sprintf("line %d, %s", f.Line, f.Path)
	}
	return f.Path
}

func severity(th *theme.Theme, s mesh.Severity) (string, theme.Style) {
	switch s {
	case mesh.Error:
		return th.Glyph.Error, th.Bad
	case mesh.Warning:
		return th.Glyph.Warning, th.Warn
	}
	return th.Glyph.Note, th.Info
}
