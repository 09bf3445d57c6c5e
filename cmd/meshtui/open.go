package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui"
)

// openFlags are those of the commands that open the screen on a workspace.
type openFlags struct {
	envoys envoyFlags
	screen screenFlags
	listen listenFlags
	rolls  rolloutFlags
}

func (f *openFlags) bind(cmd *cobra.Command) {
	f.envoys.bind(cmd, 1)
	f.screen.bind(cmd)
	f.listen.bind(cmd)
	f.rolls.bind(cmd)
}

func (f *screenFlags) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.ascii, "ascii", false, "draw with ASCII alone, for fonts without box drawing")
}

// runOpen opens the screen on what lies at path.
func runOpen(cmd *cobra.Command, path string, f openFlags) error {
	if err := f.envoys.check(); err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil && cmd.HasSubCommands() && !strings.ContainsAny(path, "./") {
		return usageError(fmt.Errorf("there is no file and no command %s; see `%s --help`", path, cmd.CommandPath()))
	}
	if err := needTerminal(); err != nil {
		return err
	}
	say := progress(cmd)
	kind, err := lookAt(path, say)
	if err != nil {
		return err
	}
	if kind == files.Dump && !cmd.Flags().Changed("nodes") {
		f.envoys.nodes = 0
		say("a config dump is opened to be asked (t), so no proxy is started for it; --nodes 1 starts one")
	}
	ctx := cmd.Context()
	s, err := startSession(ctx, sessionOptions{
		path: path, listen: f.listen, rolls: f.rolls, envoys: f.envoys, nginx: true, say: say,
		open: func(ctx context.Context, o engine.Options) (*engine.Workspace, error) {
			return engine.Open(ctx, path, o)
		},
	})
	if err != nil {
		return err
	}
	rememberWorkspace(path)
	var d tui.Deps
	if kind == files.Nginx {
		d.Own = (&ownConf{path: path}).now
	}
	return onScreen(ctx, s, d, f.screen)
}

// lookAt says, before anything is started or pushed, how much of the file at path
// is not carried over or was rewritten, and what the file is. The screen begins
// with the list of it; printed here too, that would stand in the terminal again
// when the screen is left. It fails when the file cannot be opened at all.
func lookAt(path string, say func(string)) (files.Kind, error) {
	opened, err := files.Open(path)
	if err != nil {
		return 0, err
	}
	if all := mesh.Tally(slices.Concat(opened.Problems, opened.Notices)); all != "" {
		say(fmt.Sprintf("%s: %s on opening; the screen begins with the list, and `meshtui check` prints it", filepath.Base(path), all))
	}
	return opened.Kind, nil
}

// needTerminal refuses a screen where there is none to draw on, before
// anything is started.
func needTerminal() error {
	if isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stdout.Fd()) {
		return nil
	}
	return errors.New("the screen needs a terminal; without one use `meshtui serve PATH`, which prints one line an event")
}

// progress prints what goes on before the screen is there.
func progress(cmd *cobra.Command) func(string) {
	return func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), "meshtui: "+line) }
}
