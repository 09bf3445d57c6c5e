package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

// by is a Trier that answers at once with what a test says.
func by(answer func(r match.Request) Tried) *tuitest.Trier[Tried] {
	t := tuitest.NewTrier[Tried]()
	t.AtOnce = func(node string, r match.Request) Tried {
		got := answer(r)
		got.Node, got.Sent, got.Address = node, r, "127.0.0.1:10000"
		return got
	}
	return t
}

// fine is the answer that the example's mesh leads one to expect.
func fine(match.Request) Tried {
	return Tried{Status: 200, Proto: "HTTP/1.1", Answered: "127.0.0.1:9001 (app-v1-a)", Took: 1200 * time.Microsecond,
		Headers: []routes.Header{{Name: "content-type", Value: "text/plain"}, {Name: "server", Value: "envoy"}}, Body: "hello from app-v1-a\n",
		Moved: []Moved{{Cluster: "app", Endpoint: "127.0.0.1:9001", Requests: 1}}}
}

// tried is a tester on a scene, opened at /foo of the example, on its way to app.
func tried(t testing.TB, s *tuitest.Scene, trier Trier, w, h int) *App {
	t.Helper()
	d := steady(s)
	d.Trier = trier
	a := stage(t, d, w, h)
	press(a, "2", "g", "j", "j", "t")
	return a
}

// drafted is a calm scene whose draft sends /foo to legacy.
func drafted() *tuitest.Scene {
	live := tuitest.Mesh()
	draft := live.With(tuitest.Resource(mesh.Route, `name: local_route
virtual_hosts:
- name: shop
  domains: [www.example.com]
  retry_policy: { retry_on: connect-failure, num_retries: 2 }
  routes:
  - match: { prefix: /foo }
    route: { cluster: legacy, timeout: 5s }
  - match: { prefix: / }
    route: { cluster: legacy }
`))
	return &tuitest.Scene{Workspace: tuitest.NewWorkspace(live, draft), Nodes: tuitest.NodesFor(live, "envoy-1"), Evidence: tuitest.EvidenceFor(live, "envoy-1")}
}

func TestTryIsFilledFromTheRoute(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	shows(t, a, "host www.example.com", "path /foo", "listener web", "route 0 path /foo starts with /foo", "app 90% 127.0.0.1:9001 ● healthy, 127.0.0.1:9002 ✗ refused", "app-v2 10% 127.0.0.1:9003",
		"takes it: path /foo starts with /foo", "path /foo is not /health", "→ shop ▸ 2 / next in line: ")
	press(a, "esc", "j", "j", "j", "t") // the next route
	shows(t, a, "path /health", "direct response")
}

// What is typed is predicted on at once, and is there again after the tester
// was closed; another route's request does not lose it.
func TestTryKeepsWhatIsTyped(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	typed(a, "d")
	shows(t, a, "path /food", "path /food starts with /foo")
	press(a, "shift+tab")
	typed(a, ".evil")
	shows(t, a, "404 not found", "no virtual host has a domain", "route_not_found")
	press(a, "esc", "t")
	shows(t, a, "host www.example.com.evil", "path /food")
	press(a, "esc", "j", "j", "j", "t", "ctrl+o")
	shows(t, a, "typed before: GET www.example.com.evil/food")
	press(a, "enter")
	shows(t, a, "host www.example.com.evil", "path /food")
}

func TestLettersAreTypedAndNotCommands(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 80, 24)
	typed(a, "?q=:jkgGtdpP[]{}!")
	if got := a.try.form.text(fieldPath); got != "/foo?q=:jkgGtdpP[]{}!" || len(a.overlays) != 0 || a.frozen {
		t.Errorf("path %q, %d overlays, frozen %t", got, len(a.overlays), a.frozen)
	}
	press(a, "f1")
	if len(a.overlays) != 1 {
		t.Error("f1 opens no help while a field is typed in")
	}
	press(a, "esc", "tab", "tab", "tab", "tab", "tab", "?")
	if len(a.overlays) != 1 {
		t.Error("? opens no help among the reasons")
	}
}

func TestFields(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	press(a, "shift+tab", "shift+tab", "space") // GET → POST
	press(a, "tab", "tab", "tab", "space")      // web is the only listener with HTTP
	press(a, "backspace", "backspace", "backspace")
	typed(a, ":10000")
	press(a, "tab")
	typed(a, "a.example.com")
	press(a, "tab")
	typed(a, "95")
	press(a, "tab")
	typed(a, "X-Canary: yes")
	press(a, "tab")
	typed(a, "cookie: a=1; b=2")
	r, wrong := a.try.form.request()
	want := match.Request{Method: "POST", Host: "www.example.com", Path: "/foo", Port: 10000, TLS: true, SNI: "a.example.com",
		Headers: []routes.Header{{Name: "X-Canary", Value: "yes"}, {Name: "cookie", Value: "a=1; b=2"}}}
	if r.Random == nil || *r.Random != 95 {
		t.Errorf("random %v", r.Random)
	}
	r.Random = nil
	if !slices.Equal(r.Headers, want.Headers) || len(wrong) > 0 {
		t.Errorf("headers %v, wrong %q", r.Headers, wrong)
	}
	r.Headers, want.Headers = nil, nil
	if got, want := requestText(r)+listenerText(r)+r.SNI, requestText(want)+listenerText(want)+want.SNI; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	typed(a, "zz")
	press(a, "tab")
	typed(a, "nonsense")
	shows(t, a, `header: "nonsense" is not written as name: value`)
	if ok, _ := canKeep(a); ok {
		t.Error("a request that cannot be read can be kept")
	}
}

func TestAURLIsTakenApart(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("http://shop.example.com:10000/a%20b?x=1\n"), Paste: true})
	r, _ := a.try.form.request()
	if r.Host != "shop.example.com:10000" || r.Path != "/a%20b?x=1" || r.Port != 10000 || r.TLS {
		t.Errorf("%+v", r)
	}
	press(a, "ctrl+u")
	run(a, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("/plain"), Paste: true})
	if got := a.try.form.text(fieldPath); got != "/plain" {
		t.Errorf("path %q", got)
	}
}

func TestTheRouteIsShownInThePanes(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	press(a, "backspace", "backspace", "backspace", "backspace")
	typed(a, "/bar")
	press(a, "ctrl+g")
	if r := a.selected(); a.screen != nil || a.focus != PanelRDS || r == nil || r.Path != "virtual_hosts[0].routes[2]" {
		t.Fatalf("on %+v", r)
	}
	if r := a.current(2); r.Key.Name != "legacy" {
		t.Errorf("the thread leads to %s", r.Key)
	}
	press(a, "t", "tab", "tab", "tab", "tab", "tab", "g", "j", "ctrl+g") // the second reason: /health
	if r := a.selected(); r == nil || r.Path != "virtual_hosts[0].routes[1]" {
		t.Errorf("on %+v", r)
	}
}

func TestTheRoutePaneTellsOfTheTester(t *testing.T) {
	a := stage(t, steady(tuitest.Calm()), 80, 24)
	press(a, "2", "g", "j", "j")
	shows(t, a, "t: try a request here")
	press(a, "1")
	if strings.Contains(a.View(), "try a request here") {
		t.Error("a listener is no route")
	}
}

// While letters are typed, the footer names no letter as a key.
func TestTheFooterNamesKeysThatWork(t *testing.T) {
	a := tried(t, tuitest.Calm(), by(fine), 150, 40)
	lines := strings.Split(a.View(), "\n")
	if foot := lines[len(lines)-1]; strings.Contains(foot, ": command") || !strings.Contains(foot, "ctrl+p command") || !strings.Contains(foot, "f1 help") {
		t.Errorf("while typing: %q", foot)
	}
	press(a, "tab", "tab", "tab", "tab", "tab")
	lines = strings.Split(a.View(), "\n")
	if foot := lines[len(lines)-1]; !strings.Contains(foot, ": command") || !strings.Contains(foot, "? help") {
		t.Errorf("among the reasons: %q", foot)
	}
}

// The row under the cursor is seen whole, however narrow the screen is.
func TestTheReasonUnderTheCursorIsWhole(t *testing.T) {
	a := tried(t, tuitest.Calm(), by(fine), 60, 24)
	press(a, "tab", "tab", "tab", "tab", "tab", "G")
	v := strings.Join(strings.Fields(strings.ReplaceAll(a.View(), "│", " ")), " ")
	if want := a.try.reason(a, 2).text; len(want) < 50 || !strings.Contains(v, want) {
		t.Errorf("%q is not seen whole:\n%s", want, a.View())
	}
	press(a, "g", "k", "k", "k", "k", "k", "k", "k", "k", "k")
	shows(t, a, "│ predicted", "│ listener web")
}

// manyRoutes is a scene with a virtual host of n routes.
func manyRoutes(n int) *tuitest.Scene {
	var b strings.Builder
	b.WriteString("name: local_route\nvirtual_hosts:\n- name: shop\n  domains: [www.example.com]\n  routes:\n")
	for i := range n {
		b.WriteString("  - match: { prefix: /r" + itoa(i) + "/ }\n    route: { cluster: app }\n")
	}
	m := tuitest.Mesh().With(tuitest.Resource(mesh.Route, b.String()))
	return &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
}

// Among very many routes, the one that takes the request is in sight at once.
func TestTheReasonsBeginAtTheWinner(t *testing.T) {
	a := tried(t, manyRoutes(500), nil, 80, 24)
	press(a, "ctrl+u")
	typed(a, "/r444/")
	press(a, "tab", "tab", "tab", "tab", "tab")
	shows(t, a, "● shop ▸ 444 /r444/", "shop ▸ 443 /r443/", "shop ▸ 446 /r446/")
	press(a, "g")
	shows(t, a, "shop ▸ 0 /r0/")
}

// Typing asks the same matcher again: it is compiled once a mesh.
func TestTypingCompilesNothing(t *testing.T) {
	a := tried(t, manyRoutes(100), nil, 150, 40)
	before := a.data.draftWays.get()
	typed(a, "abc")
	if a.data.draftWays.get() != before || a.try.seen.request.Path != "/r0/abc" {
		t.Errorf("another matcher, or %q", a.try.seen.request.Path)
	}
	run(a, a.loadCmd()())
	if a.data.draftWays.get() != before {
		t.Error("a new picture of the same mesh has another matcher")
	}
}

// BenchmarkTryFrame is a letter typed into the tester at 200×60: what the event
// loop does, and with ask what is done beside it. The loop's part must not grow
// with the routes.
func BenchmarkTryFrame(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		for _, ask := range []bool{false, true} {
			b.Run("routes="+itoa(n)+map[bool]string{true: " and asking"}[ask], func(b *testing.B) {
				a := tried(b, manyRoutes(n), nil, 200, 60)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					k := "x"
					if i%2 == 1 {
						k = "backspace"
					}
					_, cmd := a.Update(keyMsg(k))
					if ask {
						a.Update(cmd())
					} else {
						a.try.asking = false
					}
					_ = a.View()
				}
			})
		}
	}
}

// A route that an earlier one shadows is told of at once.
func TestAShadowedRouteIsTold(t *testing.T) {
	m := tuitest.Mesh().With(tuitest.Resource(mesh.Route, `name: local_route
virtual_hosts:
- name: shop
  domains: ["*"]
  routes:
  - match: { prefix: / }
    route: { cluster: legacy }
  - match: { prefix: /foo }
    route: { cluster: app }
`))
	s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
	a := stage(t, steady(s), 150, 40)
	press(a, "2", "g", "j", "j", "j", "t")
	shows(t, a, "▲ not the route that you came from: ", "path /foo starts with /")
	typed(a, "d") // then it is the operator's own request
	if strings.Contains(a.View(), "you came from") {
		t.Error("it is said of what was typed")
	}
}

func TestATCPListenerPassesBytesOn(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	press(a, "tab", "ctrl+u")
	typed(a, "raw")
	shows(t, a, "listener raw", "cluster legacy", "bytes are passed on")
}

func TestTryStartsWithARouteWhereverTheCursorIs(t *testing.T) {
	for _, keys := range [][]string{{"1", "G", "t"}, {"2", "g", "t"}, {"3", "t"}, {"4", "G", "t"}, {"5", "t"}, {"6", "t"}} {
		a := stage(t, steady(tuitest.Calm()), 150, 40)
		press(a, keys...)
		if r := a.try.seen.request; r.Host != "www.example.com" || r.Listener != "web" {
			t.Errorf("%v: %+v", keys, r)
		}
	}
	a := stage(t, steady(tuitest.Empty()), 150, 40)
	press(a, "t")
	shows(t, a, "host localhost", "no listener")
}

func TestAllReasonsOfNoRoute(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	press(a, "shift+tab", "ctrl+u")
	typed(a, "elsewhere.org")
	shows(t, a, "why none takes it", "404 not found")
}
