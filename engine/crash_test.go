package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// editAndWait is the child of TestKilled: it pushes, edits and waits to be
// killed.
func editAndWait(dir string) {
	w, err := engine.Open(context.Background(), filepath.Join(dir, "shop"), engine.Options{StateDir: filepath.Join(dir, "state")})
	if err == nil {
		err = w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM"))
	}
	if err == nil {
		_, err = w.Push(engine.PushOptions{Note: "before the kill"})
	}
	if err == nil {
		err = w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080"))
	}
	fmt.Println("edited", err)
	select {}
}

func TestKilled(t *testing.T) {
	l := newLab(t)
	l.state = filepath.Join(filepath.Dir(l.dir), "state")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "ENGINE_TEST_EDIT_AND_WAIT="+filepath.Dir(l.dir))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	l.must(err)
	l.must(child.Start())
	ended := false
	defer func() {
		if !ended {
			_ = child.Process.Kill()
			_ = child.Wait()
		}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	l.must(err)
	if line != "edited <nil>\n" {
		t.Fatalf("the child said %q", line)
	}
	if s := l.open().State(); !strings.Contains(s.ReadOnly, "process "+itoa(child.Process.Pid)) {
		t.Errorf("while it lives, read-only says %q", s.ReadOnly)
	}
	l.must(child.Process.Kill())
	_ = child.Wait() // says that it was killed
	ended = true

	w := l.open()
	s := w.State()
	if s.ReadOnly != "" {
		t.Fatalf("the lock outlived its holder: %s", s.ReadOnly)
	}
	if !strings.Contains(draftText(w, endpoints), "DRAINING") || !strings.Contains(draftText(w, cluster), "RANDOM") {
		t.Error("the draft did not survive")
	}
	if len(s.Undo) != 2 || len(s.Revisions) != 3 || s.Revisions[1].Note != "before the kill" {
		t.Errorf("undo %v, %d revisions", s.Undo, len(s.Revisions))
	}
	if got := s.Revisions[1].Outcome.Result; got != engine.Superseded {
		t.Errorf("a revision that nobody waits for any more is %s", got)
	}
}
