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

// Both weights move in one edit, so that one undo takes them back together.
func TestAWeightedClusterIsShifted(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "2", "j", "j", "j", "j", "+")
	key, path := mesh.Key{Type: mesh.Route, Name: "local_route"}, "virtual_hosts[0].routes[0].route.weighted_clusters.clusters"
	want := []engine.Edit{engine.SetRouteWeight{Key: key, Path: path + "[1]", Weight: 15}, engine.SetRouteWeight{Key: key, Path: path + "[0]", Weight: 85}}
	if diff := cmp.Diff(want, s.Workspace.Edits); diff != "" || len(s.Workspace.Calls) != 1 {
		t.Errorf("in %d calls, -want +got:\n%s", len(s.Workspace.Calls), diff)
	}
	shows(t, a, "app-v2: 15 of 100, app: 85")
}

func TestShiftsKeepTheSum(t *testing.T) {
	for _, tt := range []struct {
		weights []uint32
		at, by  int
		want    string
		fails   string
	}{
		{[]uint32{90, 10}, 0, -5, "a: 85 of 100, b: 15", ""},
		{[]uint32{90, 10}, 1, -5, "b: 5 of 100, a: 95", ""},
		{[]uint32{97, 3}, 1, -5, "b: 0 of 100, a: 100", ""},
		{[]uint32{97, 3}, 0, 5, "a: 100 of 100, b: 0", ""},
		{[]uint32{94, 3, 3}, 0, 5, "a: 99 of 100, b: 0, c: 1", ""},
		{[]uint32{60, 30, 10}, 2, 5, "c: 15 of 100, a: 55", ""},
		{[]uint32{100, 0}, 0, 5, "", "all of the traffic"},
		{[]uint32{100, 0}, 1, -5, "", "no traffic left"},
		{[]uint32{0, 0}, 1, 5, "", "all of the traffic"},
		{[]uint32{100}, 0, -5, "", "alone in its route"},
	} {
		rows := make([]outline.Row, len(tt.weights))
		for i, w := range tt.weights {
			rows[i] = outline.Row{Path: fmt.Sprintf("c[%d]", i), Label: "→ " + string(rune('a'+i)), Weight: w}
		}
		_, said, err := shifted(mesh.Key{}, rows, fmt.Sprintf("c[%d]", tt.at), tt.by)
		if said != tt.want || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%v, %+d for the %d. one: %q, %v; want %q", tt.weights, tt.by, tt.at, said, err, tt.want)
		}
	}
}

// The weight of endpoints is shown where it differs, and no share that nobody
// has measured; with load, what it measured.
func TestSharesAreMeasuredOrNotShown(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	if v := a.View(); strings.Contains(v, "healthy     50%") || strings.Contains(v, "w 1") {
		t.Errorf("a share that nobody has measured is shown:\n%s", v)
	}
	s.Workspace.Set(func(st *engine.State) {
		g := &st.Groups[0]
		g.Draft = g.Draft.With(tuitest.Resource(mesh.Endpoints, `cluster_name: app
endpoints:
- lb_endpoints:
  - { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } }, load_balancing_weight: 5 }
  - { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9002 } } } }
`))
		g.Live = g.Draft
	})
	d := depsOf(s)
	a = stage(t, d, 200, 40)
	press(a, "4", "j", "j", "j")
	shows(t, a, "w 5", "w 1", "weight 5, 83% of its priority's")
	d.Traffic = load{TrafficSnapshot{Backends: []Backend{{Name: "v1-a", Address: "127.0.0.1:9001", State: "up", Share: 0.48}}}}
	a = stage(t, d, 200, 40)
	press(a, "4", "j", "j", "j")
	shows(t, a, "48% w 5", "backend v1-a up, gave 48% of the load's answers")
}

// load is traffic that stands still.
type load struct{ now TrafficSnapshot }

func (l load) Snapshot() TrafficSnapshot        { return l.now }
func (load) Changed() (<-chan struct{}, func()) { return nil, func() {} }

// What nobody checks is not called healthy.
func TestUncheckedIsNotHealthy(t *testing.T) {
	a := stage(t, depsOf(tuitest.Calm()), 150, 40)
	press(a, "4", "j") // the endpoint of legacy, which has no checks
	shows(t, a, "127.0.0.1:9009 ● no check", "127.0.0.1:9001 ● healthy", "neither health_checks nor outlier_detection")
	press(a, "j", "j")
	shows(t, a, "● healthy, for 4m.")
}
