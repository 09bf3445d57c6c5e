package tui

import (
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// intent is something that the operator wants done outside the screen. Intents
// run one after the other and look at the state as it is then, so that two
// quick presses of a key are two steps and not the same one twice.
type intent struct {
	what string
	// run does it and returns what to say; "" says nothing.
	run func() (said string, err error)
	// revision is what run pushed, once it has; nil for an intent that pushes
	// nothing.
	revision *int
}

// intentDoneMsg tells how an intent went.
type intentDoneMsg struct {
	what, said string
	err        error
	revision   int // that was pushed; 0 for none
	data       *data
}

// want queues an intent.
func (a *App) want(what string, run func() (string, error)) tea.Cmd {
	a.intents = append(a.intents, intent{what: what, run: run})
	return a.startIntent()
}

// wantRevision queues an intent that ends in a new revision. What became of it
// is said once the Envoys have answered.
func (a *App) wantRevision(what string, run func() (*engine.Revision, error), said func(*engine.Revision) string) tea.Cmd {
	number := new(int)
	a.intents = append(a.intents, intent{what: what, revision: number, run: func() (string, error) {
		rev, err := run()
		if err != nil {
			return "", err
		}
		*number = rev.Number
		return said(rev), nil
	}})
	return a.startIntent()
}

func (a *App) startIntent() tea.Cmd {
	if a.busy || len(a.intents) == 0 {
		return nil
	}
	a.busy = true
	in, group, node := a.intents[0], a.group, a.node
	a.intents = a.intents[1:]
	return func() tea.Msg {
		said, err := in.run()
		msg := intentDoneMsg{what: in.what, said: said, err: err}
		if in.revision != nil {
			msg.revision = *in.revision
		}
		msg.data = a.maker.make(group, node)
		return msg
	}
}

func (a *App) intentDone(msg intentDoneMsg) tea.Cmd {
	a.busy = false
	a.take(msg.data)
	switch {
	case msg.err != nil:
		a.made = mesh.Key{}
		a.shout(msg.what + ": " + explain(msg.err))
	case msg.said != "":
		a.say(msg.said)
	}
	if msg.revision > 0 {
		a.awaited = msg.revision
		a.settle() // the outcome may be in the picture already
	}
	return a.startIntent()
}

// explain is an error in one line: of a text that cannot be taken, where and
// why.
func explain(err error) string {
	var bad *engine.EditError
	if errors.As(err, &bad) && len(bad.Findings) > 0 {
		f := bad.Findings[0]
		if f.Hint != "" {
			return f.Message + " (" + f.Hint + ")"
		}
		return f.Message
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// editSaying queues an edit to the draft of the group that is shown. make
// looks at the draft as it is when its turn comes, and says what it does.
func (a *App) editSaying(what string, make func(*engine.GroupState) ([]engine.Edit, string, error)) tea.Cmd {
	group, ws := a.group, a.deps.Workspace
	return a.want(what, func() (string, error) {
		gs := ws.State().Group(group)
		if gs == nil {
			return "", fmt.Errorf("there is no group %s any more", group)
		}
		edits, said, err := make(gs)
		if err != nil || len(edits) == 0 {
			return "", err
		}
		if err := ws.Edit(group, edits...); err != nil {
			return "", err
		}
		return said, nil
	})
}

// apply queues edits that are known already.
func (a *App) apply(what string, edits ...engine.Edit) tea.Cmd {
	return a.editSaying(what, func(*engine.GroupState) ([]engine.Edit, string, error) { return edits, edits[0].Describe(), nil })
}
