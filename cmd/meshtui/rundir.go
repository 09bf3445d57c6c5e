package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// keptRuns is how many folders of earlier runs are kept, for their logs.
const keptRuns = 5

// runDir is a fresh folder of this process for the logs and sockets of the
// Envoys that it starts. Folders of all but the last few runs are removed.
func runDir() (string, error) {
	base := filepath.Join(stateDir(), "envoys")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", fmt.Errorf("making a folder for the Envoys' logs: %w", err)
	}
	pruneRuns(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%d-", os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("making a folder for the Envoys' logs: %w", err)
	}
	return dir, nil
}

// pruneRuns removes the folders of runs that are over, but for the newest. What
// cannot be removed stays: it is in nobody's way.
func pruneRuns(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	type run struct {
		path string
		at   time.Time
	}
	var over []run
	for _, e := range entries {
		var pid int
		if n, err := fmt.Sscanf(e.Name(), "%d-", &pid); n != 1 || err != nil || alive(pid) {
			continue
		}
		if info, err := e.Info(); err == nil {
			over = append(over, run{filepath.Join(base, e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(over, func(a, b run) int { return b.at.Compare(a.at) })
	for _, r := range over[min(keptRuns, len(over)):] {
		_ = os.RemoveAll(r.path)
	}
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
