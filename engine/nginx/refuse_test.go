package nginx

import (
	"strings"
	"testing"
)

// TestNamesThatEnvoyHangsUpOn holds that no other chain answers for them.
func TestNamesThatEnvoyHangsUpOn(t *testing.T) {
	chain := `
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
      common_tls_context: {tls_certificates: [{certificate_chain: {filename: /c.pem}, private_key: {filename: /k.pem}}]}
  filters:
  - name: http
    typed_config:` + strings.ReplaceAll(managerYAML, "\n    ", "\n      ")
	m := parseMesh(t, [2]string{"listener", `
name: web
address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
filter_chains:
- filter_chain_match: {server_names: ["*.old.test"]}
  filters: [{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config}}]
-` + chain[2:]}, [2]string{"route", "name: r\nvirtual_hosts: [{name: a, domains: ['*.old.test', new.test], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]\n"})
	text := Project(m).String()
	_, after, found := strings.Cut(text, "    server_name *.old.test;\n")
	if !found || strings.Contains(after, "\n        server_name *.old.test;") || !strings.HasPrefix(strings.TrimSpace(after), "ssl_reject_handshake on;") {
		t.Errorf("*.old.test is not refused alone in\n%s", text)
	}
}
