package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

func newBootstrap() *cobra.Command {
	var b envoy.Bootstrap
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print the YAML that starts any Envoy against this control plane",
		Example: `  meshtui bootstrap --node edge > edge.yaml
  envoy -c edge.yaml --drain-time-s 3 --disable-hot-restart`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := b.YAML()
			if err != nil {
				return usageError(err)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.XDS, "xds", xds.DefaultAddress(), "where meshtui listens: unix:PATH or HOST:PORT")
	f.StringVar(&b.NodeID, "node", "envoy", "the Envoy's node id")
	f.StringVar(&b.Cluster, "cluster", "local", "the Envoy's node cluster")
	f.StringVar(&b.Admin, "admin", "127.0.0.1:9901", "the Envoy's admin address, HOST:PORT or unix:PATH; \"\" for none (then health and what is active cannot be seen)")
	f.BoolVar(&b.Delta, "delta", false, "speak delta xDS rather than state of the world")
	return cmd
}
