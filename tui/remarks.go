package tui

import (
	"fmt"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/widget"
)

// notServed is the rule of the remark that nothing is served because of other
// errors; it is about no text of its own.
const notServed = "not-served"

// unread are the errors among the remarks on opening: what could not be read
// and so is in no mesh.
func (a *App) unread() []mesh.Finding {
	var out []mesh.Finding
	for _, f := range a.data.ws.Notices {
		if f.Severity == mesh.Error && f.Rule != notServed {
			out = append(out, f)
		}
	}
	return out
}

// unreadText counts what could not be read and says in which file: "4 errors
// in typo.yaml"; "" when all was read.
func (a *App) unreadText() string {
	errors := a.unread()
	if len(errors) == 0 {
		return ""
	}
	files := map[string]bool{}
	for _, f := range errors {
		files[f.File] = true
	}
	switch {
	case len(files) > 1:
		return fmt.Sprintf("%s in %d files", count(len(errors), "error"), len(files))
	case errors[0].File == "":
		return count(len(errors), "error") + " on opening"
	}
	return count(len(errors), "error") + " in " + baseName(errors[0].File)
}

// openFindings lists what could not be read, and everything that the checks
// say of each group's draft, errors first.
func (a *App) openFindings() tea.Cmd {
	a.open(&findingsWindow{head: "Findings", of: (*App).allFindings, above: (*App).diskProblems,
		none: "The checks have nothing to say: no error, no warning."})
	return nil
}

// diskProblems are why what changed on disk cannot be read.
func (a *App) diskProblems(w int) []string {
	c := a.data.ws.Disk
	if c == nil || len(c.Problem) == 0 {
		return nil
	}
	out := paragraph("Changed on disk, and not to be read as it is. Mend the file, and it is read again; what was read before stays.", w, a.th.Strong)
	for _, f := range c.Problem {
		out = append(out, a.findingLines(f, w)...)
	}
	return append(out, widget.Spaces(w))
}

// allFindings are the remarks on opening, what is amiss with files, and what the
// checks say of each group.
func (a *App) allFindings() []mesh.Finding {
	all := slices.Concat(a.data.ws.Notices, a.data.besides)
	for i := range a.data.ws.Groups {
		g := &a.data.ws.Groups[i]
		for _, f := range g.Findings {
			if len(a.data.ws.Groups) > 1 {
				f.Message = "(group " + g.Name + ") " + f.Message
			}
			all = append(all, f)
		}
	}
	return all
}

// openNotices lists what was remarked on when the workspace was opened, and
// what was rewritten or could not be carried over.
func (a *App) openNotices() tea.Cmd {
	a.open(&findingsWindow{head: "Remarks on opening " + a.data.ws.Name, of: func(a *App) []mesh.Finding { return a.data.ws.Notices },
		none: "There were none.", below: func(a *App, w int) []string {
			var out []string
			if len(a.unread()) > 0 {
				out = append(out, widget.Spaces(w))
				out = append(out, paragraph("What has an error is not in the mesh. Mend the file: it is read again when it is saved.", w, a.th.Strong)...)
			}
			return append(out, paragraph(":notices shows this list again.", w, a.th.Dim)...)
		}})
	return nil
}

// greet shows the remarks on opening, where there are any: one who opens a
// file must not have to look for what became of it.
func (a *App) greet() {
	if len(a.data.ws.Notices) > 0 {
		a.openNotices()
	}
}

// emptyText says why a pane is empty and what to do.
func (a *App) emptyText(p int) string {
	if unread := a.unreadText(); unread != "" {
		return unread + ": ! lists them; mend the file, it is read again when it is saved."
	}
	return [...]string{
		"No listeners: " + a.product().the + " listens on nothing. n makes one.",
		"No routes: requests get 404. n makes a route configuration.",
		"No clusters: routes have nowhere to lead. n makes one.",
		"No endpoints: clusters have no hosts. n makes them for a cluster.",
	}[p]
}
