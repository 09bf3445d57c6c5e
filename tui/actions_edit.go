package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
)

func editActions() []*Action {
	const group = "Edit the draft"
	return []*Action{
		{ID: "edit", Title: "edit the resource as YAML in $VISUAL or $EDITOR", Short: "edit", Group: group, Keys: []string{"e"},
			In: InPanes | InOther, Enabled: onResource, Run: (*App).startEdit},
		{ID: "new", Title: "new resource of the type under the cursor, from a template", Group: group, Keys: []string{"n"},
			In: InPanes | InOther, Enabled: writable, Run: (*App).askNew},
		{ID: "duplicate", Title: "duplicate the resource under another name", Group: group, Keys: []string{"D"},
			In: InPanes | InOther, Enabled: onResource, Run: (*App).askDuplicate},
		{ID: "drain", Title: "drain the endpoint, or take it back, in the draft", Short: "drain", Group: group, Keys: []string{"space"},
			In: InPanes, Enabled: onEndpoint, Run: func(a *App) tea.Cmd { return a.drain(false) }},
		{ID: "drain-push", Title: "drain the endpoint, or take it back, and push at once", Group: group, Keys: []string{"S"},
			In: InPanes, Enabled: onEndpoint, Run: func(a *App) tea.Cmd { return a.drain(true) }},
		{ID: "add", Title: "add an endpoint to the cluster", Group: group, Keys: []string{"a"},
			In: InCDS | InEDS, Enabled: onAssignment, Run: (*App).askEndpoint},
		{ID: "remove", Title: "remove the endpoint, or delete the resource (says what uses it)", Group: group, Keys: []string{"x"},
			In: InPanes | InOther, Enabled: onResource, Run: (*App).askRemove},
		{ID: "heavier", Title: "more weight for the endpoint; shifts 5 to the weighted cluster", Short: "weight", Group: group, Keys: []string{"+", "="},
			In: InPanes, Enabled: onWeight, Run: func(a *App) tea.Cmd { return a.weigh(1) }},
		{ID: "lighter", Title: "less weight; shifts 5 away from the weighted cluster", Group: group, Keys: []string{"-"},
			In: InPanes, Enabled: onWeight, Run: func(a *App) tea.Cmd { return a.weigh(-1) }},
		{ID: "undo", Title: "undo the last edit of the draft", Group: group, Keys: []string{"u"}, In: InMain | InDiff | InOther,
			Enabled: func(a *App) (bool, string) { return len(a.data.ws.Undo) > 0, "nothing to undo" },
			Run:     func(a *App) tea.Cmd { return a.step("undone", a.data.ws.Undo, a.deps.Workspace.Undo) }},
		{ID: "redo", Title: "redo", Group: group, Keys: []string{"ctrl+r"}, In: InMain | InDiff | InOther,
			Enabled: func(a *App) (bool, string) { return len(a.data.ws.Redo) > 0, "nothing to redo" },
			Run:     func(a *App) tea.Cmd { return a.step("redone", a.data.ws.Redo, a.deps.Workspace.Redo) }},
	}
}

func (a *App) step(word string, steps []string, do func() error) tea.Cmd {
	what := steps[0]
	return a.want(what, func() (string, error) { return word + ": " + what, do() })
}

func writable(a *App) (bool, string) {
	if a.data.ws.ReadOnly != "" {
		return false, "read-only: " + a.data.ws.ReadOnly
	}
	return true, ""
}

func onResource(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	r := a.selected()
	if r == nil {
		return false, "nothing is selected"
	}
	if a.data.gs.Draft.Get(r.Key) == nil {
		return false, r.Key.String() + " is removed in the draft; u takes that back"
	}
	return true, ""
}

func onEndpoint(a *App) (bool, string) {
	if ok, why := onResource(a); !ok {
		return ok, why
	}
	if a.selected().Kind != outline.EndpointRow {
		return false, "select an endpoint first (4)"
	}
	return true, ""
}

func onWeight(a *App) (bool, string) {
	if ok, why := onResource(a); !ok {
		return ok, why
	}
	if k := a.selected().Kind; k != outline.EndpointRow && k != outline.WeightRow {
		return false, "select an endpoint, or a cluster of a weighted route"
	}
	return true, ""
}

func onAssignment(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	if a.assignment() == (selection{}) {
		return false, "select a cluster that has endpoints here, not by DNS"
	}
	return true, ""
}

// assignment is where the endpoints of the selected row's cluster stand: a
// ClusterLoadAssignment, or a field of the cluster; zero when there are none.
func (a *App) assignment() selection {
	r := a.selected()
	if r == nil || a.thread == nil {
		return selection{}
	}
	if r.Kind == outline.EndpointRow || r.Kind == outline.AssignmentRow {
		at := selection{key: r.Key}
		if r.Key.Type == mesh.Cluster {
			at.path = "load_assignment"
		}
		return at
	}
	if r.Kind != outline.ClusterRow {
		return selection{}
	}
	i := a.data.outline.Row(outline.EDS, a.thread)
	if i < 0 {
		return selection{}
	}
	head := a.data.outline.Rows[outline.EDS][i]
	return selection{head.Key, strings.TrimSuffix(head.Path, ".endpoints")}
}

// drain sets the selected endpoint to DRAINING in the draft, or takes that
// back; with push, the whole draft goes out at once.
func (a *App) drain(push bool) tea.Cmd {
	r := *a.selected()
	what, status := "drain "+r.Address, "DRAINING"
	if r.Status == "DRAINING" {
		what, status = "take "+r.Address+" back", "UNKNOWN"
	}
	group, ws := a.group, a.deps.Workspace
	if !push {
		return a.want(what, func() (string, error) {
			return what + ": in the draft; p pushes it", ws.Edit(group, setHealth(&r, status))
		})
	}
	return a.wantRevision(what, func() (*engine.Revision, error) {
		if err := ws.Edit(group, setHealth(&r, status)); err != nil {
			return nil, err
		}
		rev, err := ws.Push(engine.PushOptions{Note: what})
		if err != nil {
			return nil, fmt.Errorf("the draft has it, but it was not pushed: %w", err)
		}
		return rev, nil
	}, func(rev *engine.Revision) string { return fmt.Sprintf("%s: pushed as revision %d", what, rev.Number) })
}

// setHealth is the edit for an endpoint, wherever it stands.
func setHealth(r *outline.Row, status string) engine.Edit {
	if r.Key.Type == mesh.Endpoints {
		return engine.SetHealth{Key: r.Key, Endpoint: r.Address, Status: status}
	}
	if status == "UNKNOWN" {
		return engine.DeleteField{Key: r.Key, Path: r.Path + ".health_status"}
	}
	return engine.SetField{Key: r.Key, Path: r.Path + ".health_status", Value: status}
}

func (a *App) askEndpoint() tea.Cmd {
	at := a.assignment()
	a.open(&prompt{head: "Add an endpoint to " + at.key.Name, label: "host:port", hint: "An IP address and a port, such as 127.0.0.1:9004 or [::1]:9004; Envoy resolves no names here. It joins the draft; p pushes it.", do: func(a *App, text string) tea.Cmd {
		if at.path == "" {
			return a.apply("add "+text, engine.AddEndpoint{Key: at.key, Address: text})
		}
		a.shout("the endpoints of " + at.key.Name + " stand in the cluster itself: press e to edit it")
		return nil
	}})
	return nil
}

// paneType is the type that a pane shows.
func paneType(p Panel) mesh.Type { return mesh.Types()[min(p, PanelEDS)] }

func (a *App) askNew() tea.Cmd {
	t, hint := paneType(a.pane), ""
	if s, ok := a.screen.(*otherScreen); ok {
		t, hint = s.newOther(a)
	}
	a.open(&prompt{head: "New " + t.String(), label: "name", hint: hint, do: func(a *App, name string) tea.Cmd {
		a.made = mesh.Key{Type: t, Name: name}
		return a.editText(&editJob{t: t, text: engine.Template(t, name), line: 1, fresh: true, what: "new " + a.made.String()})
	}})
	return nil
}

func (a *App) askDuplicate() tea.Cmd {
	k := a.selected().Key
	a.open(&prompt{head: "Duplicate " + k.String(), label: "name of the copy", text: k.Name + "-copy",
		do: func(a *App, name string) tea.Cmd {
			a.made = mesh.Key{Type: k.Type, Name: name}
			return a.apply("duplicate "+k.String(), engine.Duplicate{Key: k, Name: name})
		}})
	return nil
}
