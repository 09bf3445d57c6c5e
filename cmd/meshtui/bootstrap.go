package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/cert"
	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/envoy"
)

// bootstrapFlags say for whom a bootstrap is.
type bootstrapFlags struct {
	envoy.Bootstrap
	tlsDir     string
	serverName string
	grpc       bool
	csds       string
}

func newBootstrap() *cobra.Command {
	var b bootstrapFlags
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print what starts any Envoy, or a gRPC client, against this control plane",
		Example: `  meshtui bootstrap --node edge > edge.yaml
  envoy -c edge.yaml --disable-hot-restart --drain-time-s 2

  meshtui bootstrap --grpc --node shop > shop.json
  GRPC_XDS_BOOTSTRAP=shop.json ./shop`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := b.text()
			if err != nil {
				return usageError(err)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.XDS, "xds", xds.DefaultAddress(), "where meshtui listens: unix:PATH or HOST:PORT")
	f.StringVar(&b.NodeID, "node", "envoy", "the node id")
	f.StringVar(&b.Cluster, "cluster", "local", "the node cluster")
	f.StringVar(&b.Admin, "admin", "127.0.0.1:9901", "the Envoy's admin address, HOST:PORT or unix:PATH; \"\" for none (then health and what is active cannot be seen)")
	f.BoolVar(&b.Delta, "delta", false, "speak delta xDS rather than state of the world")
	f.StringVar(&b.tlsDir, "tls", "", "the folder, on the node's machine, with ca.pem and the node's certificate and key that 'meshtui cert' made")
	f.StringVar(&b.serverName, "tls-name", "", "the name in meshtui's certificate, where that is not the host of --xds")
	f.BoolVar(&b.grpc, "grpc", false, "print it as JSON for a gRPC client (GRPC_XDS_BOOTSTRAP)")
	f.StringVar(&b.csds, "csds", "", "with --grpc: where the client serves its own status (CSDS), unix:PATH or HOST:PORT on loopback, so that what it runs can be seen")
	return cmd
}

// text is the bootstrap. It refuses what meshtui would refuse to serve.
func (f bootstrapFlags) text() (string, error) {
	b := f.Bootstrap
	if f.tlsDir == "" && beyond(b.XDS) {
		return "", fmt.Errorf("--xds %s is beyond this machine, and meshtui serves it with mutual TLS only: make certificates with `meshtui cert` and give --tls DIR", b.XDS)
	}
	if f.tlsDir != "" {
		if strings.HasPrefix(b.XDS, "unix:") {
			return "", errors.New("--tls is for --xds HOST:PORT: a unix socket is kept to its owner by the file system")
		}
		folder := cert.Folder{Dir: f.tlsDir}
		b.TLS = envoy.TLS{CA: folder.CA(), ServerName: f.serverName}
		b.TLS.Certificate, b.TLS.Key = folder.Node(b.NodeID)
	}
	if !f.grpc && f.csds != "" {
		return "", errors.New("--csds is for a gRPC client: give --grpc too")
	}
	if !f.grpc {
		return b.YAML()
	}
	return csds.Bootstrap{NodeID: b.NodeID, Cluster: b.Cluster, XDS: b.XDS, CSDS: f.csds, TLS: b.TLS}.JSON()
}

// beyond reports whether an address can only be meant to be on another machine,
// or to be reached from one. A name may be this machine's.
func beyond(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback())
}
