package twin

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestAKilledNginxComesBack(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(answering(port, "here"))
	answer(t, tw)
	before := tw.State()
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := until(t, tw, "its end is told", func(s State) bool { return s.PID != before.PID })
	if s.Running || !strings.Contains(s.Err, "killed") || !strings.Contains(s.Err, "next start at") {
		t.Errorf("it says %+v", s)
	}
	s = until(t, tw, "it is back", func(s State) bool { return s.Running })
	if s.Err != "" || s.Restarts != 1 || s.Places[at(port)] != before.Places[at(port)] {
		t.Errorf("it is back as %+v, was %+v", s, before)
	}
	if !strings.HasPrefix(s.Crash.Says, "nginx ended: signal: killed") || s.Crash.At.IsZero() {
		t.Errorf("the crash is %+v", s.Crash)
	}
	if got := answer(t, tw); got != "here" {
		t.Errorf("answered %q", got)
	}
}

// A worker that dies is told with nginx's own words; nginx goes on. One that leaves
// at a reload has not died.
func TestAWorkerThatDies(t *testing.T) {
	t.Parallel()
	tw, port := newTwin(t), freePort(t)
	tw.Follow(answering(port, "one"))
	answer(t, tw)
	tw.Follow(answering(port, "two"))
	until(t, tw, "the second was given", func(s State) bool { return s.Load.Number == 2 && !s.Load.Given.IsZero() })
	for ctx := within(t); answer(t, tw) != "two"; {
		if ctx.Err() != nil {
			t.Fatal("the second never answers")
		}
	}
	before := tw.State()
	if before.Crash.Says != "" {
		t.Errorf("a reload is a crash: %+v", before.Crash)
	}
	worker := 0
	for ctx := within(t); worker == 0; { // the old one may not yet have gone
		out, err := exec.Command("pgrep", "-P", fmt.Sprint(before.PID), "-f", "worker process$").Output()
		if pids := strings.Fields(string(out)); len(pids) == 1 {
			worker, err = strconv.Atoi(pids[0])
		}
		if err != nil || ctx.Err() != nil {
			t.Fatalf("the workers are %q: %v, %v", out, err, ctx.Err())
		}
	}
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := until(t, tw, "its end is told", func(s State) bool { return s.Crash.Says != "" })
	if want := fmt.Sprintf("worker process %d exited on signal 9", worker); s.Crash.Says != want || s.PID != before.PID || s.Restarts != 0 {
		t.Errorf("it says %+v, want %q", s, want)
	}
	if got := answer(t, tw); got != "two" {
		t.Errorf("answered %q", got)
	}
}

func TestLogged(t *testing.T) {
	for line, want := range map[string][2]string{
		"2026/11/23 10:00:00 [alert] 12#12: worker process 14 exited on signal 11 (core dumped)\n": {"alert", "worker process 14 exited on signal 11 (core dumped)"},
		"2026/11/23 10:00:00 [error] 14#14: *3 connect() failed (111: Connection refused)\n":       {"error", "*3 connect() failed (111: Connection refused)"},
		"nginx: [emerg] host not found\n": {"emerg", "host not found"},
		"segfault\n":                      {"", "segfault"},
	} {
		if level, says := logged(line); level != want[0] || says != want[1] {
			t.Errorf("%q: %q, %q", line, level, says)
		}
	}
}
