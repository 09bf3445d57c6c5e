package merge_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
)

// world makes random meshes and random edits of what they are projected to, the
// same for the same seed. Its words are few, so that what it makes gets into each
// other's way.
type world struct{ *rand.Rand }

func (w world) one(from ...string) string { return from[w.IntN(len(from))] }
func (w world) chance(percent int) bool   { return w.IntN(100) < percent }

var (
	worldHosts     = []string{"a.test", "b.test", "*.c.test", "www.a.test"}
	worldPrefixes  = []string{"/", "/a", "/a/", "/a/b", "/b", "/static/", "/static/img"}
	worldPaths     = []string{"/a", "/a/b/c", "/ping", "/static/x.png", "/b/"}
	worldRegexes   = []string{`\.png$`, `^/a/.*`, `^/b/(.+)$`, `\.php$`}
	worldUpstreams = []string{"app", "api", "old"}
)

// mesh is a random one: of an nginx.conf, or such as people write for Envoy.
func (w world) mesh(t testing.TB) *mesh.Mesh {
	t.Helper()
	if w.chance(50) {
		return parseMesh(t, &txtar.Archive{Files: []txtar.File{{Name: "nginx.conf", Data: []byte(w.conf())}}})
	}
	return parseMesh(t, txtar.Parse([]byte(w.envoy())))
}

// conf is a random nginx.conf.
func (w world) conf() string {
	var b strings.Builder
	b.WriteString("events {}\nhttp {\n")
	if w.chance(20) {
		b.WriteString("client_max_body_size 5m;\n")
	}
	for i, name := range worldUpstreams {
		fmt.Fprintf(&b, "upstream %s {\n", name)
		if w.chance(20) {
			b.WriteString("least_conn;\n")
		}
		for j := range 1 + w.IntN(3) {
			fmt.Fprintf(&b, "server 127.0.0.1:%d%s;\n", 9000+10*i+j, w.one("", "", " weight=3", " max_fails=2"))
		}
		b.WriteString("}\n")
	}
	for i, host := range worldHosts[:1+w.IntN(3)] {
		fmt.Fprintf(&b, "server {\nlisten %s%s;\nserver_name %s;\n", w.one("8080", "8080", "8081"), w.defaultServer(i), host)
		if w.chance(20) {
			b.WriteString("add_header X-Server " + host[:1] + " always;\n")
		}
		for _, l := range w.locations(5) {
			b.WriteString(l)
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (w world) defaultServer(i int) string {
	if i == 0 && w.chance(30) {
		return " default_server"
	}
	return ""
}

// locations are up to n, each with another name.
func (w world) locations(n int) (out []string) {
	seen := map[string]bool{}
	for range 1 + w.IntN(n) {
		name := w.locationName()
		if key := strings.TrimPrefix(name, "^~ "); !seen[key] {
			seen[key] = true
			out = append(out, "location "+name+" {\n"+w.answer(name)+"}\n")
		}
	}
	return out
}

func (w world) locationName() string {
	switch w.IntN(8) {
	case 0, 1:
		return "= " + w.one(worldPaths...)
	case 2:
		return w.one("~ ", "~* ") + w.one(worldRegexes...)
	case 3:
		return "^~ " + w.one(worldPrefixes[1:]...)
	}
	return w.one(worldPrefixes...)
}

// answer is what stands in a location.
func (w world) answer(name string) string {
	var b strings.Builder
	if w.chance(10) {
		b.WriteString(w.one("deny all;\n", "allow 127.0.0.1;\ndeny all;\n", "deny 10.0.0.0/8;\n", "client_max_body_size 2m;\n"))
	}
	switch w.IntN(5) {
	case 0:
		fmt.Fprintf(&b, "return 200 t%d;\n", w.IntN(100))
	case 1:
		fmt.Fprintf(&b, "return %s;\n", w.one("301 /moved", "403", "302 https://other.test/x", "404"))
	default:
		uri := ""
		if w.chance(25) && !strings.HasPrefix(name, "~") {
			uri = w.one("/", "/x", "/x/")
		}
		fmt.Fprintf(&b, "proxy_pass %s%s;\n", w.one("http://app", "http://api", "http://old", "http://app", "http://127.0.0.1:9050"), uri)
		for w.chance(30) {
			b.WriteString(w.setting())
		}
	}
	return b.String()
}

// setting is a line that a location with a proxy_pass may have.
func (w world) setting() string {
	return w.one("proxy_read_timeout "+w.one("5s", "30s", "2m")+";\n", "proxy_set_header Host "+w.one("$host", "$http_host", "fixed.test")+";\n",
		"add_header X-Loc "+w.one("1", "2")+" always;\n", "proxy_next_upstream "+w.one("off", "error timeout", "error")+";\n",
		"proxy_connect_timeout "+w.one("3s", "60s")+";\n", "proxy_hide_header X-Powered-By;\n")
}

// envoy is a mesh as people write it for Envoy, with what nginx cannot say.
func (w world) envoy() string {
	var b strings.Builder
	b.WriteString(`-- listener --
# the front door
name: web
address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web   # ours
      normalize_path: true
      merge_slashes: true
      rds: {route_config_name: rt, config_source: {ads: {}}}
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
-- route --
name: rt
ignore_port_in_host_matching: true
virtual_hosts:
`)
	for i, host := range worldHosts[:1+w.IntN(3)] {
		fmt.Fprintf(&b, "# team %d\n- name: host-%d\n  domains: [%q]\n", i, i, host)
		if w.chance(20) {
			b.WriteString("  retry_policy: {retry_on: connect-failure, num_retries: 1}\n")
		}
		b.WriteString("  routes:\n")
		for j := range 1 + w.IntN(5) {
			fmt.Fprintf(&b, "  # route %d of %d\n  - name: r%d-%d\n    match: {%s}\n%s", j, i, i, j, w.routeMatch(), w.routeAction())
		}
	}
	for i, name := range worldUpstreams {
		fmt.Fprintf(&b, "-- cluster --\nname: %s\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}}}\n", name)
		b.WriteString(w.one("", "connect_timeout: 2s\n", "lb_policy: LEAST_REQUEST # on purpose\n"))
		b.WriteString(w.one("", "health_checks: # knock\n- {timeout: 1s, interval: 5s, unhealthy_threshold: 3, healthy_threshold: 2, http_health_check: {path: /hz}}\n"))
		b.WriteString(w.one("", "outlier_detection: {consecutive_5xx: 7}\n"))
		b.WriteString(w.one("", "circuit_breakers: {thresholds: [{max_connections: 77}]}\n"))
		fmt.Fprintf(&b, "-- endpoints --\ncluster_name: %s\nendpoints:\n- locality: {zone: z%d}\n  lb_endpoints:\n", name, i)
		for j := range 1 + w.IntN(3) {
			fmt.Fprintf(&b, "  - {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}%s} # e%d\n", 9000+10*i+j, w.one("", "", ", load_balancing_weight: 3", ", health_status: DRAINING"), j)
		}
	}
	return b.String()
}

func (w world) routeMatch() string {
	more := w.one("", "", "", "", `, headers: [{name: x-beta, string_match: {exact: "1"}}]`)
	switch w.IntN(6) {
	case 0, 1:
		return "path: " + w.one(worldPaths...) + more
	case 2:
		return `safe_regex: {regex: "` + w.one(`.*[.]png`, `/a/.*`, `/b/(.+)`) + `"}` + more
	case 3:
		return "path_separated_prefix: " + w.one("/a", "/b", "/static") + more
	}
	return "prefix: " + w.one(worldPrefixes...) + more
}

func (w world) routeAction() string {
	more := w.one("", "", "    metadata: {filter_metadata: {team: {owner: x}}}\n", "    response_headers_to_add: [{header: {key: X-Loc, value: one}}]\n")
	switch w.IntN(6) {
	case 0:
		return fmt.Sprintf("    direct_response: {status: 200, body: {inline_string: t%d}}\n", w.IntN(100)) + more
	case 1:
		return "    redirect: {path_redirect: /moved, response_code: FOUND, strip_query: true}\n" + more
	case 2:
		return fmt.Sprintf("    route: {weighted_clusters: {clusters: [{name: app, weight: %s}, {name: api, weight: 10}]}}\n", w.one("90", "30", "10")) + more
	}
	return "    route: {cluster: " + w.one(worldUpstreams...) + w.one("", ", timeout: 7s", ", prefix_rewrite: /x", `, retry_policy: {retry_on: "5xx", num_retries: 3}`, ", host_rewrite_literal: fixed.test") + "}\n" + more
}
