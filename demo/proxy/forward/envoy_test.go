package forward_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// comparable takes out of an answer what two proxies cannot have alike: ports,
// times, random ids, and the name of the server.
func comparable(t *testing.T, a answer, port, ours string) answer {
	t.Helper()
	a.Header = a.Header.Clone()
	a.Header.Del("Date")
	if a.Header.Get("Server") == "envoy" {
		a.Header.Set("Server", "meshtui")
	}
	if a.Header.Get("X-Envoy-Upstream-Service-Time") != "" {
		a.Header.Set("X-Envoy-Upstream-Service-Time", "0")
	}
	a.Header.Del("X-Envoy-Upstream-Healthchecked-Cluster")
	if machine := machineAddress(); machine != "" {
		a.Body = strings.ReplaceAll(a.Body, machine, "MACHINE")
	}
	same := func(h http.Header) {
		for _, values := range h {
			for i := range values {
				values[i] = ids.ReplaceAllString(strings.ReplaceAll(values[i], port, "PORT"), "ID")
				values[i] = clients.ReplaceAllString(values[i], "127.0.0.1:CLIENT")
			}
		}
	}
	if a.Method == http.MethodHead {
		a.Header.Del("Transfer-Encoding") // of no body: net/http does not say it
	}
	for name, values := range a.Trailer {
		if values == nil { // announced, and dropped: of that, an Envoy keeps the announcement
			delete(a.Trailer, name)
		}
	}
	if len(a.Trailer) == 0 {
		a.Trailer = nil
	}
	same(a.Header)
	var seen seenRequest
	if json.Unmarshal([]byte(a.Body), &seen) == nil {
		a.Header.Del("Content-Length")
		same(seen.Header)
		seen.Host = strings.ReplaceAll(seen.Host, port, "PORT")
		body, err := json.MarshalIndent(seen, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		a.Body = string(body)
	}
	return a
}

var (
	ids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	clients  = regexp.MustCompile(`127\.0\.0\.1:[0-9]{5}`)
	stickies = regexp.MustCompile(`sticky="[0-9a-f]{16}"`)
)

// machineAddress is the first address of this machine that is not loopback.
func machineAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return ""
}

// like sends each request to an Envoy and to our proxy, and compares what comes
// back and, through the echo, what the backend saw.
func like(t *testing.T, c config, requests []string) {
	t.Helper()
	backend, closed := echo(t), closedPort(t)
	theirs := realEnvoy(t, c, backend, closed)
	ours := serve(t, c, backend, closed)
	for _, raw := range requests {
		want := comparable(t, ask(t, theirs, strings.ReplaceAll(raw, "$PORT", theirs)), theirs, theirs)
		got := comparable(t, ask(t, ours.port, strings.ReplaceAll(raw, "$PORT", ours.port)), ours.port, theirs)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: Envoy -, ours +\n%s", raw, diff)
		}
	}
}

// What the proxy answers itself is what an Envoy answers.
func TestLikeEnvoyOwnAnswers(t *testing.T) {
	like(t, config{oneListener("", `
response_headers_to_add: [{header: {key: x-config, value: config}}]
virtual_hosts:
- name: www
  domains: [www.example.com, "www.example.com:$PORT"]
  response_headers_to_add: [{header: {key: x-host, value: "%REQ(:path)%|%PROTOCOL%|%RESPONSE_CODE%|%ROUTE_NAME%|%DOWNSTREAM_LOCAL_ADDRESS%|%REQ(none?x-some)%"}}]
  routes:
  - {match: {prefix: /old}, redirect: {path_redirect: /new, response_code: FOUND}}
  - {match: {prefix: /https}, redirect: {https_redirect: true}}
  - {match: {prefix: /teapot}, name: teapot, direct_response: {status: 418, body: {inline_string: short and stout}}}
  - {match: {prefix: /typed}, direct_response: {status: 200, body: {inline_string: "{}"}}, response_headers_to_add: [{header: {key: content-type, value: application/json}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]}
  - {match: {prefix: /nothing}, direct_response: {status: 200}}
  - {match: {prefix: /204}, direct_response: {status: 204}}
  - {match: {prefix: /nc404}, route: {cluster: missing, cluster_not_found_response_code: NOT_FOUND}}
  - {match: {prefix: /nc}, route: {cluster: missing}, response_headers_to_add: [{header: {key: x-route, value: "%RESPONSE_FLAGS%"}}]}
  - {match: {prefix: /header}, route: {cluster_header: x-cluster}}
  - {match: {prefix: /empty}, route: {cluster: empty}}
  - {match: {prefix: /closed}, route: {cluster: closed}, response_headers_to_add: [{header: {key: x-route, value: "%UPSTREAM_HOST%|%RESPONSE_CODE_DETAILS%"}}]}
  - {match: {prefix: /slow}, route: {cluster: app, timeout: 0.2s}}
  - {match: {prefix: /cut}, route: {cluster: app}}
  - {match: {prefix: /broken}, route: {cluster: app}}
- name: secure
  domains: [secure.example.com]
  require_tls: ALL
  routes: [{match: {prefix: /}, route: {cluster: app}}]
`), twoClusters}, []string{
		get("/old?a=b", "www.example.com"), get("/https/x?y", "www.example.com:$PORT"), get("/teapot", "www.example.com", "x-some: thing"),
		get("/typed", "www.example.com"), get("/nothing", "www.example.com"), get("/204", "www.example.com"),
		get("/no-route", "www.example.com"), get("/old", "other.example.com"), get("/x", "secure.example.com"),
		get("/nc", "www.example.com"), get("/nc404", "www.example.com"), get("/header", "www.example.com"),
		get("/header", "www.example.com", "x-cluster: missing"), get("/empty", "www.example.com"),
		get("/closed", "www.example.com"), get("/slow", "www.example.com"), get("/cut", "www.example.com"),
		get("/broken", "www.example.com"),
		request("HEAD", "/teapot", "www.example.com", ""), request("HEAD", "/old", "www.example.com", ""),
		request("HEAD", "/empty", "www.example.com", ""),
		request("POST", "/teapot", "www.example.com", "body"),
		get("/empty", "www.example.com", "content-type: application/grpc"),
		get("/no-route", "www.example.com", "content-type: application/grpc+proto"),
		get("/teapot", "www.example.com", "content-type: application/grpc"),
		get("/nc", "www.example.com", "content-type: application/grpc"),
		get("/x", "www.example.com", "Connection: upgrade", "Upgrade: websocket"),
		get("/teapot", "www.example.com", "Connection: upgrade", "Upgrade: websocket"),
		"GET /teapot HTTP/1.0\r\nHost: www.example.com\r\n\r\n",
		"GET http://www.example.com/teapot HTTP/1.1\r\nHost: other\r\n\r\n",
		"GET https://www.example.com/teapot HTTP/1.1\r\nHost: other\r\n\r\n",
		"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n",
		get("/teapot", "www.example.com", "x-large: "+strings.Repeat("x", 61<<10)),
		get("/teapot#fragment", "www.example.com"), get("/teapot", ""),
		get("/teapot", "WWW.Example.COM"), get("/teapot", "www.example.com:1"), get("/%74eapot", "www.example.com"), "BREW /teapot HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
	})
}

// What the connection manager refuses is refused as by an Envoy.
func TestLikeEnvoyRefusals(t *testing.T) {
	routes := "virtual_hosts: [{name: all, domains: [\"*\"], routes: [{match: {prefix: /}, route: {cluster: app}}]}]"
	for name, manager := range map[string]string{
		"underscore": "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST, max_headers_count: 5}\npath_with_escaped_slashes_action: REJECT_REQUEST\nmax_request_headers_kb: 1",
		"drop":       "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}\npath_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT\nhttp_protocol_options: {accept_http_10: true, default_host_for_http_10: ten.example.com}",
		"unescape":   "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\nnormalize_path: true\nmerge_slashes: true\nstrip_any_host_port: true\nstrip_trailing_host_dot: true",
	} {
		t.Run(name, func(t *testing.T) {
			like(t, config{oneListener(manager, routes), twoClusters}, []string{
				get("/x", "www.example.com", "x_under: 1"), get("/x%2Fy", "www.example.com"), get("/a/../b//c", "www.example.com.:80"),
				get("/x", "www.example.com", "a: 1", "b: 2", "c: 3", "d: 4", "e: 5", "f: 6"),
				get("/x", "www.example.com", "large: "+strings.Repeat("x", 2000)),
				"GET /ten HTTP/1.0\r\n\r\n", "GET /ten HTTP/1.0\r\nConnection: keep-alive\r\nHost: www\r\n\r\n",
			})
		})
	}
}

// A key finds the same host here as through an Envoy.
func TestLikeEnvoyHashes(t *testing.T) {
	var endpoints strings.Builder
	for range 4 {
		endpoints.WriteString("\n      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " + echo(t) + "}}}")
	}
	c := config{oneListener("", `
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - {match: {prefix: /header}, route: {cluster: ring, hash_policy: [{header: {header_name: x-key}}]}}
  - {match: {prefix: /path}, route: {cluster: ring, hash_policy: [{header: {header_name: ":path"}}]}}
  - {match: {prefix: /cookie}, route: {cluster: ring, hash_policy: [{cookie: {name: key}}]}}
  - {match: {prefix: /query}, route: {cluster: ring, hash_policy: [{query_parameter: {name: key}}]}}
  - {match: {prefix: /source}, route: {cluster: ring, hash_policy: [{connection_properties: {source_ip: true}}]}}
  - {match: {prefix: /both}, route: {cluster: ring, hash_policy: [{header: {header_name: x-key}}, {query_parameter: {name: key}}]}}
  - {match: {prefix: /terminal}, route: {cluster: ring, hash_policy: [{header: {header_name: x-key}, terminal: true}, {query_parameter: {name: key}}]}}
`), `
- name: ring
  type: STATIC
  connect_timeout: 1s
  lb_policy: RING_HASH
  load_assignment:
    cluster_name: ring
    endpoints:
    - lb_endpoints:` + endpoints.String() + "\n"}
	var requests []string
	for _, key := range []string{"a", "b", "somewhat longer than most", "0123456789012345678901234567890123456789", "é", "x=y"} {
		for _, path := range []string{"/header", "/path", "/cookie", "/query", "/source", "/both", "/terminal"} {
			where := path + "?key=" + url.QueryEscape(key)
			requests = append(requests, get(where, "www.example.com", "x-key: "+key, "Cookie: other=1; key="+key))
		}
	}
	requests = append(requests, get("/header", "www.example.com", "x-key: one", "x-key: two"), get("/header", "www.example.com", "x-key: two", "x-key: one"))
	like(t, c, requests)
}

// The health check filter answers for the proxy itself, whatever the routes say.
func TestLikeEnvoyHealthCheck(t *testing.T) {
	filtered := strings.Replace(oneListener("", "virtual_hosts: [{name: all, domains: [\"*\"], response_headers_to_add: [{header: {key: x-host, value: all}}], routes: [{match: {path: /ok}, route: {cluster: app}}]}]"),
		"http_filters:\n", `http_filters:
        - name: envoy.filters.http.health_check
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck
            pass_through_mode: false
            headers: [{name: ":path", string_match: {exact: /healthz}}, {name: x-really, present_match: true}]
`, 1)
	like(t, config{filtered, twoClusters}, []string{
		get("/healthz", "www.example.com", "x-really: 1"), get("/healthz", "www.example.com"), get("/ok", "www.example.com", "x-really: 1"),
		request("HEAD", "/healthz", "www.example.com", "", "x-really: 1"),
	})
}

const mutations = `
request_headers_to_add:
- {header: {key: x-order, value: config}}
- {header: {key: x-mine, value: config}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
request_headers_to_remove: [x-drop-config]
response_headers_to_add: [{header: {key: x-order, value: config}}, {header: {key: x-status, value: "%RESPONSE_CODE%|%RESPONSE_CODE_DETAILS%|%RESP(x-from)%|%UPSTREAM_CLUSTER%"}}]
response_headers_to_remove: [x-from]
virtual_hosts:
- name: www
  domains: ["*"]
  include_attempt_count_in_response: true
  include_request_attempt_count: true
  request_headers_to_add:
  - {header: {key: x-order, value: host}}
  - {header: {key: x-mine, value: host}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
  - {header: {key: x-if-there, value: overwritten}, append_action: OVERWRITE_IF_EXISTS}
  - {header: {key: x-if-absent, value: added}, append_action: ADD_IF_ABSENT}
  - {header: {key: x-empty, value: "%REQ(x-none)%"}}
  - {header: {key: x-kept, value: "%REQ(x-none)%"}, keep_empty_value: true}
  - {header: {key: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
  - {header: {key: x-path, value: "%REQ(:path)% %REQ(:method)% %REQ(:authority)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):5%"}}
  response_headers_to_add: [{header: {key: x-order, value: host}}]
  routes:
  - match: {prefix: /rewrite}
    route: {cluster: app, prefix_rewrite: /new, host_rewrite_literal: inside.example.com, append_x_forwarded_host: true}
    request_headers_to_add: [{header: {key: x-order, value: route}}, {header: {key: x-mine, value: route}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]
    request_headers_to_remove: [x-drop-route, user-agent]
    response_headers_to_add: [{header: {key: x-order, value: route}}]
  - match: {prefix: /auto}
    route: {cluster: app, auto_host_rewrite: true}
  - match: {prefix: /regex}
    route: {cluster: app, regex_rewrite: {pattern: {regex: "^/regex/([^/]+)"}, substitution: '/\1'}, timeout: 0s}
  - match: {prefix: /weighted}
    route:
      timeout: 2s
      weighted_clusters:
        clusters:
        - name: app
          weight: 1
          host_rewrite_literal: weighted.example.com
          request_headers_to_add: [{header: {key: x-order, value: weighted}}]
          response_headers_to_add: [{header: {key: x-order, value: weighted}}]
    request_headers_to_add: [{header: {key: x-order, value: route}}]
    response_headers_to_add: [{header: {key: x-order, value: route}}]
  - match: {prefix: /503}
    route: {cluster: app, retry_policy: {retry_on: 5xx, num_retries: 2, retry_back_off: {base_interval: 0.001s}}}
  - match: {prefix: /closed}
    route: {cluster: closed, retry_policy: {retry_on: connect-failure, num_retries: 1, retry_back_off: {base_interval: 0.001s}, per_try_timeout: 3s}}
  - match: {prefix: /try}
    route: {cluster: app, timeout: 5s, retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.3s}}
  - match: {prefix: /slow}
    route: {cluster: app, timeout: 0.2s}
  - match: {prefix: /mirror}
    route: {cluster: app, request_mirror_policies: [{cluster: closed}]}
  - match: {prefix: /hash}
    route: {cluster: app, hash_policy: [{cookie: {name: sticky, ttl: 60s, path: /, attributes: [{name: SameSite, value: Lax}]}}]}
  - match: {prefix: /session}
    route: {cluster: app, hash_policy: [{cookie: {name: sticky, ttl: 0s}}]}
  - {match: {prefix: /}, route: {cluster: app}}
`

var forwarded = []string{
	get("/", "www.example.com"), get("/rewrite/x?y=z", "www.example.com", "User-Agent: test", "x-drop-route: a", "x-drop-config: b", "x-mine: client"),
	get("/x", "www.example.com", "x-if-there: client", "x-if-absent: client", "x-order: client", "User-Agent: test"),
	get("/auto", "www.example.com"), get("/regex/a/b", "www.example.com"), get("/weighted", "www.example.com"),
	get("/a%2Fb/%C3%A9//c/../d?q=%20+&&", "www.example.com"), get("//double//slash", "www.example.com"), get("/tilde~!$&'()*+,;=:@", "www.example.com"),
	get("/503", "www.example.com"), get("/closed", "www.example.com"), get("/try/slow", "www.example.com"),
	get("/204", "www.example.com"), get("/plain", "www.example.com"), get("/trailer", "www.example.com"), get("/mirror", "www.example.com"),
	request("HEAD", "/plain", "www.example.com", ""), request("POST", "/post", "www.example.com", "a body"),
	request("PUT", "/put", "www.example.com", "", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
	request("DELETE", "/x", "www.example.com", ""), request("POST", "/none", "www.example.com", "", "Content-Length: 0"), request("OPTIONS", "*", "www.example.com", ""),
	request("PUT", "/expect", "www.example.com", "hello", "Expect: 100-continue"),
	get("/h2c", "www.example.com", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
	get("/te", "www.example.com", "TE: trailers, gzip", "Connection: te, x-hop, keep-alive", "x-hop: 1", "Keep-Alive: 5", "Proxy-Connection: x"),
	get("/xff", "www.example.com", "X-Forwarded-For: 10.0.0.1, 1.2.3.4", "X-Forwarded-Proto: https", "X-Request-Id: mine", "X-Envoy-Internal: true"),
	get("/xff", "www.example.com", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: gopher"),
	get("/timeout", "www.example.com", "X-Forwarded-For: 10.0.0.1", "x-envoy-upstream-rq-timeout-ms: 1234", "x-envoy-retry-on: 5xx", "x-envoy-max-retries: 1"),
	get("/slow", "www.example.com", "X-Forwarded-For: 10.0.0.1", "x-envoy-upstream-rq-timeout-ms: 150"),
	get("/timeout", "www.example.com", "x-envoy-upstream-rq-timeout-ms: 1234", "x-envoy-retry-on: 5xx", "x-envoy-force-trace: 1"),
	get("/cookies", "www.example.com", "Cookie: a=b; c=d", "Cookie: e=f"), get("/two", "www.example.com", "x-two: 1", "x-two: 2"),
	get("/referer", "www.example.com", "Referer: not a url", "X-Forwarded-Client-Cert: By=me"),
	get("/hash", "www.example.com", "Cookie: sticky=abc"), get("/accept", "www.example.com", "Accept-Encoding: gzip", "Accept: */*"),
	"GET https://abs.example.com/absolute HTTP/1.1\r\nHost: h\r\n\r\n", get("/decorator", "www.example.com", "x-envoy-decorator-operation: x", "x-envoy-original-path: /y", "x-envoy-expected-rq-timeout-ms: 3", "x-envoy-attempt-count: 7"),
	"GET /absolute HTTP/1.1\r\nHost: ignored.example.com\r\nX: 1\r\n\r\n", "GET http://abs.example.com:81/absolute?x HTTP/1.1\r\nHost: ignored\r\n\r\n",
	get("/grpc", "www.example.com", "Content-Type: application/grpc", "grpc-timeout: 100m"),
	get("/slow/grpc", "www.example.com", "Content-Type: application/grpc", "X-Forwarded-For: 10.0.0.1", "x-envoy-upstream-rq-timeout-ms: 150"),
}

// What goes upstream, and what comes back from there, is what an Envoy passes.
func TestLikeEnvoyForwarding(t *testing.T) {
	for name, manager := range map[string]string{
		"default":         "",
		"remote address":  "use_remote_address: true\nvia: edge\nalways_set_request_id_in_response: true",
		"one trusted hop": "use_remote_address: true\nxff_num_trusted_hops: 1\nserver_header_transformation: PASS_THROUGH\nappend_x_forwarded_port: true\npreserve_external_request_id: true",
		"internal":        "use_remote_address: true\nskip_xff_append: true\ninternal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}",
		"other":           "server_name: other\nserver_header_transformation: APPEND_IF_ABSENT\ngenerate_request_id: false\nnormalize_path: true\nmerge_slashes: true\nhttp_protocol_options: {enable_trailers: true}\nxff_num_trusted_hops: 1",
	} {
		t.Run(name, func(t *testing.T) {
			like(t, config{oneListener(manager, mutations), twoClusters}, forwarded)
		})
	}
	t.Run("inward", func(t *testing.T) {
		like(t, config{oneListener("", "most_specific_header_mutations_wins: true\n"+mutations), twoClusters}, forwarded[:6])
	})
	t.Run("no extras", func(t *testing.T) {
		plain := strings.Replace(oneListener("", mutations), ".Router}", ".Router, suppress_envoy_headers: true}", 1)
		like(t, config{plain, twoClusters}, forwarded[:12])
	})
}
