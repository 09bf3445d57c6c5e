package tui

import (
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds/envoy"
)

// shows fails when the screen lacks a text.
func shows(t *testing.T, a *App, want ...string) {
	t.Helper()
	v := strings.Join(strings.Fields(a.View()), " ")
	for _, w := range want {
		if !strings.Contains(v, w) {
			t.Errorf("the screen does not show %q:\n%s", w, a.View())
		}
	}
}

func TestNodeSwitch(t *testing.T) {
	s := tuitest.Troubled()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3", "g", "j")
	shows(t, a, "✗ rejected") // the worst of both
	press(a, "]", "]")
	if a.data.node != "envoy-2" {
		t.Fatalf("shows %q", a.data.node)
	}
	if v := a.View(); strings.Contains(v, "envoy-1 rejected") {
		t.Errorf("what envoy-1 did is shown for envoy-2:\n%s", v)
	}
	shows(t, a, "[envoy-2]", "stale 20s")
	if press(a, "]"); a.data.node != "" {
		t.Errorf("after the last node come all, not %q", a.data.node)
	}
}

func TestRejectionStaysInEnvoysWords(t *testing.T) {
	a := stage(t, depsOf(tuitest.Troubled()), 150, 40)
	press(a, "3", "g", "j", "k", "j", "esc")
	shows(t, a, "revision 12 rejected", "r rolls back")
	if text := strings.Join(strings.Fields(strings.Join(a.facts(a.selected(), 100), " ")), " "); !strings.Contains(text, "cannot create an EDS cluster without an EDS config") {
		t.Errorf("the detail says %q", text)
	}
}

func TestDiskChangeIsOffered(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		st.Disk = &engine.DiskChange{At: tuitest.Now, Files: []string{"/srv/shop/lds.yaml"}, Changes: 2}
	})
	a := stage(t, depsOf(s), 150, 40)
	shows(t, a, "lds.yaml changed on disk: 2 resources o take as draft O ignore")
	press(a, "o")
	press(a, "O")
	if got := strings.Join(s.Workspace.Calls, ", "); got != "take disk, dismiss disk" {
		t.Errorf("asked %q", got)
	}
}

func TestUnreadableDiskChangeCannotBeTaken(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		st.Disk = &engine.DiskChange{Files: []string{"lds.yaml"}, Problem: []mesh.Finding{{Severity: mesh.Error, File: "lds.yaml", Line: 3, Message: "no YAML"}}}
	})
	a := stage(t, depsOf(s), 150, 40)
	press(a, "o")
	shows(t, a, "cannot be read")
	if len(s.Workspace.Calls) != 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

func TestSaveAsksForAFolderOnlyWithoutOne(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	if press(a, "s"); len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != `save ""` {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
	s = tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.SaveTo = "" })
	a = stage(t, depsOf(s), 150, 40)
	press(a, "s")
	shows(t, a, "Save to which folder?")
	if press(a, "enter"); len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != `save "shop-xds"` {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

func TestReadOnlyRefusesEdits(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.ReadOnly = "process 4711 has it open" })
	a := stage(t, depsOf(s), 150, 40)
	press(a, "4", "j", "j", "j", "space")
	shows(t, a, "process 4711 has it open")
	if len(s.Workspace.Calls) != 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

func TestAckedIsNotActive(t *testing.T) {
	s := tuitest.Calm()
	k := mesh.Key{Type: mesh.Listener, Name: "raw"}
	f := *s.Evidence.Facts("envoy-1")
	f.Active = map[mesh.Key]envoy.Active{k: {State: envoy.Absent}}
	s.Evidence.Set("envoy-1", &f)
	a := stage(t, depsOf(s), 80, 24)
	press(a, "1", "j", "j")
	shows(t, a, "▲ not active", "ACKed, not active")
	press(a, "g")
	shows(t, a, "✓ ACKed") // web is not in what the admin interface showed
}

func TestNodesThatLeftAreOffline(t *testing.T) {
	s := tuitest.Calm()
	st := *s.Nodes.State()
	node := *st.Nodes[0]
	node.Connected, node.Since = false, tuitest.Now.Add(-time.Minute)
	st.Nodes = append(st.Nodes[:0:0], &node)
	s.Nodes.Set(&st)
	a := stage(t, depsOf(s), 150, 40)
	shows(t, a, "no Envoy connected", "◌ offline")
}

func TestNewAsksForTheNameAndOpensTheTemplate(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3", "n")
	typed(a, "fresh")
	cmd := a.overlays[0].(*prompt).do(a, "fresh")
	ready, ok := cmd().(editReadyMsg)
	if !ok || ready.job.text != engine.Template(mesh.Cluster, "fresh") || !ready.job.was.IsZero() {
		t.Fatalf("%#v", ready)
	}
	run(a, editorExitedMsg{job: ready.job}) // saved as it came
	if len(s.Workspace.Edits) != 1 {
		t.Errorf("the template was not taken: %v", s.Workspace.Calls)
	}
}

func TestWireOpensAMessageAsYAML(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "6", "enter")
	shows(t, a, "CDS NACK", "is no longer kept")
}

// copier is a workspace that really makes the copies that it is asked for.
type copier struct{ *tuitest.Workspace }

func (c copier) Edit(_ string, edits ...engine.Edit) error {
	d, ok := edits[0].(engine.Duplicate)
	if !ok {
		return nil
	}
	c.Set(func(st *engine.State) {
		draft := st.Groups[0].Draft
		copied := proto.CloneOf(draft.Get(d.Key).Message.(*clusterv3.Cluster))
		copied.Name = d.Name
		if r, err := mesh.NewResource(copied, mesh.Source{Text: "name: " + d.Name}); err == nil {
			st.Groups[0].Draft = draft.With(r)
		}
	})
	return nil
}

// Whoever duplicates a resource goes on to work on the copy.
func TestTheCursorGoesToTheCopy(t *testing.T) {
	s := tuitest.Calm()
	d := depsOf(s)
	d.Workspace = copier{s.Workspace}
	a := stage(t, d, 150, 40)
	press(a, "3", "D", "enter")
	if got := a.selected(); got == nil || got.Key.Name != "app-copy" {
		t.Errorf("the cursor is on %+v", got)
	}
}
