package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestRunDirKeepsTheLastFewRuns(t *testing.T) {
	privateXDG(t)
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(stateDir(), "envoys")
	for i := range keptRuns + 3 {
		if err := os.MkdirAll(filepath.Join(base, fmt.Sprintf("%d-%d", gone.Process.Pid, i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	foreign := filepath.Join(base, "notes")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	mine, err := runDir()
	if err != nil {
		t.Fatal(err)
	}
	again, err := runDir()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		t.Fatal(err)
	}
	if want := keptRuns + 3; len(entries) != want { // two of this process, and the foreign one
		t.Errorf("%d folders are left, want %d", len(entries), want)
	}
	for _, dir := range []string{mine, again, foreign} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}
