package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

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

func TestDamagedStateIsSetAside(t *testing.T) {
	for _, name := range []string{"history/1.json", "draft.json"} {
		for what, damage := range map[string]string{"half a file": `{"format":1,"revisions":[{"num`, "another format": `{"format":99}`,
			"a splice that does not fit": `{"format":1,"number":1,"groups":{"default":{"at":7}},"revisions":[{"number":1,"groups":{"default":{"at":7}}}]}`} {
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
				aside := found[0] + ".damaged-*"
				kept, _ := filepath.Glob(aside)
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
	l.must(w.Edit(mesh.DefaultGroup, engine.Duplicate{Key: w.State().Groups[0].Draft.All()[0].Key, Name: "copy"}))
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
