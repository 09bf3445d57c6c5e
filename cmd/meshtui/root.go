package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newRoot is the command tree. The root itself opens a workspace on the screen,
// or the start page when no path is given.
func newRoot() *cobra.Command {
	var o openFlags
	root := &cobra.Command{
		Use:   "meshtui [PATH]",
		Short: "An Envoy control plane in a terminal",
		Long: `meshtui is an Envoy control plane in a terminal: it pushes listeners, routes,
clusters and endpoints to the Envoys on this machine, shows live what each did
with them, and puts the nginx.conf that says the same right beside it.

PATH is a folder in Envoy's filesystem-xDS form (lds.yaml, rds.yaml, cds.yaml,
eds.yaml, sds.yaml), an Envoy bootstrap in YAML or JSON, the /config_dump of an
Envoy, as curl, istioctl or egctl saved it, or an nginx.conf. Without a PATH the
start page opens.`,
		Example: `  meshtui demo                 a mesh with backends and live traffic
  meshtui envoy.yaml           open what you have, and start an Envoy for it
  meshtui serve mesh/ --watch  the same control plane without a screen
  meshtui match dump.json --host shop.example.com --path /cart
                               which route takes it, and why not the other ones`,
		Args:          args(cobra.MaximumNArgs(1)),
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				return runStart(cmd, o)
			}
			return runOpen(cmd, a[0], o)
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	o.bind(root)
	root.AddCommand(newDemo(), newServe(), newCheck(), newMatch(), newDiff(), newConvert(), newBootstrap(), newCert(), newNodes(), newWatchdog())
	return root
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return info.Main.Version + " (" + s.Value[:12] + ")"
		}
	}
	return info.Main.Version
}
