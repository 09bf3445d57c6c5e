package main

import (
	"github.com/spf13/cobra"

	"example.com/meshtui/xds/child"
)

// newWatchdog is what is started beside each Envoy and nginx of ours where the
// kernel cannot tie a child to its parent; no command for people.
func newWatchdog() *cobra.Command {
	return &cobra.Command{
		Use:    child.WatchdogCommand,
		Hidden: true,
		RunE: func(cmd *cobra.Command, a []string) error {
			return child.RunWatchdog(a, cmd.InOrStdin())
		},
	}
}
