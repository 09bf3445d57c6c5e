package twin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Variable is the environment variable that names the nginx to use.
const Variable = "MESHTUI_NGINX"

// usual is where distributions put nginx, which is not on everybody's PATH.
const usual = "/usr/sbin/nginx"

// Program is an nginx that can be run.
type Program struct {
	Path    string // absolute
	Version string // "1.22.1"
	stream  string // path of the stream module; builtIn where nginx has it inside; "" without
}

// builtIn is the stream module that needs no load_module.
const builtIn = "built in"

// String is the program as people name it: "nginx 1.22.1 (/usr/sbin/nginx)".
func (p Program) String() string { return fmt.Sprintf("nginx %s (%s)", p.Version, p.Path) }

// Find looks for an nginx: what MESHTUI_NGINX names, else nginx on PATH, else
// /usr/sbin/nginx. It fails when what was named does not run, and when there is
// none.
func Find() (Program, error) {
	if named := os.Getenv(Variable); named != "" {
		p, err := inspect(named)
		if err != nil {
			return p, fmt.Errorf("%s: %w", Variable, err)
		}
		return p, nil
	}
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = usual
		if _, err := os.Stat(path); err != nil {
			return Program{}, fmt.Errorf("no nginx on PATH and none at %s; install one, or name it in %s", usual, Variable)
		}
	}
	return inspect(path)
}

var (
	versionLine = regexp.MustCompile(`version: (?:nginx|openresty|tengine|freenginx|angie)/(\S+)`)
	modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)
	prefixPath  = regexp.MustCompile(`--prefix=(\S+)`)
)

// inspect asks an nginx for its version and what it was built with.
func inspect(path string) (Program, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Program{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, abs, "-V")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return Program{}, fmt.Errorf("%s does not answer -V within 10 s", path)
	}
	if err != nil {
		return Program{}, fmt.Errorf("%s does not run: %w", path, err)
	}
	found := versionLine.FindSubmatch(out)
	if found == nil {
		return Program{}, fmt.Errorf("%s is no nginx: -V says %q", path, strings.TrimSpace(string(out)))
	}
	return Program{Path: abs, Version: string(found[1]), stream: streamModule(string(out))}, nil
}

// streamModule reads from what -V says where the stream module is.
func streamModule(said string) string {
	words := strings.Fields(said)
	for _, w := range words {
		switch w {
		case "--with-stream":
			return builtIn
		case "--with-stream=dynamic":
			dir := "modules"
			if m := modulesPath.FindStringSubmatch(said); m != nil {
				dir = m[1]
			}
			if m := prefixPath.FindStringSubmatch(said); m != nil && !filepath.IsAbs(dir) {
				dir = filepath.Join(m[1], dir)
			}
			path := filepath.Join(dir, "ngx_stream_module.so")
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				return path
			}
		}
	}
	return ""
}
