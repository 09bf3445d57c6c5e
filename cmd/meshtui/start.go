package main

import (
	"github.com/spf13/cobra"

	"example.com/meshtui/tui"
)

// runStart shows the start page and does what was chosen there.
func runStart(cmd *cobra.Command, f openFlags) error {
	if err := needTerminal(); err != nil {
		return err
	}
	var recent []string
	if last := lastWorkspace(); last != "" {
		recent = append(recent, last)
	}
	choice, err := tui.RunStart(cmd.Context(), recent, tui.Options{ASCII: f.screen.ascii})
	if err != nil {
		return err
	}
	switch choice.Kind {
	case tui.ChoseDemo:
		return runDemo(cmd, demoFlags{envoys: f.envoys, screen: f.screen, rolls: f.rolls, port: demoPort, rate: demoRate})
	case tui.ChoseOpen:
		return runOpen(cmd, choice.Path, f)
	case tui.ChoseHelp:
		return cmd.Help()
	}
	return nil
}
