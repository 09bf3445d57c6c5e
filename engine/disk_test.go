package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestSaveLeavesTheRestAlone(t *testing.T) {
	l := newLab(t)
	w := l.open()
	cds, rds := l.read("cds.yaml"), l.read("rds.yaml")
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.must(w.Save(""))
	if got, want := l.read("cds.yaml"), strings.Replace(cds, "ROUND_ROBIN", "RANDOM", 1); got != want {
		t.Errorf("cds.yaml is\n%s", got)
	}
	if l.read("rds.yaml") != rds {
		t.Error("rds.yaml was touched")
	}
	if s := w.State(); s.Unsaved || s.Draft != 1 {
		t.Errorf("after save: unsaved %v, draft %d", s.Unsaved, s.Draft)
	}
}

func TestSingleFileAsksForAFolder(t *testing.T) {
	l := newLab(t)
	w, err := engine.Open(t.Context(), filepath.Join(l.dir, "cds.yaml"), l.options())
	l.must(err)
	defer l.close(w)
	if err := w.Save(""); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("save said %v", err)
	}
	to := filepath.Join(t.TempDir(), "new")
	l.must(w.Save(to))
	if s := w.State(); s.SaveTo != to || s.Unsaved {
		t.Errorf("saves to %q, unsaved %v", s.SaveTo, s.Unsaved)
	}
	l.must(w.Save(""))
}

func TestChangeOnDiskIsOffered(t *testing.T) {
	rename := func(l *lab, name, content string) { l.write(name, content) } // files.Disk renames into place
	inPlace := func(l *lab, name, content string) {
		l.must(os.WriteFile(filepath.Join(l.dir, name), []byte(content), 0o644))
	}
	for how, write := range map[string]func(*lab, string, string){"renamed in": rename, "written in place": inPlace} {
		t.Run(how, func(t *testing.T) {
			l := newLab(t)
			w := l.open()
			good := l.read("cds.yaml")
			write(l, "cds.yaml", strings.Replace(good, "ROUND_ROBIN", "RANDOM", 1))
			s := l.await(w, "an offer", func(s *engine.State) bool { return s.Disk != nil && s.Disk.Problem == nil })
			if s.Disk.Changes != 1 || len(s.Disk.Files) != 1 || s.Draft != 0 {
				t.Errorf("offered %+v, draft %d", s.Disk, s.Draft)
			}
			if err := w.Save(""); err == nil || !strings.Contains(err.Error(), "cds.yaml") {
				t.Errorf("save over it: %v", err)
			}
			l.must(w.TakeDisk())
			if r := l.push(w); !strings.Contains(r.Meshes[mesh.DefaultGroup].Get(cluster).Source.Text, "RANDOM") {
				t.Error("what was taken was not pushed")
			}
			if s := w.State(); s.Disk != nil || s.Unsaved {
				t.Errorf("after taking: %+v, unsaved %v", s.Disk, s.Unsaved)
			}

			write(l, "cds.yaml", "resources: [")
			s = l.await(w, "a problem", func(s *engine.State) bool { return s.Disk != nil && s.Disk.Problem != nil })
			if err := w.TakeDisk(); err == nil || s.Group(mesh.DefaultGroup).Draft.Get(cluster) == nil {
				t.Errorf("a bad file was taken: %v", err)
			}
			write(l, "cds.yaml", good)
			l.await(w, "an offer again", func(s *engine.State) bool { return s.Disk != nil && s.Disk.Problem == nil })
			w.DismissDisk()
			if s := w.State(); s.Disk != nil || !s.Unsaved {
				t.Errorf("after dismissing: %+v, unsaved %v", s.Disk, s.Unsaved)
			}
			l.must(w.Save(""))
			if !strings.Contains(l.read("cds.yaml"), "RANDOM") {
				t.Error("the draft was not saved over what was dismissed")
			}
		})
	}
}

func TestOwnSaveIsNoChangeOnDisk(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.must(w.Save(""))
	// A change by another program comes after the events of the save: when it is
	// offered, those have been looked at.
	l.write("eds.yaml", strings.Replace(l.read("eds.yaml"), "8080", "8081", 1))
	s := l.await(w, "an offer", func(s *engine.State) bool { return s.Disk != nil })
	if len(s.Disk.Files) != 1 || filepath.Base(s.Disk.Files[0]) != "eds.yaml" {
		t.Errorf("offered %v", s.Disk.Files)
	}
}

func TestFolderGoneIsAProblem(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(os.RemoveAll(l.dir))
	s := l.await(w, "a problem", func(s *engine.State) bool { return s.Disk != nil && s.Disk.Problem != nil })
	if s.Group(mesh.DefaultGroup).Draft.Len() == 0 {
		t.Error("the draft went with the folder")
	}
}

// TestAProblemOnDiskIsToldOnce: what else is written in the folder, this very
// program's own output for one, tells it no second time.
func TestAProblemOnDiskIsToldOnce(t *testing.T) {
	l := newLab(t)
	path := filepath.Join(l.dir, "cds.yaml")
	w, err := engine.Open(t.Context(), path, l.options())
	l.must(err)
	defer l.close(w)
	l.must(os.Remove(path))
	first := l.await(w, "a problem", func(s *engine.State) bool { return s.Disk != nil && s.Disk.Problem != nil }).Disk
	text := "requests:\n"
	for i := range 3 { // each is seen when the files have been looked at once more
		text += "- {name: again " + strings.Repeat("i", i) + ", host: a, path: /}\n"
		l.write("cds.requests.yaml", text)
		s := l.await(w, "one more request", func(s *engine.State) bool { return len(s.Kept) == i+1 })
		if s.Disk != first {
			t.Fatalf("told again: %+v", s.Disk)
		}
	}
}

// failing is a Writer that fails for some paths.
type failing struct {
	fails func(path string) bool
}

var errFull = errors.New("no space left on device")

func (f *failing) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if f.fails(path) {
		return errFull
	}
	return files.Disk{}.WriteFile(path, data, perm)
}

func TestWritesThatFail(t *testing.T) {
	l := newLab(t)
	broken := ""
	w := l.open(func(o *engine.Options) {
		o.Writer = &failing{fails: func(path string) bool { return broken != "" && strings.HasSuffix(path, broken) }}
	})
	cds := l.read("cds.yaml")

	broken = "draft.json"
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	if s := w.State(); s.Draft != 1 || len(s.Notices) != 1 || s.Notices[0].Rule != "not-kept" {
		t.Errorf("draft %d, notices %v", s.Draft, s.Notices)
	}
	broken = ""
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	if s := w.State(); len(s.Notices) != 0 {
		t.Errorf("the notice stays: %v", s.Notices)
	}

	broken = "history/2.json"
	if _, err := w.Push(engine.PushOptions{}); !errors.Is(err, errFull) || len(l.published.numbers()) != 1 || w.State().Head().Number != 1 {
		t.Errorf("push said %v and published %v", err, l.published.numbers())
	}

	broken = "eds.yaml" // after cds.yaml or before it: neither may be half done
	eds := l.read("eds.yaml")
	if err := w.Save(""); !errors.Is(err, errFull) {
		t.Errorf("save said %v", err)
	}
	if l.read("cds.yaml") != cds || l.read("eds.yaml") != eds || !w.State().Unsaved {
		t.Error("a failed save left the folder half written")
	}
	broken = ""
	l.must(w.Save(""))
	if r := l.push(w); r.Number != 2 {
		t.Errorf("revision %d after a failed push", r.Number)
	}
}

func TestNewResourceIsSavedAndKnownAgain(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, engine.Put{Type: mesh.Cluster, Text: engine.Template(mesh.Cluster, "b")},
		engine.Put{Type: mesh.Endpoints, Text: engine.Template(mesh.Endpoints, "b")}))
	l.push(w)
	l.must(w.Save(""))
	if s := w.State(); s.Draft != 0 || s.Unsaved {
		t.Errorf("after push and save: draft %d, unsaved %v", s.Draft, s.Unsaved)
	}
	l.close(w)
	s := l.open().State()
	if s.Draft != 0 || s.Unsaved || s.Disk != nil || s.Head().Number != 2 || len(s.Revisions) != 2 {
		t.Errorf("reopened: draft %d, unsaved %v, offer %v, head %d", s.Draft, s.Unsaved, s.Disk, s.Head().Number)
	}
}

// TestConfigMapSwap changes files as Kubernetes does: a link to a folder is
// renamed over the old one, and no file in the workspace's folder is touched.
func TestConfigMapSwap(t *testing.T) {
	l := newLab(t)
	mount := filepath.Join(t.TempDir(), "mounted")
	l.must(os.MkdirAll(mount, 0o755))
	entries, err := os.ReadDir(l.dir)
	l.must(err)
	version := func(name, policy string) {
		for _, e := range entries {
			content := strings.Replace(l.read(e.Name()), "ROUND_ROBIN", policy, 1)
			l.must(files.Disk{}.WriteFile(filepath.Join(mount, name, e.Name()), []byte(content), 0o644))
		}
		l.must(os.Symlink(name, filepath.Join(mount, "..data_tmp")))
		l.must(os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
	}
	version("..1", "ROUND_ROBIN")
	for _, e := range entries {
		l.must(os.Symlink(filepath.Join("..data", e.Name()), filepath.Join(mount, e.Name())))
	}
	l.dir = mount
	w := l.open()
	if w.State().Head() == nil {
		t.Fatal(w.State().Notices)
	}
	shop := l.dir
	l.dir = filepath.Join(mount, "..data")
	version("..2", "RANDOM")
	l.dir = shop
	s := l.await(w, "an offer", func(s *engine.State) bool { return s.Disk != nil })
	if s.Disk.Problem != nil || s.Disk.Changes != 1 {
		t.Errorf("offered %+v", s.Disk)
	}
}
