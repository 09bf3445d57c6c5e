package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

func TestEditorArgs(t *testing.T) {
	tests := []struct {
		command string
		want    []string
	}{
		{"vi", []string{"vi", "+7", "f.yaml"}},
		{"nano -w", []string{"nano", "-w", "+7", "f.yaml"}},
		{"/usr/bin/emacsclient -t", []string{"/usr/bin/emacsclient", "-t", "+7", "f.yaml"}},
		{"code", []string{"code", "--wait", "--goto", "f.yaml:7"}},
		{"code -w", []string{"code", "-w", "--goto", "f.yaml:7"}},
		{"hx", []string{"hx", "f.yaml:7"}},
		{`"/opt/my editor/ed" --x='a b'`, []string{"/opt/my editor/ed", "--x=a b", "f.yaml"}},
		{"  ", []string{"vi", "+7", "f.yaml"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, editorArgs(tt.command, "f.yaml", 7)); diff != "" {
			t.Errorf("%q: %s", tt.command, diff)
		}
	}
}

// edited runs the key e and puts script's answer in the editor's place, as
// often as the editor is opened.
func edited(t *testing.T, a *App, answers ...func(text string) string) (opened []string, paths []string) {
	t.Helper()
	msg := a.startEdit()()
	for _, answer := range answers {
		ready, ok := msg.(editReadyMsg)
		if !ok {
			t.Fatalf("the editor was not opened again: %#v", msg)
		}
		b, err := os.ReadFile(ready.job.path)
		if err != nil {
			t.Fatal(err)
		}
		opened, paths = append(opened, string(b)), append(paths, ready.job.path)
		if err := os.WriteFile(ready.job.path, []byte(answer(string(b))), 0o600); err != nil {
			t.Fatal(err)
		}
		read := a.editorExited(editorExitedMsg{job: ready.job})()
		_, cmd := a.Update(read)
		msg = nil
		if cmd != nil {
			msg = cmd()
		}
	}
	return opened, paths
}

func TestEditPutsTheTextIntoTheDraft(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3")
	opened, paths := edited(t, a, func(text string) string { return strings.Replace(text, "ROUND_ROBIN", "RANDOM", 1) })
	key := mesh.Key{Type: mesh.Cluster, Name: "app"}
	want := engine.Put{Type: mesh.Cluster, Was: key, Text: strings.Replace(opened[0], "ROUND_ROBIN", "RANDOM", 1)}
	if diff := cmp.Diff([]engine.Edit{want}, s.Workspace.Edits); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(paths[0]); !os.IsNotExist(err) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestEditFileIsPrivateAndYAML(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "3")
	job := a.startEdit()().(editReadyMsg).job
	info, err := os.Stat(job.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || filepath.Ext(job.path) != ".yaml" || filepath.Dir(job.path) != a.opt.ScratchDir {
		t.Errorf("%s has mode %v", job.path, info.Mode())
	}
}

// TestInvalidEditComesBack: with the error on top, the cursor at it, and
// nothing lost when the operator gives up.
func TestInvalidEditComesBack(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Err = func(string) error {
		return &engine.EditError{Findings: []mesh.Finding{{Severity: mesh.Error, Line: 3, Message: `lb_policy: expected one of ROUND_ROBIN, …, got "FASTEST"`, Hint: "choose one"}}}
	}
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3")
	wrong := func(text string) string { return strings.Replace(text, "ROUND_ROBIN", "FASTEST", 1) }
	same := func(text string) string { return text }
	opened, paths := edited(t, a, wrong, same)
	if !strings.HasPrefix(opened[1], commentMark) || !strings.Contains(opened[1], "line 3 of the text below: lb_policy: expected one of") {
		t.Errorf("it came back as:\n%s", opened[1])
	}
	if got := stripped(opened[1]); got != wrong(opened[0]) {
		t.Errorf("the text came back changed:\n%s", got)
	}
	kept, err := os.ReadFile(paths[1])
	if err != nil || !strings.Contains(string(kept), "FASTEST") {
		t.Errorf("giving up lost the text: %v\n%s", err, kept)
	}
	if !strings.Contains(a.toast.text, paths[1]) {
		t.Errorf("the screen does not say where it is kept: %q", a.toast.text)
	}
}

func TestEditThatFailsOtherwiseKeepsTheText(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Err = func(string) error { return tuitest.ErrRefused }
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3")
	_, paths := edited(t, a, func(text string) string { return text + "# mine\n" })
	kept, err := os.ReadFile(paths[0])
	if err != nil || !strings.Contains(string(kept), "# mine") {
		t.Errorf("the text is lost: %v", err)
	}
	if v := a.View(); !strings.Contains(v, "refused by the test") || !strings.Contains(v, "kept in") {
		t.Errorf("the screen does not say so:\n%s", v)
	}
}

func TestUnchangedEditIsNoEdit(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3")
	_, paths := edited(t, a, func(text string) string { return text })
	if len(s.Workspace.Calls) != 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
	if _, err := os.Stat(paths[0]); !os.IsNotExist(err) {
		t.Error("the file is left behind")
	}
}

// TestMissingEditor: the real hand-over, with an editor that is not there.
func TestMissingEditorIsSaid(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	job := &editJob{what: "edit cluster app", path: "/tmp/kept.yaml"}
	a.Update(editorExitedMsg{job: job, err: &os.PathError{Op: "fork/exec", Path: "nosuch", Err: os.ErrNotExist}})
	if v := a.View(); !strings.Contains(v, "/tmp/kept.yaml") {
		t.Errorf("the screen does not say where the text is:\n%s", v)
	}
}

// An interrupt typed in an editor may reach us when the editor has just ended.
func TestALateInterruptIsTheEditors(t *testing.T) {
	var e editing
	if e.interrupts() {
		t.Error("before any editor")
	}
	e.begin()
	if !e.interrupts() {
		t.Error("in the editor")
	}
	e.end()
	if !e.interrupts() {
		t.Error("right after it")
	}
	e.ended.Store(time.Now().Add(-2 * lateInterrupt).UnixNano())
	if e.interrupts() {
		t.Error("long after it")
	}
}
