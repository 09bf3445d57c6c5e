package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
)

// unreadable is a bootstrap of which nothing could be read.
func unreadable() *tuitest.Scene {
	s := tuitest.Empty()
	s.Workspace.Set(func(st *engine.State) {
		st.Notices = []mesh.Finding{{Severity: mesh.Note, Rule: "not-carried", File: "/etc/typo.yaml", Line: 3, Message: "admin stays with the bootstrap"}}
		st.Notices = append(st.Notices, mesh.Finding{Severity: mesh.Error, Rule: "not-served", File: "/etc/typo.yaml", Message: "nothing is served yet"})
		for line := 7; line < 11; line++ {
			st.Notices = append(st.Notices, mesh.Finding{Severity: mesh.Error, File: "/etc/typo.yaml", Line: line, Message: "there is no field naem"})
		}
	})
	return s
}

func TestWhatCannotBeReadIsNotAnEmptyMesh(t *testing.T) {
	a := stage(t, depsOf(unreadable()), 150, 40)
	shows(t, a, "Remarks on opening shop", "there is no field naem [/etc/typo.yaml:7]", "admin stays with the bootstrap")
	press(a, "esc")
	if len(a.overlays) != 0 {
		t.Fatal("esc does not close the remarks")
	}
	shows(t, a, "4 errors in typo.yaml: ! lists them. Mend the file", "no draft, 4 errors in typo.yaml", "not in the mesh: there is no field naem ! lists them")
	press(a, "!")
	v := a.View()
	if first, note := strings.Index(v, "typo.yaml:7"), strings.Index(v, "typo.yaml:3"); first < 0 || note < first {
		t.Errorf("! does not list the errors first:\n%s", v)
	}
	if strings.Contains(v, "nothing to say") {
		t.Error("the checks have nothing to say of what could not be read")
	}
}

func TestNoRemarksNoPager(t *testing.T) {
	if a := stage(t, depsOf(tuitest.Calm()), 150, 40); len(a.overlays) != 0 {
		t.Errorf("%q opened by itself", a.overlays[0].title())
	}
}

func TestFindingsListTheDisksProblemWhole(t *testing.T) {
	s := tuitest.Calm()
	long := "mapping values are not allowed here, " + strings.Repeat("and so on, ", 20) + "to the end"
	s.Workspace.Set(func(st *engine.State) {
		st.Disk = &engine.DiskChange{Files: []string{"/srv/lds.yaml"}, Problem: []mesh.Finding{{Severity: mesh.Error, File: "/srv/lds.yaml", Line: 3, Message: long}}}
	})
	a := stage(t, depsOf(s), 80, 24)
	shows(t, a, "! lists why O ignore")
	press(a, "!")
	shows(t, a, "to the end", "[/srv/lds.yaml:3]")
}

// grouped has an empty default group, and two that are not.
func grouped() *tuitest.Scene {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		full := st.Groups[0]
		empty := engine.GroupState{Name: mesh.DefaultGroup, Live: &mesh.Mesh{}, Draft: &mesh.Mesh{}}
		edge, inner := full, full
		edge.Name, inner.Name = "edge", "inner"
		st.Groups = []engine.GroupState{empty, edge, inner}
	})
	return s
}

func TestTheFirstGroupIsOneWithResources(t *testing.T) {
	s := grouped()
	a := stage(t, depsOf(s), 150, 40)
	if a.group != "edge" {
		t.Errorf("the screen begins with %q", a.group)
	}
	shows(t, a, "group edge, 2 of 3 { }", "{ } group ? help")
	press(a, "}")
	shows(t, a, "group inner, 3 of 3")

	node := *s.Nodes.State().Nodes[0]
	node.Group = "inner"
	s.Nodes.Set(&xds.State{Nodes: []*xds.Node{&node}})
	if a := stage(t, depsOf(s), 150, 40); a.group != "inner" {
		t.Errorf("the screen begins with %q, and the node is in inner", a.group)
	}
}

func TestEnterConfirmsWhatHarmsNothing(t *testing.T) {
	if got := calls(t, "r", "enter"); !slices.Equal(got, []string{"rollback 11"}) {
		t.Errorf("r, enter asked %q", got)
	}
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3", "x", "enter")
	if len(s.Workspace.Edits) != 0 {
		t.Fatal("enter deletes")
	}
	shows(t, a, "Enter is not enough for this: press x to delete.")
	if press(a, "x"); len(s.Workspace.Edits) != 1 {
		t.Error("x does not delete after enter")
	}
	a = stage(t, depsOf(tuitest.Troubled()), 150, 40)
	press(a, "p", "enter")
	shows(t, a, "press F to push all the same")
}

func TestNoRollbackWithoutAnAcceptedRevision(t *testing.T) {
	s := tuitest.Troubled()
	s.Workspace.Set(func(st *engine.State) { st.Revisions = st.Revisions[1:] })
	a := stage(t, depsOf(s), 150, 40)
	shows(t, a, "revision 12 rejected", "mend the draft (e) and push again")
	if strings.Contains(a.View(), "r rolls back") {
		t.Error("r is offered, and there is nothing to roll back to")
	}
}

// The line that a push leaves says what became of it once that is known.
func TestThePushedRevisionIsSettled(t *testing.T) {
	for _, tt := range []struct {
		outcome engine.Outcome
		want    string
	}{
		{engine.Outcome{Result: engine.Accepted, Nodes: 1, Took: 5 * time.Millisecond}, "revision 13: ACKed by 1 Envoy in 5.0 ms"},
		{engine.Outcome{Result: engine.Rejected, Nodes: 1, Detail: "no"}, ""},
	} {
		s := tuitest.Troubled()
		s.Workspace.Set(func(st *engine.State) { st.Groups[0].Findings = nil })
		a := stage(t, depsOf(s), 150, 40)
		press(a, "p", "enter")
		shows(t, a, "revision 13 is on its way to 2 Envoys")
		s.Workspace.Set(func(st *engine.State) {
			st.Revisions = append(st.Revisions, &engine.Revision{Number: 13, Outcome: tt.outcome})
		})
		run(a, a.loadCmd()())
		if strings.Contains(a.View(), "is on its way") {
			t.Errorf("%s: the revision is still on its way:\n%s", tt.outcome.Result, a.View())
		}
		shows(t, a, tt.want)
	}
}

func TestWhereASavedBootstrapIs(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.Name, st.Path, st.SaveTo = "front.yaml", "/etc/front.yaml", "/etc/front.d" })
	shows(t, stage(t, depsOf(s), 150, 40), "front.yaml → front.d")
}

func TestStatusCountsWarnings(t *testing.T) {
	s := tuitest.Troubled()
	shows(t, stage(t, depsOf(s), 150, 40), "draft: 3 changes, 1 error, 1 warning")
	s.Workspace.Set(func(st *engine.State) { st.Draft = 0 })
	shows(t, stage(t, depsOf(s), 150, 40), "1 error in what is live")
}

// A row keeps its name when there is something wrong with it.
func TestNamesComeBeforeRemarks(t *testing.T) {
	for _, w := range []int{120, 138, 140, 150} {
		a := stage(t, steady(tuitest.Troubled()), w, 40)
		for _, name := range []string{"~local_route", " app", " legacy", "app-v2 LR"} {
			if v := a.View(); !strings.Contains(v, name) {
				t.Errorf("%d columns: %q is cut:\n%s", w, name, v)
			}
		}
	}
}

// What changed on disk does not replace an unpushed draft without a question.
func TestTakingTheFilesAsksBeforeItReplacesADraft(t *testing.T) {
	s := tuitest.Troubled()
	s.Workspace.Set(func(st *engine.State) {
		st.Disk = &engine.DiskChange{Files: []string{"/srv/shop/cds.yaml"}, Changes: 1}
	})
	a := stage(t, steady(s), 120, 40)
	press(a, "o")
	shows(t, a, "Replace the draft?", "3 changes")
	if press(a, "enter"); len(s.Workspace.Calls) > 0 {
		t.Fatalf("without a yes: %q", s.Workspace.Calls)
	}
	if press(a, "o"); len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != "take disk" {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

// What is missing in the mesh may be what keeps somebody out: enter does not push it.
func TestAPushOfAFileThatIsNotReadWhole(t *testing.T) {
	live := tuitest.Mesh()
	s := tuitest.Calm()
	s.Workspace = tuitest.NewWorkspace(live, live.Without(mesh.Key{Type: mesh.Listener, Name: "raw"}))
	s.Workspace.Set(func(st *engine.State) {
		st.Notices = []mesh.Finding{{Severity: mesh.Error, File: "/etc/nginx.conf", Line: 28, Message: "unexpected end of file"}}
	})
	a := stage(t, depsOf(s), 150, 40)
	press(a, "esc", "p")
	shows(t, a, "1 error in nginx.conf. What has an error is not in the mesh", "F push all the same")
	press(a, "enter")
	if len(s.Workspace.Calls) != 0 {
		t.Fatalf("enter pushed it: %q", s.Workspace.Calls)
	}
	shows(t, a, "press F to push all the same")
	press(a, "F")
	if !slices.Equal(s.Workspace.Calls, []string{`push "" force=true`}) {
		t.Errorf("F: %q", s.Workspace.Calls)
	}
}
