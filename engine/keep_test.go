package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

func ask(name, path string) kept.Request {
	return kept.Request{Name: name, Ask: match.Request{Host: "app.example.com", Path: path}, Expect: kept.Expect{Cluster: "app"}}
}

func keptNames(rs []kept.Request) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Name)
	}
	return out
}

func TestKeepAndForgetWriteAtOnce(t *testing.T) {
	l := newLab(t)
	w := l.open()
	file := filepath.Join(l.dir, "requests.yaml")
	if s := w.State(); s.KeptFile != file || len(s.Kept) > 0 {
		t.Fatalf("%q %v", s.KeptFile, s.Kept)
	}
	l.must(w.Keep(ask("one", "/1")))
	l.must(w.Keep(ask("two", "/2")))
	if diff := cmp.Diff([]string{"one", "two"}, keptNames(w.State().Kept)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(file)
	l.must(err)
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
	// The operator's words about it survive.
	l.write("requests.yaml", strings.Replace(l.read("requests.yaml"), "- name: two", "# never forget this\n- name: two", 1))
	l.must(w.Keep(ask("three", "/3")))
	l.must(w.Forget("one"))
	if text := l.read("requests.yaml"); !strings.Contains(text, "# never forget this\n- name: two") || strings.Contains(text, "one") {
		t.Errorf("the file says\n%s", text)
	}
	if err := w.Forget("nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("forgetting what is not there: %v", err)
	}
	before := w.State()
	l.close(w)
	w = l.open()
	if diff := cmp.Diff(keptNames(before.Kept), keptNames(w.State().Kept)); diff != "" {
		t.Error(diff)
	}
	if s := w.State(); s.Disk != nil || len(s.Notices) > 0 {
		t.Errorf("the file is taken for one of xDS: %v %v", s.Disk, s.Notices)
	}
}

func TestKeptFileOfAnotherProgramIsRead(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.write("requests.yaml", "requests:\n- name: theirs\n  host: x\n- name: bad\n  hots: x\n")
	s := l.await(w, "the request of another program", func(s *engine.State) bool { return len(s.Kept) == 1 })
	if s.Kept[0].Name != "theirs" || len(s.KeptProblems) != 1 || s.KeptProblems[0].Line != 5 || s.Disk != nil {
		t.Errorf("%v, %v", keptNames(s.Kept), s.KeptProblems)
	}
	l.write("requests.yaml", "requests: [")
	s = l.await(w, "a file that is no YAML", func(s *engine.State) bool { return len(s.Kept) == 0 })
	if len(s.KeptProblems) != 1 {
		t.Errorf("%v", s.KeptProblems)
	}
	if err := w.Keep(ask("mine", "/")); !errors.Is(err, kept.ErrUnreadable) || l.read("requests.yaml") != "requests: [" {
		t.Errorf("a file that cannot be read was written over: %v", err)
	}
	l.must(os.Remove(filepath.Join(l.dir, "requests.yaml")))
	l.await(w, "no file", func(s *engine.State) bool { return len(s.KeptProblems) == 0 })
}

func TestReadOnlyKeepsNothing(t *testing.T) {
	l := newLab(t)
	first := l.open()
	second := l.open()
	var refused *engine.ReadOnlyError
	if err := second.Keep(ask("one", "/")); !errors.As(err, &refused) {
		t.Errorf("kept by a reader: %v", err)
	}
	if err := second.Forget("one"); !errors.As(err, &refused) {
		t.Errorf("forgotten by a reader: %v", err)
	}
	l.must(first.Keep(ask("one", "/")))
	l.await(second, "what the other keeps", func(s *engine.State) bool { return len(s.Kept) == 1 })
}

// fullDisk refuses to write a file.
type fullDisk struct{ name string }

func (f fullDisk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if filepath.Base(path) == f.name {
		return errors.New("no space left on device")
	}
	return quick{}.WriteFile(path, data, perm)
}

func TestAFailedWriteKeepsNothing(t *testing.T) {
	l := newLab(t)
	w := l.open(func(o *engine.Options) { o.Writer = fullDisk{"requests.yaml"} })
	if err := w.Keep(ask("one", "/")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
	if s := w.State(); len(s.Kept) > 0 {
		t.Errorf("it shows what is not kept: %v", s.Kept)
	}
}

func TestASingleFileKeepsBesideItself(t *testing.T) {
	l, folder, _ := singleLab(t)
	l.must(os.RemoveAll(folder))
	l.must(os.RemoveAll(l.state))
	w := l.open()
	beside := strings.TrimSuffix(l.dir, ".yaml") + ".requests.yaml"
	l.must(w.Keep(ask("one", "/1")))
	if s := w.State(); s.KeptFile != beside {
		t.Errorf("kept in %q, want %q", s.KeptFile, beside)
	}
	if _, rs, _, err := files.OpenKept(l.dir); err != nil || len(rs) != 1 {
		t.Errorf("%v, %v", rs, err)
	}
	// A save takes them to the folder.
	l.must(w.Save(folder))
	if s := w.State(); s.KeptFile != filepath.Join(folder, "requests.yaml") || len(s.Kept) != 1 {
		t.Errorf("after the save: %q %v", s.KeptFile, keptNames(s.Kept))
	}
	l.must(w.Keep(ask("two", "/2")))
	l.close(w)
	w = l.open()
	if diff := cmp.Diff([]string{"one", "two"}, keptNames(w.State().Kept)); diff != "" {
		t.Errorf("it does not go on with the folder: %s", diff)
	}
}

func TestASaveWritesOverNobodysRequests(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Keep(ask("one", "/1")))
	dir := t.TempDir()
	theirs := filepath.Join(dir, "requests.yaml")
	l.must(os.WriteFile(theirs, []byte("requests: []\n"), 0o600))
	if err := w.Save(dir); err == nil || !strings.Contains(err.Error(), theirs) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lds.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the mesh was saved all the same")
	}
}

func TestAWorkspaceInMemoryKeepsTooAndSavesIt(t *testing.T) {
	l := newLab(t)
	o, err := files.Open(l.dir)
	l.must(err)
	w, err := engine.OpenMeshes(context.Background(), "demo", o.Meshes, engine.Options{Kept: []kept.Request{ask("given", "/")}})
	l.must(err)
	defer l.close(w)
	l.must(w.Keep(ask("added", "/a")))
	if s := w.State(); s.KeptFile != "" || len(s.Kept) != 2 {
		t.Fatalf("%q %v", s.KeptFile, keptNames(s.Kept))
	}
	dir := filepath.Join(t.TempDir(), "saved")
	l.must(w.Save(dir))
	l.must(w.Forget("given"))
	if _, rs, _, err := files.OpenKept(dir); err != nil || len(rs) != 1 || w.State().KeptFile == "" {
		t.Errorf("%v, %v", rs, err)
	}
}

func TestMovedIsWhatThePushWouldMove(t *testing.T) {
	l := newLab(t)
	l.write("requests.yaml", "requests:\n- {name: all, host: app.example.com, path: /}\n- {name: theirs, group: edge, path: /}\n")
	w := l.open()
	if s := w.State(); len(s.Group("default").Moved) > 0 || len(s.KeptProblems) != 1 || !strings.Contains(s.KeptProblems[0].Message, "edge") {
		t.Fatalf("%+v %v", s.Group("default").Moved, s.KeptProblems)
	}
	l.must(w.Edit("default", engine.SetField{Key: route, Path: "virtual_hosts[0].routes[0].route.cluster", Value: "other"}))
	s := w.State()
	if m := s.Group("default").Moved; len(m) != 1 || m[0].Request.Name != "all" || !cmp.Equal(m[0].Why[:1], []string{"cluster: app → other"}) {
		t.Fatalf("moved %+v", m)
	}
	l.must(w.Keep(ask("another", "/x")))
	if m := w.State().Group("default").Moved; len(m) != 2 {
		t.Errorf("a request that is kept while there is a draft: %+v", m)
	}
	l.must(w.Undo())
	if m := w.State().Group("default").Moved; len(m) > 0 {
		t.Errorf("undone, and still moved: %+v", m)
	}
	l.must(w.Redo())
	if _, err := w.Push(engine.PushOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if m := w.State().Group("default").Moved; len(m) > 0 {
		t.Errorf("pushed, and still moved: %+v", m)
	}
	l.must(w.Edit("default", lbPolicy("RANDOM")))
	if m := w.State().Group(mesh.DefaultGroup).Moved; len(m) > 0 {
		t.Errorf("another policy moved %+v", m)
	}
}

// A dump is a workspace like others, except that it is never written over.
func TestADumpIsAskedAndSavedElsewhere(t *testing.T) {
	data, err := os.ReadFile("files/testdata/dumps/sidecar.json")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, dir: filepath.Join(t.TempDir(), "sidecar.json"), state: t.TempDir()}
	l.must(os.WriteFile(l.dir, data, 0o600))
	w := l.open()
	s := w.State()
	if s.Head() == nil || s.SaveTo != "" || notice(s, "dump") == nil {
		t.Fatalf("not served, or no word of what it is: %v", s.Notices)
	}
	l.must(w.Keep(kept.Request{Name: "reviews", Ask: match.Request{Host: "reviews:8080", Port: 8080}}))
	if want := strings.TrimSuffix(l.dir, ".json") + ".requests.yaml"; w.State().KeptFile != want {
		t.Errorf("kept in %s", w.State().KeptFile)
	}
	routes8080 := mesh.Key{Type: mesh.Route, Name: "8080"}
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: routes8080, Path: "virtual_hosts[1].routes[1].route.weighted_clusters.clusters[0].weight", Value: 50},
		engine.SetField{Key: routes8080, Path: "virtual_hosts[1].routes[1].route.weighted_clusters.clusters[1].weight", Value: 50}))
	if m := w.State().Group(mesh.DefaultGroup).Moved; len(m) != 1 || !strings.Contains(m[0].Why[0], "reviews.shop.svc.cluster.local=75") {
		t.Errorf("moved %+v", m)
	}
	if err := w.Save(""); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("saved without a folder: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "saved")
	l.must(w.Save(folder))
	if now, err := os.ReadFile(l.dir); err != nil || string(now) != string(data) {
		t.Errorf("the dump was changed: %v", err)
	}
	if _, rs, _, err := files.OpenKept(folder); err != nil || len(rs) != 1 {
		t.Errorf("%v %v", rs, err)
	}
}

// Where a save fails, nothing that is kept is lost, and nothing is left behind.
func TestAFailedSaveLosesNoRequest(t *testing.T) {
	l := newLab(t)
	o, err := files.Open(l.dir)
	l.must(err)
	for _, broken := range []string{"requests.yaml", "lds.yaml"} {
		w, err := engine.OpenMeshes(context.Background(), "demo", o.Meshes, engine.Options{Kept: []kept.Request{ask("given", "/")}, Writer: fullDisk{broken}})
		l.must(err)
		dir := filepath.Join(t.TempDir(), "saved")
		if err := w.Save(dir); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("without room for %s: %v", broken, err)
		}
		if s := w.State(); len(s.Kept) != 1 || s.KeptFile != "" {
			t.Errorf("without room for %s: %v in %q", broken, keptNames(s.Kept), s.KeptFile)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*.yaml")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		l.must(w.Keep(ask("more", "/m")))
		l.close(w)
	}
}
