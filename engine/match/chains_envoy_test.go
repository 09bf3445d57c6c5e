package match_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// selfSigned is a certificate and its key, as one line of YAML each.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line := func(kind string, b []byte) string {
		return fmt.Sprintf("%q", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return line("CERTIFICATE", der), line("PRIVATE KEY", pkcs8)
}

// chainYAML is a filter chain whose connection manager answers with its name.
func chainYAML(name, matches, socket string) string {
	return fmt.Sprintf(`
- name: %s
  filter_chain_match: %s
  transport_socket: %s
  filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      http_filters:
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      route_config:
        name: echo
        response_headers_to_add: [{header: {key: x-chain, value: %s}}, {header: {key: x-scheme, value: "%%REQ(:SCHEME)%%"}}]
        virtual_hosts: [{name: any, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]
`, name, matches, socket, name)
}

const (
	tlsInspector  = `{name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}`
	httpInspector = `{name: http, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector}}`
)

// The filter chain that takes a connection, in TLS and in plain text, with and
// without the inspectors, is the one that a real Envoy takes.
func TestEnvoyTakesTheSameChain(t *testing.T) {
	envoyBinary(t)
	cert, key := selfSigned(t)
	secure := func(more string) string {
		return fmt.Sprintf(`{name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext%s, common_tls_context: {alpn_protocols: [h2, http/1.1], tls_certificates: [{certificate_chain: {inline_string: %s}, private_key: {inline_string: %s}}]}}}`, more, cert, key)
	}
	raw := `{name: raw, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}`
	listeners := map[string]string{
		"sni": "listener_filters: [" + tlsInspector + "]\nfilter_chains:" +
			chainYAML("exact", `{server_names: [a.example.com]}`, secure("")) + chainYAML("wild", `{server_names: ["*.example.com"]}`, secure("")) +
			chainYAML("wilder", `{server_names: ["*.com", "B.Example.Org"]}`, secure("")) + chainYAML("rest", `{transport_protocol: tls}`, secure("")) +
			chainYAML("text", `{transport_protocol: raw_buffer}`, raw),
		"blind": "filter_chains:" + chainYAML("exact", `{server_names: [a.example.com]}`, secure("")) + chainYAML("rest", `{}`, secure("")),
		"lost":  "filter_chains:" + chainYAML("exact", `{server_names: [a.example.com]}`, secure("")),
		"alpn": "listener_filters: [" + tlsInspector + "]\nfilter_chains:" + chainYAML("h2", `{application_protocols: [h2]}`, secure("")) +
			chainYAML("http1", `{application_protocols: [http/1.1, http/1.0]}`, secure("")) + chainYAML("none", `{}`, secure("")),
		"inspected": "listener_filters: [" + tlsInspector + ", " + httpInspector + "]\nfilter_chains:" +
			chainYAML("http1", `{application_protocols: [http/1.1]}`, raw) + chainYAML("http10", `{application_protocols: [http/1.0]}`, raw) + chainYAML("tls", `{transport_protocol: tls}`, secure("")),
		"switched": "listener_filters: [{name: tls, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}, filter_disabled: {not_match: {destination_port_range: {start: 1, end: 2}}}}]\nfilter_chains:" +
			chainYAML("exact", `{server_names: [a.example.com]}`, secure("")) + chainYAML("rest", `{}`, secure("")),
		"default": "listener_filters: [" + tlsInspector + "]\nfilter_chains:" + chainYAML("exact", `{server_names: [a.example.com]}`, secure("")) +
			"default_filter_chain:" + strings.Replace(chainYAML("default", `{}`, raw), "\n- name", "\n  name", 1),
		"mutual":  "filter_chains:" + chainYAML("mutual", `{}`, secure(", require_client_certificate: true")),
		"checked": "filter_chains:" + chainYAML("checked", `{}`, strings.Replace(secure(", require_client_certificate: true"), "alpn_protocols", fmt.Sprintf("validation_context: {trusted_ca: {inline_string: %s}}, alpn_protocols", cert), 1)),
		"remote":  "filter_chains:" + chainYAML("far", `{source_type: EXTERNAL}`, raw) + chainYAML("near", `{source_type: SAME_IP_OR_LOOPBACK}`, raw),
		"plain":   "filter_chains:" + chainYAML("plain", `{}`, raw),
	}
	ports, port := freePorts(t, len(listeners)), map[string]int{}
	var resources []*mesh.Resource
	for name, yaml := range listeners {
		port[name] = ports[len(port)]
		resources = append(resources, resource(t, mesh.Listener, fmt.Sprintf("name: %s\naddress: {socket_address: {address: 127.0.0.1, port_value: %d}}\n%s", name, port[name], yaml)))
	}
	m, err := mesh.New(resources...)
	if err != nil {
		t.Fatal(err)
	}
	runEnvoy(t, m)
	matcher := match.New(m)
	for name := range listeners {
		for _, r := range connections() {
			r.Listener = name
			w := matcher.Match(&r)
			if wrong := compareChain(w, send(t, port[name], r)); wrong != "" {
				t.Errorf("%s, TLS %v, SNI %q, ALPN %v, HTTP/1.0 %v: %s", name, r.TLS, r.SNI, r.ALPN, r.HTTP10, wrong)
			}
		}
	}
}

func connections() []match.Request {
	base := match.Request{Host: "a.example.com", Path: "/"}
	old := base
	old.HTTP10 = true
	out := []match.Request{base, old}
	for _, sni := range []string{"", "a.example.com", "b.example.com", "c.b.example.com", "example.com", "x.com", "com", "A.EXAMPLE.COM", "b.example.org", "example.org"} {
		for _, alpn := range [][]string{nil, {"http/1.1"}, {"http/1.0"}, {"other", "http/1.1"}} {
			r := base
			r.TLS, r.SNI, r.ALPN = true, sni, alpn
			out = append(out, r)
		}
	}
	return out
}

func compareChain(w match.Way, got answer) string {
	if w.Action == match.NoFilterChain && got.status == 0 || w.Detail == "http1.codec_error" && got.status == 0 {
		return ""
	}
	if w.Status != got.status {
		return fmt.Sprintf("predicted %s %d (%s), got %d of chain %s", w.Action, w.Status, w.Reason, got.status, got.headers.Get("X-Chain"))
	}
	if have := got.headers.Get("X-Chain"); have != "" && have != w.FilterChain || have == "" && w.Action == match.DirectResponse {
		return fmt.Sprintf("predicted chain %s, got %s", w.FilterChain, have)
	}
	if have := got.headers.Get("X-Scheme"); have != "" && have != w.Seen.Scheme {
		return fmt.Sprintf("predicted scheme %s, got %s", w.Seen.Scheme, have)
	}
	return ""
}
