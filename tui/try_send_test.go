package tui

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

func TestSentAndAsPredicted(t *testing.T) {
	trier := by(fine)
	a := tried(t, tuitest.Calm(), trier, 150, 40)
	press(a, "enter")
	shows(t, a, "✓ as predicted: 200 OK from 127.0.0.1:9001 (app-v1-a) in 1.2 ms", "observed on envoy-1, 127.0.0.1:10000", "content-type: text/plain", "hello from app-v1-a")
	if got := trier.Sent(); len(got) != 1 || got[0].Node != "envoy-1" || got[0].Request.Path != "/foo" {
		t.Errorf("sent %+v", got)
	}
	typed(a, "x")
	shows(t, a, "that was GET www.example.com/foo; the form has changed since")
}

func TestADifferenceIsSaid(t *testing.T) {
	a := tried(t, tuitest.Calm(), by(func(match.Request) Tried {
		return Tried{Status: 200, Answered: "127.0.0.1:9009 (legacy)", Moved: []Moved{{Cluster: "legacy", Endpoint: "127.0.0.1:9009", Requests: 1}}}
	}), 150, 40)
	press(a, "enter")
	shows(t, a, "✗ not as predicted", "predicted cluster app or app-v2, but the counters of legacy moved")
}

// A proxy draws its own random value: another share of the weights than the
// one that was typed is no difference.
func TestTheRandomValueIsTheProxysOwn(t *testing.T) {
	a := tried(t, tuitest.Calm(), by(fine), 150, 40)
	press(a, "tab", "tab", "tab")
	typed(a, "95")
	shows(t, a, "weight 10 of 100, random value 95")
	press(a, "enter")
	shows(t, a, "✓ as predicted", "draws its own random value: each of app 90%, app-v2 10%")
}

func TestNotSentIsNotPredicted(t *testing.T) {
	d := steady(tuitest.Calm())
	trier := tuitest.NewTrier[Tried]()
	trier.AtOnce = func(string, match.Request) Tried { return Tried{Err: "nothing listens on port 443"} }
	d.Trier = trier
	a := stage(t, d, 150, 40)
	press(a, "2", "g", "j", "j", "t", "tab", "ctrl+u", "4", "4", "3", "enter")
	shows(t, a, "▲ not sent: nothing listens on port 443")
	if strings.Contains(a.View(), "as predicted") {
		t.Error("what was not sent is said to be as predicted")
	}
}

func TestACaveatMayExplainADifference(t *testing.T) {
	a := tried(t, cautious(), by(func(match.Request) Tried {
		return Tried{Status: 200, Moved: []Moved{{Cluster: "legacy", Requests: 1}}}
	}), 150, 40)
	press(a, "enter")
	shows(t, a, "✗ not as predicted", "what may explain it:", "▲ filter lua runs a script")
}

// A failure that the proxy answers itself proves nothing about the way, and
// neither do counters that the load moves meanwhile.
func TestWhoAnsweredMatters(t *testing.T) {
	load := []Moved{{Cluster: "legacy", Endpoint: "127.0.0.1:9009", Requests: 1}}
	for _, tt := range []struct {
		tried Tried
		want  string
	}{
		{Tried{Status: 503, Answered: "Envoy", Moved: []Moved{}}, "▲ 503 Service Unavailable, by Envoy itself: the way is as predicted as far as can be seen, but no endpoint answered"},
		{Tried{Status: 503, Answered: "Envoy", Moved: load}, "by Envoy itself"},
		{Tried{Status: 200, Answered: "", Busy: true, Moved: load}, "who answered is not known"},
		{Tried{Status: 200, Answered: "127.0.0.1:9009", Busy: true, Moved: load}, "who answered is not known"},
		{Tried{Status: 503, Moved: load, Headers: []routes.Header{{Name: "X-Envoy-Upstream-Service-Time", Value: "3"}}}, "✗ not as predicted"},
		{Tried{Status: 404, Answered: "Envoy", Moved: []Moved{}}, "✗ not as predicted"},
	} {
		a := tried(t, tuitest.Calm(), by(func(match.Request) Tried { return tt.tried }), 150, 40)
		press(a, "enter")
		shows(t, a, tt.want)
	}
}

func TestOtherTrafficMovesTheCountersToo(t *testing.T) {
	a := tried(t, tuitest.Calm(), by(func(r match.Request) Tried {
		f := fine(r)
		f.Busy, f.Moved = true, append(f.Moved, Moved{Cluster: "legacy", Endpoint: "127.0.0.1:9009", Requests: 44})
		return f
	}), 150, 40)
	press(a, "enter")
	shows(t, a, "✓ as predicted", "more than this request was counted")
}

// The Envoys have the live mesh: that a draft says otherwise is no fault.
func TestADraftThatIsNotPushedIsNoFault(t *testing.T) {
	a := tried(t, drafted(), by(fine), 150, 40)
	shows(t, a, "Try a request on the draft", "timeout: 5s (route)", "retry: 2 retries on connect-failure", "on live web ▸ shop", "a push changes")
	press(a, "enter")
	shows(t, a, "as the live mesh says", "not pushed yet", "That is no fault", "≠ predicted cluster legacy")
	if v := a.View(); strings.Contains(v, "✗") {
		t.Errorf("it is drawn as a fault:\n%s", v)
	}
	press(a, "ctrl+t")
	shows(t, a, "Try a request on the live mesh", "app-v2 10%", "on the draft web ▸ shop", "✓ as predicted", "the draft, which is not pushed yet, says otherwise")
}

// A draft that says what is live is none, whoever made the meshes.
func TestADraftThatSaysTheSameIsNone(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		g := &st.Groups[0]
		twin, err := mesh.New(g.Live.All()...)
		if err != nil {
			t.Fatal(err)
		}
		g.Draft, g.Changes = twin, nil
	})
	shows(t, tried(t, s, by(fine), 150, 40), "Try a request on the live mesh")
}

func TestAPushMakesTheAnswerOld(t *testing.T) {
	s := drafted()
	a := tried(t, s, by(fine), 150, 40)
	press(a, "enter")
	s.Workspace.Set(func(st *engine.State) { st.Groups[0].Live, st.Groups[0].Changes = st.Groups[0].Draft, nil })
	run(a, a.loadCmd()())
	shows(t, a, "Try a request on the live mesh", "that was GET www.example.com/foo; what is live has changed since, enter sends it anew")
}

func TestANodeThatLagsIsNamed(t *testing.T) {
	s := tuitest.Calm()
	st := *s.Nodes.State()
	n := *st.Nodes[0]
	n.Rollout.Revision, n.Rollout.Result = 11, engine.Accepted
	st.Nodes = append(st.Nodes[:0:0], &n)
	s.Nodes.Set(&st)
	a := tried(t, s, by(func(match.Request) Tried {
		return Tried{Status: 200, Moved: []Moved{{Cluster: "legacy", Requests: 1}}}
	}), 150, 40)
	press(a, "enter")
	shows(t, a, "✗ not as predicted", "envoy-1 does not have revision 12 yet")
}

// pressSlowly presses keys and collects what they ask for without running it.
func pressSlowly(a *App, keys ...string) []tea.Cmd {
	var cmds []tea.Cmd
	for _, k := range keys {
		if _, cmd := a.Update(keyMsg(k)); cmd != nil {
			cmds = append(cmds, cmd)
		}
	}
	return cmds
}

// A Trier that does not answer blocks nothing, and the answer to an older
// request is not shown as that of the new one.
func TestALateAnswerIsNotTheNewOnes(t *testing.T) {
	trier := tuitest.NewTrier[Tried]()
	a := tried(t, tuitest.Calm(), trier, 150, 40)
	answers := make(chan tea.Msg, 2)
	for i := range 2 {
		cmds := pressSlowly(a, "enter")
		if len(cmds) != 1 {
			t.Fatalf("%d commands", len(cmds))
		}
		go func() { answers <- cmds[0]() }()
		sent := <-trier.Arrived
		shows(t, a, "sending to envoy-1")
		press(a, "x", "backspace") // the form goes on
		if i == 0 {
			continue
		}
		first := trier.Sent()[0]
		if first.Context.Err() == nil {
			t.Error("the older request is still waited for")
		}
		late := <-answers // the first one's, which was given up
		a.Update(late)
		shows(t, a, "sending to envoy-1")
		f := fine(match.Request{})
		f.Answered = "the second"
		sent.Answer(f)
		a.Update(<-answers)
		a.Update(late)
		shows(t, a, "from the second")
	}
}

func TestNothingCanBeSent(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	shows(t, a, "Nothing can be sent from here")
	press(a, "enter")
	shows(t, a, "✗ send the request, and compare: nothing can be sent")
	d := steady(tuitest.Calm())
	d.NoTrier = "it was started with --nodes 0"
	a = stage(t, d, 150, 40)
	press(a, "t")
	shows(t, a, "Nothing can be sent: it was started with --nodes 0.")

	s := tuitest.Empty()
	a = tried(t, s, by(fine), 150, 40)
	press(a, "enter")
	shows(t, a, "no Envoy is connected", "no listener")
	if a.try.shot != nil {
		t.Error("it was sent to nobody")
	}
}
