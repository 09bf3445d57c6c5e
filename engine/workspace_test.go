package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("ENGINE_TEST_EDIT_AND_WAIT"); dir != "" {
		editAndWait(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// lab is a workspace on disk with its own state folder.
type lab struct {
	*testing.T
	dir, state string
	published  recorder
}

// recorder is a Publisher that remembers.
type recorder struct {
	mu   sync.Mutex
	revs []*engine.Revision
}

func (r *recorder) Publish(rev *engine.Revision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revs = append(r.revs, rev)
}

func (r *recorder) numbers() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []int
	for _, rev := range r.revs {
		out = append(out, rev.Number)
	}
	return out
}

var (
	cluster   = mesh.Key{Type: mesh.Cluster, Name: "app"}
	endpoints = mesh.Key{Type: mesh.Endpoints, Name: "app"}
	route     = mesh.Key{Type: mesh.Route, Name: "app"}
)

// newLab writes a workspace of templates that fit together.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dir: filepath.Join(t.TempDir(), "shop"), state: t.TempDir()}
	for _, typ := range mesh.Types() {
		if typ != mesh.Secret {
			l.write(typ.File(), response(typ, engine.Template(typ, "app")))
		}
	}
	return l
}

// response is a DiscoveryResponse with one resource.
func response(t mesh.Type, yaml string) string {
	var b strings.Builder
	b.WriteString("resources:\n- \"@type\": " + t.URL() + "\n")
	for line := range strings.Lines(yaml) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func (l *lab) write(name, content string) {
	l.Helper()
	if err := (files.Disk{}).WriteFile(filepath.Join(l.dir, name), []byte(content), 0o644); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) read(name string) string {
	l.Helper()
	data, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.Fatal(err)
	}
	return string(data)
}

func (l *lab) options() engine.Options {
	return engine.Options{StateDir: l.state, Publisher: &l.published, Author: "ops"}
}

func (l *lab) open(change ...func(*engine.Options)) *engine.Workspace {
	l.Helper()
	o := l.options()
	for _, c := range change {
		c(&o)
	}
	w, err := engine.Open(context.Background(), l.dir, o)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { l.close(w) })
	return w
}

func (l *lab) close(w *engine.Workspace) {
	l.Helper()
	if err := w.Close(); err != nil {
		l.Error(err)
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// await waits until the state is as asked for.
func (l *lab) await(w *engine.Workspace, what string, ok func(*engine.State) bool) *engine.State {
	l.Helper()
	wake, stop := w.Changed()
	defer stop()
	deadline := time.After(20 * time.Second)
	for {
		if s := w.State(); ok(s) {
			return s
		}
		select {
		case <-wake:
		case <-deadline:
			l.Fatalf("the workspace never came to: %s; it is %+v", what, w.State())
		}
	}
}

func drain(address string) engine.Edit {
	return engine.SetHealth{Key: endpoints, Endpoint: address, Status: "DRAINING"}
}

func draftText(w *engine.Workspace, k mesh.Key) string {
	if r := w.State().Group(mesh.DefaultGroup).Draft.Get(k); r != nil {
		return r.Source.Text
	}
	return ""
}

func (l *lab) push(w *engine.Workspace) *engine.Revision {
	l.Helper()
	r, err := w.Push(engine.PushOptions{})
	l.must(err)
	return r
}

func lbPolicy(p string) engine.Edit {
	return engine.SetField{Key: cluster, Path: "lb_policy", Value: p}
}

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
	if _, err := w.Push(engine.PushOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "force") {
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

func TestOpenWithErrorsServesTheLastRevisionOn(t *testing.T) {
	l := newLab(t)
	l.close(l.open())
	l.write("cds.yaml", "resources: []\n")
	s := l.open().State()
	if s.Head() == nil || s.Head().Number != 1 || s.Group(mesh.DefaultGroup).Live.Get(cluster) == nil {
		t.Fatalf("head is %+v", s.Head())
	}
	if diff := cmp.Diff([]int{1, 1}, l.published.numbers()); diff != "" {
		t.Error(diff)
	}
	if s.Group(mesh.DefaultGroup).Draft.Get(cluster) != nil {
		t.Error("what is on disk is not in the draft")
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

func TestDraftAndHistoryAreThereAfterReopening(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	w.Record(2, engine.Outcome{Result: engine.Accepted, Nodes: 1, Took: time.Millisecond})
	l.must(w.Save(""))
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: cluster, Path: "connect_timeout", Value: "3s"}))
	l.must(w.Undo())
	before := w.State()
	l.close(w)

	s := l.open().State()
	if diff := cmp.Diff([]any{before.Undo, before.Redo, before.Draft, before.Unsaved}, []any{s.Undo, s.Redo, s.Draft, s.Unsaved}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(texts(before), texts(s)); diff != "" {
		t.Error(diff)
	}
	if len(s.Revisions) != 2 || s.Head().Outcome.Result != engine.Accepted || s.Head().Number != 2 {
		t.Errorf("history: %+v", s.Revisions)
	}
	if s.Disk != nil {
		t.Errorf("a change on disk is offered, and there is none: %+v", s.Disk)
	}
}

func texts(s *engine.State) map[string]string {
	out := map[string]string{}
	for _, r := range s.Group(mesh.DefaultGroup).Draft.All() {
		out[r.Key.String()] = r.Source.Text
	}
	return out
}

func TestReopenAfterFilesChanged(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	l.close(w)
	l.write("cds.yaml", strings.Replace(l.read("cds.yaml"), "ROUND_ROBIN", "RANDOM", 1))

	w = l.open()
	s := w.State()
	if s.Head().Number != 2 || !strings.Contains(s.Group(mesh.DefaultGroup).Live.Get(cluster).Source.Text, "RANDOM") {
		t.Errorf("what is on disk is not served: %+v", s.Head())
	}
	if s.Disk == nil || !strings.Contains(draftText(w, endpoints), "DRAINING") {
		t.Fatalf("draft and files are not both kept: %+v", s.Disk)
	}
	l.must(w.TakeDisk())
	if s := w.State(); s.Disk != nil || s.Draft != 0 {
		t.Errorf("after taking: %+v", s)
	}
	l.must(w.Undo())
	if !strings.Contains(draftText(w, endpoints), "DRAINING") {
		t.Error("taking the files cannot be undone")
	}
}

func TestReopenAfterUnsavedPush(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	l.close(w)

	w = l.open()
	s := w.State()
	if s.Head().Number != 3 || s.Draft != 1 || !strings.Contains(draftText(w, cluster), "RANDOM") {
		t.Errorf("head %+v, draft %d", s.Head(), s.Draft)
	}
	if len(s.Notices) != 1 || s.Notices[0].Rule != "pushed-not-saved" {
		t.Errorf("notices %v", s.Notices)
	}
}

func TestHistoryKeepsTwoHundredAndCountsOn(t *testing.T) {
	l := newLab(t)
	w := l.open(func(o *engine.Options) { o.Writer = quick{} })
	for i := range 204 {
		l.must(w.Edit(mesh.DefaultGroup, lbPolicy([]string{"RANDOM", "ROUND_ROBIN"}[i%2])))
		l.push(w)
	}
	l.must(w.Save(""))
	l.close(w)
	s := l.open().State()
	if len(s.Revisions) != 200 || s.Revisions[0].Number != 6 || s.Head().Number != 205 {
		t.Errorf("%d revisions, %d to %d", len(s.Revisions), s.Revisions[0].Number, s.Head().Number)
	}
	if !strings.Contains(s.Revisions[0].Meshes[mesh.DefaultGroup].Get(cluster).Source.Text, "RANDOM") {
		t.Error("revision 6 holds another text than was pushed")
	}
}

// quick writes without waiting for the disk.
type quick struct{}

func (quick) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, perm)
}

func TestDamagedStateIsSetAside(t *testing.T) {
	for _, name := range []string{"history.json", "draft.json"} {
		for what, damage := range map[string]string{"half a file": `{"format":1,"revisions":[{"num`, "another format": `{"format":99}`,
			"a splice that does not fit": `{"format":1,"groups":{"default":{"at":7}},"revisions":[{"number":1,"groups":{"default":{"at":7}}}]}`} {
			t.Run(name+" "+what, func(t *testing.T) {
				l := newLab(t)
				l.close(l.open())
				found, err := filepath.Glob(filepath.Join(l.state, "*", name))
				if err != nil || len(found) != 1 {
					t.Fatal(found, err)
				}
				l.must(os.WriteFile(found[0], []byte(damage), 0o600))
				s := l.open().State()
				if s.Head() == nil || len(s.Notices) != 1 || s.Notices[0].Rule != "state-damaged" {
					t.Errorf("head %v, notices %v", s.Head(), s.Notices)
				}
				kept, _ := filepath.Glob(found[0] + ".damaged-*")
				if len(kept) != 1 {
					t.Fatal("the damaged file is gone")
				}
				if data, _ := os.ReadFile(kept[0]); string(data) != damage {
					t.Errorf("it was kept as %q", data)
				}
			})
		}
	}
}

func TestStateIsForThisUserAlone(t *testing.T) {
	l := newLab(t)
	w := l.open()
	path, err := w.SaveScratch("name: [")
	l.must(err)
	if data, _ := os.ReadFile(path); string(data) != "name: [" {
		t.Errorf("kept %q", data)
	}
	l.must(filepath.WalkDir(l.state, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && p != l.state && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		return err
	}))
}

func TestSecondOpenIsReadOnly(t *testing.T) {
	l := newLab(t)
	first := l.open()
	second := l.open()
	s := second.State()
	if !strings.Contains(s.ReadOnly, "process "+itoa(os.Getpid())) {
		t.Fatalf("read-only says %q", s.ReadOnly)
	}
	_, pushErr := second.Push(engine.PushOptions{Force: true})
	_, rollErr := second.Rollback(1)
	for what, err := range map[string]error{"edit": second.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")), "push": pushErr,
		"rollback": rollErr, "save": second.Save(""), "undo": second.Undo()} {
		var readOnly *engine.ReadOnlyError
		if !errors.As(err, &readOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if diff := cmp.Diff([]int{1}, l.published.numbers()); diff != "" {
		t.Error("a read-only workspace published: " + diff)
	}
	l.close(first)
	if s := l.open().State(); s.ReadOnly != "" {
		t.Errorf("the lock stays after Close: %s", s.ReadOnly)
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
	path, err := w.SaveScratch("text")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Error(err)
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
