package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// twoRoutes is a bootstrap whose routes lie over each other.
const twoRoutes = `static_resources:
  listeners:
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config:
            name: local_route
            virtual_hosts:
            - name: www
              domains: [www.example.com]
              routes:
              - name: foo
                match: {prefix: /foo}
                route:
                  prefix_rewrite: /bar
                  weighted_clusters: {clusters: [{name: app, weight: 90}, {name: app-v2, weight: 10}]}
              - match: {path: /old}
                redirect: {path_redirect: /new}
              - name: rest
                match: {prefix: /}
                route: {cluster: app}
            - name: api
              domains: ["*.example.com"]
              routes:
              - match: {prefix: /}
                direct_response: {status: 403, body: {inline_string: go away}}
          http_filters:
          - name: envoy.filters.http.lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code: {inline_string: "function envoy_on_request(h) end"}
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: app, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: app, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}}
  - {name: app-v2, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: app-v2, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9003}}}}]}]}}
`

// writeFile writes a file of a folder of the test's own, and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMatchAsJSON(t *testing.T) {
	path := writeFile(t, t.TempDir(), "envoy.yaml", twoRoutes)
	type object = map[string]any
	for _, tt := range []struct {
		name string
		args []string
		want object // each of these fields, as JSON has it
	}{
		{"weights", []string{"--host", "www.example.com", "--path", "/foo/x?q=1"}, object{
			"action": "route", "listener": "web", "filter_chain": "0", "virtual_host": "www", "domain": "www.example.com",
			"route": object{"index": 0.0, "name": "foo"}, "host": "www.example.com", "path": "/bar/x?q=1", "cluster": nil,
			"weighted_clusters": []any{object{"name": "app", "weight": 90.0}, object{"name": "app-v2", "weight": 10.0}}}},
		{"a random value chooses", []string{"--host", "www.example.com", "--path", "/foo", "--random", "95"}, object{"cluster": "app-v2"}},
		{"redirect", []string{"--host", "www.example.com", "--path", "/old"}, object{
			"action": "redirect", "status": 301.0, "location": "http://www.example.com/new", "cluster": nil, "route": object{"index": 1.0, "name": ""}}},
		{"direct response", []string{"--host", "api.example.com", "--path", "/"}, object{"action": "direct_response", "status": 403.0, "domain": "*.example.com"}},
		{"no virtual host", []string{"--host", "nowhere", "--path", "/"}, object{"action": "not_found", "status": 404.0, "virtual_host": nil}},
		{"no listener", []string{"--host", "www.example.com", "--path", "/", "--port", "81"}, object{"action": "no_listener", "listener": nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errOut, status := meshtui(t, home(t), append([]string{"match", path, "--json"}, tt.args...)...)
			if status != 0 {
				t.Fatalf("status %d: %s", status, errOut)
			}
			var got object
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			for field, want := range tt.want {
				if d := cmp.Diff(want, got[field]); d != "" {
					t.Errorf("%s: %s", field, d)
				}
			}
			for _, list := range []string{"losers", "caveats"} {
				if _, ok := got[list].([]any); !ok {
					t.Errorf("%s is %v, want a list", list, got[list])
				}
			}
		})
	}
}

func TestMatchSaysWhyTheOthersLost(t *testing.T) {
	path := writeFile(t, t.TempDir(), "envoy.yaml", twoRoutes)
	out, _, status := meshtui(t, home(t), "match", path, "--host", "www.example.com", "--path", "/food")
	for _, want := range []string{"virtual host", "www.example.com", "/food", "app 90", "rest", "api", "lua"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, does not say %q:\n%s", status, want, out)
		}
	}
}

func TestMatchAll(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, dir, "envoy.yaml", twoRoutes)
	none, errOut, status := meshtui(t, home(t), "match", path, "--all")
	if status != 2 || !strings.Contains(errOut, "envoy.requests.yaml") {
		t.Errorf("nothing kept: status %d %s%s", status, none, errOut)
	}
	writeFile(t, dir, "envoy.requests.yaml", `requests:
- {name: foo, host: www.example.com, path: /foo, expect: {cluster: "app=90,app-v2=10", path: /bar}}
- {name: old, host: www.example.com, path: /old, expect: {status: 301}}
`)
	out, errOut, status := meshtui(t, home(t), "match", path, "--all")
	if status != 0 || strings.Count(out, "\nok ")+strings.Count("\n"+out, "\nok ") < 2 {
		t.Errorf("status %d:\n%s%s", status, out, errOut)
	}
	writeFile(t, dir, "envoy.requests.yaml", `requests:
- {name: rest, host: www.example.com, path: /x, expect: {cluster: app-v2}}
`)
	out, _, status = meshtui(t, home(t), "match", path, "--all")
	if status != 1 || !strings.Contains(out, "FAIL") || !strings.Contains(out, "app-v2") {
		t.Errorf("status %d:\n%s", status, out)
	}
	writeFile(t, dir, "envoy.requests.yaml", "requests:\n- {name: rest, hots: x}\n")
	if _, errOut, status = meshtui(t, home(t), "match", path, "--all"); status != 2 || !strings.Contains(errOut, "hots") {
		t.Errorf("a wrong file: status %d: %s", status, errOut)
	}
}

func TestMatchUsage(t *testing.T) {
	path := writeFile(t, t.TempDir(), "envoy.yaml", twoRoutes)
	for _, args := range [][]string{
		{"match", path}, {"match", path, "--host", "a"}, {"match", path, "--host", "a", "--path", "/", "--header", "nocolon"},
		{"match", path, "--host", "a", "--path", "/", "--source", "x"}, {"match", path, "--host", "a", "--path", "/", "--group", "nosuch"},
	} {
		if _, errOut, status := meshtui(t, home(t), args...); status != 2 || errOut == "" {
			t.Errorf("%v: status %d %q", args[2:], status, errOut)
		}
	}
}

func TestDiff(t *testing.T) {
	dir := t.TempDir()
	was := writeFile(t, dir, "old.yaml", twoRoutes)
	is := writeFile(t, dir, "new.yaml", strings.Replace(twoRoutes, "prefix: /foo", "prefix: /fool", 1))
	writeFile(t, dir, "old.requests.yaml", `requests:
- {name: the canary, host: www.example.com, path: /foo}
- {name: the rest, host: www.example.com, path: /x}
`)
	if out, errOut, status := meshtui(t, home(t), "diff", was, was); status != 0 || !strings.Contains(out, "no differences") {
		t.Errorf("the same: status %d %s%s", status, out, errOut)
	}
	reworded := writeFile(t, dir, "reworded.yaml", strings.Replace(twoRoutes, "  - {name: app,", "  # the same\n  - {lb_policy: ROUND_ROBIN, name: app,", 1))
	if out, errOut, status := meshtui(t, home(t), "diff", was, reworded); status != 0 || !strings.Contains(out, "cluster app says the same") {
		t.Errorf("reworded: status %d %s%s", status, out, errOut)
	}
	out, errOut, status := meshtui(t, home(t), "diff", was, is)
	if status != 1 {
		t.Errorf("status %d: %s", status, errOut)
	}
	for _, want := range []string{"the canary", "app 90", "- ", "+ ", "/fool"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "the rest") {
		t.Errorf("a request that goes where it went is named:\n%s", out)
	}
	if _, errOut, status := meshtui(t, home(t), "diff", was, filepath.Join(dir, "nowhere")); status != 2 || errOut == "" {
		t.Errorf("no such file: status %d %q", status, errOut)
	}
}
