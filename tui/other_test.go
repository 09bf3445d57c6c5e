package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/tuitest"
)

func TestGoldenOthers(t *testing.T) {
	for _, s := range [][2]int{{120, 30}, {80, 24}, {60, 24}} {
		a := stage(t, steady(tuitest.Others()), s[0], s[1])
		press(a, "7", "j", "j")
		golden(t, fmt.Sprintf("other-%dx%d", s[0], s[1]), a.View())
	}
	a := stage(t, steady(tuitest.Calm()), 80, 24)
	press(a, "7")
	golden(t, "other-none-80x24", a.View())
}

// Every type has a home: a pane, or a heading among the others.
func TestEveryTypeHasAHome(t *testing.T) {
	for _, ty := range mesh.Types() {
		if paneOf(ty) != panels {
			continue
		}
		found := false
		for _, o := range otherTypes {
			found = found || o.t == ty
		}
		if !found {
			t.Errorf("%s has no home on the screen", ty)
		}
	}
}

func TestOthersAreNotAmongTheListeners(t *testing.T) {
	a := stage(t, depsOf(tuitest.Others()), 150, 40)
	for _, r := range a.data.outline.Rows[outline.LDS] {
		if r.Key.Type != mesh.Listener {
			t.Errorf("%s is listed among the listeners", r.Key)
		}
	}
	shows(t, a, "7: 6 others")
}

// toOther puts the cursor of the other resources' screen on a row.
func toOther(t *testing.T, a *App, k mesh.Key) {
	t.Helper()
	press(a, "7")
	s := a.screen.(*otherScreen)
	for range 20 {
		if s.current(a); s.at == k {
			return
		}
		press(a, "j")
	}
	t.Fatalf("%s is not reached:\n%s", k, a.View())
}

func TestOthersAreEdited(t *testing.T) {
	faults := mesh.Key{Type: mesh.Extension, Name: "faults"}
	s := tuitest.Others()
	a := stage(t, depsOf(s), 120, 30)
	toOther(t, a, faults)
	shows(t, a, "HTTPFault", "● active", "ECDS extensions")
	press(a, "D", "enter")
	press(a, "x", "x")
	want := []engine.Edit{engine.Duplicate{Key: faults, Name: "faults-copy"}, engine.Remove{Key: faults}}
	if diff := cmp.Diff(want, s.Workspace.Edits); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	_, cmd := a.Update(keyMsg("e"))
	if ready, ok := cmd().(editReadyMsg); !ok || ready.job.was != faults || !strings.Contains(ready.job.text, "HTTPFault") {
		t.Errorf("e edits %#v", ready)
	}
}

// A new resource is of the type that the cursor is on, heading or not.
func TestNewOther(t *testing.T) {
	for _, k := range []mesh.Key{{Type: mesh.Secret}, {Type: mesh.Secret, Name: "upstream_ca"}, {Type: mesh.VirtualHost}, {Type: mesh.ScopedRoute}, {Type: mesh.Extension}, {Type: mesh.Runtime, Name: "rt0"}} {
		a := stage(t, depsOf(tuitest.Others()), 120, 30)
		toOther(t, a, k)
		press(a, "n")
		shows(t, a, "New "+k.Type.String())
		if k.Type == mesh.VirtualHost {
			shows(t, a, "ROUTECONFIG/HOST")
		}
		ready, ok := a.overlays[0].(*prompt).do(a, "fresh")().(editReadyMsg)
		if !ok || ready.job.t != k.Type || ready.job.text != engine.Template(k.Type, "fresh") || ready.job.text == "" {
			t.Errorf("%s: %#v", k.Type, ready.job)
		}
	}
}

// Deleting says who names it and what its absence does.
func TestDeletingAnOtherSaysWhatItDoes(t *testing.T) {
	for _, k := range []mesh.Key{{Type: mesh.Secret, Name: "www_cert"}, {Type: mesh.VirtualHost, Name: "local_route/late.example.com"},
		{Type: mesh.ScopedRoute, Name: "tenant-a"}, {Type: mesh.Extension, Name: "faults"}, {Type: mesh.Runtime, Name: "rt0"}} {
		a := stage(t, depsOf(tuitest.Others()), 120, 30)
		if a.consequence(k.Type, nil) == "" {
			t.Errorf("%s: nothing is said", k)
		}
		toOther(t, a, k)
		press(a, "x")
		shows(t, a, "Delete "+k.String())
	}
}

func TestTheCursorGoesToANewOther(t *testing.T) {
	s := tuitest.Others()
	a := stage(t, depsOf(s), 120, 30)
	toOther(t, a, mesh.Key{Type: mesh.Secret})
	a.made = mesh.Key{Type: mesh.Runtime, Name: "rt1"}
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Draft = st.Groups[0].Draft.With(tuitest.Resource(mesh.Runtime, "name: rt1\nlayer: { a: 1 }\n"))
	})
	run(a, dataMsg{data: a.maker.make(a.group, a.node)})
	_ = a.View()
	if r := a.selected(); r == nil || r.Key.Name != "rt1" || !a.made.IsZero() {
		t.Errorf("the cursor is on %+v", r)
	}
}

// What is amiss with the files of a secret is said with the secret, in the list
// of findings and, where it is an error, in a bar.
func TestTroubleWithSecretsIsSaid(t *testing.T) {
	s := tuitest.Others()
	d := depsOf(s)
	found := []mesh.Finding{{Severity: mesh.Error, Key: mesh.Key{Type: mesh.Secret, Name: "upstream_ca"}, Path: "validation_context.trusted_ca.filename",
		Message: "/etc/ssl/ca.pem cannot be read", Hint: "make it readable"}}
	d.Findings = func() []mesh.Finding { return found }
	a := stage(t, d, 120, 30)
	shows(t, a, "secret upstream_ca: /etc/ssl/ca.pem cannot be read")
	press(a, "!")
	shows(t, a, "make it readable")
	press(a, "esc")
	toOther(t, a, found[0].Key)
	shows(t, a, "1 error", "make it readable")
	found = nil
	run(a, dataMsg{data: a.maker.make(a.group, a.node)})
	if strings.Contains(a.View(), "1 error") {
		t.Errorf("it is said when it is mended:\n%s", a.View())
	}
}

// A diff shows no private key, and says when that is all that differs.
func TestDiffsShowNoKeys(t *testing.T) {
	s := tuitest.Others()
	k := mesh.Key{Type: mesh.Secret, Name: "www_cert"}
	change := func(old, put string) {
		s.Workspace.Set(func(st *engine.State) {
			live := st.Groups[0].Live
			st.Groups[0].Draft = live.With(tuitest.Resource(mesh.Secret, strings.Replace(live.Get(k).Source.Text, old, put, 1)))
			st.Groups[0].Changes = mesh.DiffText(live, st.Groups[0].Draft)
			st.Draft = 1
		})
	}
	change(tuitest.PrivateKey, "MC4CNewKeyNewKey")
	a := stage(t, depsOf(s), 120, 40)
	press(a, "d")
	shows(t, a, "only private keys differ")
	if v := a.View(); strings.Contains(v, "NewKeyNewKey") || strings.Contains(v, tuitest.PrivateKey) {
		t.Errorf("a key is shown:\n%s", v)
	}
	change("-----BEGIN CERTIFICATE-----", "-----BEGIN ANOTHER-----")
	a = stage(t, depsOf(s), 120, 40)
	press(a, "d")
	shows(t, a, "BEGIN ANOTHER")
	if strings.Contains(a.View(), tuitest.PrivateKey) {
		t.Errorf("a key is shown:\n%s", a.View())
	}
}
