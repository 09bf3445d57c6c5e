package tui

import (
	"context"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/tuitest"
)

// TestAWakeBringsTheLastState: however often a part changes, one wait brings
// one picture, of the state as it is last.
func TestAWakeBringsTheLastState(t *testing.T) {
	s := tuitest.Calm()
	d := depsOf(s)
	a := stage(t, d, 150, 40)
	a.wakes = subscribe(d)
	defer a.wakes.close()
	for _, name := range []string{"one", "two", "three"} {
		s.Workspace.Set(func(st *engine.State) { st.Name = name })
	}
	msg, ok := a.waitCmd()().(dataMsg)
	if !ok || !msg.wait || msg.data.ws.Name != "three" {
		t.Fatalf("%#v", msg)
	}
	if _, cmd := a.Update(msg); cmd == nil {
		t.Error("the wait is not started again")
	}
	if a.data.ws.Name != "three" {
		t.Errorf("shows %q", a.data.ws.Name)
	}
}

func TestTheWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if subscribe(depsOf(tuitest.Calm())).next(ctx, time.Now()) {
		t.Error("the wait goes on after its context has ended")
	}
}

// TestPartsThatAreNotThere: only the workspace and the nodes must be there.
func TestPartsThatAreNotThere(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, Deps{Workspace: s.Workspace, Nodes: nodes{s.Nodes}}, 150, 40)
	press(a, "4", "j", "K", "enter")
	checkFrame(t, a, "without evidence, data plane, traffic and lab")
	subscribe(a.deps).close()
}

func TestALatePictureIsNotShown(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	late := a.loadCmd()().(dataMsg)
	run(a, a.loadCmd()())
	shown := a.data
	if run(a, late); a.data != shown {
		t.Error("an older picture took the place of a newer one")
	}
}

func TestASCIIIsASCII(t *testing.T) {
	a := stage(t, depsOf(tuitest.Troubled()), 150, 40)
	a.th = theme.New(theme.Options{ASCII: true})
	for _, k := range []string{"2", "d", "esc", "w", "esc", "N", "esc", "R", "esc", "?", "esc", "p"} {
		press(a, k)
		for _, r := range a.View() {
			if r > 0x7e {
				t.Fatalf("after %q the screen holds %q", k, r)
			}
		}
	}
}
