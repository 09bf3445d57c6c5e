package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/tuitest"
)

// TestNoKeyMeansTwoThings: within one context a key stands for one action, and
// no action takes a key that moves the cursor.
func TestNoKeyMeansTwoThings(t *testing.T) {
	r := newRegistry()
	ids := map[string]bool{}
	for _, act := range r.all {
		if ids[act.ID] {
			t.Errorf("two actions are called %s", act.ID)
		}
		ids[act.ID] = true
		if act.Title == "" || act.Group == "" || act.In == 0 || act.Run == nil {
			t.Errorf("%s lacks a title, a group, a context or what to do", act.ID)
		}
	}
	for bit := Context(1); bit <= InContest; bit <<= 1 {
		seen := map[string]string{}
		for _, act := range r.of(bit) {
			for _, k := range act.Keys {
				if other := seen[k]; other != "" {
					t.Errorf("context %b: %q is both %s and %s", bit, k, other, act.ID)
				}
				seen[k] = act.ID
				if slices.Contains([]string{"j", "k", "g", "G", "up", "down", "ctrl+d", "ctrl+u", "pgup", "pgdown", "home", "end", "ctrl+c"}, k) {
					t.Errorf("%s takes %q, which moves the cursor or quits", act.ID, k)
				}
			}
		}
	}
}

// calls presses keys on a calm scene and returns what the workspace was asked.
func calls(t *testing.T, keys ...string) []string {
	t.Helper()
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, keys...)
	return s.Workspace.Calls
}

func TestKeysBecomeEdits(t *testing.T) {
	app := mesh.Key{Type: mesh.Endpoints, Name: "app"}
	tests := []struct {
		name string
		keys []string
		want engine.Edit
	}{
		{"space drains an endpoint", []string{"4", "j", "j", "j", "space"}, engine.SetHealth{Key: app, Endpoint: "127.0.0.1:9001", Status: "DRAINING"}},
		{"space drains one that stands in its cluster", []string{"4", "g", "j", "space"}, engine.SetField{Key: mesh.Key{Type: mesh.Cluster, Name: "legacy"},
			Path: "load_assignment.endpoints[0].lb_endpoints[0].health_status", Value: "DRAINING"}},
		{"x removes an endpoint", []string{"4", "j", "j", "j", "j", "x"}, engine.RemoveEndpoint{Key: app, Address: "127.0.0.1:9002"}},
		{"+ gives an endpoint weight", []string{"4", "j", "j", "j", "+"}, engine.SetEndpointWeight{Key: app, Address: "127.0.0.1:9001", Weight: 2}},
		{"a adds an endpoint", []string{"3", "a", "1", "2", "7", ".", "0", ".", "0", ".", "1", ":", "9", "0", "enter"}, engine.AddEndpoint{Key: app, Address: "127.0.0.1:90"}},
		{"D duplicates", []string{"3", "D", "2", "enter"}, engine.Duplicate{Key: mesh.Key{Type: mesh.Cluster, Name: "app"}, Name: "app-copy2"}},
		{"x deletes after asking", []string{"3", "x", "x"}, engine.Remove{Key: mesh.Key{Type: mesh.Cluster, Name: "app"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tuitest.Calm()
			a := stage(t, depsOf(s), 150, 40)
			press(a, tt.keys...)
			if diff := cmp.Diff([]engine.Edit{tt.want}, s.Workspace.Edits); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, a.View())
			}
		})
	}
}

func TestDrainAndPushIsOneKey(t *testing.T) {
	got := calls(t, "4", "j", "j", "j", "S")
	if len(got) != 2 || !strings.HasPrefix(got[0], "edit ") || got[1] != `push "drain 127.0.0.1:9001" force=false` {
		t.Errorf("asked %q", got)
	}
}

func TestDeleteSaysWhatUsesIt(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "3", "x")
	for _, want := range []string{"Delete cluster app", "route local_route", "503"} {
		if !strings.Contains(a.View(), want) {
			t.Errorf("the dialog does not say %q:\n%s", want, a.View())
		}
	}
	press(a, "esc")
	if len(a.overlays) != 0 {
		t.Error("esc does not close the dialog")
	}
}

func TestPushAsksAndForceIsAnotherKey(t *testing.T) {
	s := tuitest.Troubled()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "p", "enter")
	if len(s.Workspace.Calls) != 0 {
		t.Fatalf("an error did not hold the push: %q", s.Workspace.Calls)
	}
	if !strings.Contains(a.View(), `to the cluster "nowhere"`) || !strings.Contains(a.View(), "F push all the same") {
		t.Errorf("the dialog does not say what is wrong and how to go on:\n%s", a.View())
	}
	press(a, "n")
	typed(a, "canary")
	press(a, "enter", "F")
	if diff := cmp.Diff([]string{`push "canary" force=true`}, s.Workspace.Calls); diff != "" {
		t.Error(diff)
	}
}

func TestRollback(t *testing.T) {
	if got := calls(t, "r", "r"); !slices.Equal(got, []string{"rollback 11"}) {
		t.Errorf("r, r asked %q", got)
	}
	if got := calls(t, "R", "j", "r"); !slices.Equal(got, []string{"rollback 11"}) {
		t.Errorf("from the history: %q", got)
	}
}

// TestTwoPressesAreTwoSteps: the second press looks at what the first has done.
func TestTwoPressesAreTwoSteps(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "4", "j", "j", "j")
	_, first := a.Update(keyMsg("+"))
	if _, second := a.Update(keyMsg("+")); second != nil {
		t.Fatal("the second press did not wait for the first")
	}
	heavier := s.Workspace.State().Groups[0].Draft.With(tuitest.Resource(mesh.Endpoints, `cluster_name: app
endpoints:
- lb_endpoints:
  - { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } }, load_balancing_weight: 2 }
`))
	done := first()
	s.Workspace.Set(func(st *engine.State) { st.Groups[0].Draft = heavier })
	run(a, done)
	var weights []uint32
	for _, e := range s.Workspace.Edits {
		weights = append(weights, e.(engine.SetEndpointWeight).Weight)
	}
	if !slices.Equal(weights, []uint32{2, 3}) {
		t.Errorf("weights %v", weights)
	}
}

func TestDisabledSaysWhy(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "p")
	if !strings.Contains(a.View(), "nothing differs from what is live") {
		t.Errorf("p on an empty draft says nothing:\n%s", a.View())
	}
	press(a, "1", "space")
	if !strings.Contains(a.View(), "select an endpoint first") {
		t.Errorf("space on a listener says nothing")
	}
}

func TestErrorsAreShownUntilTheNextKey(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Err = func(string) error { return fmt.Errorf("saving: %w", errors.New("disk full")) }
	a := stage(t, depsOf(s), 150, 40)
	press(a, "s")
	if !strings.Contains(a.View(), "disk full") {
		t.Errorf("the error is not shown:\n%s", a.View())
	}
	press(a, "j")
	if strings.Contains(a.View(), "disk full") {
		t.Error("the error stays after a key")
	}
}

func TestQuitAsksOnlyForADraft(t *testing.T) {
	quits := func(a *App, k string) bool {
		_, cmd := a.Update(keyMsg(k))
		if cmd == nil {
			return false
		}
		_, ok := cmd().(tea.QuitMsg)
		return ok
	}
	calm := stage(t, depsOf(tuitest.Calm()), 80, 24)
	if press(calm, "esc", "esc"); !quits(calm, "q") {
		t.Error("q does not quit without a draft")
	}
	draft := stage(t, depsOf(tuitest.Troubled()), 80, 24)
	if quits(draft, "q") || len(draft.overlays) != 1 {
		t.Error("q does not ask with a draft")
	}
	if press(draft, "esc"); quits(draft, "ctrl+c") || !quits(draft, "ctrl+c") {
		t.Error("ctrl+c must ask once and then quit")
	}
}

func TestFilterIsSmartAboutCase(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "4", "/")
	typed(a, "9003")
	press(a, "enter")
	if n := a.lists[PanelEDS].Len; n != 1 || a.selected().Address != "127.0.0.1:9003" {
		t.Errorf("%d rows, on %+v", n, a.selected())
	}
	if press(a, "esc"); a.lists[PanelEDS].Len < 5 || a.selected().Address != "127.0.0.1:9003" {
		t.Errorf("esc: %d rows, on %+v", a.lists[PanelEDS].Len, a.selected())
	}
	press(a, "3", "/")
	typed(a, "APP")
	if a.lists[PanelCDS].Len != 0 {
		t.Error("capitals must match only capitals")
	}
}

// TestCursorStaysOnItsEndpoint: rows come and go above it.
func TestCursorStaysOnItsEndpoint(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "4", "j", "j", "j", "j") // 9002
	more := tuitest.Resource(mesh.Endpoints, `cluster_name: app
endpoints:
- lb_endpoints:
  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8001 } } }
  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8002 } } }
  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9002 } } }
`)
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Draft = st.Groups[0].Draft.With(more)
		st.Groups[0].Changes = mesh.DiffText(st.Groups[0].Live, st.Groups[0].Draft)
	})
	run(a, a.loadCmd()())
	if r := a.selected(); r == nil || r.Address != "127.0.0.1:9002" {
		t.Errorf("the cursor is on %+v", r)
	}
}

func TestFreezeHoldsThePicture(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "P")
	before := a.View()
	s.Workspace.Set(func(st *engine.State) { st.Name = "other" })
	run(a, a.loadCmd()())
	if a.View() != before {
		t.Error("the picture moved while frozen")
	}
	if press(a, "P"); !strings.Contains(a.View(), "other") {
		t.Error("the newest picture is not shown after it goes on")
	}
}

func TestThreadMovesThroughAllPanes(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "4", "G") // the endpoint of app-v2
	at := func(p outline.Pane) string { r := a.current(p); return r.Key.String() + " " + r.Path }
	want := []string{"listener web filter_chains[0]", "route local_route virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1]",
		"cluster app-v2 ", "endpoints app-v2 endpoints[0].lb_endpoints[0]"}
	for p := outline.LDS; p < outline.Panes; p++ {
		if got := at(p); got != want[p] {
			t.Errorf("pane %d is on %q, want %q", p, got, want[p])
		}
	}
	if a.thread.Has(mesh.Key{Type: mesh.Cluster, Name: "legacy"}, "") {
		t.Error("a cluster that another route leads to is on the thread")
	}
}

// TestGraceSwallowsKeysInFlight: a dialog that opens by itself is not answered
// by keys that were meant for something else.
func TestGraceSwallowsKeysInFlight(t *testing.T) {
	now := tuitest.Now
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	a.now = func() time.Time { return now }
	answered := false
	a.surprise(&confirm{head: "?", yes: "x", do: func(*App) tea.Cmd { answered = true; return nil }})
	for range 3 {
		now = now.Add(100 * time.Millisecond)
		press(a, "x")
	}
	if answered || len(a.overlays) != 1 {
		t.Fatal("a key in flight answered the dialog")
	}
	now = now.Add(graceQuiet)
	if press(a, "x"); !answered {
		t.Error("the dialog cannot be answered after a quiet moment")
	}
}

func TestPaletteRunsAndSaysWhyNot(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, ":")
	typed(a, "hist")
	press(a, "enter")
	if _, ok := a.screen.(*historyScreen); !ok || len(a.overlays) != 0 {
		t.Errorf(":hist opened %T with %d overlays", a.screen, len(a.overlays))
	}
	press(a, "esc", "ctrl+p")
	typed(a, "undo")
	press(a, "enter")
	if !strings.Contains(a.View(), "nothing to undo") {
		t.Error("the palette does not say why not")
	}
}

func TestHelpNamesTheQuestionAndNginx(t *testing.T) {
	for i, want := range []string{"which ports", "where does /foo go", "what is app", "where is app running"} {
		a := stage(t, depsOf(tuitest.Calm()), 150, 40)
		press(a, itoa(i+1), "?")
		if v := a.View(); !strings.Contains(v, want) || !strings.Contains(v, "nginx:") {
			t.Errorf("help of pane %d lacks %q", i+1, want)
		}
	}
}

// TestKeysInOneRead: several keys in one message are several keys; a paste is
// none.
func TestKeysInOneRead(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("4gjj")})
	if a.focus != PanelEDS || a.lists[PanelEDS].Cursor != 2 {
		t.Errorf("focus %d, row %d", a.focus, a.lists[PanelEDS].Cursor)
	}
	run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("1"), Paste: true})
	if a.focus != PanelEDS {
		t.Error("a paste was taken as a command")
	}
}
