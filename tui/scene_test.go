package tui

import (
	"context"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/tuitest"
)

// nodes adapts tuitest's nodes, as cmd adapts the real ones.
type nodes struct{ *tuitest.Nodes }

func (n nodes) Wire() WireReader { return n.Nodes }

func depsOf(s *tuitest.Scene) Deps {
	return Deps{Workspace: s.Workspace, Nodes: nodes{s.Nodes}, Evidence: s.Evidence, Truth: s.Truth}
}

// stage puts a scene on a screen without colours.
func stage(t testing.TB, d Deps, w, h int) *App {
	t.Helper()
	ascii := termenv.Ascii
	a := newApp(context.Background(), d, Options{Now: func() time.Time { return tuitest.Now }, Still: true, ScratchDir: t.TempDir()},
		theme.New(theme.Options{Profile: &ascii}))
	a.Update(tea.WindowSizeMsg{Width: w, Height: h})
	return a
}

// press drives the screen with keys, running what they ask for to its end.
// A key is written as the registry writes it.
func press(a *App, keys ...string) {
	for _, k := range keys {
		run(a, keyMsg(k))
		_ = a.View() // as the program does after each message
	}
}

// typed presses each letter of a text.
func typed(a *App, text string) {
	for _, r := range text {
		run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
	}
}

// run hands a message to the screen, and then what its commands answer.
func run(a *App, msg tea.Msg) {
	queue := []tea.Msg{msg}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		if m == nil {
			continue
		}
		if batch, ok := m.(tea.BatchMsg); ok {
			for _, c := range batch {
				if c != nil {
					queue = append(queue, c())
				}
			}
			continue
		}
		if _, cmd := a.Update(m); cmd != nil {
			queue = append(queue, cmd())
		}
	}
}

var special = map[string]tea.KeyType{"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab,
	"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "ctrl+c": tea.KeyCtrlC, "ctrl+d": tea.KeyCtrlD,
	"ctrl+u": tea.KeyCtrlU, "ctrl+r": tea.KeyCtrlR, "ctrl+p": tea.KeyCtrlP, "ctrl+z": tea.KeyCtrlZ, "ctrl+l": tea.KeyCtrlL,
	"ctrl+s": tea.KeyCtrlS, "ctrl+o": tea.KeyCtrlO, "ctrl+g": tea.KeyCtrlG, "ctrl+t": tea.KeyCtrlT, "ctrl+n": tea.KeyCtrlN, "ctrl+y": tea.KeyCtrlY, "f1": tea.KeyF1,
	"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace}

func keyMsg(k string) tea.KeyMsg {
	if t, ok := special[k]; ok {
		return tea.KeyMsg{Type: t}
	}
	if k == "space" {
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

// sized is a terminal of that size.
func sized(w, h int) tea.WindowSizeMsg { return tea.WindowSizeMsg{Width: w, Height: h} }
