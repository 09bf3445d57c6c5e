package files

import (
	"os"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"github.com/google/go-cmp/cmp"
)

// TestLinesAreThoseOfTheFile holds, for every line of every resource that is
// opened, that it reads in the file as it reads in the text, at the place that
// its source tells.
func TestLinesAreThoseOfTheFile(t *testing.T) {
	crlf := write(t, t.TempDir(), map[string]string{"crlf.yaml": strings.ReplaceAll(twoListeners, "\n", "\r\n")})
	minified := write(t, t.TempDir(), map[string]string{
		"cds.json": `{"resources":[{"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"a"}, {"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"b"}]}`,
	})
	paths := append(bootstraps(t), "testdata/dynamic-fs", crlf+"/crlf.yaml", minified)
	lifted := 0
	for _, path := range paths {
		o := open(t, path)
		for _, r := range o.Meshes[mesh.DefaultGroup].All() {
			data, err := os.ReadFile(r.Source.File)
			if err != nil {
				t.Fatal(err)
			}
			file := strings.Split(string(data), "\n")
			exact := 0
			lines := strings.Split(strings.TrimRight(r.Source.Text, "\r\n"), "\n")
			for i, line := range lines {
				at := r.Source.LineAt(i + 1)
				if at.Line < 1 || at.Line > len(file) {
					t.Errorf("%s: line %d of %s is said to be line %d of %d", path, i+1, r.Key, at.Line, len(file))
					continue
				}
				if !at.Exact {
					lifted++
					continue
				}
				exact++
				if got := file[at.Line-1]; at.Indent > len(got) && strings.TrimSpace(line) != "" ||
					at.Indent <= len(got) && !strings.HasPrefix(got[at.Indent:], strings.TrimRight(line, "\r")) {
					t.Errorf("%s: line %d of %s is %q, but %q stands at %d:%d", path, i+1, r.Key, line, got, at.Line, at.Indent+1)
				}
			}
			if exact*2 < len(lines) && len(lines) > 8 {
				t.Errorf("%s: only %d of %d lines of %s stand in the file", path, exact, len(lines), r.Key)
			}
		}
	}
	if lifted == 0 {
		t.Error("nothing was lifted or added, so this proves little")
	}
}

const twoListeners = `# a comment
static_resources:
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
                  # routes of one site
                  virtual_hosts:
                    - name: v
                      domains: ["*"]
                      routes:
                        - match: {prefix: /}
                          route: {cluster: app}
                http_filters:
                  - name: router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: b
                route_config:
                  name: other
                  virtual_hosts:
                    - name: w
                      domains: ["*"]
                      routes:
                        - match: {prefix: /}
                          route: {cluster: app}
      per_connection_buffer_limit_bytes: 1024
  clusters:
    - load_assignment:
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}
      name: app
      lb_policy: LEAST_REQUEST
`

// TestPlacesBehindWhatWasLifted names the lines that matter most: those behind
// and within what was taken out.
func TestPlacesBehindWhatWasLifted(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"envoy.yaml": twoListeners})
	m := open(t, dir+"/envoy.yaml").Meshes[mesh.DefaultGroup]
	type place struct{ Line, Column int }
	hcm := func(chain, field string) string {
		return "filter_chains[" + chain + "].filters[0].typed_config." + field
	}
	for _, tt := range []struct {
		t          mesh.Type
		name, path string
		want       place
	}{
		{mesh.Listener, "web", "", place{4, 7}},
		{mesh.Listener, "web", hcm("0", "rds"), place{13, 0}},
		{mesh.Listener, "web", hcm("0", "rds.config_source"), place{13, 0}},
		{mesh.Listener, "web", hcm("0", "http_filters[0]"), place{22, 21}},
		{mesh.Listener, "web", hcm("1", "stat_prefix"), place{28, 17}},
		{mesh.Listener, "web", hcm("1", "rds"), place{29, 0}},
		{mesh.Listener, "web", "per_connection_buffer_limit_bytes", place{37, 7}},
		{mesh.Route, "web-routes", "", place{15, 0}},
		{mesh.Route, "web-routes", "name", place{15, 0}},
		{mesh.Route, "web-routes", "virtual_hosts[0].routes[0].route.cluster", place{20, 35}},
		{mesh.Route, "web-routes", "validate_clusters", place{20, 0}},
		{mesh.Route, "other", "name", place{30, 19}},
		{mesh.Route, "other", "virtual_hosts[0].routes[0].route.cluster", place{36, 35}},
		{mesh.Endpoints, "app", "endpoints[0].lb_endpoints[0]", place{42, 17}},
		{mesh.Cluster, "app", "eds_cluster_config", place{39, 0}},
		{mesh.Cluster, "app", "lb_policy", place{44, 7}},
		{mesh.Cluster, "app", "type", place{44, 0}},
	} {
		src := m.Get(mesh.Key{Type: tt.t, Name: tt.name}).Source
		line, column, ok := text.Position(src.Text, tt.path)
		if !ok {
			t.Errorf("%s %s has no %s:\n%s", tt.t, tt.name, tt.path, src.Text)
			continue
		}
		var got place
		got.Line, got.Column = src.Place(line, column)
		if got != tt.want {
			t.Errorf("%s of %s %s (line %d of its text) is at %v, want %v", tt.path, tt.t, tt.name, line, got, tt.want)
		}
	}
}

// TestPlacesOfWhatWasWrittenAnew holds that a text whose anchors are elsewhere
// points there.
func TestPlacesOfWhatWasWrittenAnew(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": `resources:
- &base
  "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: one
  connect_timeout: 1s
- <<: *base
  name: two
  circuit_breakers:
      thresholds:
      - max_connections: 5
`})
	src := open(t, dir).Meshes[mesh.DefaultGroup].Get(mesh.Key{Type: mesh.Cluster, Name: "two"}).Source
	got := map[string][2]int{}
	for _, path := range []string{"", "name", "connect_timeout", "circuit_breakers.thresholds[0].max_connections"} {
		line, column, _ := text.Position(src.Text, path)
		line, column = src.Place(line, column)
		got[path] = [2]int{line, column}
	}
	want := map[string][2]int{"": {7, 3}, "name": {7, 3}, "connect_timeout": {5, 3}, "circuit_breakers.thresholds[0].max_connections": {10, 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, src.Text)
	}
}
