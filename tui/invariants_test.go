package tui

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds/truth"
)

// checkFrame: exactly h lines, each exactly w cells, and no control character
// but the styles.
func checkFrame(t *testing.T, a *App, what string) {
	t.Helper()
	lines := strings.Split(a.View(), "\n")
	if len(lines) != a.h {
		t.Fatalf("%s at %d×%d: %d lines", what, a.w, a.h, len(lines))
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n != a.w {
			t.Fatalf("%s at %d×%d: line %d is %d cells wide: %q", what, a.w, a.h, i, n, l)
		}
		for _, r := range ansi.Strip(l) {
			if r < ' ' || r == 0x7f {
				t.Fatalf("%s at %d×%d: line %d holds the control character %q: %q", what, a.w, a.h, i, r, l)
			}
		}
	}
}

// hostileScene has names that try to break the screen.
func hostileScene() *tuitest.Scene {
	evil := "\x1b[2Jab\x07上流 한국\u202e\t" + strings.Repeat("長い名前", 20)
	m := tuitest.Mesh()
	for _, r := range []*mesh.Resource{
		tuitest.Resource(mesh.Cluster, fmt.Sprintf("name: %q\n", evil)),
		tuitest.Resource(mesh.Route, fmt.Sprintf("name: x\nvirtual_hosts:\n- name: vh\n  domains: [%q]\n  routes:\n  - match: { prefix: / }\n    route: { cluster: %q }\n", evil, evil)),
	} {
		m = m.With(r)
	}
	s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m, mesh.Finding{Severity: mesh.Error, Message: evil, Hint: evil,
		Key: mesh.Key{Type: mesh.Cluster, Name: evil}}), Nodes: tuitest.NodesFor(m, evil, "b"), Evidence: tuitest.EvidenceFor(m, evil)}
	s.Workspace.Set(func(st *engine.State) {
		st.Name = evil
		st.ReadOnly = evil
		st.Disk = &engine.DiskChange{At: tuitest.Now, Files: []string{evil, "/x/lds.yaml"}, Changes: 2}
		st.Revisions[1].Outcome = engine.Outcome{Result: engine.Rejected, Detail: evil}
		st.Revisions[1].Note = evil
	})
	return s
}

var scenes = map[string]func() *tuitest.Scene{"calm": tuitest.Calm, "empty": tuitest.Empty, "troubled": tuitest.Troubled, "hostile": hostileScene, "unreadable": unreadable, "grouped": grouped, "kept": keepers, "drafted": drafted, "cautious": cautious,
	"verdicts": tuitest.Verdicts, "others": tuitest.Others, "limited": limited, "stuck": stuckScene}

var invariantKeys = []string{"j", "k", "j", "j", "h", "l", "g", "G", "ctrl+d", "ctrl+u", "tab", "shift+tab", "1", "2", "3", "4", "5", "6", "enter", "esc",
	"/", "a", "x", "上", "?", ":", "d", "p", "R", "N", "w", "m", "z", "P", "[", "]", "space", "+", "-", "u", "y", "n", "D", "q", "o", "s", "!", "pgdown", "backspace", "t", "ctrl+s", "ctrl+o", "ctrl+g", "ctrl+t", "7", "f", "W", "C", "o", "e", "c", "F", "E", "5", "n", "b"}

func TestEveryFrameFits(t *testing.T) {
	sizes := [][2]int{{1, 1}, {2, 3}, {20, 10}, {59, 20}, {60, 19}, {60, 20}, {60, 24}, {61, 33}, {79, 24}, {80, 24}, {81, 25}, {99, 30},
		{119, 30}, {120, 30}, {121, 41}, {150, 40}, {160, 20}, {200, 60}, {400, 120}, {60, 120}, {400, 20}}
	for name, scene := range scenes {
		for _, ascii := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s ascii=%t", name, ascii), func(t *testing.T) {
				random := rand.New(rand.NewSource(42))
				a := stage(t, depsOf(scene()), 80, 24)
				a.th = theme.New(theme.Options{ASCII: ascii})
				for i, s := range sizes {
					if ascii && i%4 != 0 {
						continue // the characters differ, the arithmetic does not
					}
					run(a, tea.WindowSizeMsg{Width: s[0], Height: s[1]})
					checkFrame(t, a, name)
					var pressed []string
					for range 40 {
						k := invariantKeys[random.Intn(len(invariantKeys))]
						pressed = append(pressed, k)
						pressQuietly(a, k)
						checkFrame(t, a, fmt.Sprint(name, pressed))
					}
					for range 4 {
						pressQuietly(a, "esc")
					}
				}
			})
		}
	}
}

// pressQuietly presses a key without running the commands that would leave the
// program or start an editor.
func pressQuietly(a *App, k string) {
	if _, cmd := a.Update(keyMsg(k)); cmd != nil && !a.quitting {
		takeQuietly(a, cmd())
	}
}

// takeQuietly hands in what a command answered, unless it leaves the program.
func takeQuietly(a *App, msg tea.Msg) {
	switch msg := msg.(type) {
	case tea.BatchMsg:
		for _, cmd := range msg {
			if cmd != nil {
				takeQuietly(a, cmd())
			}
		}
	case dataMsg, intentDoneMsg, openMsg, forecastMsg, shotMsg, nginxShotMsg, volleyMsg, samplesMsg, showMsg, planMsg:
		if _, next := a.Update(msg); next != nil {
			a.Update(next()) // the tester asks, or sends the next
		}
	}
}

// hostileAnswer tries to break the screen from a backend.
func hostileAnswer(r match.Request) Tried {
	evil := "\x1b[2J\x07上流\u202e\t\r\n" + strings.Repeat("長い名前", 40)
	return Tried{Status: 200, Proto: evil, Location: evil, Answered: evil, Body: evil + strings.Repeat(evil+"\n", 30), Err: evil,
		Headers: []routes.Header{{Name: evil, Value: evil}}, Moved: []Moved{{Cluster: evil, Endpoint: evil, Requests: 3}}, Busy: len(r.Path)%2 == 0}
}

// TestEveryTryFrameFits: the tester at all sizes, with whatever is typed.
func TestEveryTryFrameFits(t *testing.T) {
	keys := []string{"a", "/", "上", ":", "?", "\x1b", "1", "space", "tab", "tab", "shift+tab", "up", "down", "pgdown", "pgup", "enter", "enter", "ctrl+t",
		"backspace", "left", "right", "home", "ctrl+u", "j", "k", "G", "g", "esc", "t", "ctrl+s", "ctrl+o", "ctrl+g", "f1", "x", "ctrl+n"}
	sizes := [][2]int{{20, 10}, {60, 20}, {60, 24}, {80, 24}, {109, 24}, {110, 24}, {150, 40}, {400, 20}, {61, 90}}
	for _, name := range []string{"calm", "empty", "hostile", "kept", "drafted"} {
		scene := scenes[name]
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewSource(7))
			d := depsOf(scene())
			d.Trier = by(hostileAnswer)
			d.Nginx = &tuitest.Nginx[NginxState, Tried]{Is: NginxState{Program: "\x1b[2J上流", Err: "\x1b[2J"}, Answer: hostileAnswer}
			a := stage(t, d, 80, 24)
			for _, s := range sizes {
				run(a, tea.WindowSizeMsg{Width: s[0], Height: s[1]})
				pressQuietly(a, "2")
				pressQuietly(a, "t")
				var pressed []string
				for range 30 {
					k := keys[random.Intn(len(keys))]
					pressed = append(pressed, k)
					pressQuietly(a, k)
					checkFrame(t, a, fmt.Sprint(name, pressed))
				}
				for range 4 {
					pressQuietly(a, "esc")
				}
			}
		})
	}
}

func TestTooSmallSaysWhatItNeeds(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 20, 10)
	got := strings.Join(strings.Fields(a.View()), " ")
	if !strings.Contains(got, "needs at least 60×20; now 20×10") {
		t.Errorf("the screen says %q", got)
	}
}

// BenchmarkFrame is Update and View of one key at 200×60; the time with 10,000
// endpoints must not exceed 1.2 times that with 100.
func BenchmarkFrame(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			m := tuitest.Large(n)
			s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
			a := stage(b, depsOf(s), 200, 60)
			a.th = theme.New(theme.Options{})
			press(a, "4")
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				k := "j"
				if i/40%2 == 1 {
					k = "k"
				}
				a.Update(keyMsg(k))
				_ = a.View()
			}
		})
	}
}

// BenchmarkData is what the event loop does with a new picture: it must not
// grow with the mesh either.
func BenchmarkData(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", n), func(b *testing.B) {
			m := tuitest.Large(n)
			s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
			a := stage(b, depsOf(s), 200, 60)
			press(a, "4", "j", "j")
			b.ResetTimer()
			for i := range b.N {
				d := *a.data
				d.seq += uint64(i) + 1
				a.Update(dataMsg{data: &d})
				a.Update(clockMsg(time.Time{}))
				_ = a.View()
			}
		})
	}
}

// BenchmarkNodesFrame is Update and View of one key on the nodes screen: the time
// with 10,000 resources must not exceed 1.2 times that with 100.
func BenchmarkNodesFrame(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("resources=%d", n), func(b *testing.B) {
			m := tuitest.Mesh()
			s := &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
			one := &truth.Node{ID: "envoy-1", Connected: true, Seen: tuitest.Now}
			for i := range n {
				one.Resources = append(one.Resources, truth.Resource{Key: mesh.Key{Type: mesh.Cluster, Name: fmt.Sprintf("cluster-%d", i)},
					Verdict: truth.Active, Says: "active", Served: truth.Mark{At: tuitest.Now, Source: truth.Stream}})
			}
			s.Said = map[string]*truth.Node{"envoy-1": one}
			a := stage(b, depsOf(s), 200, 60)
			a.th = theme.New(theme.Options{})
			press(a, "N")
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				k := "j"
				if i/40%2 == 1 {
					k = "k"
				}
				a.Update(keyMsg(k))
				_ = a.View()
			}
		})
	}
}
