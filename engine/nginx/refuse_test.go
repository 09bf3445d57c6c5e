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

// TestAFilterThatIsNotLinkedInGuards: what wants a key wants it whether or not its
// type is known here; one that is off asks nothing.
func TestAFilterThatIsNotLinkedInGuards(t *testing.T) {
	project := func(filter string) string {
		return Project(parseMesh(t, [2]string{"listener", `
name: web
address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
filter_chains:
- filters:
  - name: http
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: r, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - ` + filter + `
      - {name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
`}, [2]string{"route", "name: r\nvirtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: app}}]}]\n"},
			[2]string{"cluster", "name: app\nload_assignment: {cluster_name: app, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}\n"})).String()
	}
	const csrf = `{name: csrf, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.csrf.v3.CsrfPolicy, filter_enabled: {default_value: {numerator: SHARE}}}}`
	for name, row := range map[string]struct {
		filter string
		closed bool
	}{
		"a key":    {`{name: key, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth, key_sources: [{header: x-key}]}}`, true},
		"csrf on":  {strings.Replace(csrf, "SHARE", "100", 1), true},
		"csrf off": {strings.Replace(csrf, "SHARE", "0", 1), false},
	} {
		if text := project(row.filter); strings.Contains(text, "return 403;") != row.closed {
			t.Errorf("%s: closed should be %v:\n%s", name, row.closed, text)
		}
	}
}
