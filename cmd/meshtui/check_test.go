package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// `check --envoy` has Envoy itself look at a bootstrap.
func TestCheckAsksEnvoy(t *testing.T) {
	envoyPath := needEnvoy(t)
	good := filepath.Join("..", "..", "engine", "files", "testdata", "bootstraps", "front-proxy.yaml")
	out, errOut, status := meshtui(t, home(t), "check", "--envoy", envoyPath, good)
	if status != 0 || strings.Contains(out, "envoy-validate") {
		t.Errorf("a good one: status %d\n%s%s", status, out, errOut)
	}
	// What only Envoy knows: whether the certificate is one.
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	content := `static_resources:
  listeners:
  - name: tls
    address: {socket_address: {address: 127.0.0.1, port_value: 10443}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: {inline_string: not a certificate}
              private_key: {inline_string: not a key}
      filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: back
  clusters:
  - {name: back, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: back, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}}
`
	if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, status = meshtui(t, home(t), "check", "--json", "--envoy", envoyPath, bad)
	found := false
	for line := range strings.Lines(out) {
		var f findingJSON
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Errorf("no JSON object: %s", line)
		}
		found = found || (f.Rule == "envoy-validate" && f.Severity == "error" && f.Message != "")
	}
	if status != 1 || !found {
		t.Errorf("a bad one: status %d\n%s%s", status, out, errOut)
	}
}
