package envoy

import (
	"os"
	"path/filepath"
	"testing"
	"time"
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

func TestBackoff(t *testing.T) {
	var got []time.Duration
	pause := time.Duration(0)
	for range 8 {
		pause = backoff(pause, time.Second)
		got = append(got, pause)
	}
	if got[0] != firstBackoff || got[1] != 2*firstBackoff || got[7] != lastBackoff {
		t.Errorf("the pauses are %v", got)
	}
	if again := backoff(lastBackoff, steady); again != firstBackoff {
		t.Errorf("after a long life: %s", again)
	}
}
