package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"example.com/meshtui/engine/mesh"
)

// stateDir holds drafts, histories, logs of Envoys and the last workspace.
func stateDir() string { return filepath.Join(xdg.StateHome, "meshtui") }

// cacheDir holds downloaded Envoys.
func cacheDir() string { return filepath.Join(xdg.CacheHome, "meshtui") }

// lastFile remembers the workspace that was opened last.
func lastFile() string { return filepath.Join(stateDir(), "last") }

// lastWorkspace is the path that was opened last, or "" when there is none or
// it is gone.
func lastWorkspace() string {
	b, err := os.ReadFile(lastFile())
	if err != nil {
		return ""
	}
	path := strings.TrimSpace(string(b))
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// rememberWorkspace notes the path for the next start. That it could not be
// noted harms nothing, so the error is not reported.
func rememberWorkspace(path string) {
	abs, err := filepath.Abs(path)
	if err != nil || os.MkdirAll(stateDir(), 0o700) != nil {
		return
	}
	_ = os.WriteFile(lastFile(), []byte(abs+"\n"), 0o600)
}

func sortedGroups(meshes map[string]*mesh.Mesh) []string {
	return slices.Sorted(maps.Keys(meshes))
}
