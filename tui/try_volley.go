package tui

import (
	tea "github.com/charmbracelet/bubbletea"
)

// volley is all kept requests being sent, one after the other, so that what
// each of them moves can be told apart.
type volley struct {
	names   []string // those that are to come
	results map[string]*shot
}

// volleyMsg hands in one answer of a volley.
type volleyMsg struct {
	of   *volley
	name string
	shot *shot
}

// sendAll really sends every kept request. A volley that still runs is given
// up.
func (a *App) sendAll() tea.Cmd {
	if ok, why := canSend(a); !ok {
		a.shout(why)
		return nil
	}
	v := &volley{results: map[string]*shot{}}
	for i := range a.data.kept {
		v.names = append(v.names, a.data.kept[i].Name)
	}
	a.tester().volley = v
	return a.fireNext(v)
}

// fireNext sends the next request of a volley that is still kept.
func (a *App) fireNext(v *volley) tea.Cmd {
	for len(v.names) > 0 {
		for i := range a.data.kept {
			r := &a.data.kept[i]
			if r.Name != v.names[0] {
				continue
			}
			if ok, _ := canSend(a); !ok {
				return nil
			}
			name := r.Name
			_, fire := a.fire(0, r.Ask)
			return func() tea.Msg { return volleyMsg{of: v, name: name, shot: fire()} }
		}
		v.names = v.names[1:]
	}
	return nil
}

// volleyed takes in an answer and sends the next request, unless another
// volley was begun since.
func (a *App) volleyed(msg volleyMsg) tea.Cmd {
	if a.try == nil || a.try.volley != msg.of {
		return nil
	}
	v := msg.of
	v.results[msg.name] = msg.shot
	if len(v.names) > 0 {
		v.names = v.names[1:]
	}
	return a.fireNext(v)
}
