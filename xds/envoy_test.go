package xds_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"text/template"

	"example.com/meshtui/xds/xdstest"
)

// bootstrap starts an Envoy against one unix socket. The settings are those
// that a local Envoy needs to come back, drain and notice the dead at once.
var bootstrap = template.Must(template.New("").Parse(`
node: {id: {{.ID}}, cluster: test}
admin: {address: {pipe: {path: {{.Socket}}.{{.ID}}}}}
dynamic_resources:
  ads_config:
    api_type: {{if .Delta}}DELTA_GRPC{{else}}GRPC{{end}}
    transport_api_version: V3
    set_node_on_first_message_only: true
    rate_limit_settings: {}
    grpc_services:
    - envoy_grpc:
        cluster_name: xds
        retry_policy: {retry_back_off: {base_interval: 0.1s, max_interval: 0.5s}}
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 15s}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 15s}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http2_protocol_options: {connection_keepalive: {interval: 1s, timeout: 5s}}
    load_assignment:
      cluster_name: xds
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {pipe: {path: {{.Socket}}}}}
`))

// startEnvoy runs a real Envoy against the server until the test ends.
func startEnvoy(t testing.TB, s *served, id string, delta bool) {
	t.Helper()
	xdstest.RunEnvoy(t, bootstrapOf(t, s, id, delta), "--disable-hot-restart", "--drain-time-s", "1")
}

func bootstrapOf(t testing.TB, s *served, id string, delta bool) string {
	t.Helper()
	var config bytes.Buffer
	if err := bootstrap.Execute(&config, map[string]any{"ID": id, "Delta": delta, "Socket": strings.TrimPrefix(s.addr, "unix:")}); err != nil {
		t.Fatal(err)
	}
	return config.String()
}

// freePort is a port of loopback that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func urlOf(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/", port) }

// admin is the admin interface of the Envoy of a journey.
func (j *journey) admin() string { return j.addr + "." + j.id }
