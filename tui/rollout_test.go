package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

// threeNodes is a scene with a draft and three nodes.
func threeNodes() *tuitest.Scene {
	live := tuitest.Mesh()
	draft := live.Without(mesh.Key{Type: mesh.Listener, Name: "raw"})
	return &tuitest.Scene{Workspace: tuitest.NewWorkspace(live, draft), Nodes: tuitest.NodesFor(live, "envoy-1", "envoy-[2]", "envoy-3"),
		Evidence: tuitest.EvidenceFor(live, "envoy-1", "envoy-[2]", "envoy-3")}
}

// limited is one in which revision 13 is on one of three nodes.
func limited() *tuitest.Scene {
	s := threeNodes()
	s.Workspace.Set(func(st *engine.State) {
		rest := st.Head()
		r := *rest
		r.Number, r.Note, r.Only, r.Rest, r.Cause = 13, "canary", []string{"envoy-1"}, rest, engine.Pushed
		st.Revisions = append(st.Revisions, &r)
		st.Limited = &r
	})
	st := *s.Nodes.State()
	n := *st.Nodes[0]
	n.Rollout.Revision = 13
	st.Nodes = append([]*xds.Node{&n}, st.Nodes[1:]...)
	s.Nodes.Set(&st)
	return s
}

// stuckScene is one in which revision 12 hangs: app-v2 does not get warm.
func stuckScene() *tuitest.Scene {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		r := *st.Head()
		r.Outcome = engine.Outcome{Result: engine.TimedOut, Nodes: 1, Detail: "envoy-1: CDS"}
		st.Revisions[1] = &r
	})
	st := *s.Nodes.State()
	n := *st.Nodes[0]
	n.Rollout = xds.Rollout{Revision: 12, Result: engine.TimedOut, Step: 1, Steps: 2, Waiting: "warm: app-v2", Warming: []string{"app-v2"}}
	st.Nodes = []*xds.Node{&n}
	s.Nodes.Set(&st)
	one := *s.Truth("envoy-1")
	one.Resources = append([]truth.Resource{}, one.Resources...)
	for i := range one.Resources {
		if r := &one.Resources[i]; r.Key == (mesh.Key{Type: mesh.Cluster, Name: "app-v2"}) {
			r.Verdict, r.Says = truth.Stuck, "warming for 40 s: waits for endpoints app-v2"
			r.Warming, r.Acked, r.Active = truth.Mark{At: tuitest.Now.Add(-40 * time.Second), Source: truth.Admin}, truth.Mark{}, truth.Mark{}
		}
	}
	s.Said = map[string]*truth.Node{"envoy-1": &one}
	return s
}

func TestPushToChosenNodes(t *testing.T) {
	s := threeNodes()
	a := stage(t, steady(s), 100, 30)
	press(a, "p")
	shows(t, a, "Revision 13 to 3 Envoys", "o only some nodes")
	press(a, "o", "j", "space")
	shows(t, a, "[ ] envoy-1", "[x] envoy-[2]")
	press(a, "enter")
	shows(t, a, "Revision 13 to 1 of 3 Envoys first: envoy-[2]; the others keep revision 12", "o other nodes")
	golden(t, "push-chosen-100x30", a.View())
	press(a, "enter")
	if want := `push "" force=false only=["envoy-\\[2]"]`; len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != want {
		t.Errorf("asked %q, want %s", s.Workspace.Calls, want)
	}
}

func TestChoosingAllIsAPushToAll(t *testing.T) {
	for _, keys := range [][]string{{"o", "a", "enter"}, {"o", "space", "esc"}} {
		s := threeNodes()
		a := stage(t, depsOf(s), 100, 30)
		press(a, append(append([]string{"p"}, keys...), "enter")...)
		if want := `push "" force=false`; len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != want {
			t.Errorf("after %q: asked %q, want %s", keys, s.Workspace.Calls, want)
		}
	}
}

func TestChoosingNobodyPushesToNobody(t *testing.T) {
	for _, keys := range [][]string{{"o", "enter"}, {"o", "a", "a", "enter"}} {
		s := threeNodes()
		a := stage(t, depsOf(s), 100, 30)
		press(a, append(append([]string{"p"}, keys...), "enter", "y", "p")...)
		shows(t, a, "Revision 13 to nobody: no node is ticked", "no node is chosen")
		if len(s.Workspace.Calls) > 0 {
			t.Errorf("after %q: asked %q", keys, s.Workspace.Calls)
		}
	}
}

func TestOneNodeLeavesNoChoice(t *testing.T) {
	s := tuitest.Troubled()
	st := *s.Nodes.State()
	st.Nodes = st.Nodes[:1]
	s.Nodes.Set(&st)
	a := stage(t, depsOf(s), 100, 30)
	press(a, "p", "o")
	if strings.Contains(a.View(), "only some nodes") || a.overlays[0].(*pushDialog).choice.open {
		t.Errorf("a choice among one:\n%s", a.View())
	}
}

func TestThePlanIsShownBeforeThePush(t *testing.T) {
	d := steady(threeNodes())
	var from, to *mesh.Mesh
	d.Plan = func(f, t *mesh.Mesh) []string {
		from, to = f, t
		return []string{"CDS+EDS: adds app-v2 and its endpoints; waits until it is warm", "LDS: removes raw; its connections drain"}
	}
	a := stage(t, d, 100, 30)
	if press(a, "d"); from != nil {
		t.Error("a plan was made that nobody looks at")
	}
	press(a, "esc", "p")
	shows(t, a, "1 CDS+EDS: adds app-v2 and its endpoints", "2 LDS: removes raw")
	if from != a.data.gs.Live || to != a.data.gs.Draft {
		t.Error("the plan is not that from what is live to the draft")
	}
}

func TestLimitedIsSaidAndWidenedOrUndone(t *testing.T) {
	s := limited()
	a := stage(t, steady(s), 150, 40)
	shows(t, a, "live on 1 of 3", "revision 13 is on 1 of 3 Envoys (envoy-1); the others keep revision 12", "W widens r undoes", "3 Envoys in sync")
	golden(t, "limited-150x40", a.View())
	press(a, "W")
	shows(t, a, "Widen revision 13 to all?")
	press(a, "enter", "r", "enter")
	if got := strings.Join(s.Workspace.Calls, ", "); got != "widen, rollback 12" {
		t.Errorf("asked %q", got)
	}
	press(a, "R")
	shows(t, a, "canary on envoy-1 only")
}

func TestWidenNeedsALimitedRevision(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "W")
	shows(t, a, "what is live went to all nodes")
	if len(s.Workspace.Calls) > 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

func TestStuckWarmingIsNamedAndCancelled(t *testing.T) {
	for _, size := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
		s := stuckScene()
		a := stage(t, depsOf(s), size[0], size[1])
		shows(t, a, "warm", "app-v2", "C cancels revision 12")
		if size[0] == 150 {
			shows(t, a, "rev 12 ◐ waiting for warm: app-v2", "cluster app-v2 on envoy-1 is stuck, warming for 40 s: waits for endpoints app-v2")
		}
		if strings.Contains(a.View(), "unanswered") {
			t.Errorf("a withheld answer is called lost:\n%s", a.View())
		}
		press(a, "C")
		shows(t, a, "Cancel revision 12?", "It waits for warm: app-v2.")
		press(a, "enter")
		if len(s.Workspace.Calls) > 0 {
			t.Fatalf("enter alone cancels: %q", s.Workspace.Calls)
		}
		press(a, "C")
		if got := strings.Join(s.Workspace.Calls, ", "); got != "cancel" {
			t.Errorf("asked %q", got)
		}
	}
}

// What waits for warm is not called lost, although nobody can see what is stuck.
func TestAWithheldAnswerIsNotLost(t *testing.T) {
	s := stuckScene()
	s.Said = nil
	d := depsOf(s)
	d.Truth = nil
	a := stage(t, d, 150, 40)
	shows(t, a, "revision 12 is waiting for warm: app-v2", "C cancels it")
	if strings.Contains(a.View(), "unanswered") {
		t.Errorf("a withheld answer is called lost:\n%s", a.View())
	}
}

func TestCancelNeedsARevisionUnderWay(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "C")
	shows(t, a, "no revision is under way")
}

func TestAnAutomaticRollbackIsSaid(t *testing.T) {
	s := tuitest.Troubled()
	s.Workspace.Set(func(st *engine.State) {
		r := *st.Head()
		r.Number, r.Cause, r.Outcome = 13, engine.RolledBack, engine.Outcome{Result: engine.Accepted}
		r.Note = "automatic rollback to 11: envoy-1 rejected 12: cannot create an EDS cluster"
		st.Revisions = append(st.Revisions, &r)
	})
	a := stage(t, depsOf(s), 150, 40)
	shows(t, a, "automatic rollback to 11: envoy-1 rejected 12", "f says why")
	s.Workspace.Set(func(st *engine.State) { st.Draft = 0 })
	run(a, dataMsg{data: a.maker.make(a.group, a.node)})
	if strings.Contains(a.View(), "automatic rollback") {
		t.Error("it is still said when nothing is left to mend")
	}
}

func TestLiterally(t *testing.T) {
	for _, id := range []string{"a", "a*", "[x]", `b\c`, "?"} {
		r := engine.Revision{Only: []string{literally(id)}}
		if r.For(id) != &r || r.For(id+"z") == &r {
			t.Errorf("%q as %q", id, literally(id))
		}
	}
	if got := fmt.Sprint((&nodeChoice{}).only(stage(t, depsOf(threeNodes()), 80, 24))); got != "[]" {
		t.Error(got)
	}
}
