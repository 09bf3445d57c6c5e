package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
)

// planMsg hands in how each group gets from what is live to the draft.
type planMsg struct {
	of     *engine.State // that it was made of
	groups []groupPlan
}

type groupPlan struct {
	name  string
	steps []string
}

// askPlan has the plan made, outside the event loop, while the push dialog is
// open and there is none for this draft.
func (a *App) askPlan() tea.Cmd {
	if a.deps.Plan == nil || a.planning || !a.pushing() || a.plan != nil && a.plan.of == a.data.ws {
		return nil
	}
	a.planning = true
	ws, plan := a.data.ws, a.deps.Plan
	return func() tea.Msg {
		out := planMsg{of: ws}
		for i := range ws.Groups {
			if g := &ws.Groups[i]; len(g.Changes) > 0 {
				live := g.Live
				if live == nil {
					live = &mesh.Mesh{}
				}
				out.groups = append(out.groups, groupPlan{g.Name, plan(live, g.Draft)})
			}
		}
		return out
	}
}

// pushing reports whether the push dialog has the keyboard.
func (a *App) pushing() bool {
	n := len(a.overlays)
	if n == 0 {
		return false
	}
	_, ok := a.overlays[n-1].(*pushDialog)
	return ok
}

// planLines say step by step what a push would send.
func (a *App) planLines(w int) []string {
	switch {
	case a.deps.Plan == nil:
		return nil
	case a.plan == nil || a.plan.of != a.data.ws:
		return paragraph("… the plan is being made", w, a.th.Dim)
	}
	var out []string
	for _, g := range a.plan.groups {
		head := "The plan, each step once the one before is answered:"
		if len(a.plan.groups) > 1 {
			head = "The plan for group " + g.name + ":"
		}
		if len(g.steps) == 0 {
			head = "Nothing is sent: what the nodes have means the same."
		}
		out = append(out, paragraph(head, w, a.th.Dim)...)
		for i, s := range g.steps {
			out = append(out, indented(s, " "+itoa(i+1)+" ", w, theme.Style{})...)
		}
	}
	return out
}
