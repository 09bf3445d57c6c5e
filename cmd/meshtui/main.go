// Command meshtui is an Envoy control plane in a terminal: it runs an xDS
// management server in process, pushes listeners, routes, clusters and
// endpoints to the Envoys on this machine, and shows live what each did with
// them, beside the nginx.conf that says the same.
//
// This package only wires the parts together; each command has a short file of
// its own. Exit status: 0 done, 1 failed, 2 wrong usage (check: could not run),
// 130 and 143 on SIGINT and SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"example.com/meshtui/tui"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process's exit: it returns its status.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	status, say := statusOf(ctx, err)
	if say != "" {
		fmt.Fprintln(errOut, "meshtui: "+say)
	}
	return status
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return e.signal.String() }

// signals ends a context on SIGINT, SIGTERM and SIGHUP, and remembers which it
// was. A second signal ends the process at once, so that a hung shutdown can be
// left. While the screen is on, signals are the screen's: an interrupt that is
// typed in an editor reaches the whole process group, and is the editor's.
type signals struct{ screen atomic.Bool }

// signalsKey is the context key of the *signals that watch over it.
type signalsKey struct{}

// leaveSignals hands the signals to the screen until the function is called.
func leaveSignals(ctx context.Context) (back func()) {
	s, ok := ctx.Value(signalsKey{}).(*signals)
	if !ok {
		return func() {}
	}
	s.screen.Store(true)
	return func() { s.screen.Store(false) }
}

func withSignals(parent context.Context) (context.Context, func()) {
	s := &signals{}
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, signalsKey{}, s))
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that went away (`serve | head`) is an error of the write, not
	// the end of the process before its Envoys are drained.
	signal.Ignore(syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		for first := true; ; {
			select {
			case got := <-ch:
				if s.screen.Load() {
					continue
				}
				if !first {
					os.Exit(128 + int(got.(syscall.Signal)))
				}
				first = false
				cancel(signalError{got.(syscall.Signal)})
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(done)
		cancel(nil)
	}
}

// exitError is an error with a status of its own. An empty message prints
// nothing: the command has said all there is to say.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(err error) error { return &exitError{status: 2, err: err} }

// statusOf turns what a command ended with into an exit status and the sentence
// to print.
func statusOf(ctx context.Context, err error) (status int, say string) {
	var sig signalError
	if errors.As(context.Cause(ctx), &sig) {
		return 128 + int(sig.signal), ""
	}
	if err == nil {
		return 0, ""
	}
	var ended tui.SignalError
	if errors.As(err, &ended) {
		return ended.ExitCode(), ""
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.status, exit.Error()
	}
	return 1, err.Error()
}

// args wraps a cobra argument check so that its failure is wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
		}
		return nil
	}
}
