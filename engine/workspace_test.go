package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

func TestOpenServesWhatIsOnDisk(t *testing.T) {
	l := newLab(t)
	s := l.open().State()
	if s.Head() == nil || s.Head().Number != 1 || s.Head().Author != "ops" {
		t.Fatalf("head is %+v; findings %v", s.Head(), s.Groups[0].Findings)
	}
	if s.Draft != 0 || s.Unsaved || s.SaveTo != l.dir || len(s.Groups[0].Changes) != 0 {
		t.Errorf("a fresh workspace has edits: %+v", s)
	}
	if diff := cmp.Diff([]int{1}, l.published.numbers()); diff != "" {
		t.Error(diff)
	}
}

func TestOpenWithErrorsServesNothing(t *testing.T) {
	l := newLab(t)
	l.write("cds.yaml", "resources: []\n")
	w := l.open()
	s := w.State()
	if s.Head() != nil || len(l.published.numbers()) != 0 {
		t.Fatalf("a workspace whose route names no cluster was served: %+v", s.Head())
	}
	if len(s.Notices) == 0 || s.Notices[0].Rule != "not-served" || s.Notices[0].Hint == "" {
		t.Errorf("the state does not say so: %v", s.Notices)
	}
	var refused *engine.PushError
	if _, err := w.Push(engine.PushOptions{}); !errors.As(err, &refused) || strings.Contains(err.Error(), "force") {
		t.Errorf("push said %v", err)
	}
	r, err := w.Push(engine.PushOptions{Force: true, Note: "on purpose"})
	l.must(err)
	if r.Number != 1 || r.Note != "on purpose" {
		t.Errorf("forced push made %+v", r)
	}
	for _, n := range w.State().Notices {
		if n.Rule == "not-served" {
			t.Error("the notice stays after the push")
		}
	}
}

func TestEditUndoRedoDiscard(t *testing.T) {
	l := newLab(t)
	w := l.open()
	before := draftText(w, cluster)
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM"))) // changes nothing: no step
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	s := w.State()
	if diff := cmp.Diff([]string{"drain 127.0.0.1:8080 of app", "set lb_policy of cluster app to RANDOM"}, s.Undo); diff != "" {
		t.Fatal(diff)
	}
	if s.Draft != 2 || !s.Unsaved {
		t.Errorf("draft %d, unsaved %v", s.Draft, s.Unsaved)
	}
	l.must(w.Undo())
	l.must(w.Undo())
	if got := draftText(w, cluster); got != before {
		t.Errorf("undo left %q", got)
	}
	if err := w.Undo(); !errors.Is(err, engine.ErrNothingToUndo) {
		t.Error(err)
	}
	l.must(w.Redo())
	if s := w.State(); s.Draft != 1 || len(s.Redo) != 1 {
		t.Errorf("after redo: draft %d, redo %v", s.Draft, s.Redo)
	}
	l.must(w.Discard())
	if s := w.State(); s.Draft != 0 || s.Undo[0] != "discard 1 change" || len(s.Redo) != 0 {
		t.Errorf("after discard: %+v", s)
	}
	if err := w.Discard(); !errors.Is(err, engine.ErrNothingToDiscard) {
		t.Error(err)
	}
	l.must(w.Undo())
	if w.State().Draft != 1 {
		t.Error("a discard cannot be undone")
	}
}

func TestEditIsAllOrNothing(t *testing.T) {
	l := newLab(t)
	w := l.open()
	err := w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM"), engine.Remove{Key: mesh.Key{Type: mesh.Cluster, Name: "gone"}})
	if err == nil || w.State().Draft != 0 {
		t.Errorf("error %v, draft %d", err, w.State().Draft)
	}
	if err := w.Edit("canary", lbPolicy("RANDOM")); err == nil || !strings.Contains(err.Error(), "default") {
		t.Errorf("an unknown group: %v", err)
	}
}

func TestPush(t *testing.T) {
	l := newLab(t)
	w := l.open()
	if _, err := w.Push(engine.PushOptions{}); !errors.Is(err, engine.ErrNothingToPush) {
		t.Error(err)
	}
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: route, Path: "virtual_hosts[0].routes[0].route.cluster", Value: "nosuch"}))
	if _, err := w.Push(engine.PushOptions{}); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("a route to nowhere: %v", err)
	}
	if len(l.published.numbers()) != 1 {
		t.Error("what was refused was published")
	}
	l.must(w.Undo())
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	r := l.push(w)
	s := w.State()
	if r.Number != 2 || s.Head() != r || s.Draft != 0 || !s.Unsaved {
		t.Errorf("after push: %+v", s)
	}
	w.Record(2, engine.Outcome{Result: engine.Accepted, Nodes: 2})
	w.Record(99, engine.Outcome{Result: engine.Rejected})
	if got := w.State().Head().Outcome; got.Result != engine.Accepted {
		t.Errorf("outcome is %+v", got)
	}
	if r.Outcome.Result != engine.Pending {
		t.Error("a revision was changed after it was handed out")
	}
}

func TestRollback(t *testing.T) {
	l := newLab(t)
	w := l.open()
	original := draftText(w, cluster)
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	r, err := w.Rollback(1)
	l.must(err)
	s := w.State()
	if r.Number != 3 || r.Note != "rollback to 1" || s.Draft != 0 || draftText(w, cluster) != original {
		t.Errorf("after a rollback without edits: %+v, draft %d", r, s.Draft)
	}
	l.must(w.Undo()) // what was rolled back is a draft again
	if s := w.State(); s.Draft != 1 {
		t.Errorf("draft %d", s.Draft)
	}
	l.push(w)
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	edited := draftText(w, endpoints)
	_, err = w.Rollback(1)
	l.must(err)
	if draftText(w, endpoints) != edited || !strings.Contains(draftText(w, cluster), "RANDOM") {
		t.Error("a rollback changed a draft with edits")
	}
	for _, n := range []int{1, 5, 77} {
		if _, err := w.Rollback(n); err == nil {
			t.Errorf("rollback to %d did something", n)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5}, l.published.numbers()); diff != "" {
		t.Error(diff)
	}
}

func TestPushSaysWhatTheChangeBreaks(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: mesh.Key{Type: mesh.Listener, Name: "app"},
		Path: "address.socket_address.port_value", Value: 10001}))
	fs := w.State().Group(mesh.DefaultGroup).Findings
	if len(fs) == 0 || fs[0].Severity < mesh.Warning || !strings.Contains(fs[0].Message, "10000") {
		t.Errorf("a listener that changes its port: %v", fs)
	}
}

func TestInMemory(t *testing.T) {
	var published recorder
	m, err := mesh.New(resource(t, mesh.Endpoints, "cluster_name: app\nendpoints: []\n"), resource(t, mesh.Cluster, engine.Template(mesh.Cluster, "app")))
	if err != nil {
		t.Fatal(err)
	}
	w, err := engine.OpenMeshes(context.Background(), "demo", map[string]*mesh.Mesh{"canary": m}, engine.Options{Publisher: &published, StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := w.State()
	if s.Head() == nil || s.Groups[0].Name != mesh.DefaultGroup || s.Groups[1].Name != "canary" || s.Unsaved || s.Path != "" {
		t.Errorf("%+v", s)
	}
	if err := w.Edit("canary", lbPolicy("RANDOM")); err != nil {
		t.Fatal(err)
	}
	if err := w.Save(""); err == nil {
		t.Error("it was saved nowhere")
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := w.Save(dir); err != nil {
		t.Fatal(err)
	}
	if s := w.State(); s.Unsaved || s.SaveTo != dir {
		t.Errorf("after save: %+v", s)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := w.Edit("canary", lbPolicy("RANDOM")); !errors.Is(err, engine.ErrClosed) {
		t.Error(err)
	}
}

// recording is a Publisher that answers at once, as one with no nodes does.
type recording struct{ w func() *engine.Workspace }

func (p recording) Publish(r *engine.Revision) {
	if w := p.w(); w != nil {
		w.Record(r.Number, engine.Outcome{Result: engine.NoNodes})
	}
}

func TestPublisherMayRecordAtOnce(t *testing.T) {
	l := newLab(t)
	var w *engine.Workspace
	w = l.open(func(o *engine.Options) { o.Publisher = recording{func() *engine.Workspace { return w }} })
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	if got := w.State().Head().Outcome.Result; got != engine.NoNodes {
		t.Errorf("outcome %s", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	l := newLab(t)
	w := l.open(func(o *engine.Options) { o.Writer = quick{} })
	wake, stop := w.Changed()
	defer stop()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 8 {
				_ = w.Edit(mesh.DefaultGroup, engine.SetField{Key: cluster, Path: "connect_timeout", Value: itoa(1+i*8+j) + "s"})
				_, _ = w.Push(engine.PushOptions{})
				w.Record(j, engine.Outcome{Result: engine.Accepted, Nodes: i})
				_ = w.Undo()
				_ = w.State().Group(mesh.DefaultGroup).Findings
				_, _ = w.Rollback(1)
			}
		})
	}
	wg.Wait()
	select {
	case <-wake:
	default:
		t.Error("nobody was woken")
	}
	numbers := l.published.numbers()
	for i, n := range numbers {
		if n != i+1 {
			t.Fatalf("revisions were published out of order: %v", numbers)
		}
	}
	if s := w.State(); s.Head().Number != len(numbers) || len(numbers) < 3 {
		t.Errorf("head %d, published %d", s.Head().Number, len(numbers))
	}
}
