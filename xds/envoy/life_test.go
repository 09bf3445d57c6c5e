package envoy

import (
	"os"
	"path/filepath"
	"testing"
)

func TestChooseWords(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"critical", "2026-11-23T03:59:23.690 info main: a\n2026-11-23T03:59:23.690 critical main: error initializing configuration 'x': cannot bind '127.0.0.1:1': Address already in use\n2026-11-23T03:59:23.690 info main: exiting\ncannot bind\n",
			"error initializing configuration 'x': cannot bind '127.0.0.1:1': Address already in use"},
		{"the last error", "2026-11-23T03:59:23.690 error config: one\n2026-11-23T03:59:23.690 error config: goo.gle/debugonly   two\nbye\n", "two"},
		{"no log line", "terminate called\n  what(): x\n\n", "what(): x"},
		{"nothing", "", ""},
	} {
		if got := chooseWords(c.log); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLastWordsAreOfThisRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const before = "2026-11-23T03:59:23.690 critical main: of the run before\n"
	if err := os.WriteFile(path, []byte(before+"now\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lastWords(path, int64(len(before))); got != "now" {
		t.Errorf("got %q", got)
	}
	if got := lastWords(filepath.Join(t.TempDir(), "none"), 0); got != "" {
		t.Errorf("of no log: %q", got)
	}
}
