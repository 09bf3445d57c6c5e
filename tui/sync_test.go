package tui

import (
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

// ownNodes are local proxies of which nothing is amiss as far as their starter
// knows.
type ownNodes []string

func (ownNodes) Changed() (<-chan struct{}, func()) { return nil, func() {} }
func (ownNodes) Describe() string                   { return "Envoy" }
func (ownNodes) Notices() []Notice                  { return nil }
func (o ownNodes) Nodes() []string                  { return o }

// nodeChanged puts another node in a scene's place of the i-th.
func nodeChanged(s *tuitest.Scene, i int, change func(*xds.Node)) {
	st := *s.Nodes.State()
	st.Nodes = append([]*xds.Node{}, st.Nodes...)
	n := *st.Nodes[i]
	change(&n)
	st.Nodes[i] = &n
	s.Nodes.Set(&st)
}

// verdictOn has the truth about a node say something of web.
func verdictOn(s *tuitest.Scene, node string, v truth.Verdict) {
	one := *s.Truth(node)
	one.Resources = append([]truth.Resource{}, one.Resources...)
	for i := range one.Resources {
		if one.Resources[i].Key == (mesh.Key{Type: mesh.Listener, Name: "web"}) {
			one.Resources[i].Verdict = v
		}
	}
	s.Said = map[string]*truth.Node{node: &one}
}

func TestTheHeaderCountsWhatIsInTheNodes(t *testing.T) {
	for v, want := range map[truth.Verdict]string{truth.Overridden: "overridden", truth.Drifted: "drifted", truth.Missing: "missing", truth.Stuck: "stuck", truth.Rejected: "rejected"} {
		s := threeNodes()
		verdictOn(s, "envoy-3", v)
		a := stage(t, steady(s), 150, 40)
		shows(t, a, "2 of 3 Envoys in sync, 1 "+want)
		press(a, "N")
		shows(t, a, want+", connected")
	}
	s := threeNodes()
	verdictOn(s, "envoy-3", truth.Unasked)
	shows(t, stage(t, steady(s), 150, 40), " 3 Envoys in sync")
}

func TestAFrozenEnvoyIsNotInSyncAndIsNamed(t *testing.T) {
	s := threeNodes()
	f := *s.Evidence.Facts("envoy-3")
	f.At, f.Err = tuitest.Now.Add(-8*time.Second), "timeout"
	s.Evidence.Set("envoy-3", &f)
	d := steady(s)
	shows(t, stage(t, d, 150, 40), "2 of 3 Envoys in sync, 1 stale")
	d.DataPlane = ownNodes{"envoy-1", "envoy-3"}
	a := stage(t, d, 150, 40)
	shows(t, a, "envoy-3, which meshtui started, has not answered for 8s")
	nodeChanged(s, 2, func(n *xds.Node) { n.Connected, n.Since = false, tuitest.Now.Add(-5*time.Second) })
	a = stage(t, d, 150, 40)
	shows(t, a, "2 of 3 Envoys in sync, 1 gone", "envoy-3, which meshtui started, has been gone for 5s")
	d.DataPlane = ownNodes{"envoy-1"}
	if v := stage(t, d, 150, 40).View(); !strings.Contains(v, " 2 Envoys in sync") || strings.Contains(v, "which meshtui started") {
		t.Errorf("somebody else's Envoy that left is missed:\n%s", v)
	}
}

func TestWhoAsksForNothingRejectedHasNotAcceptedIt(t *testing.T) {
	s := threeNodes()
	s.Workspace.Set(func(st *engine.State) {
		r := *st.Head()
		r.Outcome = engine.Outcome{Result: engine.Rejected, Nodes: 3, Detail: "no"}
		st.Revisions[1] = &r
	})
	for i := range 2 {
		nodeChanged(s, i, func(n *xds.Node) {
			n.Rollout.Result = engine.Rejected
			types := map[mesh.Type]xds.TypeStatus{}
			for k, v := range n.Types {
				types[k] = v
			}
			st := types[mesh.Route]
			st.Rejected = &xds.Rejection{Fact: st.Sent, Detail: "no", Raw: "no"}
			types[mesh.Route] = st
			n.Types = types
		})
	}
	nodeChanged(s, 2, func(n *xds.Node) { n.Types = map[mesh.Type]xds.TypeStatus{mesh.Listener: n.Types[mesh.Listener]} })
	shows(t, stage(t, steady(s), 150, 40), "0 of 3 Envoys in sync, 2 rejected, 1 not asked")
}

func TestTheHeaderCountsAtSixtyColumnsToo(t *testing.T) {
	shows(t, stage(t, steady(tuitest.Troubled()), 60, 24), "draft: 3, 1 error", "0/2 in sync")
}
