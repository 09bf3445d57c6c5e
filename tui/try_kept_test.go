package tui

import (
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

// keepers is a calm scene with requests that are kept.
func keepers() *tuitest.Scene {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		st.KeptFile = "/srv/shop/requests.yaml"
		st.Kept = []kept.Request{
			{Name: "foo", Ask: match.Request{Host: "www.example.com", Path: "/foo", Listener: "web"}, Expect: kept.Expect{VirtualHost: "shop", Cluster: "app=90,app-v2=10"}},
			{Name: "the root", Ask: match.Request{Host: "www.example.com", Path: "/", Listener: "web"}, Expect: kept.Expect{Cluster: "app"}}}
	})
	return s
}

func TestKeptRequests(t *testing.T) {
	s := keepers()
	a := tried(t, s, by(fine), 150, 40)
	shows(t, a, "2 kept, 1 not as expected")
	press(a, "ctrl+o")
	shows(t, a, "✓ foo", "✗ the root", "expected app, found legacy", "requests.yaml")
	press(a, "a")
	shows(t, a, "✓ 200 as live", "✗ 200, not as live")
	press(a, "j", "x")
	shows(t, a, "Forget the root?")
	press(a, "x", "esc")
	if got := s.Workspace.Calls; !slices.Equal(got, []string{"forget the root"}) {
		t.Errorf("asked %q", got)
	}
	shows(t, a, "1 kept, all as expected")
	press(a, "ctrl+u")
	typed(a, "/new")
	press(a, "ctrl+s")
	shows(t, a, "Keep this request", "Expected from now on: route, virtual host shop")
	press(a, "enter")
	if n := len(s.Workspace.State().Kept); n != 2 {
		t.Fatalf("%d kept, asked %q", n, s.Workspace.Calls)
	}
	press(a, "ctrl+o", "enter")
	shows(t, a, "path /foo")
	press(a, "ctrl+s")
	typed(a, "x")
	for range 40 {
		press(a, "backspace")
	}
	typed(a, "foo")
	press(a, "enter")
	shows(t, a, "Replace foo?")
	press(a, "r")
	if calls := s.Workspace.Calls; calls[len(calls)-1] != "keep foo" {
		t.Errorf("asked %q", calls)
	}
}

func TestAPushSaysWhatMoves(t *testing.T) {
	s := drafted()
	a := stage(t, steady(s), 100, 30)
	press(a, "d")
	shows(t, a, "No request is kept. t tries one")
	s.Workspace.Set(func(st *engine.State) { st.Kept = keepers().Workspace.State().Kept })
	a = stage(t, steady(s), 100, 30)
	press(a, "p")
	shows(t, a, "no kept request changes its target or policies (2 kept)")
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Moved = []kept.Move{{Request: st.Kept[0], From: "web ▸ shop ▸ prefix /foo ▸ app 90, app-v2 10", To: "web ▸ shop ▸ prefix /foo ▸ legacy"}}
	})
	a = stage(t, steady(s), 100, 30)
	for _, k := range []string{"d", "p"} {
		press(a, k)
		shows(t, a, "1 of 2 kept requests would go elsewhere", "from web ▸ shop ▸ prefix /foo ▸ app 90, app-v2 10", "to web ▸ shop ▸ prefix /foo ▸ legacy")
		v := a.View()
		if moved, text := strings.Index(v, "would go elsewhere"), strings.Index(v, "local_route"); k == "d" && moved > text {
			t.Error("the behaviour stands behind the text")
		}
	}
}

// A request that keeps its target but not its policies is no request that goes
// elsewhere, and is told all the same, behind those that do.
func TestAPushSaysWhatElseChanges(t *testing.T) {
	s := drafted()
	policies := kept.Move{From: "web ▸ shop ▸ prefix / ▸ legacy", To: "web ▸ shop ▸ prefix / ▸ legacy", Why: []string{"timeout: 15s → 1s"}, Rest: []string{"timeout: 15s → 1s"}}
	fails := kept.Move{From: "web ▸ shop ▸ prefix /foo ▸ app 90, app-v2 10", To: "web ▸ shop ▸ prefix /foo ▸ app 90, app-v2 10 (not in the mesh: 503)",
		Why: []string{"cluster app-v2: can answer → not in the mesh: 503", "mirror: none → copy"}, Rest: []string{"mirror: none → copy"}}
	set := func(moved ...kept.Move) {
		s.Workspace.Set(func(st *engine.State) {
			st.Kept = keepers().Workspace.State().Kept
			st.Groups[0].Moved = moved
			for i := range moved {
				moved[i].Request.Name = []string{"the root", "foo"}[i]
			}
		})
	}
	for _, k := range []string{"d", "p"} {
		set(policies)
		a := stage(t, steady(s), 100, 30)
		press(a, k)
		shows(t, a, "1 of 2 kept requests would keep their target, and change otherwise:", "timeout: 15s → 1s")
		set(policies, fails)
		a = stage(t, steady(s), 100, 30)
		press(a, k)
		shows(t, a, "1 of 2 kept requests would go elsewhere, 1 would change otherwise:", "app-v2 10 (not in the mesh: 503)", "mirror: none → copy")
		if v := a.View(); strings.Index(v, "timeout: 15s") < strings.Index(v, "not in the mesh: 503") {
			t.Errorf("what goes elsewhere stands behind what does not:\n%s", v)
		}
	}
}

// With nothing kept, a sample for each route still tells what a push moves.
func TestSamplesTellWhatMoves(t *testing.T) {
	a := stage(t, steady(drafted()), 100, 30)
	press(a, "d")
	shows(t, a, "No request is kept", "2 of 3 sample requests, one for each route, would go elsewhere, 1 would change otherwise:", "GET www.example.com/foo", "from web ▸ shop ▸ prefix /foo ▸ app 90, app-v2 10",
		"to web ▸ shop ▸ prefix /foo ▸ legacy", "timeout: 15s → 5s", "retry: none → 2 retries on connect-failure")
	press(a, "p")
	shows(t, a, "2 of 3 sample requests, one for each route, would go elsewhere, 1 would change", "otherwise; d lists them")
	press(a, "esc", "esc")
	before := a.samples
	if press(a, "d"); a.samples != before {
		t.Error("the same draft was sampled twice")
	}
}

func TestAnEndpointsEditMovesNoRequest(t *testing.T) {
	live := tuitest.Mesh()
	draft := live.With(tuitest.Resource(mesh.Endpoints, "cluster_name: app\nendpoints:\n- lb_endpoints:\n  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } }\n"))
	s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(live, draft), Nodes: tuitest.NodesFor(live, "envoy-1"), Evidence: tuitest.EvidenceFor(live, "envoy-1")}
	a := stage(t, steady(s), 100, 30)
	press(a, "p")
	shows(t, a, "✓ no sample request changes its target")
}

// What a kept request has beyond the fields is seen, and is not lost.
func TestWhatIsInNoFieldIsKept(t *testing.T) {
	s := keepers()
	s.Workspace.Set(func(st *engine.State) {
		st.Kept = []kept.Request{{Name: "h2", Ask: match.Request{Host: "www.example.com", Path: "/foo", Listener: "web", HTTP2: true, ALPN: []string{"h2"}, Runtime: map[string]float64{"a.b": 3}}}}
	})
	a := tried(t, s, nil, 150, 40)
	press(a, "ctrl+o", "enter")
	shows(t, a, "also HTTP/2, ALPN h2, runtime a.b=3")
	if r, _ := a.try.form.request(); !r.HTTP2 || r.Runtime["a.b"] != 3 {
		t.Errorf("%+v", r)
	}
}
