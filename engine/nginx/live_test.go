package nginx

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

const managerYAML = `
    "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
    stat_prefix: web
    rds: {route_config_name: r, config_source: {ads: {}, resource_api_version: V3}}
`

// secureBackend speaks HTTP/2 over TLS and says what it was asked.
func secureBackend(t *testing.T) (port string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for=%s", r.Proto, r.RequestURI, r.Header.Get("X-Forwarded-For"))
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL[strings.LastIndexByte(s.URL, ':')+1:]
}

// TestNginxSpeaksHTTP2AndHangsUpOnUnknownNames runs a chain that is chosen by
// its SNI, with ALPN h2, before an HTTP/2 cluster over TLS.
func TestNginxSpeaksHTTP2AndHangsUpOnUnknownNames(t *testing.T) {
	port := nginxtest.FreePort(t)
	m := parseMesh(t, [2]string{"listener", fmt.Sprintf(`
name: web
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
filter_chains:
- filter_chain_match: {server_names: [a.test]}
  filters:
  - name: http
    typed_config:%s      use_remote_address: true
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
      common_tls_context:
        alpn_protocols: [h2]
        tls_params: {tls_minimum_protocol_version: TLSv1_3}
        tls_certificates: [{certificate_chain: {filename: /a.crt}, private_key: {filename: /a.key}}]
`, port, strings.ReplaceAll(managerYAML, "\n    ", "\n      "))},
		[2]string{"route", "name: r\nvirtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /old/}, route: {cluster: grpc, prefix_rewrite: /new/}}, {match: {prefix: /}, route: {cluster: grpc}}]}]"},
		[2]string{"cluster", fmt.Sprintf(`
name: grpc
type: STATIC
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}
transport_socket:
  name: tls
  typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}
load_assignment:
  cluster_name: grpc
  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %s}}}}]}]
`, secureBackend(t))})
	c := Project(m)
	held(t, m, c)
	nginxtest.Start(t, c.String())
	address := fmt.Sprintf("127.0.0.1:%d", port)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "a.test"}}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequest(http.MethodGet, "https://"+address+"/old/x?y=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "a.test"
	resp, err := (&http.Client{Transport: transport, Timeout: nginxtest.Patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "HTTP/2.0 /new/x?y=1 for=127.0.0.1"; resp.Proto != "HTTP/2.0" || string(body) != want {
		t.Errorf("nginx answers in %s, the backend says %q; want HTTP/2.0 and %q", resp.Proto, body, want)
	}
	for _, c := range []struct {
		name string
		most uint16
	}{{"unknown.test", 0}, {"a.test", tls.VersionTLS12}} {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: nginxtest.Patience}, "tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: c.name, MaxVersion: c.most})
		if err == nil {
			_ = conn.Close()
			t.Errorf("a handshake for %s with TLS %x at most is taken, want it refused", c.name, c.most)
		}
	}
}

// nameServer answers every question for an address with 127.0.0.1.
func nameServer(t *testing.T) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		in := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(in)
			if err != nil {
				return
			}
			end := 12
			for end < n && in[end] != 0 {
				end += 1 + int(in[end])
			}
			end += 5
			if end > n {
				continue
			}
			out := append([]byte(nil), in[:end]...)
			out[2], out[3] = 0x81, 0x80
			copy(out[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
			if binary.BigEndian.Uint16(in[end-4:]) == 1 { // an A record
				out[7] = 1
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1)
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	return conn.LocalAddr().String()
}

// TestNginxResolvesWhileItRuns holds that a cluster of names works, and not only
// passes nginx -t.
func TestNginxResolvesWhileItRuns(t *testing.T) {
	port := nginxtest.FreePort(t)
	one, two := backend(t, "one"), backend(t, "two")
	cluster := func(name string, addresses ...[2]string) [2]string {
		y := "name: " + name + "\ntype: STRICT_DNS\ndns_lookup_family: V4_ONLY\nload_assignment:\n  cluster_name: " + name + "\n  endpoints:\n  - lb_endpoints:\n"
		for _, a := range addresses {
			y += fmt.Sprintf("    - endpoint: {address: {socket_address: {address: %s, port_value: %s}}}\n", a[0], a[1])
		}
		return [2]string{"cluster", y}
	}
	m := parseMesh(t, [2]string{"listener", fmt.Sprintf("name: web\naddress: {socket_address: {address: 127.0.0.1, port_value: %d}}\nfilter_chains:\n- filters:\n  - name: http\n    typed_config:%s", port, strings.ReplaceAll(managerYAML, "\n    ", "\n      "))},
		[2]string{"route", `
name: r
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - {match: {prefix: /one/}, route: {cluster: one, prefix_rewrite: /}}
  - {match: {prefix: /both}, route: {cluster: both}}
  - {match: {prefix: /split}, route: {weighted_clusters: {clusters: [{name: one, weight: 0}, {name: local, weight: 1}]}}}
`}, cluster("one", [2]string{"one.invalid", one}), cluster("both", [2]string{"one.invalid", one}, [2]string{"two.invalid", two}), cluster("local", [2]string{"localhost", two}))
	c := Project(m)
	held(t, m, c)
	text := c.String()
	if !strings.Contains(text, "resolver 127.0.0.53 ") {
		t.Fatalf("no resolver in\n%s", text)
	}
	a := nginxtest.NewAsker(t, nginxtest.Start(t, strings.Replace(text, "resolver 127.0.0.53 ", "resolver "+nameServer(t)+" ", 1)).Address)
	for _, want := range [][2]string{{"/one/x?y=1", "one web.test /x?y=1 HTTP/1.1"}, {"/split", "two web.test /split HTTP/1.1"}} {
		if code, body := asked(a.Get("web.test", want[0])); code != 200 || body != want[1] {
			t.Errorf("%s: %d %q, want 200 %q", want[0], code, body, want[1])
		}
	}
	seen := map[string]int{}
	for range 40 {
		_, body := asked(a.Get("web.test", "/both"))
		who, _, _ := strings.Cut(body, " ")
		seen[who]++
	}
	if seen["one"] == 0 || seen["two"] == 0 || seen["one"]+seen["two"] != 40 {
		t.Errorf("who answers for two names: %v, want both and nobody else", seen)
	}
}

// uncommented is the text with its stream block put in force.
func uncommented(text string) string {
	head, block, found := strings.Cut(text, "\n# stream {\n")
	if !found {
		return text
	}
	return head + "\nstream {" + strings.ReplaceAll("\n"+block, "\n# ", "\n")
}

var invalidName = regexp.MustCompile(`[a-z.]+\.invalid:`)

// TestNginxTakesTheStreamBlock holds that the comment is good nginx when its
// marks are taken away.
func TestNginxTakesTheStreamBlock(t *testing.T) {
	module := nginxtest.NeedStream(t)
	load := "load_module " + module + ";\n"
	a, err := txtar.ParseFile("testdata/tcp.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := parseMesh(t, archive(a)...)
	text := uncommented(Project(m).String())
	if !strings.Contains(text, "\nstream {\n    upstream db {") {
		t.Fatalf("no stream block in\n%s", text)
	}
	nginxtest.Accepted(t, load+text)
	c := ProjectWith(m, Options{Stream: true, StreamModule: module})
	held(t, m, c)
	nginxtest.Accepted(t, c.String())
	blocks := 0
	for seed := range uint64(60) {
		m := (&maker{Rand: rand.New(rand.NewPCG(seed, 13))}).mesh(t)
		text := Project(m).String()
		if put := uncommented(text); put != text {
			blocks++
			c := ProjectWith(m, Options{Stream: true, StreamModule: module})
			held(t, m, c)
			nginxtest.Accepted(t, c.String())
			// A name that does not resolve is held against the machine.
			nginxtest.Accepted(t, load+invalidName.ReplaceAllString(put, "localhost:"))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if blocks < 10 {
		t.Errorf("%d of the meshes have a stream block, want 10 at least", blocks)
	}
}
