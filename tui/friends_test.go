package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/tui/tuitest"
)

// befriended is a steady scene with the test's own false friends.
func befriended(s *tuitest.Scene) Deps {
	d := steady(s)
	d.Friends = tuitest.Friends
	return d
}

func TestGoldenFriends(t *testing.T) {
	for _, sc := range []struct {
		name string
		keys []string
	}{
		{"friends-panel", []string{"5", "n", "n", "n"}},
		{"friends-window", []string{"5", "n", "F", "j", "j"}},
		{"friends-none", []string{"5", "g", "n", "F"}},
	} {
		for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
			t.Run(fmt.Sprintf("%s %d×%d", sc.name, s[0], s[1]), func(t *testing.T) {
				a := stage(t, befriended(tuitest.Calm()), s[0], s[1])
				press(a, sc.keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
			})
		}
	}
}

func TestPanelCountsAndMarksFalseFriends(t *testing.T) {
	a := stage(t, befriended(tuitest.Calm()), 150, 40)
	shows(t, a, "5 nginx.conf ≠ 3 false friends", "≠ server {", "≠ listen 127.0.0.1:10000;", "≠ location /foo {")
	press(a, "5")
	var at []int
	for range 4 {
		press(a, "n")
		at = append(at, a.lists[PanelNginx].Cursor)
	}
	marked := a.data.nginx.marked
	if len(marked) != 3 || !slices.IsSorted(marked) {
		t.Fatalf("marked %v", marked)
	}
	for i, line := range at {
		if !slices.Contains(marked, line) || i > 0 && line == at[i-1] {
			t.Errorf("n went to the lines %v; marked are %v", at, marked)
		}
	}
	if at[3] != at[0] {
		t.Errorf("after the last comes %d, not the first again", at[3])
	}
	press(a, "b")
	if got := a.lists[PanelNginx].Cursor; got != at[2] {
		t.Errorf("b went to line %d, want %d", got, at[2])
	}
}

func TestTheLineExplainsItsFalseFriend(t *testing.T) {
	a := stage(t, befriended(tuitest.Calm()), 150, 40)
	press(a, "5")
	for !strings.Contains(a.data.nginx.lines[a.lists[PanelNginx].Cursor].Text, "location /foo") {
		press(a, "n")
	}
	shows(t, a, "≠ silence: looks alike, and is not", "nginx 504 after 60 s without a byte.", "Envoy 504 after 15 s in all.",
		"here An answer that takes longer is cut off.", "F timeout: 0s and idle_timeout: 60s", "Close, but not the same.")
}

func TestFalseFriendIsTakenIntoTheDraft(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, befriended(s), 150, 40)
	press(a, "F", "g", "j")
	shows(t, a, "False friends: nginx.conf and Envoy", "What makes Envoy do the same: timeout: 0s and idle_timeout: 60s", "route local_route (changed)", "+ timeout: 0s")
	if len(s.Workspace.Edits) != 0 {
		t.Fatal("the draft was changed before anybody agreed")
	}
	puts, err := a.data.nginx.friends[1].Fix.Texts()
	if err != nil || len(puts) == 0 {
		t.Fatalf("the setting has no text: %v", err)
	}
	press(a, "enter")
	var want []engine.Edit
	for _, p := range puts {
		want = append(want, engine.Put{Type: p.Key.Type, Text: p.Text, Was: p.Key})
	}
	if diff := cmp.Diff(want, s.Workspace.Edits); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(s.Workspace.Calls) != 1 {
		t.Errorf("one setting is one step of undo, and not %q", s.Workspace.Calls)
	}
	shows(t, a, "in the draft: timeout: 0s and idle_timeout: 60s", "False friends")
}

// The draft may change while the window is open.
func TestStaleSettingIsRefused(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, befriended(s), 150, 40)
	press(a, "F")
	win := a.overlays[0].(*friendsWindow)
	win.list.Select(slices.IndexFunc(a.data.nginx.friends, func(f friends.Friend) bool { return f.Subject == "silence" }))
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Draft = st.Groups[0].Draft.With(tuitest.Resource(mesh.Route, "name: local_route\nvirtual_hosts: []\n"))
	})
	press(a, "enter")
	shows(t, a, "the draft has changed route local_route meanwhile")
	if len(s.Workspace.Edits) != 0 {
		t.Errorf("edited %v", s.Workspace.Edits)
	}
}

func TestFalseFriendWithoutASetting(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, befriended(s), 150, 40)
	press(a, "F", "g")
	a.overlays[0].(*friendsWindow).list.Select(slices.IndexFunc(a.data.nginx.friends, func(f friends.Friend) bool { return f.Fix == nil }))
	press(a, "enter")
	shows(t, a, "No setting of Envoy's does what nginx does.")
	if len(s.Workspace.Calls) != 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

func TestReadOnlyTakesNoSetting(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.ReadOnly = "process 4711 has it open" })
	a := stage(t, befriended(s), 150, 40)
	press(a, "F", "j", "enter")
	shows(t, a, "process 4711 has it open")
	if len(s.Workspace.Calls) != 0 {
		t.Errorf("asked %q", s.Workspace.Calls)
	}
}

// What is alike needs no window.
func TestNoFalseFriends(t *testing.T) {
	a := stage(t, steady(tuitest.Calm()), 150, 40)
	press(a, "5", "F")
	shows(t, a, "this mesh has none")
	press(a, "n")
	shows(t, a, "no line of this nginx.conf is a false friend")
}

// Enter on a line opens everything about it, with the YAML at the field.
func TestEnterOpensTheNginxLine(t *testing.T) {
	a := stage(t, befriended(tuitest.Calm()), 80, 24)
	press(a, "5", "n", "enter")
	shows(t, a, "nginx.conf, line", "looks alike, and is not")
	press(a, "esc", "esc")
	if a.focus == PanelNginx {
		t.Error("esc does not leave the panel")
	}
}
