package tui

import (
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
)

func pushActions() []*Action {
	const group = "Push, history, files"
	return []*Action{
		{ID: "diff", Title: "diff of the draft against what is live", Short: "diff", Group: group, Keys: []string{"d"}, In: InMain | InOther,
			Run: func(a *App) tea.Cmd { a.show(&diffScreen{}); return nil }},
		{ID: "push", Title: "push the draft to the nodes", Short: "push", Group: group, Keys: []string{"p"},
			In: InMain | InDiff | InOther, Enabled: canPush, Run: func(a *App) tea.Cmd { a.open(&pushDialog{}); return nil }},
		{ID: "discard", Title: "throw the draft away", Group: group, In: InMain | InDiff, Enabled: hasDraft, Run: (*App).askDiscard},
		{ID: "rollback", Title: "roll back to the revision before", Group: group, Keys: []string{"r"}, In: InMain | InNodes | InWireScreen,
			Enabled: canRollback, Run: (*App).askRollback},
		{ID: "rollback-to", Title: "roll back to the revision under the cursor", Short: "roll back to it", Group: group, Keys: []string{"r"}, In: InHistory,
			Enabled: canRollback, Run: (*App).rollbackToCursor},
		{ID: "history", Title: "history of revisions", Short: "history", Group: group, Keys: []string{"R"}, In: InMain,
			Run: func(a *App) tea.Cmd { a.show(newHistoryScreen(a)); return nil }},
		{ID: "save", Title: "save the draft to the workspace's folder", Group: group, Keys: []string{"s"}, In: InMain | InDiff | InOther,
			Enabled: writable, Run: (*App).save},
		{ID: "take-disk", Title: "take what changed on disk as a draft", Group: group, Keys: []string{"o"}, In: InMain,
			Enabled: diskChanged, Run: (*App).takeDisk},
		{ID: "ignore-disk", Title: "ignore what changed on disk", Group: group, Keys: []string{"O"}, In: InMain,
			Enabled: func(a *App) (bool, string) { return a.data.ws.Disk != nil, "nothing changed on disk" },
			Run: func(a *App) tea.Cmd {
				return a.want("ignore the files", func() (string, error) {
					a.deps.Workspace.DismissDisk()
					return "ignored; the next save overwrites the files", nil
				})
			}},
	}
}

func hasDraft(a *App) (bool, string) {
	return a.data.ws.Draft > 0, "the draft is empty: nothing differs from what is live"
}

func canPush(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	return hasDraft(a)
}

func canRollback(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	return len(a.data.ws.Revisions) > 1, "there is no earlier revision"
}

func diskChanged(a *App) (bool, string) {
	switch {
	case a.data.ws.Disk == nil:
		return false, "nothing changed on disk"
	case len(a.data.ws.Disk.Problem) > 0:
		return false, "the files cannot be read (! lists why): " + a.data.ws.Disk.Problem[0].String()
	}
	return true, ""
}

// takeDisk makes what the files say the draft; where that replaces edits, it
// asks first.
func (a *App) takeDisk() tea.Cmd {
	take := func(a *App) tea.Cmd {
		return a.want("take the files", func() (string, error) {
			return "the draft is what the files say now; d shows it, u takes it back", a.deps.Workspace.TakeDisk()
		})
	}
	if a.data.ws.Draft == 0 {
		return take(a)
	}
	a.open(&confirm{head: "Replace the draft?", text: "It has " + count(a.data.ws.Draft, "change") + " that were not pushed. What the files say would stand in their place; u brings them back.",
		yes: "o", yesText: "take the files", noText: "keep the draft", harm: true, do: take})
	return nil
}

// push sends the draft out.
func (a *App) push(o engine.PushOptions) tea.Cmd {
	ws, nodes, name := a.deps.Workspace, a.data.connected(), a.product()
	if len(o.Only) > 0 {
		nodes = len(o.Only)
	}
	return a.wantRevision("push", func() (*engine.Revision, error) { return ws.Push(o) }, func(rev *engine.Revision) string {
		if nodes == 0 {
			return fmt.Sprintf("revision %d is live; no %s is connected to take it", rev.Number, name.one)
		}
		if len(o.Only) > 0 {
			return fmt.Sprintf("revision %d is on its way to %s; W widens it to the others", rev.Number, listed(o.Only))
		}
		return fmt.Sprintf("revision %d is on its way to %s", rev.Number, count(nodes, name.one))
	})
}

func (a *App) askDiscard() tea.Cmd {
	a.open(&confirm{head: "Throw the draft away?", text: count(a.data.ws.Draft, "change") + " would go; u brings them back.",
		yes: "x", yesText: "throw away", harm: true, do: func(a *App) tea.Cmd {
			return a.want("discard", func() (string, error) { return "draft thrown away; u brings it back", a.deps.Workspace.Discard() })
		}})
	return nil
}

// before is the newest revision older than the live one that Envoys accepted,
// else the newest that none rejected, else the one before the live one.
func before(revs []*engine.Revision) *engine.Revision {
	if rest := revs[len(revs)-1].Rest; rest != nil {
		return rest
	}
	if r := acceptedBefore(revs); r != nil {
		return r
	}
	for i := len(revs) - 2; i >= 0; i-- {
		if revs[i].Outcome.Result != engine.Rejected {
			return revs[i]
		}
	}
	return revs[len(revs)-2]
}

// acceptedBefore is the newest revision older than the live one that every
// Envoy accepted, or nil.
func acceptedBefore(revs []*engine.Revision) *engine.Revision {
	for i := len(revs) - 2; i >= 0; i-- {
		if revs[i].Outcome.Result == engine.Accepted {
			return revs[i]
		}
	}
	return nil
}

func (a *App) askRollback() tea.Cmd {
	to := before(a.data.ws.Revisions)
	a.open(&confirm{head: fmt.Sprintf("Roll back to revision %d?", to.Number),
		text: fmt.Sprintf("%s, pushed %s ago.\nA new revision with that content goes to %s. The draft stays as it is.",
			noteOf(to), age(a.at, to.At), a.nodes(a.data.connected())),
		yes: "r", yesText: "roll back", do: func(a *App) tea.Cmd { return a.rollback(to.Number) }})
	return nil
}

// rollbackToCursor rolls back to the revision that the history's cursor is on,
// without another question: the next rollback takes it back.
func (a *App) rollbackToCursor() tea.Cmd {
	s, ok := a.screen.(*historyScreen)
	if !ok {
		return nil
	}
	r := s.at(a, s.list.Cursor)
	if r == nil || r == a.data.head {
		a.shout("that revision is live already")
		return nil
	}
	return a.rollback(r.Number)
}

func (a *App) rollback(number int) tea.Cmd {
	ws := a.deps.Workspace
	return a.wantRevision("roll back", func() (*engine.Revision, error) { return ws.Rollback(number) }, func(rev *engine.Revision) string {
		return fmt.Sprintf("rolled back: revision %d says what revision %d said", rev.Number, number)
	})
}

// save writes to the workspace's folder; without one it asks for it.
func (a *App) save() tea.Cmd {
	write := func(a *App, dir string) tea.Cmd {
		return a.want("save", func() (string, error) {
			if err := a.deps.Workspace.Save(dir); err != nil {
				return "", err
			}
			return "saved to " + a.deps.Workspace.State().SaveTo, nil
		})
	}
	if a.data.ws.SaveTo != "" {
		return write(a, "")
	}
	a.open(&prompt{head: "Save to which folder?", label: "folder", text: a.data.ws.Name + "-xds",
		hint: "It gets lds.yaml, rds.yaml, cds.yaml and eds.yaml, which an Envoy can read by itself.", do: write})
	return nil
}
