package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

func TestGoldenNodes(t *testing.T) {
	for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
		t.Run(fmt.Sprintf("%d×%d", s[0], s[1]), func(t *testing.T) {
			a := stage(t, steady(tuitest.Verdicts()), s[0], s[1])
			press(a, "]", "N", "j", "j", "j", "j", "j")
			golden(t, fmt.Sprintf("verdicts-%dx%d", s[0], s[1]), a.View())
		})
	}
	a := stage(t, steady(tuitest.Verdicts()), 100, 30)
	press(a, "N")
	golden(t, "verdicts-all-100x30", a.View())
	a.th = theme.New(theme.Options{ASCII: true})
	for _, r := range a.View() {
		if r > 0x7f {
			t.Fatalf("%q on an ASCII screen:\n%s", r, a.View())
		}
	}
}

// on puts the cursor of the nodes screen on a resource.
func on(t *testing.T, a *App, k mesh.Key) {
	t.Helper()
	s, ok := a.screen.(*nodesScreen)
	if !ok {
		t.Fatalf("the screen is a %T", a.screen)
	}
	for range 60 {
		if row := s.current(); row != nil && row.key == k {
			return
		}
		press(a, "j")
	}
	t.Fatalf("%s is not reached:\n%s", k, a.View())
}

// Every verdict is said in words, with what it means, the facts behind it, their
// time and who told them.
func TestEveryVerdictIsSaid(t *testing.T) {
	tests := []struct {
		key  mesh.Key
		want []string
	}{
		{mesh.Key{Type: mesh.Listener, Name: "web"}, []string{"carrying traffic: active; 118 requests", "served 4m ago (stream)", "active 4m ago (admin)", "carrying traffic 1s ago (admin)", "after 2.0 ms"}},
		{mesh.Key{Type: mesh.Listener, Name: "raw"}, []string{"ACKed, not active: accepted, but not in the node", "It was ACKed, and is not active."}},
		{mesh.Key{Type: mesh.Cluster, Name: "app"}, []string{"drifted: accepted, but active with other content: connect_timeout is 5s, not 1s"}},
		{mesh.Key{Type: mesh.Cluster, Name: "app-v2"}, []string{"stuck in warming: warming for 40 s: waits for endpoints app-v2", "warming 40s ago (admin)"}},
		{mesh.Key{Type: mesh.Cluster, Name: "legacy"}, []string{"overridden: the node has a cluster of this name from its bootstrap"}},
		{mesh.Key{Type: mesh.Endpoints, Name: "app"}, []string{"→ sent, not answered yet"}},
		{mesh.Key{Type: mesh.Endpoints, Name: "app-v2"}, []string{"waiting: not sent yet"}},
		{mesh.Key{Type: mesh.Secret, Name: "www_cert"}, []string{"✗ rejected; the node has none of it", "Envoy says: Failed to load private key", "rejected 9s ago (stream)"}},
		{mesh.Key{Type: mesh.Secret, Name: "upstream_ca"}, []string{"rejected for another's sake; Envoy took this one all the same"}},
		{mesh.Key{Type: mesh.Runtime, Name: "rt0"}, []string{"not asked for: nothing in the node asks for it"}},
	}
	a := stage(t, depsOf(tuitest.Verdicts()), 150, 60)
	press(a, "]", "N")
	for _, tt := range tests {
		press(a, "g")
		on(t, a, tt.key)
		shows(t, a, tt.want...)
	}
}

// With all nodes shown, only what is amiss is listed; one node is shown in full.
func TestAllNodesShowWhatIsAmiss(t *testing.T) {
	a := stage(t, depsOf(tuitest.Verdicts()), 150, 60)
	press(a, "N")
	shows(t, a, "accepted, but not in the node", "its CSDS does not answer", "STALE", "grpc-go 1.85.0", "2 nodes")
	if v := a.View(); strings.Contains(v, "local_route  ") {
		t.Errorf("a resource is listed that is as it should be:\n%s", v)
	}
	press(a, "G", "k", "enter") // the client's own row
	if a.data.node != "shop-client" {
		t.Fatalf("shows %q:\n%s", a.data.node, a.View())
	}
	shows(t, a, "ACKed, 20s old", "20 s ago: active")
}

// The cursor stays on what it is on when rows come and go, and passes over the
// lines that only remark on others.
func TestNodesCursorStays(t *testing.T) {
	s := tuitest.Verdicts()
	a := stage(t, depsOf(s), 100, 30)
	press(a, "]", "N")
	k := mesh.Key{Type: mesh.Cluster, Name: "app-v2"}
	on(t, a, k)
	one := *s.Said["envoy-1"]
	one.Resources = append([]truth.Resource{{Key: mesh.Key{Type: mesh.Listener, Name: "another"}, Verdict: truth.Sent, Says: "sent, not answered yet"}}, one.Resources...)
	s.Said["envoy-1"] = &one
	st := *s.Nodes.State()
	n := *st.Nodes[0]
	st.Nodes = append(st.Nodes[:0:0], &n, st.Nodes[1])
	s.Nodes.Set(&st)
	run(a, dataMsg{data: a.maker.make(a.group, a.node)})
	_ = a.View()
	if row := a.screen.(*nodesScreen).current(); row == nil || row.key != k {
		t.Errorf("the cursor is on %+v", row)
	}
	shows(t, a, "another")
	for range 40 {
		press(a, "k")
		if row := a.screen.(*nodesScreen).current(); row.remark() {
			t.Fatalf("the cursor is on a remark: %+v", row)
		}
	}
}

// Enter shows what was served and what the node has in its place.
func TestNodesOpenWhatTheNodeHas(t *testing.T) {
	a := stage(t, depsOf(tuitest.Verdicts()), 150, 60)
	press(a, "]", "N")
	on(t, a, mesh.Key{Type: mesh.Cluster, Name: "app"})
	press(a, "enter")
	shows(t, a, "# What envoy-1 has in its place:", "connect_timeout: 5s", "# What was served:", "lb_policy: ROUND_ROBIN")
}

// No screen shows a private key that stands in a resource.
func TestKeysAreNotShown(t *testing.T) {
	k := mesh.Key{Type: mesh.Secret, Name: "www_cert"}
	a := stage(t, depsOf(tuitest.Verdicts()), 150, 60)
	press(a, "]", "N")
	on(t, a, k)
	press(a, "enter")
	shows(t, a, "Private keys are not shown", "BEGIN CERTIFICATE", "[redacted]")
	if strings.Contains(a.View(), tuitest.PrivateKey) {
		t.Error("the nodes screen shows a private key")
	}
	press(a, "esc", "esc", "7")
	for range 3 {
		press(a, "j")
		if a.selected() != nil && a.selected().Key == k {
			break
		}
	}
	press(a, "enter")
	shows(t, a, "[redacted]")
	if strings.Contains(a.View(), tuitest.PrivateKey) {
		t.Error("the other resources' screen shows a private key")
	}
}

// Without anybody who joins the truth, the screen tells what the stream says.
func TestNodesWithoutTruth(t *testing.T) {
	d := depsOf(tuitest.Calm())
	d.Truth = nil
	a := stage(t, d, 100, 30)
	press(a, "N")
	shows(t, a, "CDS 3 clusters ● active", "LIVE, Envoy 1.40.0")
	if strings.Contains(a.View(), "local_route") {
		t.Error("resources are listed of which nothing is known")
	}
}

func TestGRPCClientsAreNodes(t *testing.T) {
	s := tuitest.Verdicts()
	a := stage(t, depsOf(s), 150, 40)
	shows(t, a, "2 nodes")
	press(a, "]", "]", "N")
	shows(t, a, "grpc-go 1.85.0", "CSDS", "its CSDS does not answer")
	st := *s.Nodes.State()
	st.Nodes = st.Nodes[1:]
	s.Nodes.Set(&st)
	a = stage(t, depsOf(s), 150, 40)
	shows(t, a, "1 gRPC client")
}

// The truth about a node is asked for when something changed, and otherwise once
// a second: a picture may be made twenty times a second.
func TestTruthIsAskedForWhenItMayHaveChanged(t *testing.T) {
	s := tuitest.Calm()
	d := steady(s)
	asked, now := 0, tuitest.Now
	d.Truth = func(node string) *truth.Node { asked++; return s.Truth(node) }
	m := newMaker(d, func() time.Time { return now })
	step := func(what string, want int) {
		t.Helper()
		if m.make("default", ""); asked != want {
			t.Errorf("%s: asked %d times, want %d", what, asked, want)
		}
	}
	step("at first", 1)
	step("nothing changed", 1)
	now = now.Add(truthAge)
	step("a second later", 2)
	f := *s.Evidence.Facts("envoy-1")
	s.Evidence.Set("envoy-1", &f)
	step("a new look into it", 3)
	st := *s.Nodes.State()
	n := *st.Nodes[0]
	st.Nodes = []*xds.Node{&n}
	s.Nodes.Set(&st)
	step("news from the stream", 4)
	s.Workspace.Set(func(st *engine.State) {
		r := *st.Head()
		st.Revisions = append(st.Revisions, &r)
	})
	step("a new revision", 5)
}
