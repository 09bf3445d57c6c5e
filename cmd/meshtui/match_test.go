package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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
			"route": object{"index": 0.0, "name": "foo", "file": path, "line": 17.0}, "host": "www.example.com", "path": "/bar/x?q=1", "cluster": nil,
			"weighted_clusters": []any{object{"name": "app", "weight": 90.0}, object{"name": "app-v2", "weight": 10.0}}}},
		{"a random value chooses", []string{"--host", "www.example.com", "--path", "/foo", "--random", "95"}, object{"cluster": "app-v2"}},
		{"redirect", []string{"--host", "www.example.com", "--path", "/old"}, object{
			"action": "redirect", "status": 301.0, "location": "http://www.example.com/new", "cluster": nil, "route": object{"index": 1.0, "name": "", "file": path, "line": 22.0}}},
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

// What is known to be elsewhere is no certain 404 and no certain 503.
func TestMatchSaysWhatIsElsewhere(t *testing.T) {
	dir := t.TempDir()
	foreign := writeFile(t, dir, "foreign.yaml", `dynamic_resources:
  ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: control}}]}
static_resources:
  listeners:
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          rds: {route_config_name: theirs, config_source: {ads: {}, resource_api_version: V3}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: control, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: control, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 18000}}}}]}]}}
`)
	out, errOut, status := meshtui(t, home(t), "match", foreign, "--host", "a", "--path", "/", "--json")
	if status != 0 || !strings.Contains(out, `"action":"undecided"`) || !strings.Contains(out, "another control plane") {
		t.Errorf("status %d %s%s", status, out, errOut)
	}
	routes := writeFile(t, dir, "rds.yaml", `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: theirs
  virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: theirs}}]}]
`)
	read := writeFile(t, dir, "read.yaml", strings.Replace(mustRead(t, foreign), "config_source: {ads: {}, resource_api_version: V3}",
		"config_source: {path_config_source: {path: "+routes+"}, resource_api_version: V3}", 1))
	out, errOut, status = meshtui(t, home(t), "match", read, "--host", "a", "--path", "/", "--json")
	if status != 0 || !strings.Contains(out, `"action":"route"`) || !strings.Contains(out, `"virtual_host":"all"`) {
		t.Errorf("routes in a file: status %d %s%s", status, out, errOut)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a terminal would obey is written out.
func TestMatchPrintsNoControlCharacters(t *testing.T) {
	path := writeFile(t, t.TempDir(), "envoy.yaml", twoRoutes)
	out, _, _ := meshtui(t, home(t), "match", path, "--host", "a\x1b[31mb\nc", "--path", "/\x07")
	if strings.ContainsAny(out, "\x1b\x07") || !strings.Contains(out, `a\x1b[31mb\nc`) {
		t.Errorf("%q", out)
	}
}

func TestMatchUsage(t *testing.T) {
	path := writeFile(t, t.TempDir(), "envoy.yaml", twoRoutes)
	for _, args := range [][]string{
		{"match", path}, {"match", path, "--host", "a"}, {"match", path, "--host", "a", "--path", "/", "--header", "nocolon"},
		{"match", path, "--host", "a", "--path", "/", "--source", "x"}, {"match", path, "--host", "a", "--path", "/", "--group", "nosuch"},
		{"match", filepath.Join(filepath.Dir(path), "nowhere.yaml"), "--host", "a", "--path", "/"},
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
	restyled := strings.NewReplacer("{name: app, type: STATIC, connect_timeout: 1s,", "{connect_timeout: 2s, type: STATIC, name: app,").Replace(twoRoutes)
	other, _, _ := meshtui(t, home(t), "diff", was, writeFile(t, dir, "restyled.yaml", restyled))
	if !strings.Contains(other, "-connect_timeout: 1s\n+connect_timeout: 2s\n") {
		t.Errorf("more than what changed is shown:\n%s", other)
	}
	out, errOut, status := meshtui(t, home(t), "diff", was, is)
	if status != 1 {
		t.Errorf("status %d: %s", status, errOut)
	}
	for _, want := range []string{"kept requests that change their target:\n  the canary\n    - web ▸ www ▸ foo ▸ app 90, app-v2 10\n    + web ▸ www ▸ rest ▸ app\n", "/fool"} {
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

// app2 is the cluster of twoRoutes that the canary has a tenth of.
const app2 = "  - {name: app-v2, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: app-v2, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9003}}}}]}]}}\n"

// A share that cannot be answered is no success, however the route stands.
func TestAShareThatFails(t *testing.T) {
	for name, now := range map[string]struct{ cluster, says string }{
		"gone":  {"", "not in the mesh: 503"},
		"empty": {"  - {name: app-v2, type: STATIC, connect_timeout: 1s}\n", "no endpoint that takes requests: 503"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			was := writeFile(t, dir, "old.yaml", twoRoutes)
			is := writeFile(t, dir, "new.yaml", replaced(t, twoRoutes, app2, now.cluster))
			asks := `requests:
- {name: the canary, host: www.example.com, path: /foo, expect: {action: route}}
- {name: the rest, host: www.example.com, path: /x, expect: {action: route}}
`
			writeFile(t, dir, "old.requests.yaml", asks)
			writeFile(t, dir, "new.requests.yaml", asks)
			target := "web ▸ www ▸ foo ▸ app 90, app-v2 10"
			out, errOut, status := meshtui(t, home(t), "diff", was, is)
			if want := "kept requests that change their target:\n  the canary\n    - " + target + "\n    + " + target + " (" + now.says + ")\n\n"; status != 1 || !strings.Contains(out, want) {
				t.Errorf("diff: status %d, want %q in\n%s%s", status, want, out, errOut)
			}
			out, errOut, status = meshtui(t, home(t), "match", is, "--all")
			if status != 1 || !strings.Contains(out, "FAIL  the canary: cluster app-v2 ") || !strings.Contains(out, "ok    the rest: ") {
				t.Errorf("match --all: status %d:\n%s%s", status, out, errOut)
			}
			if out, _, _ = meshtui(t, home(t), "match", is, "--host", "www.example.com", "--path", "/foo"); !strings.Contains(out, "to app 90, app-v2 10 ("+now.says+")") {
				t.Errorf("match does not say what becomes of the share:\n%s", out)
			}
			out, _, _ = meshtui(t, home(t), "match", is, "--host", "www.example.com", "--path", "/foo", "--json")
			if !strings.Contains(out, `{"name":"app","weight":90},{"name":"app-v2","weight":10,"status":503,"reason":"cluster app-v2 `) {
				t.Errorf("nor as JSON:\n%s", out)
			}
		})
	}
}

// replaced is text with old, which must be there once, replaced.
func replaced(t *testing.T, text, old, now string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is %d times in the text", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, now, 1)
}

// What keeps its target and is sent or answered otherwise is listed apart, with
// what changes; nothing stands there as removed and added at once.
func TestDiffSaysWhatElseChanges(t *testing.T) {
	dir := t.TempDir()
	was := writeFile(t, dir, "old.yaml", twoRoutes)
	now := replaced(t, twoRoutes, "route: {cluster: app}", "route: {cluster: app, timeout: 1s, host_rewrite_literal: inner}")
	is := writeFile(t, dir, "new.yaml", replaced(t, now, "go away", "go"))
	writeFile(t, dir, "new.requests.yaml", `requests:
- {name: the rest, host: www.example.com, path: /x}
- {name: closed, host: api.example.com, path: /}
`)
	out, errOut, status := meshtui(t, home(t), "diff", was, is)
	behaviour, _, _ := strings.Cut(out, "routes whose requests")
	want := `kept requests that keep their target, and change otherwise:
  the rest
      web ▸ www ▸ rest ▸ app
      host: www.example.com → inner
      timeout: 15s → 1s
  closed
      direct response 403
      body: go away → go

`
	if d := cmp.Diff(want, behaviour); status != 1 || d != "" {
		t.Errorf("status %d: %s (-want +got):\n%s", status, errOut, d)
	}
}

// A mesh of which a part could not be read gives no answer that looks whole.
func TestMatchOnABrokenMesh(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "lds.yaml", `resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: web
  address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
  filter_chains:
  - filters:
    - name: hcm
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: x
        rds: {route_config_name: r, config_source: {ads: {}}}
        http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
`)
	writeFile(t, dir, "rds.yaml", "resources: [ {\n")
	out, errOut, status := meshtui(t, home(t), "match", dir, "--host", "h", "--path", "/", "--json")
	var got struct{ Caveats []string }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	if status != 1 || len(got.Caveats) == 0 || !strings.Contains(got.Caveats[0], "rds.yaml") || !strings.Contains(errOut, "rds.yaml") {
		t.Errorf("status %d, caveats %q, said %q", status, got.Caveats, errOut)
	}
	out, _, status = meshtui(t, home(t), "match", dir, "--host", "h", "--path", "/")
	if _, caveats, ok := strings.Cut(out, "not known here"); status != 1 || !ok || !strings.Contains(caveats, "rds.yaml") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

func TestMatchAllHeedsItsFlags(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, dir, "envoy.yaml", twoRoutes)
	writeFile(t, dir, "envoy.requests.yaml", `requests:
- {name: ours, host: www.example.com, path: /x, expect: {cluster: app}}
- {name: theirs, group: theirs, host: www.example.com, path: /x, expect: {cluster: app}}
`)
	if out, _, status := meshtui(t, home(t), "match", path, "--all"); status != 1 || !strings.Contains(out, "2 kept, 1 as expected") {
		t.Errorf("every group: status %d:\n%s", status, out)
	}
	if out, errOut, status := meshtui(t, home(t), "match", path, "--all", "--group", "default"); status != 0 || !strings.Contains(out, "1 kept, 1 as expected") {
		t.Errorf("one group: status %d:\n%s%s", status, out, errOut)
	}
	if _, errOut, status := meshtui(t, home(t), "match", path, "--all", "--group", "nosuch"); status != 2 || !strings.Contains(errOut, "nosuch") {
		t.Errorf("no such group: status %d: %s", status, errOut)
	}
	// Every flag of the help that is not told to go with --all is refused.
	help, _, _ := meshtui(t, home(t), "match", "--help")
	flags := regexp.MustCompile(`(?m)^ +(?:-\w, |    )--(\w+)( \w+)?  `).FindAllStringSubmatch(help, -1)
	refused := 0
	for _, f := range flags {
		switch f[1] {
		case "all", "group", "json", "help":
			continue
		}
		refused++
		arg := "--" + f[1]
		if f[2] != "" {
			arg += "=1"
		}
		if _, errOut, status := meshtui(t, home(t), "match", path, "--all", arg); status != 2 || !strings.Contains(errOut, "leave out --"+f[1]) {
			t.Errorf("%s: status %d: %s", arg, status, errOut)
		}
	}
	if refused != 12 {
		t.Errorf("%d flags in\n%s", refused, help)
	}
}
