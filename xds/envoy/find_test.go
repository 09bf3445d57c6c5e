package envoy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script writes an executable that stands for an Envoy.
func script(t *testing.T, dir, body string) string {
	t.Helper()
	path := filepath.Join(dir, "envoy")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const hash = "9e5580933739775e8bce696a57a2e1bc99368f23"

func says(version string) string {
	return "echo; echo 'envoy  version: " + hash + "/" + version + "/Clean/RELEASE/BoringSSL'\n"
}

func TestFindOrder(t *testing.T) {
	dir := t.TempDir()
	flag := script(t, filepath.Join(dir, "flag"), says("1.40.1"))
	variable := script(t, filepath.Join(dir, "variable"), says("1.40.2"))
	script(t, filepath.Join(dir, "path"), says("1.40.3"))
	script(t, filepath.Join(dir, "tools"), says("1.40.4"))
	tools := filepath.Join(dir, "tools")
	empty := filepath.Join(dir, "empty")

	for _, c := range []struct {
		name, flag, variable, path, version, origin string
	}{
		{"flag first", flag, variable, filepath.Join(dir, "path"), "1.40.1", "--envoy"},
		{"then the variable", "", variable, filepath.Join(dir, "path"), "1.40.2", "MESHTUI_ENVOY"},
		{"then PATH", "", "", filepath.Join(dir, "path"), "1.40.3", "PATH"},
		{"then the tools", "", "", empty, "1.40.4", "tools"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(Variable, c.variable)
			t.Setenv("PATH", c.path)
			b, err := Find(c.flag, empty, tools)
			if err != nil {
				t.Fatal(err)
			}
			if b.Version != c.version || b.Origin != c.origin {
				t.Errorf("found %+v, want version %s from %s", b, c.version, c.origin)
			}
		})
	}
}

func TestFindPassesOverWhatDoesNotRun(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	script(t, broken, "echo 'no such library' >&2; exit 127\n")
	good := filepath.Join(dir, "good")
	script(t, good, says("1.40.0"))
	t.Setenv(Variable, "")
	t.Setenv("PATH", broken)
	b, err := Find("", good)
	if err != nil || b.Origin != "tools" {
		t.Fatalf("found %+v, %v", b, err)
	}
	_, err = Find("")
	if !errors.Is(err, ErrNoEnvoy) || !strings.Contains(err.Error(), "no such library") {
		t.Errorf("the reason is lost: %v", err)
	}
}

func TestFindRefusesWhatWasNamed(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := script(t, filepath.Join(dir, "other"), "echo nginx version: nginx/1.22.1\n")
	crash := script(t, filepath.Join(dir, "crash"), "echo cannot load libc >&2; exit 3\n")
	t.Setenv("PATH", t.TempDir())
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), "there is no such file"},
		{dir, "is a folder"},
		{plain, "is not executable (chmod +x " + plain + ")"},
		{other, `is not an Envoy: --version says "nginx version: nginx/1.22.1"`},
		{crash, "does not run: exit status 3: cannot load libc"},
	} {
		_, err := Find(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "--envoy "+c.path) {
			t.Errorf("--envoy %s: got %v, want %q", c.path, err, c.want)
		}
		if errors.Is(err, ErrNoEnvoy) {
			t.Errorf("--envoy %s: a download would not help, but the error says that there is none", c.path)
		}
		t.Setenv(Variable, c.path)
		if _, err := Find(""); err == nil || !strings.HasPrefix(err.Error(), Variable+" "+c.path) {
			t.Errorf("%s=%s: got %v", Variable, c.path, err)
		}
		t.Setenv(Variable, "")
	}
}

func TestTooOld(t *testing.T) {
	for version, old := range map[string]bool{
		"1.35.9": true, "1.36.0": false, "1.40.0": false, "2.0.0": false, "0.99.0": true, "1.9.0": true,
		"1.41.0-dev": false, "": true, "x.y": true,
	} {
		b := Binary{Version: version, Path: "/envoy"}
		if b.TooOld() != old {
			t.Errorf("%q: too old is %v", version, b.TooOld())
		}
		if got := b.Warning(); strings.Contains(got, "never run with") != old {
			t.Errorf("%q: the warning is %q", version, got)
		}
	}
}
