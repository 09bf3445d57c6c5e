package outline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/tuitest"
)

func build(m *mesh.Mesh, changes ...mesh.Change) *outline.Outline {
	var b outline.Builder
	return b.Build(m, changes)
}

func text(rows []*outline.Row) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, r := range rows {
		fmt.Fprintf(&b, "%s%s | %s\n", strings.Repeat("  ", r.Depth), r.Label, r.Value)
	}
	return b.String()
}

func TestRowsOfTheExample(t *testing.T) {
	o := build(tuitest.Mesh())
	want := [outline.Panes]string{`
web | 127.0.0.1:10000
   | HTTP → local_route
raw | 127.0.0.1:10001
   | TCP → legacy
`, `
local_route | 
  www.example.com +1 | 
    /foo | → 2 clusters
      → app | 
      → app-v2 | 
    = /health | → answers 200
    / | → legacy
`, `
app | RR
app-v2 | LR
legacy | RR static
`, `
legacy | 1 endpoint
  127.0.0.1:9009 | 
app | 2 endpoints
  127.0.0.1:9001 | 
  127.0.0.1:9002 | 
app-v2 | 1 endpoint
  127.0.0.1:9003 | 
`}
	for p := outline.LDS; p < outline.Panes; p++ {
		if diff := cmp.Diff(want[p], text(o.Rows[p])); diff != "" {
			t.Errorf("pane %d: -want +got:\n%s", p, diff)
		}
	}
}

func key(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }

// TestThread: from each place, what is on the thread and what is not.
func TestThread(t *testing.T) {
	o := build(tuitest.Mesh())
	route := key(mesh.Route, "local_route")
	const first, second = "virtual_hosts[0].routes[0]", "virtual_hosts[0].routes[2]"
	tests := []struct {
		name    string
		key     mesh.Key
		path    string
		on, off [][2]any
	}{
		{"a weighted cluster leads to that cluster alone", route, first + ".route.weighted_clusters.clusters[1]",
			[][2]any{{key(mesh.Cluster, "app-v2"), ""}, {key(mesh.Endpoints, "app-v2"), "endpoints[0].lb_endpoints[0]"}, {key(mesh.Listener, "web"), "filter_chains[0]"}},
			[][2]any{{key(mesh.Cluster, "app"), ""}, {key(mesh.Cluster, "legacy"), ""}, {key(mesh.Listener, "raw"), ""}, {route, second}}},
		{"a cluster is reached by every route and listener that names it", key(mesh.Cluster, "legacy"), "",
			[][2]any{{route, second}, {key(mesh.Listener, "raw"), "filter_chains[0]"}, {key(mesh.Listener, "web"), ""}, {key(mesh.Cluster, "legacy"), "load_assignment.endpoints[0].lb_endpoints[0]"}},
			[][2]any{{route, first}, {key(mesh.Cluster, "app"), ""}}},
		{"an endpoint is one of several", key(mesh.Endpoints, "app"), "endpoints[0].lb_endpoints[0]",
			[][2]any{{key(mesh.Cluster, "app"), ""}, {route, first}, {route, first + ".route.weighted_clusters.clusters[0]"}},
			[][2]any{{key(mesh.Endpoints, "app"), "endpoints[0].lb_endpoints[1]"}, {route, first + ".route.weighted_clusters.clusters[1]"}}},
		{"a listener leads to all below it", key(mesh.Listener, "web"), "",
			[][2]any{{route, first}, {route, second}, {key(mesh.Cluster, "app"), ""}, {key(mesh.Cluster, "legacy"), ""}}, [][2]any{{key(mesh.Listener, "raw"), ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th := o.Thread(tt.key, tt.path)
			for _, want := range tt.on {
				if !th.Has(want[0].(mesh.Key), want[1].(string)) {
					t.Errorf("%v is not on the thread", want)
				}
			}
			for _, not := range tt.off {
				if th.Has(not[0].(mesh.Key), not[1].(string)) {
					t.Errorf("%v is on the thread", not)
				}
			}
		})
	}
}

// TestThreadEndsInARing: resources that name each other do not hang it.
func TestThreadEndsInARing(t *testing.T) {
	m := tuitest.Mesh().With(tuitest.Resource(mesh.Cluster, `name: ring
type: EDS
eds_cluster_config: { service_name: ring, eds_config: { api_config_source: { api_type: GRPC, grpc_services: [ { envoy_grpc: { cluster_name: ring } } ] } } }
`))
	if th := build(m).Thread(key(mesh.Cluster, "ring"), ""); !th.Has(key(mesh.Endpoints, "ring"), "") {
		t.Error("the ring's endpoints are not on its thread")
	}
}

func TestDraftMarks(t *testing.T) {
	live := tuitest.Mesh()
	added := tuitest.Resource(mesh.Cluster, "name: more\n")
	draft := live.With(added).Without(key(mesh.Listener, "raw")).With(tuitest.Resource(mesh.Cluster, "name: app\n"))
	o := build(draft, mesh.DiffText(live, draft)...)
	for k, want := range map[mesh.Key]outline.Draft{key(mesh.Cluster, "more"): outline.Added, key(mesh.Listener, "raw"): outline.Removed,
		key(mesh.Cluster, "app"): outline.Edited, key(mesh.Cluster, "legacy"): outline.Unchanged} {
		if got := o.Draft(k); got != want {
			t.Errorf("%v is %d, want %d", k, got, want)
		}
	}
	if o.Find(outline.LDS, key(mesh.Listener, "raw"), "") < 0 {
		t.Error("what the draft removes has no row any more")
	}
}

func TestFindIsTheDeepestRow(t *testing.T) {
	o := build(tuitest.Mesh())
	i := o.Find(outline.RDS, key(mesh.Route, "local_route"), "virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1].weight")
	if i < 0 || o.Rows[outline.RDS][i].Label != "→ app-v2" {
		t.Errorf("row %d", i)
	}
	if o.Find(outline.RDS, key(mesh.Route, "nosuch"), "") != -1 {
		t.Error("a resource that is not there has a row")
	}
}

func TestWeight(t *testing.T) {
	r := tuitest.Mesh().Get(key(mesh.Route, "local_route"))
	if got := outline.Weight(r, "virtual_hosts[0].routes[0].route.weighted_clusters.clusters[0]"); got != 90 {
		t.Errorf("weight %d", got)
	}
}

// BenchmarkBuild is one endpoint changed among 10,000 in 100 clusters: what
// did not change is kept.
func BenchmarkBuild(b *testing.B) {
	m := tuitest.Mesh()
	for i := range 100 {
		var s strings.Builder
		fmt.Fprintf(&s, "cluster_name: c%d\nendpoints:\n- lb_endpoints:\n", i)
		for j := range 100 {
			fmt.Fprintf(&s, "  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: %d } } }\n", 1000+j)
		}
		m = m.With(tuitest.Resource(mesh.Endpoints, s.String()))
	}
	other := tuitest.Resource(mesh.Endpoints, "cluster_name: c7\n")
	var builder outline.Builder
	builder.Build(m, nil)
	b.ResetTimer()
	for i := range b.N {
		if i%2 == 0 {
			builder.Build(m.With(other), nil)
		} else {
			builder.Build(m, nil)
		}
	}
}
