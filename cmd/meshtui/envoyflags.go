package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"example.com/meshtui/xds/envoy"
)

// envoyFlags say which local proxies a command starts: Envoys, or built-in ones.
type envoyFlags struct {
	plane string // see planeAny
	path  string
	tools []string
	nodes int
	delta bool
}

func (f *envoyFlags) bind(cmd *cobra.Command, nodes int) {
	fs := cmd.Flags()
	fs.IntVar(&f.nodes, "nodes", nodes, "how many local proxies to start")
	fs.StringVar(&f.plane, "data-plane", planeAny, "envoy or builtin: which proxies (default: Envoy, and the built-in proxy where none can be had)")
	fs.StringVar(&f.path, "envoy", "", "the Envoy to run (default: $MESHTUI_ENVOY, envoy on PATH, .tools/envoy, else it is downloaded)")
	fs.StringArrayVar(&f.tools, "tools", nil, "a folder to look for an envoy in, before a download")
	fs.BoolVar(&f.delta, "delta", false, "let the local proxies speak delta xDS")
}

// check refuses what cannot be meant.
func (f envoyFlags) check() error {
	if f.nodes < 0 {
		return usageError(fmt.Errorf("--nodes %d: there cannot be fewer than none", f.nodes))
	}
	return f.checkPlane()
}

// find looks for an Envoy, and downloads one when there is none.
func (f envoyFlags) find(ctx context.Context, say func(string)) (envoy.Binary, error) {
	tools := slices.Concat(f.tools, checkoutTools())
	b, err := envoy.Find(f.path, tools...)
	if !errors.Is(err, envoy.ErrNoEnvoy) {
		return b, err
	}
	say("no envoy on PATH or in .tools; downloading one")
	last := int64(-1)
	b, derr := envoy.Download(ctx, cacheDir(), func(done, total int64) {
		if total > 0 && done*10/total != last {
			last = done * 10 / total
			say(fmt.Sprintf("downloading Envoy: %d%%", last*10))
		}
	})
	if derr != nil {
		return b, fmt.Errorf("%w, and %w; get one with `make envoy` in a checkout of meshtui, put an envoy (1.36 or newer) on PATH, or name one with --envoy", err, derr)
	}
	return b, nil
}

// checkoutTools are the folders that `make envoy` may have put an Envoy into:
// that of the working folder, and that of the checkout this program was built in.
func checkoutTools() []string {
	var out []string
	if wd, err := os.Getwd(); err == nil {
		out = append(out, filepath.Join(wd, ".tools"))
	}
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		out = append(out, filepath.Join(dir, ".tools"), filepath.Join(filepath.Dir(dir), ".tools"))
	}
	return out
}
