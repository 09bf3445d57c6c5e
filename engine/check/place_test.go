package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"github.com/google/go-cmp/cmp"
)

func TestPathsSortByNumber(t *testing.T) {
	sorted := []string{"", "a", "a[2]", "a[2].b", "a[10]", "a[10].b", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := compareNatural(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("compareNatural(%q, %q) = %d", a, b, got)
			}
		}
	}
}

// TestLines holds where a finding says that it stands.
func TestLines(t *testing.T) {
	const yaml = "name: r\nvirtual_hosts:\n- name: v\n  domains: [\"*\"]\n  routes:\n  - match: {prefix: /}\n    route: {cluster: gone}\n"
	for _, tt := range []struct {
		about string
		src   mesh.Source
		want  mesh.Finding
	}{
		{"no file", mesh.Source{Text: yaml}, mesh.Finding{Line: 7, Column: 13}},
		{"cut out of a file", mesh.Source{File: "rds.yaml", Line: 11, Indent: 2, Text: yaml}, mesh.Finding{File: "rds.yaml", Line: 17, Column: 15}},
		{"indent not known", mesh.Source{File: "rds.yaml", Line: 11, Text: yaml}, mesh.Finding{File: "rds.yaml", Line: 17}},
	} {
		r, findings := text.Decode(mesh.Route, tt.src)
		if r == nil {
			t.Fatal(findings)
		}
		m, err := mesh.New(r)
		if err != nil {
			t.Fatal(err)
		}
		got := of("dangling-reference", Mesh(m))
		if len(got) != 1 {
			t.Fatalf("%s: %v", tt.about, got)
		}
		place := mesh.Finding{File: got[0].File, Line: got[0].Line, Column: got[0].Column}
		if diff := cmp.Diff(tt.want, place); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, diff)
		}
	}
}

// TestLinesBehindWhatWasLifted holds that a finding points into the bootstrap
// that the operator wrote, though its routes and endpoints were taken out.
func TestLinesBehindWhatWasLifted(t *testing.T) {
	const bootstrap = `static_resources:
  listeners:
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          route_config:
            name: local
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: gone}
          http_filters: []
  clusters:
  - name: app
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}
          load_balancing_weight: 0
    connect_timeout: -1s
`
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range Mesh(opened.Meshes[mesh.DefaultGroup]) {
		if f.Severity == mesh.Error {
			got[f.Key.String()] = fmt.Sprintf("%d:%d", f.Line, f.Column)
		}
	}
	want := map[string]string{"route local": "18:25", "endpoints app": "27:11", "cluster app": "28:5", "listener web": "19:11"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRepeatsAreCut holds that one mistake made a thousand times is not a
// thousand findings, and that the last one says so.
func TestRepeatsAreCut(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: r\nvirtual_hosts:\n- name: v\n  domains: [\"*\"]\n  routes:\n")
	for range 1000 {
		b.WriteString("  - {match: {prefix: /a}, route: {cluster: gone}}\n")
	}
	got := of("dangling-reference", Mesh(meshOfText(t, mesh.Route, b.String())))
	if len(got) != maxOfOne {
		t.Fatalf("%d findings, want %d", len(got), maxOfOne)
	}
	for i, f := range got {
		if want := fmt.Sprintf("virtual_hosts[0].routes[%d].route.cluster", i); f.Path != want {
			t.Errorf("finding %d is of %s, want %s", i, f.Path, want)
		}
	}
	if last := got[maxOfOne-1].Message; !strings.HasSuffix(last, "; and 980 more such places in this route") {
		t.Errorf("the last finding does not say how many there are: %s", last)
	}
}

func meshOfText(t testing.TB, ty mesh.Type, yaml string) *mesh.Mesh {
	t.Helper()
	r, findings := text.Decode(ty, mesh.Source{Text: yaml})
	if r == nil {
		t.Fatal(findings)
	}
	m, err := mesh.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRealConfigurationsAreClean holds that nothing is held against
// configurations of the shapes that Envoy's documentation shows.
func TestRealConfigurationsAreClean(t *testing.T) {
	for _, name := range []string{
		"bootstraps/front-proxy.yaml", "bootstraps/grpc.json", "bootstraps/health-checks.yaml", "bootstraps/quick-start.yaml",
		"bootstraps/tcp-proxy.yaml", "bootstraps/tls-termination.yaml", "bootstraps/weighted-routes.yaml", "dynamic-fs",
	} {
		opened, err := files.Open("../files/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found := Mesh(opened.Meshes[mesh.DefaultGroup])
		if opened.Meshes[mesh.DefaultGroup].Len() == 0 {
			t.Errorf("%s: nothing was opened", name)
		}
		if mesh.Worst(found) >= mesh.Warning {
			t.Errorf("%s:\n%s", name, render(found))
		}
	}
}

func TestNilMesh(t *testing.T) {
	if got := Mesh(nil); len(got) != 0 {
		t.Errorf("findings in no mesh: %v", got)
	}
}

// BenchmarkMesh checks 10,000 endpoints, and 10,000 routes of which half are
// shadowed.
func BenchmarkMesh(b *testing.B) {
	var eps, routes strings.Builder
	eps.WriteString("cluster_name: app\nendpoints:\n- lb_endpoints:\n")
	routes.WriteString("name: r\nvirtual_hosts:\n- name: v\n  domains: [\"*\"]\n  routes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&eps, "  - {endpoint: {address: {socket_address: {address: 10.0.%d.%d, port_value: 80}}}}\n", i/256, i%256)
		fmt.Fprintf(&routes, "  - {match: {prefix: /r%d/}, route: {cluster: app}}\n", i/2)
	}
	for name, m := range map[string]*mesh.Mesh{
		"endpoints": meshOfText(b, mesh.Endpoints, eps.String()),
		"routes":    meshOfText(b, mesh.Route, routes.String()),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Mesh(m)
			}
		})
	}
}
