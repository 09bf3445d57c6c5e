package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/tui/tuitest"
)

// written presses E and puts each script's answer in the editor's place. It
// returns what the editor was opened with, where, and at which line.
func written(t *testing.T, a *App, answers ...func(string) string) (opened, paths []string, lines []int) {
	t.Helper()
	_, cmd := a.Update(keyMsg("E"))
	if cmd == nil {
		t.Fatalf("E does nothing:\n%s", a.View())
	}
	msg := cmd()
	for _, answer := range answers {
		ready, ok := msg.(editReadyMsg)
		if !ok {
			t.Fatalf("the editor was not opened: %#v", msg)
		}
		b, err := os.ReadFile(ready.job.path)
		if err != nil {
			t.Fatal(err)
		}
		opened, paths, lines = append(opened, string(b)), append(paths, ready.job.path), append(lines, ready.job.line+len(ready.job.reason))
		if err := os.WriteFile(ready.job.path, []byte(answer(string(b))), 0o600); err != nil {
			t.Fatal(err)
		}
		_, cmd := a.Update(a.editorExited(editorExitedMsg{job: ready.job})())
		if msg = nil; cmd != nil {
			msg = cmd()
		}
	}
	return opened, paths, lines
}

// partial is a change of which a part was not carried over.
var partial = merge.Change{
	Edits:   []merge.Edit{{Op: merge.Set, Key: mesh.Key{Type: mesh.Endpoints, Name: "app"}, Path: "endpoints[0].lb_endpoints[0].load_balancing_weight", Value: "5"}},
	Summary: []string{"weight of 127.0.0.1:9001 in app: 5"},
	Report: []importer.Entry{
		{Kind: nginx.None, Directive: "proxy_cache shop", Line: 15, Reason: "Envoy does not cache", Instead: "put a cache in front of it, or behind"},
		{Kind: nginx.Approximate, Directive: "limit_req zone=one burst=5", Line: 16, Reason: "Envoy counts for a route and answers 429, nginx for a key, delays, and answers 503"},
	},
}

func heavier(text string) string {
	return strings.Replace(text, "127.0.0.1:9001;", "127.0.0.1:9001 weight=5;", 1)
}

func TestGoldenNginxEdit(t *testing.T) {
	for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
		sc := tuitest.Calm()
		sc.Workspace.Change = partial
		a := stage(t, steady(sc), s[0], s[1])
		press(a, "5")
		_, paths, _ := written(t, a, heavier)
		for _, o := range a.overlays {
			o.(*graced).overlay.(*changeWindow).path = "/tmp/nginx-1.conf"
		}
		view := a.View()
		if strings.Contains(view, paths[0]) {
			t.Fatal("the picture depends on the scratch folder")
		}
		golden(t, fmt.Sprintf("nginx-edit-%dx%d", s[0], s[1]), view)
	}
}

func TestNginxIsEditedAtTheCursor(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Change = merge.Change{Edits: partial.Edits, Summary: partial.Summary}
	a := stage(t, steady(s), 150, 40)
	press(a, "5", "g", "j", "j")
	opened, paths, lines := written(t, a, heavier)
	if want := tuitest.Project(tuitest.Mesh()).String(); opened[0] != want {
		t.Errorf("the editor got\n%s\nwant\n%s", opened[0], want)
	}
	if lines[0] != 3 || filepath.Ext(paths[0]) != ".conf" {
		t.Errorf("opened %s at line %d", paths[0], lines[0])
	}
	if len(s.Workspace.Calls) != 1 || s.Workspace.Calls[0] != "edit nginx.conf: "+heavier(opened[0]) || s.Workspace.Shown != a.data.nginx.config {
		t.Errorf("asked %q of %p", s.Workspace.Calls, s.Workspace.Shown)
	}
	shows(t, a, "nginx.conf: in the draft", "~ weight of 127.0.0.1:9001 in app: 5", "d diff")
	if _, err := os.Stat(paths[0]); !os.IsNotExist(err) {
		t.Errorf("all was carried over, and the file is left behind: %v", err)
	}
	quiet(a)
	press(a, "d")
	if _, ok := a.screen.(*diffScreen); !ok || len(a.overlays) != 0 {
		t.Error("d does not show the diff")
	}
}

// quiet ends the grace of a window that opened by itself.
func quiet(a *App) {
	for _, o := range a.overlays {
		if g, ok := o.(*graced); ok {
			g.over = true
		}
	}
}

func TestWhatIsNotCarriedOverIsSaidAndKept(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Change = partial
	a := stage(t, steady(s), 150, 40)
	press(a, "5")
	_, paths, _ := written(t, a, heavier)
	shows(t, a, "in the draft, but not all of it", "∅ line 15: proxy_cache shop", "Envoy does not cache.", "→ Put a cache in front of it", "≈ line 16: limit_req zone=one burst=5")
	kept, err := os.ReadFile(paths[0])
	if err != nil || !strings.Contains(string(kept), "weight=5") {
		t.Errorf("the text is lost: %v", err)
	}
	shows(t, a, "Your text is kept in")
	quiet(a)
	press(a, "u")
	shows(t, a, "nothing to undo") // the test's workspace changes nothing
}

func TestNginxEditWithoutEffectSaysSo(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, steady(s), 150, 40)
	press(a, "5")
	written(t, a, func(text string) string { return "# mine\n" + text })
	shows(t, a, "Nothing that the mesh says has changed")
}

func TestNginxThatIsNoneComesBack(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Err = func(string) error {
		return &engine.EditError{Findings: []mesh.Finding{{Severity: mesh.Error, Line: 4, Message: `unexpected "}"`, Hint: "close the block before it"}}}
	}
	a := stage(t, steady(s), 150, 40)
	press(a, "5")
	broken := func(text string) string { return strings.Replace(text, "upstream app {", "upstream app", 1) }
	opened, paths, lines := written(t, a, broken, func(text string) string { return text })
	if !strings.HasPrefix(opened[1], commentMark) || !strings.Contains(opened[1], `line 4 of the text below: unexpected "}"`) || stripped(opened[1]) != broken(opened[0]) {
		t.Errorf("it came back as\n%s", opened[1])
	}
	if at := splitLines(opened[1])[lines[1]-1]; at != splitLines(opened[0])[3] {
		t.Errorf("the editor opens at %q", at)
	}
	if _, err := os.Stat(paths[1]); err != nil {
		t.Errorf("giving up lost the text: %v", err)
	}
	shows(t, a, "given up; the text is kept in")
}

func TestNginxEditThatFailsOtherwiseKeepsTheText(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Err = func(string) error { return tuitest.ErrRefused }
	a := stage(t, steady(s), 150, 40)
	press(a, "5")
	_, paths, _ := written(t, a, heavier)
	shows(t, a, "refused by the test", "kept in")
	if kept, err := os.ReadFile(paths[0]); err != nil || !strings.Contains(string(kept), "weight=5") {
		t.Errorf("the text is lost: %v", err)
	}
}

func TestNginxCannotBeEditedWhere(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.ReadOnly = "process 4711 has it open" })
	a := stage(t, steady(s), 150, 40)
	press(a, "5", "E")
	shows(t, a, "process 4711 has it open")
	a = stage(t, steady(tuitest.Empty()), 150, 40)
	press(a, "5", "E")
	shows(t, a, "the mesh is empty")
}
