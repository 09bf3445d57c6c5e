package tui

import (
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// Each action's keys and title stand apart, however many keys it has.
func TestHelpColumns(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 100, 60)
	all := strings.Join(a.helpLines(InLDS, 96), "\n")
	for _, want := range []string{"shift+tab h left  previous pane", "▸ selected   ┃ belongs to what is selected"} {
		if !strings.Contains(all, want) {
			t.Errorf("the help lacks %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "panel") {
		t.Errorf("the help calls a pane a panel:\n%s", all)
	}
	a = stage(t, depsOf(tuitest.Calm()), 100, 24)
	press(a, "?")
	shows(t, a, "1–18 of ")
	before := a.View()
	if press(a, "G"); a.View() == before || strings.Contains(a.View(), "1–18 of ") {
		t.Error("the position does not follow")
	}
}

func TestTheHintForAnEnvoyIsWhole(t *testing.T) {
	a := stage(t, depsOf(tuitest.Empty()), 150, 40)
	shows(t, a, "meshtui bootstrap --xds unix:/run/user/1000/meshtui/xds.sock > envoy.yaml", "envoy -c envoy.yaml "+strings.Join(envoy.Flags(), " "))
	a = stage(t, depsOf(tuitest.Empty()), 80, 24)
	shows(t, a, "meshtui bootstrap --xds", "N shows all of it")
	press(a, "N")
	shows(t, a, "--disable-hot-restart")
}

func TestDeleteSaysWhatEnvoyDoesThen(t *testing.T) {
	with := func(validate string) string {
		s := tuitest.Calm()
		s.Workspace.Set(func(st *engine.State) {
			g := &st.Groups[0]
			r := g.Draft.Get(mesh.Key{Type: mesh.Route, Name: "local_route"})
			g.Draft = g.Draft.With(tuitest.Resource(mesh.Route, r.Source.Text+validate))
		})
		a := stage(t, depsOf(s), 150, 40)
		press(a, "3", "x")
		return strings.Join(strings.Fields(a.View()), " ")
	}
	if v := with(""); !strings.Contains(v, "answers 503 there (NC") || strings.Contains(v, "rejects") {
		t.Errorf("without validation: %s", v)
	}
	if v := with("validate_clusters: true\n"); !strings.Contains(v, "Envoy rejects route local_route") || strings.Contains(v, "503 (NC") {
		t.Errorf("with validation: %s", v)
	}
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "3", "j", "j", "x") // legacy, which a TCP proxy and a route name
	shows(t, a, "Envoy closes the connections of listener raw", "route local_route answers 503")
}

func TestAStreamsEndsAreNoMessages(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "6", "g", "enter")
	shows(t, a, "envoy-1 opened this stream (SotW ADS)")
	msg, ok := a.openMessage(xds.Message{Node: "envoy-1", Kind: xds.Disconnected})().(openMsg)
	if text := strings.Join(msg.lines, "\n"); !ok || !strings.Contains(text, "ended") || strings.Contains(text, "no longer kept") {
		t.Errorf("%q", text)
	}
}

// A rejection is said once in the detail.
func TestRejectionIsSaidOnceInTheDetail(t *testing.T) {
	a := stage(t, depsOf(tuitest.Troubled()), 150, 40)
	press(a, "3", "g", "j")
	text := strings.Join(a.facts(a.selected(), 100), "\n")
	if n := strings.Count(text, "rejected"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, text)
	}
	if !strings.Contains(text, "envoy-1 goes on with what it had before (v12-1, ACKed 3m ago)") || !strings.Contains(text, "envoy-2: ACKed: 20 s ago: active") {
		t.Errorf("what runs is not said:\n%s", text)
	}
}

func TestPathsBreakAtDots(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 60, 24)
	press(a, "3", "x")
	for line := range strings.SplitSeq(a.View(), "\n") {
		if strings.Contains(line, "weighted_clusters") && !strings.Contains(line, "weighted_clusters.") {
			t.Errorf("broken within a step: %s", line)
		}
	}
}

// A pane on the whole screen uses the room: what the detail says of one row
// stands in columns for all.
func TestZoomUsesTheRoom(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 120, 30)
	press(a, "3", "z")
	shows(t, a, "name state version served ACKed active", "app RR ● active v12-1 4m ago after 1.2 ms 4m ago")
	press(a, "z", "4", "z")
	shows(t, a, "name health since weight requests errors", "127.0.0.1:9002 ✗ refused 12s 1 4090 31")
	if strings.Contains(a.View(), "of the load") {
		t.Error("a column for a load that is not there")
	}
	press(a, "G")
	if at := a.lists[PanelEDS]; at.Cursor != at.Len-1 {
		t.Errorf("G goes to %d of %d", at.Cursor, at.Len)
	}
	many := tuitest.Large(200)
	a = stage(t, depsOf(&tuitest.Scene{Workspace: tuitest.NewWorkspace(many, many), Nodes: tuitest.NodesFor(many, "envoy-1"),
		Evidence: tuitest.EvidenceFor(many, "envoy-1")}), 120, 30)
	press(a, "4", "z", "G")
	shows(t, a, "▸ 127.0.0.1:9003") // the last row is seen below the heading
}

func TestARolloutIsSaidAsItStands(t *testing.T) {
	for _, c := range []struct {
		r    xds.Rollout
		want string
	}{
		{xds.Rollout{}, "nothing sent yet"},
		{xds.Rollout{Revision: 6, Result: engine.Rejected, Step: 1, Steps: 2}, "revision 6: rejected at step 1 of 2"},
		{xds.Rollout{Revision: 6, Result: engine.Pending, Step: 2, Steps: 2, Waiting: "CDS ACK"}, "revision 6: step 2 of 2, waiting for CDS ACK"},
		{xds.Rollout{Revision: 6, Result: engine.TimedOut, Detail: "no answer"}, "revision 6: timed out: no answer"},
	} {
		if got := rolloutText(&xds.Node{Rollout: c.r}); got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}
