package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// singleLab is a lab that opens one file with a cluster of static endpoints. It
// was saved to a folder, and edited, pushed and edited again after that.
func singleLab(t *testing.T) (l *lab, folder string, before *engine.State) {
	t.Helper()
	l = &lab{T: t, dir: filepath.Join(t.TempDir(), "shop.yaml"), state: t.TempDir()}
	l.must(os.WriteFile(l.dir, []byte(response(mesh.Cluster, "name: app\ntype: STATIC\nconnect_timeout: 1s\n")), 0o600))
	folder = l.dir + ".d"
	w := l.open()
	l.must(w.Save(folder))
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	l.must(w.Save(""))
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: cluster, Path: "connect_timeout", Value: "3s"}))
	before = w.State()
	l.close(w)
	return l, folder, before
}

func notice(s *engine.State, rule string) *mesh.Finding {
	for i := range s.Notices {
		if s.Notices[i].Rule == rule {
			return &s.Notices[i]
		}
	}
	return nil
}

func TestASavedSingleFileGoesOnAsTheFolder(t *testing.T) {
	l, folder, before := singleLab(t)
	w := l.open()
	s := w.State()
	if s.Disk != nil {
		t.Errorf("nobody changed anything on disk: %+v", s.Disk)
	}
	if diff := cmp.Diff([]any{before.Name, before.Path, folder, before.Undo, before.Draft, before.Unsaved, len(before.Revisions)},
		[]any{s.Name, s.Path, s.SaveTo, s.Undo, s.Draft, s.Unsaved, len(s.Revisions)}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(texts(before), texts(s)); diff != "" {
		t.Error(diff)
	}
	if n := notice(s, "saved-elsewhere"); n == nil || !strings.Contains(n.Message, folder) || n.Severity != mesh.Note {
		t.Errorf("it is not said that the folder is open: %v", s.Notices)
	}
	l.must(w.Save(""))
	if text, err := os.ReadFile(filepath.Join(folder, "cds.yaml")); err != nil || !strings.Contains(string(text), "3s") {
		t.Errorf("saved %s, %v", text, err)
	}
}

func TestASavedSingleFileThatChangedIsOpenedItself(t *testing.T) {
	l, folder, before := singleLab(t)
	l.must(os.WriteFile(l.dir, []byte(response(mesh.Cluster, "name: app\ntype: STATIC\nconnect_timeout: 9s\n")), 0o600))
	w := l.open()
	s := w.State()
	if s.Disk == nil || s.SaveTo != "" || !strings.Contains(s.Group(mesh.DefaultGroup).Live.Get(cluster).Source.Text, "9s") {
		t.Errorf("disk %v, save to %q, live %v", s.Disk, s.SaveTo, s.Group(mesh.DefaultGroup).Live.Get(cluster))
	}
	if diff := cmp.Diff(texts(before), texts(s)); diff != "" {
		t.Errorf("the draft is lost: %s", diff)
	}
	if n := notice(s, "saved-elsewhere"); n == nil || !strings.Contains(n.Hint, folder) || n.Severity != mesh.Warning {
		t.Errorf("it is not said that there is a folder: %v", s.Notices)
	}
}

func TestASavedSingleFileWhoseFolderIsGone(t *testing.T) {
	l, folder, before := singleLab(t)
	l.must(os.RemoveAll(folder))
	w := l.open()
	s := w.State()
	if s.Disk != nil || s.SaveTo != folder {
		t.Errorf("disk %v, save to %q", s.Disk, s.SaveTo)
	}
	if diff := cmp.Diff(texts(before), texts(s)); diff != "" {
		t.Errorf("the draft is lost: %s", diff)
	}
	l.must(w.Save(""))
	if _, err := os.Stat(filepath.Join(folder, "cds.yaml")); err != nil {
		t.Error(err)
	}
}
