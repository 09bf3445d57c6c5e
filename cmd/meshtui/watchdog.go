package main

import (
	"github.com/spf13/cobra"

	"example.com/meshtui/xds/envoy"
)

// newWatchdog is what the fleet starts beside each Envoy where the kernel
// cannot tie a child to its parent; no command for people.
func newWatchdog() *cobra.Command {
	return &cobra.Command{
		Use:    envoy.WatchdogCommand,
		Hidden: true,
		RunE: func(cmd *cobra.Command, a []string) error {
			return envoy.RunWatchdog(a, cmd.InOrStdin())
		},
	}
}
