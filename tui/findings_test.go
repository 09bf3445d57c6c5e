package tui

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/tui/tuitest"
)

// reported is a scene of an nginx.conf that was opened, with 40 remarks in the
// order in which an import finds them.
func reported() *tuitest.Scene {
	s := tuitest.Calm()
	var notices []mesh.Finding
	for i := range 40 {
		e := importer.Entry{Kind: nginx.Approximate, Directive: fmt.Sprintf("limit_req zone=z%d burst=5", i), File: "/etc/nginx/conf.d/shop.conf", Line: 100 - 2*i,
			Key: mesh.Key{Type: mesh.Route, Name: "listen-8080"}, Reason: "Envoy counts for the route and answers 429, nginx for the key", Instead: "give the descriptor the key"}
		if i%5 == 0 {
			e.Kind, e.Directive, e.Key, e.File = nginx.None, fmt.Sprintf("proxy_cache c%d", i), mesh.Key{}, "/etc/nginx/nginx.conf"
			e.Reason, e.Instead = "Envoy does not cache", "put a cache in front of it"
		}
		notices = append(notices, e.Finding())
	}
	s.Workspace.Set(func(st *engine.State) { st.Notices, st.Name = notices, "nginx.conf" })
	return s
}

func TestGoldenFindings(t *testing.T) {
	for _, sc := range []struct {
		name string
		keys []string
	}{{"findings", []string{"esc", "!"}}, {"findings-filtered", []string{"/", "c", "1", "enter"}}} {
		for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
			a := stage(t, steady(reported()), s[0], s[1])
			press(a, sc.keys...)
			golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
		}
	}
}

func TestFindingsAreSortedAndTold(t *testing.T) {
	a := stage(t, steady(reported()), 150, 40)
	shows(t, a, "Remarks on opening nginx.conf", "8 warnings, 32 notes", "∅ not carried over: proxy_cache c35: Envoy does not cache", "[/etc/nginx/nginx.conf:30]", "→ put a cache in front of it")
	win := a.overlays[0].(*findingsWindow)
	win.make(a, 100)
	for i := 1; i < len(win.all); i++ {
		x, y := &win.all[i-1], &win.all[i]
		if x.Severity < y.Severity || x.Severity == y.Severity && x.File == y.File && x.Line > y.Line {
			t.Fatalf("%v stands before %v", x, y)
		}
	}
	press(a, "G")
	shows(t, a, ":notices shows this list again.", "≈ nearly the same: route listen-8080: limit_req zone=z1 burst=5")
}

func TestFindingsAreFiltered(t *testing.T) {
	a := stage(t, steady(reported()), 150, 40)
	press(a, "/")
	typed(a, "warning c1")
	shows(t, a, "proxy_cache c10", "proxy_cache c15")
	if v := a.View(); strings.Contains(v, "c35") || strings.Contains(v, "limit_req") {
		t.Errorf("what has not all the words is shown:\n%s", v)
	}
	press(a, "enter")
	shows(t, a, "/warning c1 2 of 40", "esc all of them again")
	press(a, "/")
	typed(a, "zz")
	shows(t, a, "None of them has")
	press(a, "esc")
	shows(t, a, "8 warnings, 32 notes")
	press(a, "esc")
	if len(a.overlays) != 0 {
		t.Error("esc does not close the window")
	}
}

// A capital in the filter means it.
func TestFindingsFilterIsSmartAboutCase(t *testing.T) {
	win := &findingsWindow{}
	f := mesh.Finding{Severity: mesh.Note, Message: "Envoy counts"}
	for words, want := range map[string]bool{"envoy": true, "Envoy": true, "ENVOY": false, "counts envoy": true, "counts zebra": false, "": true} {
		win.words = words
		if win.keeps(&f) != want {
			t.Errorf("%q keeps it: %t", words, !want)
		}
	}
}

func TestStartPageTakesAnNginxConf(t *testing.T) {
	p := newStartPage(nil, stage(t, steady(tuitest.Calm()), 80, 24).th)
	p.w, p.h = 60, 20
	if !strings.Contains(p.View(), "nginx.conf") {
		t.Errorf("the start page does not say that an nginx.conf is taken:\n%s", p.View())
	}
}
