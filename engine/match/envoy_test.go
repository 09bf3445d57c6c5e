package match_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// echo is a route configuration that answers with what the router saw.
const echo = `
      route_config:
        name: echo
        virtual_hosts:
        - name: any
          domains: ["*"]
          routes:
          - match: {prefix: /}
            direct_response: {status: 200}
            response_headers_to_add:
            - {header: {key: x-path, value: "%REQ(:PATH)%"}}
            - {header: {key: x-host, value: "%REQ(:AUTHORITY)%"}}
            - {header: {key: x-scheme, value: "%REQ(:SCHEME)%"}}
            - {header: {key: x-seen, value: "%REQ(CONNECTION)%|%REQ(UPGRADE)%|%REQ(TE)%|%REQ(X-A)%|%REQ(X-FORWARDED-FOR)%|%REQ(X-FORWARDED-PROTO)%|%REQ(X-ENVOY-INTERNAL)%|%REQ(X-ENVOY-RETRY-ON)%|%REQ(X-ENVOY-EXTERNAL-ADDRESS)%|%REQ(X-FORWARDED-CLIENT-CERT)%|%REQ(VIA)%|%REQ(KEEP-ALIVE)%|%REQ(TRANSFER-ENCODING)%|%REQ(X_UNDER)%|%REQ(X-ENVOY-DECORATOR-OPERATION)%|%REQ(X-FORWARDED-PORT)%|%REQ(CONTENT-LENGTH)%"}}`

// seenHeaders are those of x-seen, in its order.
var seenHeaders = []string{
	"connection", "upgrade", "te", "x-a", "x-forwarded-for", "x-forwarded-proto", "x-envoy-internal", "x-envoy-retry-on",
	"x-envoy-external-address", "x-forwarded-client-cert", "via", "keep-alive", "transfer-encoding", "x_under",
	"x-envoy-decorator-operation", "x-forwarded-port", "content-length",
}

// managers are settings of an HTTP connection manager that bear on what the
// router sees.
var managers = map[string]string{
	"plain":        ``,
	"normalize":    `{normalize_path: true}`,
	"merge":        `{merge_slashes: true}`,
	"both":         `{normalize_path: true, merge_slashes: true}`,
	"reject":       `{path_with_escaped_slashes_action: REJECT_REQUEST}`,
	"redirect":     `{path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT, normalize_path: true}`,
	"unescape":     `{path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD, normalize_path: true, merge_slashes: true}`,
	"unescapeonly": `{path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD}`,
	"anyport":      `{strip_any_host_port: true, strip_trailing_host_dot: true}`,
	"ownport":      `{strip_matching_host_port: true}`,
	"dot":          `{strip_trailing_host_dot: true}`,
	"http10":       `{http_protocol_options: {accept_http_10: true, default_host_for_http_10: nohost.example}}`,
	"old":          `{http_protocol_options: {accept_http_10: true}}`,
	"custom":       `{http_protocol_options: {allow_custom_methods: true}}`,
	"relative":     `{http_protocol_options: {allow_absolute_url: false}}`,
	"overwrite":    `{scheme_header_transformation: {scheme_to_overwrite: https}}`,
	"remote":       `{use_remote_address: true, append_x_forwarded_port: true, via: me, skip_xff_append: true}`,
	"hops":         `{use_remote_address: true, xff_num_trusted_hops: 1, skip_xff_append: true}`,
	"trusting":     `{xff_num_trusted_hops: 1, forward_client_cert_details: ALWAYS_FORWARD_ONLY}`,
	"internal":     `{internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}`,
	"drop":         `{common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}}`,
	"refuse":       `{common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}}`,
	"small":        `{max_request_headers_kb: 1, common_http_protocol_options: {max_headers_count: 4}}`,
	"chunked":      `{http_protocol_options: {allow_chunked_length: true}}`,
	"noupgrade":    `{http_protocol_options: {ignore_http_11_upgrade: [{exact: websocket}, {prefix: oth, ignore_case: true}]}}`,
	"websocket":    `{upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT, enabled: false}]}`,
}

func managerOf(more string) string {
	if more != "" {
		more = "\n      " + strings.TrimSuffix(strings.TrimPrefix(more, "{"), "}")
		more = splitFields(more)
	}
	return `
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      local_reply_config:
        mappers:
        - filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 0, runtime_key: none}}}}
          headers_to_add: [{header: {key: x-details, value: "%RESPONSE_CODE_DETAILS%"}}]` + more + `
      http_filters:
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}` + echo
}

// splitFields puts the top fields of a flow mapping on lines of their own.
func splitFields(s string) string {
	depth := 0
	return strings.Map(func(c rune) rune {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				return '\x00'
			}
		}
		return c
	}, s)
}

var oddPaths = func() []string {
	out := []string{
		"/", "//", "/a", "/a/", "/a//b", "//a///b//", "/a/./b", "/a/../b", "/../a", "/a/..", "/a/.", "/.", "/..", "/...", "/.a", "/a/...", "/a/..b",
		"/a/%2e/b", "/a/%2E%2e/b", "/a/.%2e", "/a/%2e", "/%2e%2e/%2E", "/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5cb", `/a\b`, `/a\..\b`, `/\a`, "/a%2F..%2Fb",
		"/%41%7a%2d%5F%7E", "/%20", "/%00", "/a%00b", "/%", "/%4", "/%zz", "/%%30%30", "/%25", "/%252e", "/%3F", "/%23", "/a?b", "/a?b/../c//d", "/a?%2F", "/a?b#c",
		"/a#b", "/#", "/a%2F#", "/a;b=c", "/a/..;/b", "/a/.;x/b", "/a/..;b", "/a/.;", "/a,b", "/a b", "/ ", "/é", "/\xff", "/\x01", "/a\tb", "/a\fb", "/a\x7f", "*", "a", "?a", "a/b",
		"http://other.example/x?y", "http://other.example", "http://other.example:8080/x", "HTTP://Other.Example/x", "https://other.example/x", "ftp://other.example/x",
		"http://u:p@other.example/x", "http://[::1]:80/x", "http://[::1]/x", "http:///x", "http://other.example?q", "http://other.example#f", "http://other.example:/x",
		"http://other.example:99999/x", "http://other.example:ab/x", "http:/x", "http://a@b@c/x", "http://other.example/../x", "://x", "1http://x/", "http://x_y/z", "http://x/a b",
		"/%c3%a9", "/%C3%A9", "/%2B%2C%2f", "/a%2e%2e/b", "/a/%2e%2e%2fb", "/%7B%7D", "/a/../../..//b", "/..//../a", "/a/b/../../../c?d", "/a//../b", "/a/b//..", "//../a",
		"/%2f%2e%2e%2fa", "/%5c..%5ca", "/%2", "/a%", "/%e", "/%AE", "/a/%", "/./", "/.//", "/../", "/a/./", "/a/../", "/x/.%", "/..%", "/%2e%", "/a?", "/?", "/??", "/a%3f/../b",
	}
	for c := byte('!'); c < 0x7f; c++ {
		out = append(out, fmt.Sprintf("/-%c-", c), fmt.Sprintf("/-%%%02X-", c), fmt.Sprintf("/-%%%02x-", c))
	}
	return out
}()

var oddHosts = []string{
	"a.example", "A.Example", "a.example:80", "a.example:PORT", "a.example.", "a.example.:80", "a.example:", "a.example:x", "[::1]", "[::1]:80", "[::1]:PORT", "a.example:080", "a:b:80",
	"a..b", ".", "a.example..", "a b", "a/b", "a,b", "a_b", "é", "a?b", "a#b", "a@b", "a%41", "a\"b", "a|b", "a`b", "a{b}", "a<b>", "[", "]", "a]:80", "*", "a.example:99999999999", "a.example:-1", "a.example:+80", "::1", "a.example.:x", "a.b:.",
	"a.example:70000", "a.example:0", "a\\b", "a^b", "a~b", "a!b", "a$b&c'd(e)f*g+h;i=j",
}

func h(pairs ...string) []routes.Header {
	var out []routes.Header
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, routes.Header{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

var oddHeaders = [][]routes.Header{
	h("X-A", "1"), h("X-A", "1", "x-a", "2"), h("x-a", ""), h("x-a", "  1  "), h("x-a", "\xff\xfe"), h("x-a", "a\tb"), h("x-a", "a\x01b"), h("x-a", "a\x7fb"), h("x a", "1"), h("x\"a", "1"), h("", "1"),
	h("x_under", "1"), h("Connection", "keep-alive"), h("Connection", "x-a", "X-A", "1"), h("Connection", "close, x-a", "X-A", "1"), h("Connection", "te", "TE", "trailers"), h("TE", "trailers"), h("TE", "gzip"), h("TE", "trailers, gzip"), h("TE", "trailers;q=0.5"), h("Connection", "te", "TE", "gzip"),
	h("Connection", "Upgrade", "Upgrade", "websocket"), h("Connection", "keep-alive, upgrade", "Upgrade", "WebSocket"), h("Upgrade", "websocket"), h("Connection", "upgrade", "Upgrade", "h2c"), h("Connection", "upgrade", "Upgrade", "other"), h("Connection", "Upgrade"),
	h("Connection", "Upgrade", "Upgrade", "websocket, other"), h("Connection", "keep-alive, Upgrade", "Upgrade", "new, websocket"), h("Connection", "Upgrade", "Upgrade", "Other"),
	h("Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "x"), h("Connection", "upgrade, x-a", "Upgrade", "websocket", "x-a", "1"),
	h("X-Forwarded-For", "10.0.0.1"), h("X-Forwarded-For", "8.8.8.8"), h("X-Forwarded-For", "8.8.8.8, 10.0.0.1"), h("X-Forwarded-For", "10.0.0.1,10.0.0.2"), h("X-Forwarded-For", "nonsense"), h("X-Forwarded-For", "192.168.1.1"), h("X-Forwarded-For", "127.0.0.1"), h("X-Forwarded-For", "::1"), h("X-Forwarded-For", "fd00::1"), h("X-Forwarded-For", "172.16.0.1"), h("X-Forwarded-For", "10.1.2.3, 8.8.8.8"), h("X-Forwarded-For", " 10.0.0.1"), h("X-Forwarded-For", "10.0.0.1 "), h("X-Forwarded-For", "::ffff:10.0.0.1"), h("X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "8.8.8.8"), h("X-Forwarded-For", ""), h("X-Forwarded-For", "10.0.0.1:80"), h("X-Forwarded-For", "[fd00::1]:80"), h("X-Forwarded-For", "10.1.1.1,"),
	h("X-Forwarded-Proto", "https"), h("X-Forwarded-Proto", "HTTPS"), h("X-Forwarded-Proto", "ftp"), h("X-Forwarded-Proto", ""), h("X-Forwarded-Port", "99"), h("X-Forwarded-Proto", "https", "X-Forwarded-For", "1.1.1.1"),
	h("X-Envoy-Internal", "true"), h("X-Envoy-Retry-On", "5xx"), h("X-Envoy-Retry-On", "5xx", "X-Forwarded-For", "10.0.0.1"), h("X-Envoy-Decorator-Operation", "op"), h("X-Forwarded-Client-Cert", "By=x"), h("Via", "1.1 other"), h("Keep-Alive", "x"), h("Proxy-Connection", "close"),
	h("X-Envoy-External-Address", "1.2.3.4"), h("Connection", "x-forwarded-for", "X-Forwarded-For", "10.0.0.1"), h("Connection", "host"), h("Connection", "x-forwarded-proto"), h("Connection", "cookie"), h("Connection", ":path"), h("Connection", "x-a,,x-b", "x-a", "1"), h("Connection", "content-length"), h("Connection", "x-request-id"),
	h("A", "1", "B", "2"), h("A", "1", "B", "2", "C", "3"), h("A", "1", "B", "2", "C", "3", "D", "4"), h("A", strings.Repeat("x", 900)), h("A", strings.Repeat("x", 970)), h("A", strings.Repeat("x", 1000)), h("A", strings.Repeat("x", 1100)), h("A", strings.Repeat("x", 70000)), h("Content-Length", "0"), h("Transfer-Encoding", "gzip"), h("Content-Length", "x"), h("Content-Length", "0", "Transfer-Encoding", "chunked"), h("Content-Length", ""), h("Content-Length", "0, 0"), h("Content-Length", "0", "Content-Length", "0"), h("Content-Length", "+0"), h("Transfer-Encoding", "gzip, chunked"), h("Transfer-Encoding", ""), h("Transfer-Encoding", "Chunked", "Content-Length", "0"), h("Content-Type", "application/grpc"), h("Host", "b.example"),
}

var oddMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "MSEARCH", "M-SEARCH", "BREW", "get", "G T", "G\"T", "PURGE", "QUERY", "CONNECT"}

// pathPieces are what random paths are made of, randomPaths how many there are.
var pathPieces = strings.Fields(`/ // . .. %2e %2E %2F %2f %5c \ % %4 %41 %% a ; ? %25 %3 0 %30 ^ %00 /../ /./ .; ..; %7e 2 e F : @ //. %e`)

const randomPaths = 150

func odd() []match.Request {
	var out []match.Request
	for _, p := range oddPaths {
		out = append(out, match.Request{Host: "a.example", Path: p})
	}
	for _, host := range oddHosts {
		out = append(out, match.Request{Host: host, Path: "/x"})
	}
	for _, headers := range oddHeaders {
		out = append(out, match.Request{Host: "a.example", Path: "/x", Headers: headers})
	}
	for _, method := range oddMethods {
		out = append(out, match.Request{Method: method, Host: "a.example", Path: "/x"})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range randomPaths {
		path := "/"
		for range random.IntN(8) {
			path += pathPieces[random.IntN(len(pathPieces))]
		}
		out = append(out, match.Request{Host: "a.example", Path: path})
	}
	return append(out,
		match.Request{Path: "/x"}, match.Request{Path: "/x", HTTP10: true}, match.Request{Host: "a.example", Path: "/x", HTTP10: true},
		match.Request{Path: "http://other.example/x", HTTP10: true}, match.Request{Path: "http://other.example/x"},
		match.Request{Method: "OPTIONS", Host: "a.example", Path: "*"}, match.Request{Method: "OPTIONS", Host: "a.example", Path: "*/x"},
		match.Request{Method: "CONNECT", Host: "a.example:443"}, match.Request{Method: "CONNECT", Host: "a.example"}, match.Request{Method: "CONNECT", Host: "a.example:443", Path: "/"},
		match.Request{Method: "CONNECT", Host: "x", Path: "b.example:1"}, match.Request{Method: "CONNECT", Host: "x", Path: "[::1]:1"}, match.Request{Method: "CONNECT", Host: "x", Path: "http://b.example:1/"},
		match.Request{Method: "CONNECT", Host: "x", Path: "b.example:1/x"},
		match.Request{Method: "QUERY", Host: "a.example", Path: "/x", Headers: h("Content-Type", "text/plain", "Content-Length", "0")},
		match.Request{Method: "QUERY", Host: "a b", Path: "*"}, match.Request{Method: "QUERY", Host: "a.example", Path: "*"}, match.Request{Method: "QUERY", Path: "/x"},
		match.Request{Host: "a.example", Path: "/a%2Fb", Headers: h("Content-Type", "application/grpc")},
		match.Request{Host: "a.example", Path: "/a%2Fb", Headers: h("Content-Type", "application/grpc+proto")},
		match.Request{Host: "a.example", Path: "/x" + strings.Repeat("y", 1000)},
		match.Request{Host: "a.example", Path: "/x" + strings.Repeat("y", 62000)},
	)
}

// What the codec and the connection manager make of odd requests is what a real
// Envoy makes of them: the same answer, and the same view for the router.
func TestEnvoySeesTheSameRequest(t *testing.T) {
	envoyBinary(t)
	ports := freePorts(t, len(managers))
	port := map[string]int{}
	var resources []*mesh.Resource
	for name, settings := range managers {
		port[name] = ports[len(port)]
		yaml := fmt.Sprintf("name: %s\naddress: {socket_address: {address: 127.0.0.1, port_value: %d}}\nfilter_chains:\n- filters:%s\n",
			name, port[name], strings.ReplaceAll(managerOf(settings), "\x00", "\n     "))
		resources = append(resources, resource(t, mesh.Listener, yaml))
	}
	m, err := mesh.New(resources...)
	if err != nil {
		t.Fatal(err)
	}
	runEnvoy(t, m)
	matcher := match.New(m)
	var compared atomic.Int64
	var group sync.WaitGroup
	for name := range managers {
		group.Go(func() {
			for _, r := range odd() {
				r.Host = strings.ReplaceAll(r.Host, "PORT", fmt.Sprint(port[name]))
				r.Listener = name
				if wrong := compare(matcher.Match(&r), send(t, port[name], r)); wrong != "" {
					t.Errorf("%s: %s\n%.200q", name, wrong, wireForm(r))
				}
				compared.Add(1)
			}
		})
	}
	group.Wait()
	t.Logf("%d requests compared", compared.Load())
}

// compare tells the first thing in which an answer is not what was predicted.
func compare(w match.Way, got answer) string {
	if got.headers.Get("Grpc-Status") != "" && got.status == 200 {
		return "" // what Envoy answers itself, told the way gRPC does
	}
	if w.Status != got.status {
		return fmt.Sprintf("predicted %s %d (%s: %s), got %d", w.Action, w.Status, w.Detail, w.Reason, got.status)
	}
	if want := w.Body; want != got.body && got.status != 0 {
		return fmt.Sprintf("predicted %d %s with the body %q, got %q", w.Status, w.Detail, want, got.body)
	}
	if have := got.headers.Get("X-Details"); have != "" && have != w.Detail {
		return fmt.Sprintf("predicted %d for %s, got it for %s", w.Status, w.Detail, have)
	}
	if want, have := w.Location, got.headers.Get("Location"); want != have {
		return fmt.Sprintf("predicted Location %q, got %q", want, have)
	}
	if w.Action != match.DirectResponse {
		return ""
	}
	for name, want := range map[string]string{"X-Path": w.Seen.Path, "X-Host": w.Seen.Authority, "X-Scheme": w.Seen.Scheme, "X-Seen": seenBy(w)} {
		if have := got.headers.Get(name); strings.TrimSpace(want) != have {
			return fmt.Sprintf("predicted %s %q, got %q", name, want, have)
		}
	}
	return ""
}

// seenBy is the x-seen header that the router's view makes.
func seenBy(w match.Way) string {
	var out []string
	for _, name := range seenHeaders {
		value := ""
		for _, each := range w.Seen.Headers {
			switch {
			case !strings.EqualFold(each.Name, name):
			case value == "":
				value = each.Value
			case name != "x-a":
				value += "," + each.Value // Envoy joins the ones that it knows by name
			}
		}
		out = append(out, value)
	}
	return strings.Join(out, "|")
}
