package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/term"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/tui/theme"
)

// ErrNoTerminal is that there is nothing to draw on.
var ErrNoTerminal = errors.New("the screen needs a terminal, and standard input or output is none; " +
	"without a screen, use: meshtui serve PATH")

// SignalError is that a signal ended the screen. The terminal is as it was.
type SignalError struct{ Signal syscall.Signal }

// Error names the signal.
func (e SignalError) Error() string { return "ended by signal: " + e.Signal.String() }

// ExitCode is what a shell expects of a program that a signal ended: 130 for
// SIGINT, 143 for SIGTERM, 129 for SIGHUP.
func (e SignalError) ExitCode() int { return 128 + int(e.Signal) }

// Run shows the screen until the operator leaves it or ctx ends. It returns
// nil when the operator left, ErrNoTerminal, a SignalError, ctx's cause, or
// what went wrong; in every case the terminal is as it was before.
func Run(ctx context.Context, d Deps, o Options) error {
	if d.Workspace == nil || d.Nodes == nil {
		return errors.New("tui: Workspace and Nodes must be there")
	}
	if !term.IsTerminal(os.Stdin.Fd()) || !term.IsTerminal(os.Stdout.Fd()) {
		return ErrNoTerminal
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	app := newApp(ctx, d, o, theme.New(theme.Options{ASCII: o.ASCII}))
	app.wakes = subscribe(d)
	defer app.wakes.close()
	app.output = func(s string) error { _, err := io.WriteString(os.Stdout, s); return err }

	group, _ := task.New(ctx)
	stop := make(chan struct{})
	group.Go("signals", func() error { return watchSignals(ctx, stop, app.editing.interrupts, cancel) })
	_, err := tea.NewProgram(app, tea.WithContext(ctx), tea.WithAltScreen(), tea.WithoutSignalHandler()).Run()
	close(stop)
	return errors.Join(ended(ctx, err), group.Wait())
}

// watchSignals ends the screen on a signal. While an editor has the terminal,
// SIGINT is the editor's: the terminal sends it to the whole process group.
func watchSignals(ctx context.Context, stop <-chan struct{}, editing func() bool, cancel context.CancelCauseFunc) error {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ch)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stop:
			return nil
		case s := <-ch:
			if s == syscall.SIGINT && editing() {
				continue
			}
			if sig, ok := s.(syscall.Signal); ok {
				cancel(SignalError{sig})
			}
			return nil
		}
	}
}

// ended turns what bubbletea returns into what Run promises.
func ended(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tea.ErrProgramPanic):
		return fmt.Errorf("the screen stopped unexpectedly: %w", err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("drawing the screen: %w", err)
}
