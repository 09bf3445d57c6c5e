package engine_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// writes counts the bytes that go to the history.
type writes struct{ history int }

func (w *writes) WriteFile(path string, data []byte, perm fs.FileMode) error {
	if strings.Contains(path, "history") {
		w.history += len(data)
	}
	return quick{}.WriteFile(path, data, perm)
}

// A push writes what it changes, however many revisions there are before.
func TestAPushWritesOnlyItself(t *testing.T) {
	l := newLab(t)
	count := &writes{}
	w := l.open(func(o *engine.Options) { o.Writer = count })
	var first, last int
	for i := range 40 {
		l.must(w.Edit(mesh.DefaultGroup, lbPolicy([]string{"RANDOM", "ROUND_ROBIN"}[i%2])))
		before := count.history
		l.push(w)
		if last = count.history - before; i == 1 {
			first = last
		}
	}
	if first == 0 || last > first+200 {
		t.Errorf("the 2nd push writes %d bytes and the 40th %d", first, last)
	}
}

// What meshtui wrote as one file before is taken over.
func TestAHistoryInOneFileIsTakenOver(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	l.close(w)
	folders, err := filepath.Glob(filepath.Join(l.state, "*", "history"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	var records []string
	for number := 1; number <= 2; number++ {
		data, err := os.ReadFile(filepath.Join(folders[0], fmt.Sprint(number)+".json"))
		l.must(err)
		records = append(records, string(data))
	}
	l.must(os.RemoveAll(folders[0]))
	old := folders[0] + ".json"
	l.must(os.WriteFile(old, []byte(`{"format":1,"revisions":[`+strings.Join(records, ",")+`]}`), 0o600))

	for range 2 { // the second time from what the first one made of it
		w := l.open()
		s := w.State()
		if len(s.Revisions) < 2 || !strings.Contains(s.Revisions[1].Meshes[mesh.DefaultGroup].Get(cluster).Source.Text, "RANDOM") || len(s.Notices) > 1 {
			t.Fatalf("%d revisions, notices %v", len(s.Revisions), s.Notices)
		}
		l.close(w)
		if _, err := os.Stat(old); err == nil {
			t.Error("the old file is still there")
		}
	}
}
