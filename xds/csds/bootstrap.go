package csds

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"example.com/meshtui/xds/envoy"
)

// Bootstrap says how a gRPC client finds its control plane. NodeID and XDS must be
// set.
type Bootstrap struct {
	NodeID  string
	Cluster string // node.cluster; "meshtui" when empty
	XDS     string // where the control plane listens: "unix:/path" or "host:port"
	CSDS    string // where the client serves its own status, same forms; none when empty
	// TLS is that of the connection to the control plane; none when zero. The
	// client reads the files again when they change, and checks the server's
	// certificate for the host of XDS: another name cannot be asked for.
	TLS envoy.TLS
}

// JSON is the bootstrap in the form that gRPC reads from the file that
// GRPC_XDS_BOOTSTRAP names, or from GRPC_XDS_BOOTSTRAP_CONFIG. It fails when a
// field is missing or an address is malformed, naming the field.
func (b Bootstrap) JSON() (string, error) {
	if b.NodeID == "" {
		return "", errors.New("bootstrap: the node needs an id")
	}
	server, err := b.server()
	if err != nil {
		return "", fmt.Errorf("bootstrap: the xDS address: %w", err)
	}
	creds, err := credentials(b.TLS)
	if err != nil {
		return "", fmt.Errorf("bootstrap: %w", err)
	}
	node := map[string]any{"id": b.NodeID, "cluster": "meshtui"}
	if b.Cluster != "" {
		node["cluster"] = b.Cluster
	}
	if b.CSDS != "" {
		if _, err := localTarget(b.CSDS); err != nil {
			return "", fmt.Errorf("bootstrap: the CSDS address: %w", err)
		}
		node["metadata"] = map[string]any{envoy.CSDSMetadata: b.CSDS}
	}
	out, err := json.MarshalIndent(map[string]any{
		"xds_servers": []any{map[string]any{
			"server_uri": server, "channel_creds": []any{creds}, "server_features": []string{"xds_v3"},
		}},
		"node": node,
	}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("bootstrap: %w", err)
	}
	return string(out) + "\n", nil
}

// server is the xDS address as a gRPC target.
func (b Bootstrap) server() (string, error) {
	if path, ok := strings.CutPrefix(b.XDS, "unix:"); ok {
		switch {
		case path == "":
			return "", errors.New("unix: needs a path behind it")
		case len(path) > envoy.MaxSocketPath:
			return "", fmt.Errorf("%s: a unix socket's path has at most %d characters, this one has %d", b.XDS, envoy.MaxSocketPath, len(path))
		}
		return b.XDS, nil
	}
	host, port, err := net.SplitHostPort(b.XDS)
	if err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is neither unix:PATH nor HOST:PORT", b.XDS)
	}
	return "dns:///" + b.XDS, nil
}

// credentials are the channel's, by gRFC A65.
func credentials(t envoy.TLS) (map[string]any, error) {
	if t == (envoy.TLS{}) {
		return map[string]any{"type": "insecure"}, nil
	}
	if t.ServerName != "" {
		return nil, errors.New("gRPC checks the server's certificate for the host of the xDS address; another server name cannot be set")
	}
	if err := t.Complete(); err != nil {
		return nil, err
	}
	return map[string]any{"type": "tls", "config": map[string]string{
		"ca_certificate_file": t.CA, "certificate_file": t.Certificate, "private_key_file": t.Key,
	}}, nil
}
