package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// terminal is a tmux session in which the program runs as for an operator.
type terminal struct {
	*testing.T
	tmux   string
	socket string
}

// openTerminal runs a shell line in a terminal of that size. When the line ends,
// what it ended with is shown as EXIT=status.
func openTerminal(t *testing.T, w, h int, env []string, line string) *terminal {
	t.Helper()
	term := &terminal{T: t, tmux: needProgram(t, "tmux"), socket: filepath.Join(t.TempDir(), "t")}
	script := filepath.Join(t.TempDir(), "run.sh")
	if err := os.WriteFile(script, []byte("trap : INT\n"+line+"\necho EXIT=$?\nexec cat\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := term.command("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h), "sh "+script)
	cmd.Env = slices.Concat(env, []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = term.command("kill-server").Run() })
	return term
}

func (t *terminal) command(args ...string) *exec.Cmd {
	return exec.Command(t.tmux, append([]string{"-u", "-S", t.socket}, args...)...)
}

func (t *terminal) screen() string {
	out, err := t.command("capture-pane", "-p").Output()
	if err != nil {
		t.Fatalf("capture-pane: %v", err)
	}
	return string(out)
}

// until waits until the screen shows all of these, and returns it.
func (t *terminal) until(wants ...string) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		shown := t.screen()
		missing := ""
		for _, want := range wants {
			if !strings.Contains(shown, want) {
				missing = want
			}
		}
		if missing == "" {
			return shown
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %q on this screen:\n%s", missing, shown)
		}
		<-tick.C
	}
}

func (t *terminal) press(keys ...string) {
	t.Helper()
	if out, err := t.command(append([]string{"send-keys"}, keys...)...).CombinedOutput(); err != nil {
		t.Fatalf("send-keys: %v: %s", err, out)
	}
}

// keep writes the screen to the folder that MESHTUI_SCREENS names, for the
// README and for people who want to look.
func (t *terminal) keep(name, shown string) {
	dir := os.Getenv("MESHTUI_SCREENS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(shown), 0o644); err != nil {
		t.Error(err)
	}
}

func demoLine(t *testing.T) string {
	return fmt.Sprintf("%s demo --envoy %s --port %d", program, needEnvoy(t), freeBase(t, 1))
}

// The demo on the screen, as an operator meets it, at each size.
func TestDemoOnTheScreen(t *testing.T) {
	for _, size := range []struct{ w, h int }{{150, 40}, {80, 24}, {60, 24}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			term := openTerminal(t, size.w, size.h, home(t), demoLine(t))
			shown := term.until("rev 1", "live", "in sync", "local_route", "healthy", "%")
			for _, line := range strings.Split(strings.TrimRight(shown, "\n"), "\n") {
				if n := len([]rune(line)); n > size.w {
					t.Errorf("a line is %d cells wide: %q", n, line)
				}
			}
			term.keep(fmt.Sprintf("demo-%dx%d", size.w, size.h), shown)

			// Drain the first endpoint, push it, and see it taken.
			term.press("4")
			term.press("j")
			term.press("Space")
			term.until("to drain")
			term.press("p")
			term.press("Enter")
			shown = term.until("rev 2", "draining")
			term.keep(fmt.Sprintf("drained-%dx%d", size.w, size.h), shown)
			term.press("q")
			term.until("EXIT=0")
		})
	}
}

// The terminal is as it was after each way to end.
func TestTheTerminalIsRestored(t *testing.T) {
	for _, how := range []struct{ name, signal, exit string }{{"SIGTERM", "TERM", "EXIT=143"}, {"SIGHUP", "HUP", "EXIT=129"}} {
		t.Run(how.name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			term := openTerminal(t, 80, 24, home(t), fmt.Sprintf("sh -c 'echo $$ > %s; exec %s'", pid, demoLine(t)))
			term.until("rev 1", "live")
			b, err := os.ReadFile(pid)
			if err != nil {
				t.Fatal(err)
			}
			if err := exec.Command("kill", "-"+how.signal, strings.TrimSpace(string(b))).Run(); err != nil {
				t.Fatal(err)
			}
			shown := term.until(how.exit)
			if strings.Contains(shown, "LDS") {
				t.Errorf("the screen was not left:\n%s", shown)
			}
		})
	}
}

func TestATinyTerminal(t *testing.T) {
	term := openTerminal(t, 20, 10, home(t), demoLine(t))
	term.until("60")
	term.press("C-c")
	term.until("EXIT=")
}

// noEnvoy is a command line in whose environment no Envoy can be had: none on
// PATH, none beside the program, and none to download.
func noEnvoy(args string) string {
	return "env PATH= MESHTUI_ENVOY= ENVOY_VERSIONS_URL=http://127.0.0.1:1/none.json " + program + " " + args
}

// Without an Envoy the demo runs on the built-in proxy and says so, at the
// start and for as long as it runs.
func TestDemoWithoutAnEnvoy(t *testing.T) {
	term := openTerminal(t, 150, 40, home(t), noEnvoy(fmt.Sprintf("demo --port %d", freeBase(t, 1))))
	shown := term.until("rev 1", "built-in proxy", "in sync", "healthy", "req/s")
	term.keep("builtin-150x40", shown)
	term.press("4", "j", "Space")
	term.until("to drain")
	term.press("p")
	term.press("Enter")
	term.until("rev 2", "draining", "1 built-in proxy in sync")
	term.press("q")
	term.until("EXIT=0")
}

// Who asks for an Envoy is not given something else: the demo says how to get
// one.
func TestDemoThatMustHaveAnEnvoy(t *testing.T) {
	term := openTerminal(t, 120, 24, home(t), noEnvoy("demo --data-plane envoy"))
	term.until("make envoy", "EXIT=1")
}

// A request is predicted, sent, and found to go as predicted, at each size, and
// on each data plane.
func TestTryOnTheScreen(t *testing.T) {
	for _, plane := range []string{planeEnvoy, planeBuiltin} {
		for _, size := range []struct{ w, h int }{{150, 40}, {80, 24}, {60, 24}} {
			if plane == planeEnvoy && size.w < 150 {
				continue // the size is the screen's matter, not the proxy's
			}
			t.Run(fmt.Sprintf("%s %dx%d", plane, size.w, size.h), func(t *testing.T) {
				line := fmt.Sprintf("%s demo --data-plane builtin --port %d", program, freeBase(t, 1))
				if plane == planeEnvoy {
					line = demoLine(t)
				}
				term := openTerminal(t, size.w, size.h, home(t), line)
				term.until("rev 1", "live", "in sync")
				term.press("2", "j", "j", "t")
				term.until("Try a request", "www.example.com", "/foo", "predicted")
				term.press("Enter")
				shown := term.until("as predicted", "200")
				term.keep(fmt.Sprintf("try-%s-%dx%d", plane, size.w, size.h), shown)
				term.press("Escape")
				term.until("RDS routes") // the panes are back
				term.press("q")
				term.until("EXIT=0")
			})
		}
	}
}

// `meshtui` alone opens the start page.
func TestStartPage(t *testing.T) {
	term := openTerminal(t, 80, 24, home(t), program)
	shown := term.until("Demo", "Open", "Help")
	term.keep("start-80x24", shown)
	term.press("q")
	term.until("EXIT=0")
}

// What is typed in an editor is the editor's, an interrupt too.
func TestAnInterruptInTheEditorIsTheEditors(t *testing.T) {
	editor := filepath.Join(t.TempDir(), "editor.sh")
	// The trap speaks, not the read: the interrupt may come before the read.
	script := "#!/bin/sh\ntrap 'echo STILL THERE' INT\necho IN THE EDITOR\nuntil read line; do :; done\n"
	if err := os.WriteFile(editor, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	term := openTerminal(t, 100, 30, home(t), "EDITOR="+editor+" "+demoLine(t))
	term.until("rev 1", "live")
	term.press("1", "e")
	term.until("IN THE EDITOR")
	term.press("C-c")
	term.until("STILL THERE")
	term.press("Enter")
	term.until("rev 1", "local_route")
	term.press("q")
	term.until("EXIT=0")
}
