package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// pushed is a history of some accepted revisions, and its folder.
func (l *lab) pushed(revisions int) (folder string) {
	l.Helper()
	w := l.open(func(o *engine.Options) { o.Writer = quick{} })
	for number := 1; number <= revisions; number++ {
		if number > 1 {
			l.must(w.Edit(mesh.DefaultGroup, lbPolicy([]string{"RANDOM", "ROUND_ROBIN"}[number%2])))
			l.push(w)
		}
		w.Record(number, engine.Outcome{Result: engine.Accepted, Nodes: 1})
	}
	l.must(w.Save(""))
	l.close(w)
	found, err := filepath.Glob(filepath.Join(l.state, "*", "history"))
	if err != nil || len(found) != 1 {
		l.Fatal(found, err)
	}
	return found[0]
}

func history(w *engine.Workspace) (out []int) {
	for _, r := range w.State().Revisions {
		out = append(out, r.Number)
	}
	return out
}

// One damaged file costs what stands in it and on it, and nothing else.
func TestADamagedFileOfTheHistory(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		want []int
		lost int // notices
	}{
		"an outcome":            {"2.state.json", []int{1, 2, 3, 4, 5}, 1},
		"the newest outcome":    {"5.state.json", []int{1, 2, 3, 4, 5}, 1},
		"a record":              {"3.json", []int{1, 2, 6}, 3},
		"the newest record":     {"5.json", []int{1, 2, 3, 4, 6}, 1},
		"what all is built on":  {"1.json", []int{6}, 5},
		"of another meshtui":    {"5.json", []int{1, 2, 3, 4, 6}, 1},
		"a file of nobody's":    {"notes.json", []int{1, 2, 3, 4, 5}, 0},
		"one that is not there": {"9.state.json", []int{1, 2, 3, 4, 5}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			path := filepath.Join(l.pushed(5), tc.file)
			content := []byte(nil)
			if name == "of another meshtui" {
				content = []byte(`{"format":2}`)
			}
			l.must(os.WriteFile(path, content, 0o600))
			w := l.open()
			if diff := cmp.Diff(tc.want, history(w)); diff != "" {
				t.Error(diff)
			}
			for _, f := range w.State().Notices {
				if f.Rule != "state-damaged" {
					t.Errorf("notice: %v", f)
				}
			}
			if n := len(w.State().Notices); n != tc.lost {
				t.Errorf("%d notices: %v", n, w.State().Notices)
			}
			if tc.file == "2.state.json" {
				if o := w.State().Revisions[1].Outcome; o.Result != engine.Superseded || !strings.Contains(o.Detail, "cannot be read") {
					t.Errorf("its outcome is %+v", o)
				}
			}
			l.close(w)
			if kept, _ := filepath.Glob(path + ".damaged-*"); tc.lost > 0 && len(kept) != 1 {
				t.Error("the damaged file was not kept")
			}
			w = l.open()
			if diff := cmp.Diff(tc.want, history(w)); diff != "" || len(w.State().Notices) > 0 {
				t.Errorf("opened again: %s%v", diff, w.State().Notices)
			}
			if len(tc.want) == 5 && tc.want[4] == 5 {
				if _, err := w.Rollback(2); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// full is a disk without room for the history, for as long as on says.
type full struct{ on bool }

func (f *full) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if f.on && filepath.Base(filepath.Dir(path)) == "history" {
		return errors.New("no space left on device")
	}
	return quick{}.WriteFile(path, data, perm)
}

// What cannot be taken over at once is taken over with the next push, and what
// is pushed then counts at the next start.
func TestATakeOverThatFailsAtFirst(t *testing.T) {
	l := newLab(t)
	folder := l.pushed(3)
	var records []string
	for number := 1; number <= 3; number++ {
		data, err := os.ReadFile(filepath.Join(folder, fmt.Sprint(number)+".json"))
		l.must(err)
		records = append(records, string(data))
	}
	l.must(os.RemoveAll(folder))
	old := folder + ".json"
	oneFile := []byte(`{"format":1,"revisions":[` + strings.Join(records, ",") + `]}`)
	l.must(os.WriteFile(old, oneFile, 0o600))
	disk := &full{on: true}
	w := l.open(func(o *engine.Options) { o.Writer = disk })
	if diff := cmp.Diff([]int{1, 2, 3}, history(w)); diff != "" {
		t.Fatal(diff)
	}
	if _, err := os.Stat(old); err != nil {
		t.Error("what could not be taken over is gone")
	}
	disk.on = false
	r, err := w.Rollback(2)
	l.must(err)
	w.Record(r.Number, engine.Outcome{Result: engine.Accepted, Nodes: 1})
	l.must(w.Save(""))
	l.close(w)
	if _, err := os.Stat(old); err == nil {
		t.Error("the old file is still there")
	}
	for range 2 {
		w := l.open()
		if diff := cmp.Diff([]int{1, 2, 3, 4}, history(w)); diff != "" || w.State().Head().Outcome.Result != engine.Accepted {
			t.Errorf("%+v %s", w.State().Head(), diff)
		}
		l.close(w)
		l.must(os.WriteFile(old, oneFile, 0o600)) // as if it could not have been removed
	}
}

// late fails after it has written, as where a folder cannot be synced.
type late struct{ on bool }

func (d *late) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if err := (quick{}).WriteFile(path, data, perm); err != nil || !d.on {
		return err
	}
	return errors.New("syncing a folder: input/output error")
}

// A push that fails as it is recorded never was, whatever became of the file.
func TestAPushThatIsNotRecordedNeverWas(t *testing.T) {
	l := newLab(t)
	disk := &late{}
	w := l.open(func(o *engine.Options) { o.Writer = disk })
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	disk.on = true
	if r, err := w.Push(engine.PushOptions{}); err == nil {
		t.Errorf("revision %d was pushed", r.Number)
	}
	l.close(w)
	w = l.open()
	if diff := cmp.Diff([]int{1}, history(w)); diff != "" {
		t.Error(diff)
	}
}
