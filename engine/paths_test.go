package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

func TestAMissingPathHoldsBackAndCanBeMended(t *testing.T) {
	l := newLab(t)
	at := filepath.Join(l.dir, "eds.yaml")
	l.write("cds.yaml", strings.Replace(l.read("cds.yaml"), "ads: {}", "path_config_source: {path: "+at+"}", 1))
	w := l.open()
	if s := w.State(); s.Head() == nil {
		t.Fatal("not served", s.Notices)
	}
	l.must(os.Rename(at, filepath.Join(t.TempDir(), "eds.yaml")))
	s := l.await(w, "a file that went away is a problem", func(s *engine.State) bool { return s.Disk != nil && len(s.Disk.Problem) > 0 })
	if p := s.Disk.Problem[0]; p.Rule != files.MissingPath || p.Line == 0 {
		t.Errorf("%+v", p)
	}
	l.close(w)

	w = l.open() // what was served last is served on
	if head := w.State().Head(); head.Number != 1 {
		t.Errorf("revision %d is served", head.Number)
	}
	l.must(w.Discard()) // back to what is served: it names no path any more
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	var refused *engine.PushError
	if _, err := w.Push(engine.PushOptions{}); err != nil {
		t.Errorf("the draft is in order: %v", err)
	}
	l.must(w.Undo())
	l.must(w.Undo())
	if _, err := w.Push(engine.PushOptions{}); !errors.As(err, &refused) || refused.Findings[0].Rule != files.MissingPath {
		t.Errorf("a path that leads nowhere was pushed: %v", err)
	}
}
