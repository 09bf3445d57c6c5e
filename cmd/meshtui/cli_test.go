package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// program is the built meshtui that these tests run as a user would.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "meshtui-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "meshtui")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building meshtui:", err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// patience is how long a test waits for what must happen; it is no statement
// about speed.
const patience = 30 * time.Second

// home gives a command XDG folders of its own.
func home(t *testing.T) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mt") // short: a unix socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	env := os.Environ()
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"} {
		sub := filepath.Join(dir, strings.ToLower(v[4:7]))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		env = append(env, v+"="+sub)
	}
	return append(env, "MESHTUI_ENVOY=", "HOME="+dir)
}

// meshtui runs the program to its end and returns what it printed and its
// status.
func meshtui(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errOut, env
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("meshtui %s did not end; it said:\n%s%s", strings.Join(args, " "), &out, &errOut)
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// A terminal that never answers must not hold `--help` up, nor see an escape
// sequence: bubbletea asks for the background colour when it is loaded unless
// somebody has answered before.
func TestHelpIsSilentOnAMuteTerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--help")
	cmd.Env = append(home(t), "TERM=xterm-256color", "CI=")
	began := time.Now()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var out bytes.Buffer
	_, _ = out.ReadFrom(tty) // a pty ends with EIO
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if i := bytes.IndexByte(out.Bytes(), 0x1b); i >= 0 {
		t.Errorf("--help wrote an escape byte at %d: %q", i, out.Bytes()[i:min(i+20, out.Len())])
	}
	if !strings.Contains(out.String(), "meshtui [PATH]") {
		t.Errorf("no usage in:\n%s", out.String())
	}
	// The probe that this guards against waits five seconds for an answer.
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("--help took %v on a terminal that does not answer", took)
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noYAML := write("broken/cds.yaml", "resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: [app\n")
	v2 := write("v2.yaml", "static_resources:\n  clusters:\n  - name: a\n    hosts: [{socket_address: {address: 127.0.0.1, port_value: 1}}]\n")
	typo := write("typo/cds.yaml", "resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: app\n  lb_polcy: RANDOM\n")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   []string
	}{
		{"no such file", []string{"serve", filepath.Join(dir, "nowhere")}, 1, []string{"there is no", "nowhere", "lds.yaml"}},
		{"no YAML", []string{"serve", filepath.Dir(noYAML)}, 1, []string{"cds.yaml:", "error"}},
		{"no YAML, checked", []string{"check", filepath.Dir(noYAML)}, 1, []string{"cds.yaml:", "error"}},
		{"a v2 config", []string{"serve", v2}, 1, []string{"v2"}},
		{"a field that is not there", []string{"serve", filepath.Dir(typo)}, 1, []string{"cds.yaml:4", "lb_polcy", "lb_policy"}},
		{"check of nothing", []string{"check", filepath.Join(dir, "nowhere")}, 2, []string{"nowhere"}},
		{"no such flag", []string{"serve", "--wtach", dir}, 2, []string{"--wtach", "--help"}},
		{"too many arguments", []string{"a", "b"}, 2, []string{"--help"}},
		{"no path to serve", []string{"serve"}, 2, []string{"--help"}},
		{"no loopback", []string{"serve", "--xds", "0.0.0.0:18000", write("ok/cds.yaml", "resources: []\n")}, 1, []string{"0.0.0.0", "loopback"}},
		{"no such command", []string{"bogus"}, 2, []string{"bogus", "--help"}},
		{"no such data plane", []string{"demo", "--data-plane", "nginx"}, 2, []string{"nginx", "builtin"}},
		{"too many requests", []string{"demo", "--rate", "50000"}, 2, []string{"--rate", "50000"}},
		{"two data planes", []string{"serve", filepath.Join(dir, "ok"), "--data-plane", "builtin", "--envoy", "/x"}, 2, []string{"--data-plane", "--envoy"}},
		{"no terminal", []string{filepath.Join(dir, "ok")}, 1, []string{"terminal", "meshtui serve"}},
		{"an Envoy that is not there", []string{"serve", "--nodes", "1", "--envoy", filepath.Join(dir, "envoy"), filepath.Join(dir, "ok")}, 1, []string{filepath.Join(dir, "envoy")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errOut, status := meshtui(t, home(t), tt.args...)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			all := out + errOut
			for _, want := range tt.says {
				if !strings.Contains(all, want) {
					t.Errorf("does not say %q:\n%s", want, all)
				}
			}
			if strings.Contains(all, "panic") || strings.Contains(all, "goroutine ") {
				t.Errorf("panicked:\n%s", all)
			}
			if n := strings.Count(strings.TrimSpace(errOut), "\n"); tt.status == 1 && n > 2 {
				t.Errorf("says it in %d lines, not in a sentence:\n%s", n+1, errOut)
			}
		})
	}
}
