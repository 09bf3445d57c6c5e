package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/tui/outline"
)

func labActions() []*Action {
	const group = "The demo's backends"
	act := func(id, title, short, key string, do func(Lab, string) error, said string) *Action {
		return &Action{ID: id, Title: title, Short: short, Group: group, Keys: []string{key}, In: InEDS, Enabled: onBackend,
			Hidden: func(a *App) bool { return a.deps.Lab == nil },
			Run: func(a *App) tea.Cmd {
				b, lab := a.backend(), a.deps.Lab
				return a.want(id+" "+b.Name, func() (string, error) { return b.Name + " " + said, do(lab, b.Name) })
			}}
	}
	return []*Action{
		act("kill", "kill the backend behind the endpoint", "kill", "K", Lab.Kill, "is dead; watch the endpoint"),
		act("revive", "revive it", "", "V", Lab.Revive, "is back"),
		act("slow", "slow it down", "", "L", Lab.Slow, "is slow now; V makes it quick again"),
		{ID: "backend", Title: "start one more backend and add it to the cluster, in the draft", Group: group, Keys: []string{"B"},
			In: InCDS | InEDS, Enabled: canAddBackend, Run: (*App).addBackend},
	}
}

// backend is the demo's server behind the selected endpoint; its Name is ""
// when there is none.
func (a *App) backend() Backend {
	if r := a.selected(); r != nil && r.Kind == outline.EndpointRow {
		return a.data.backends[r.Address]
	}
	return Backend{}
}

func onBackend(a *App) (bool, string) {
	switch {
	case a.deps.Lab == nil:
		return false, "only in meshtui demo, which runs its own backends"
	case a.backend().Name == "":
		return false, "select an endpoint that the demo runs (4)"
	}
	return true, ""
}

func canAddBackend(a *App) (bool, string) {
	if a.deps.Lab == nil {
		return false, "only in meshtui demo, which runs its own backends"
	}
	return onAssignment(a)
}

func (a *App) addBackend() tea.Cmd {
	at, lab, group, ws := a.assignment(), a.deps.Lab, a.group, a.deps.Workspace
	return a.want("add a backend", func() (string, error) {
		address, err := lab.Add(at.key.Name)
		if err != nil {
			return "", err
		}
		return address + " runs and is in the draft; p pushes it", ws.Edit(group, engine.AddEndpoint{Key: at.key, Address: address})
	})
}
