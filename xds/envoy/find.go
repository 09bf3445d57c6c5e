package envoy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// oldest is the first minor version of Envoy that meshtui was run with, as
// major and minor.
var oldest = [2]int{1, 36}

// Measured is the version of Envoy that meshtui's knowledge was measured on and
// that Download fetches.
const Measured = "1.40.0"

// Variable is the environment variable that names the Envoy to use when no flag
// does.
const Variable = "MESHTUI_ENVOY"

// ErrNoEnvoy is wrapped by what Find returns when no Envoy was named and none
// is installed: the one case in which a download helps.
var ErrNoEnvoy = errors.New("no Envoy on this machine")

// Binary is an Envoy that can be run.
type Binary struct {
	Path    string // absolute
	Version string // "1.40.0"
	Origin  string // who named it: "--envoy", "MESHTUI_ENVOY", "PATH", "tools", "downloaded"
}

// Find looks for an Envoy: the path in flag, else in MESHTUI_ENVOY, else
// "envoy" on PATH, else a file "envoy" in one of the tools folders. What was
// named must work; what was only come across is passed over when it does not.
// The error wraps ErrNoEnvoy when nothing was named and nothing found.
func Find(flag string, tools ...string) (Binary, error) {
	if flag != "" {
		return inspect(flag, "--envoy")
	}
	if named := os.Getenv(Variable); named != "" {
		return inspect(named, Variable)
	}
	var passed []string
	if onPath, err := exec.LookPath("envoy"); err == nil {
		b, err := inspect(onPath, "PATH")
		if err == nil {
			return b, nil
		}
		passed = append(passed, err.Error())
	}
	for _, dir := range tools {
		path := filepath.Join(dir, "envoy")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		b, err := inspect(path, "tools")
		if err == nil {
			return b, nil
		}
		passed = append(passed, err.Error())
	}
	where := "neither on PATH nor in .tools/"
	if len(passed) > 0 {
		where = strings.Join(passed, "; ")
	}
	return Binary{}, fmt.Errorf("%w: %s (run 'make envoy', or name one with --envoy PATH)", ErrNoEnvoy, where)
}

// inspect checks that path is an Envoy that runs here and asks its version.
func inspect(path, origin string) (Binary, error) {
	told := path
	if origin == "--envoy" || origin == Variable {
		told = origin + " " + path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, fmt.Errorf("%s: %w", told, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Binary{}, fmt.Errorf("%s: there is no such file", told)
	case err != nil:
		return Binary{}, fmt.Errorf("%s: %w", told, err)
	case info.IsDir():
		return Binary{}, fmt.Errorf("%s is a folder; name the envoy binary itself", told)
	case info.Mode()&0o111 == 0:
		return Binary{}, fmt.Errorf("%s is not executable (chmod +x %s)", told, path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, abs, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	version, ok := parseVersion(string(out))
	switch {
	case ctx.Err() != nil:
		return Binary{}, fmt.Errorf("%s does not answer --version within 10 s", told)
	case err != nil && !ok:
		return Binary{}, fmt.Errorf("%s does not run: %w%s", told, err, firstLine(": ", string(out)))
	case !ok:
		return Binary{}, fmt.Errorf("%s is not an Envoy: --version says %q", told, firstLine("", string(out)))
	}
	return Binary{Path: abs, Version: version, Origin: origin}, nil
}

// versionLine is "…version: <40 hex>/1.40.0/Clean/RELEASE/BoringSSL"; builds of
// distributors put their own word behind the number.
var versionLine = regexp.MustCompile(`version: [0-9a-f]{40}/(\d+\.\d+\.\d+[^/\s]*)/`)

func parseVersion(out string) (string, bool) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func firstLine(prefix, s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if line == "" {
		return ""
	}
	return prefix + line
}

// TooOld reports whether meshtui was never run with a version this old.
func (b Binary) TooOld() bool {
	parts := strings.SplitN(b.Version, ".", 3)
	if len(parts) < 2 {
		return true
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return true
	}
	return major < oldest[0] || (major == oldest[0] && minor < oldest[1])
}

// Warning is one sentence about a binary that is too old, "" when it is not.
func (b Binary) Warning() string {
	if !b.TooOld() {
		return ""
	}
	return fmt.Sprintf("Envoy %s (%s) is older than %d.%d: meshtui was never run with it, so what it shows may be wrong",
		b.Version, b.Path, oldest[0], oldest[1])
}

// String is the binary as people name it: "Envoy 1.40.0 (/usr/bin/envoy)".
func (b Binary) String() string { return fmt.Sprintf("Envoy %s (%s)", b.Version, b.Path) }
