package xds_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// live is a server, and a real Envoy that asks it for everything, in one of the
// four variants of xDS.
type live struct {
	*served
	t       testing.TB
	variant xds.Variant
	port    int // of the listener "web"
	client  *http.Client
	envoy   string // where its admin interface is
}

// liveVariants runs a test once for each of the variants, beside each other.
func liveVariants(t *testing.T, variants []xds.Variant, test func(t *testing.T, v xds.Variant)) {
	t.Helper()
	xdstest.NeedEnvoy(t)
	for _, v := range variants {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

func allVariants() []xds.Variant {
	return []xds.Variant{xds.SotWADS, xds.SotW, xds.DeltaADS, xds.Delta}
}

// liveBootstrap leaves the waiting for what does not come at the 15 s that an
// Envoy has of itself, so that a test would feel it.
var liveBootstrap = template.Must(template.New("").Parse(`
node: {id: envoy-1, cluster: test}
admin: {address: {pipe: {path: {{.Admin}}}}}
layered_runtime:
  layers:
  - {name: static, static_layer: {}}
{{- if .Layer}}
  - {name: pushed, rtds_layer: {name: {{.Layer}}, rtds_config: {{.Source}}}}
{{- end}}
  - {name: admin, admin_layer: {}}
dynamic_resources:
{{- if .ADS}}
  ads_config:
    api_type: {{.API}}
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: xds}}]
{{- end}}
  lds_config: {{.Source}}
  cds_config: {{.Source}}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: xds
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: {{.Socket}}}}}}]}]
`))

// newLive starts a server; its Envoy comes with start.
func newLive(t testing.TB, v xds.Variant, o xds.Options) *live {
	t.Helper()
	s := serve(t, o)
	l := &live{served: s, t: t, variant: v, port: freePort(t), envoy: s.addr + ".envoy"}
	l.client = &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	t.Cleanup(l.client.CloseIdleConnections)
	return l
}

func (l *live) ads() bool { return l.variant == xds.SotWADS || l.variant == xds.DeltaADS }

func (l *live) api() string {
	if l.variant == xds.Delta || l.variant == xds.DeltaADS {
		return "DELTA_GRPC"
	}
	return "GRPC"
}

// source is the configuration source for everything in this variant.
func (l *live) source() string {
	if l.ads() {
		return "{ads: {}, resource_api_version: V3}"
	}
	return "{resource_api_version: V3, api_config_source: {transport_api_version: V3, api_type: " + l.api() +
		", grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}"
}

// start runs a real Envoy until the test ends; layer is the name of the runtime
// that it asks for first, "" for none.
func (l *live) start(layer string) {
	l.t.Helper()
	var config bytes.Buffer
	err := liveBootstrap.Execute(&config, map[string]any{
		"Admin": strings.TrimPrefix(l.envoy, "unix:"), "Socket": strings.TrimPrefix(l.addr, "unix:"),
		"ADS": l.ads(), "API": l.api(), "Source": l.source(), "Layer": layer,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.run(config.String())
}

// run starts a real Envoy with a bootstrap.
func (l *live) run(config string) {
	l.t.Helper()
	xdstest.RunEnvoy(l.t, config, "--disable-hot-restart", "--drain-time-s", "1")
}

// mesh is made of resources as YAML, each with its type in the first line:
// "cluster\nname: app\n…". SOURCE and PORT in it stand for the variant's
// configuration source and the port of the listener.
func (l *live) mesh(texts ...string) *mesh.Mesh {
	l.t.Helper()
	variant := strings.NewReplacer("SOURCE", l.source(), "PORT", strconv.Itoa(l.port))
	var all []string
	for _, text := range texts {
		all = append(all, variant.Replace(text))
	}
	return xdstest.Mesh(l.t, all...)
}

// resource is one of mesh's.
func (l *live) resource(yaml string) proto.Message {
	l.t.Helper()
	return l.mesh(yaml).All()[0].Message
}

// request is a GET on the listener "web", with headers "name: value"; status 0
// is no answer at all.
func (l *live) request(path string, headers ...string) (status int, body string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, urlOf(l.port)+strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Set(name, value); name == "Host" {
			req.Host = value
		}
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// answers waits until a request is answered like this.
func (l *live) answers(status int, body, path string, headers ...string) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%s %v is answered with %d %q", path, headers, status, body), func() bool {
		s, b := l.request(path, headers...)
		return s == status && strings.Contains(b, body)
	})
}

// admin asks Envoy's admin interface.
func (l *live) admin(path string) string {
	l.t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(l.envoy, "unix:"))
	}}}
	resp, err := c.Get("http://admin" + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// stat is the value of one of Envoy's counters or gauges; "" when it has none
// of that name.
func (l *live) stat(name string) string {
	l.t.Helper()
	for line := range strings.Lines(l.admin("/stats")) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// liveWeb is the listener "web" up to its routes, liveRDS those by RDS under
// the name "main", liveRouter the end of it.
const (
	liveWeb = `listener
name: web
address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
enable_reuse_port: false
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
`
	liveRDS = `      rds: {route_config_name: main, config_source: SOURCE}
      http_filters:
`
	liveRouter = `      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`
)

// says is a route configuration that answers every request with a text.
func says(name, text string) string {
	return "route\nname: " + name + "\nvirtual_hosts: [{name: all, domains: [\"*\"], routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: " + text + "}}}]}]\n"
}
