package envoy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"

	"example.com/meshtui/engine/mesh"
)

// EventPipe is the path under which an Envoy started by a Fleet finds the pipe
// that its health and outlier events go to.
const EventPipe = "/dev/fd/3"

// AdminMetadata is the key of node.metadata under which an Envoy says where its
// admin interface is.
const AdminMetadata = "meshtui.admin"

// CSDSMetadata is the key of node.metadata under which a gRPC client says where
// it serves its own status (CSDS).
const CSDSMetadata = "meshtui.csds"

// ServerCluster is the name of the bootstrap's cluster that is meshtui itself.
const ServerCluster = "meshtui_xds"

// RuntimeLayer is the name of the runtime layer that the bootstrap asks for: that
// of the Runtime resource which such an Envoy takes its values from.
const RuntimeLayer = mesh.RuntimeLayer

// MaxSocketPath is the longest path of a unix socket that Envoy and Go both
// take, in bytes.
const MaxSocketPath = 107

// Bootstrap says how an Envoy finds its control plane. NodeID and XDS must be
// set.
type Bootstrap struct {
	NodeID  string
	Cluster string // node.cluster; "meshtui" when empty
	XDS     string // where the control plane listens: "unix:/path" or "host:port"
	Admin   string // where Envoy's admin interface listens, same forms; none when empty
	Delta   bool   // the incremental variant of xDS instead of the state of the world
	Events  bool   // write health and outlier events to EventPipe, which the starter must open
	TLS     TLS    // of the connection to the control plane; none when zero
}

// TLS are the files, in PEM, with which a client speaks mutual TLS to its control
// plane. CA, Certificate and Key must be set; Envoy reads them at its start.
type TLS struct {
	CA, Certificate, Key string
	// ServerName is what the server's certificate must be for, where that is not
	// the host of the address: a host name or an IP address.
	ServerName string
}

// Complete fails when a file is missing, naming it; the zero TLS is complete.
func (t TLS) Complete() error {
	switch {
	case t == (TLS{}):
	case t.CA == "":
		return errors.New("TLS needs the file of the authority that the server's certificate is of")
	case t.Certificate == "", t.Key == "":
		return errors.New("mutual TLS needs the files of a certificate and of its key")
	}
	return nil
}

// verified is the name or IP address that the server's certificate must have.
func (t TLS) verified(xds address) string {
	if t.ServerName != "" {
		return t.ServerName
	}
	return xds.Host
}

// YAML is the bootstrap as commented YAML. It fails when a field is missing or
// an address is malformed, naming the field.
func (b Bootstrap) YAML() (string, error) {
	if b.NodeID == "" {
		return "", errors.New("bootstrap: the node needs an id")
	}
	xds, err := parseAddress(b.XDS)
	if err != nil {
		return "", fmt.Errorf("bootstrap: the xDS address: %w", err)
	}
	if err := b.TLS.Complete(); err != nil {
		return "", fmt.Errorf("bootstrap: %w", err)
	}
	name := b.TLS.verified(xds)
	if b.TLS != (TLS{}) && name == "" {
		return "", errors.New("bootstrap: TLS over a unix socket needs the server's name")
	}
	var admin address
	if b.Admin != "" {
		if admin, err = parseAddress(b.Admin); err != nil {
			return "", fmt.Errorf("bootstrap: the admin address: %w", err)
		}
	}
	cluster := b.Cluster
	if cluster == "" {
		cluster = "meshtui"
	}
	var out strings.Builder
	err = bootstrapTemplate.Execute(&out, map[string]any{
		"B": b, "Cluster": cluster, "XDS": xds, "Admin": admin,
		"TLS": b.TLS != (TLS{}), "ServerName": name, "IsIP": net.ParseIP(name) != nil,
		"Server": ServerCluster, "Runtime": RuntimeLayer, "Metadata": AdminMetadata, "Pipe": EventPipe, "Flags": strings.Join(Flags(), " "),
	})
	if err != nil {
		return "", fmt.Errorf("bootstrap: %w", err)
	}
	return out.String(), nil
}

// Flags are the command line flags that go with the bootstrap: old connections
// end after two seconds instead of ten minutes, files are written at once, and
// nothing is left in shared memory.
func Flags() []string {
	return []string{"--drain-time-s", strconv.Itoa(drainSeconds), "--disable-hot-restart", "--file-flush-interval-msec", "50"}
}

// drainSeconds is how long a replaced or removed listener's connections live on
// in an Envoy of ours.
const drainSeconds = 2

// address is a place to listen or connect to: a path, or a host and a port.
type address struct {
	Path string
	Host string
	Port uint32
}

// IsName reports whether the host is a name that must be looked up.
func (a address) IsName() bool { return a.Path == "" && net.ParseIP(a.Host) == nil }

// YAML is the address as a flow mapping of envoy.config.core.v3.Address.
func (a address) YAML() string {
	if a.Path != "" {
		return "{pipe: {path: " + quote(a.Path) + "}}"
	}
	return fmt.Sprintf("{socket_address: {address: %s, port_value: %d}}", quote(a.Host), a.Port)
}

// parseAddress reads "unix:/path" or "host:port".
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		switch {
		case path == "":
			return address{}, errors.New("unix: needs a path behind it")
		case len(path) > MaxSocketPath:
			return address{}, fmt.Errorf("%s: a unix socket's path has at most %d characters, this one has %d", s, MaxSocketPath, len(path))
		}
		return address{Path: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q is neither unix:PATH nor HOST:PORT", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return address{}, fmt.Errorf("%q: the port must be a number from 1 to 65535", s)
	}
	if host == "" {
		return address{}, fmt.Errorf("%q: the host is missing", s)
	}
	return address{Host: host, Port: uint32(n)}, nil
}

// quote is s as a JSON string, which is YAML too and safe for any content.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return strconv.Quote(s)
	}
	return string(b)
}

var bootstrapTemplate = template.Must(template.New("bootstrap").Funcs(template.FuncMap{"quote": quote}).Parse(
	`# An Envoy that takes its configuration from meshtui. Start it with
#   envoy -c FILE {{.Flags}}
node:
  id: {{quote .B.NodeID}}
  cluster: {{quote .Cluster}}
{{- if .B.Admin}}
  metadata:
    {{.Metadata}}: {{quote .B.Admin}}  # where meshtui may ask what is active
{{- else}}
  # Without an admin interface meshtui shows what this Envoy acknowledged, not
  # what is active in it.
{{- end}}

dynamic_resources:
  ads_config:  # one stream for everything, so that meshtui can keep the order
    api_type: {{if .B.Delta}}DELTA_GRPC{{else}}GRPC{{end}}
    transport_api_version: V3
    set_node_on_first_message_only: true  # the node is 61 KB
    rate_limit_settings: {}  # a refused configuration that comes again at once costs 10 requests a second, not thousands
    grpc_services:
    - envoy_grpc:
        cluster_name: {{.Server}}
        retry_policy:  # after a restart of meshtui: back in half a second, not in half a minute
          retry_back_off: {{if .XDS.Path}}{base_interval: 0.05s, max_interval: 0.15s}{{else}}{base_interval: 0.1s, max_interval: 0.5s}{{end}}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 2s}
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 2s}

layered_runtime:
  layers:
  - name: {{.Runtime}}  # runtime values that meshtui pushes (rtds.yaml); without any it is answered at once and costs nothing
    rtds_layer: {name: {{.Runtime}}, rtds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 1s}}
  - name: admin  # over it, what /runtime_modify of the admin interface sets
    admin_layer: {}

static_resources:
  clusters:
  - name: {{.Server}}
    type: {{if .XDS.IsName}}STRICT_DNS{{else}}STATIC{{end}}
    connect_timeout: 1s
    load_assignment:
      cluster_name: {{.Server}}
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{.XDS.YAML}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http2_protocol_options:
            connection_keepalive: {interval: 1s, timeout: 2s}  # notices a control plane that hangs
{{- if .TLS}}
    transport_socket:  # each side shows a certificate of the same authority
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
{{- if not .IsIP}}
        sni: {{quote .ServerName}}
{{- end}}
        common_tls_context:
          alpn_protocols: [h2]
          tls_certificates:
          - certificate_chain: {filename: {{quote .B.TLS.Certificate}}}
            private_key: {filename: {{quote .B.TLS.Key}}}
          validation_context:
            trusted_ca: {filename: {{quote .B.TLS.CA}}}
            match_typed_subject_alt_names:
            - san_type: {{if .IsIP}}IP_ADDRESS{{else}}DNS{{end}}
              matcher: {exact: {{quote .ServerName}}}
{{- end}}
{{- if .B.Events}}

cluster_manager:
  outlier_detection:
    event_log_path: {{.Pipe}}  # ejections, told to meshtui as they happen
{{- end}}

overload_manager:  # without a limit Envoy warns at each start
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 50000
{{- if .B.Admin}}

admin:  # can change and stop this Envoy: keep it on this machine
  address: {{.Admin.YAML}}
{{- end}}
`))
