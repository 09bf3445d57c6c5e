package main

import "github.com/spf13/cobra"

// rolloutFlags say what becomes of a revision that a node rejects.
type rolloutFlags struct{ auto bool }

func (f *rolloutFlags) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.auto, "auto-rollback", false, "when a node rejects what was pushed, push what was accepted last again")
}
