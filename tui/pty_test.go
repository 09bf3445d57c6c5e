package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"example.com/meshtui/tui/tuitest"
)

// The test binary is also the program that the pty tests start: it links the
// screen, as meshtui does.
const childEnv = "MESHTUI_TUI_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "help": // what meshtui --help does: nothing with the terminal
		fmt.Println("usage")
		os.Exit(0)
	}
	s := tuitest.Calm()
	d := depsOf(s)
	if os.Getenv(childEnv) == "panic" {
		d.Workspace = panicking{s.Workspace}
	}
	err := Run(context.Background(), d, Options{})
	var sig SignalError
	switch {
	case errors.As(err, &sig):
		os.Exit(sig.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// panicking is a workspace with a fault: undo panics.
type panicking struct{ *tuitest.Workspace }

func (panicking) Save(string) error { panic("a fault") }

// terminal is a program on a pty that answers no question.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu  sync.Mutex
	out bytes.Buffer
	end chan struct{}
}

func start(t *testing.T, mode string) *terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{childEnv + "=" + mode, "TERM=xterm-256color", "HOME=" + t.TempDir()}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skipf("no pty here: %v", err)
	}
	term := &terminal{t: t, cmd: cmd, tty: tty, end: make(chan struct{})}
	go func() { // ends with the pty
		defer close(term.end)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			term.mu.Lock()
			term.out.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = tty.Close() })
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.out.String()
}

// await waits until the program has written want.
func (term *terminal) await(want string) {
	term.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(term.text(), want) {
		select {
		case <-deadline:
			term.t.Fatalf("never wrote %q:\n%q", want, term.text())
		case <-tick.C:
		}
	}
}

// exit waits for the program's end and returns its exit code.
func (term *terminal) exit() int {
	term.t.Helper()
	done := make(chan error, 1)
	go func() { done <- term.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		term.t.Fatalf("did not end:\n%q", term.text())
	}
	<-term.end
	return term.cmd.ProcessState.ExitCode()
}

const altScreenOff = "\x1b[?1049l"

// TestLinkingTheScreenAsksTheTerminalNothing: without package background,
// bubbletea asks for the background colour before main and waits five seconds.
func TestLinkingTheScreenAsksTheTerminalNothing(t *testing.T) {
	term := start(t, "help")
	if code := term.exit(); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	if out := term.text(); strings.Contains(out, "\x1b") || !strings.Contains(out, "usage") {
		t.Errorf("wrote %q", out)
	}
}

func TestRunLeavesTheTerminalAsItWas(t *testing.T) {
	tests := []struct {
		name, mode string
		end        func(*terminal)
		code       int
	}{
		{"quit", "run", func(term *terminal) { _, _ = io.WriteString(term.tty, "q") }, 0},
		{"ctrl+c", "run", func(term *terminal) { _, _ = io.WriteString(term.tty, "\x03") }, 0},
		{"SIGTERM", "run", func(term *terminal) { _ = term.cmd.Process.Signal(syscall.SIGTERM) }, 143},
		{"SIGINT", "run", func(term *terminal) { _ = term.cmd.Process.Signal(syscall.SIGINT) }, 130},
		{"SIGHUP", "run", func(term *terminal) { _ = term.cmd.Process.Signal(syscall.SIGHUP) }, 129},
		{"panic in an intent", "panic", func(term *terminal) { _, _ = io.WriteString(term.tty, "s") }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			term := start(t, tt.mode)
			term.await("EDS endpoints")
			tt.end(term)
			if code := term.exit(); code != tt.code {
				t.Errorf("exit status %d, want %d\n%q", code, tt.code, term.text())
			}
			if out := term.text(); !strings.Contains(out, altScreenOff) {
				t.Errorf("the alternate screen was not left: %q", out[max(0, len(out)-200):])
			}
		})
	}
}

func TestRunWithoutATerminal(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{childEnv + "=run"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "meshtui serve") || strings.Contains(string(out), "\x1b") {
		t.Errorf("%v: %q", err, out)
	}
}
