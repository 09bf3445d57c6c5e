package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
)

// planMsg hands in how the nodes get from what they have to what they are to
// have.
type planMsg struct {
	of      *engine.State // that it was made of
	sign    string        // which nodes go from where to where
	courses []course
}

// askPlan has the plan made, outside the event loop, while a dialog is open that
// shows it and there is none for this draft and these nodes.
func (a *App) askPlan() tea.Cmd {
	if a.planning {
		return nil
	}
	top := a.courser()
	if top == nil {
		return nil
	}
	courses := top.courses(a)
	sign := signOf(courses)
	if a.plan != nil && a.plan.of == a.data.ws && a.plan.sign == sign {
		return nil
	}
	a.planning = true
	ws, plan := a.data.ws, a.deps.Plan
	return func() tea.Msg {
		for i := range courses {
			courses[i] = courses[i].plotted(ws.Kept, plan)
		}
		return planMsg{ws, sign, courses}
	}
}

// signOf tells courses from others of the same workspace.
func signOf(courses []course) string {
	var b strings.Builder
	for i := range courses {
		c := &courses[i]
		fmt.Fprintf(&b, "%q %q %d %d\n", c.group, c.nodes, c.from, c.to)
	}
	return b.String()
}

// courser is the dialog with a plan that has the keyboard, or nil.
func (a *App) courser() courser {
	if n := len(a.overlays); n > 0 {
		c, _ := a.overlays[n-1].(courser)
		return c
	}
	return nil
}

// isPlotted reports whether the plan that there is is that of the dialog.
func (a *App) isPlotted() bool {
	top := a.courser()
	return top != nil && a.plan != nil && a.plan.of == a.data.ws && a.plan.sign == signOf(top.courses(a))
}

// planLines say step by step what a push would send.
func (a *App) planLines(w int) []string {
	switch {
	case a.deps.Plan == nil:
		return nil
	case !a.isPlotted():
		return paragraph("… the plan is being made", w, a.th.Dim)
	}
	var out []string
	for i := range a.plan.courses {
		c := &a.plan.courses[i]
		head := "The plan, each step once the one before is answered:"
		if len(a.plan.courses) > 1 {
			head = "The plan for group " + c.group + ":"
		}
		if len(c.steps) > 0 {
			out = append(out, paragraph(head, w, a.th.Dim)...)
		}
		out = append(out, a.stepLines(c.steps, w)...)
	}
	return out
}
