package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine/task"
)

// childRole is the environment variable that makes this test binary play a part
// of its own instead of running tests.
const childRole = "CHILD_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "watchdog":
		if err := RunWatchdog(os.Args[1:], os.Stdin); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	case "parent": // starts a program and waits to be killed
		g, _ := task.New(context.Background())
		p, err := Start(g, exec.Command("sleep", "1000"), Options{Name: "sleep", Watchdog: watchdogCommand()})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		select {}
	}
	goleak.VerifyTestMain(m)
}

// watchdogCommand makes this test binary a watchdog.
func watchdogCommand() []string { return []string{"env", childRole + "=watchdog", os.Args[0]} }

// gone reports whether a process has ended; one that nobody has reaped yet has.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // gone since, or a system without /proc
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain for: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func start(t *testing.T, o Options, command string, args ...string) *Process {
	t.Helper()
	g, _ := task.New(context.Background())
	o.Watchdog = watchdogCommand()
	p, err := Start(g, exec.Command(command, args...), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.End(), g.Wait()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestEnd(t *testing.T) {
	p := start(t, Options{Name: "sleep"}, "sleep", "1000")
	if gone(p.PID()) {
		t.Fatal("it was gone at once")
	}
	if err := p.End(); err != nil || !gone(p.PID()) {
		t.Errorf("ended: %v, gone: %v", err, gone(p.PID()))
	}
	if got := p.Exit(); got != "signal: terminated" {
		t.Errorf("it says %q", got)
	}
	if err := p.Signal(syscall.SIGHUP); err == nil {
		t.Error("a process that is gone was sent a signal")
	}
	if err := p.End(); err != nil {
		t.Errorf("ending it twice: %v", err)
	}
}

// One that does not hear SIGTERM is ended by force.
func TestEndByForce(t *testing.T) {
	t.Parallel()
	g, _ := task.New(context.Background())
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo ready; while :; do sleep 1000; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(g, cmd, Options{Name: "deaf", Watchdog: watchdogCommand()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.End(), g.Wait()); err != nil || p.Exit() != "signal: killed" {
		t.Errorf("%v, %q", err, p.Exit())
	}
}

// A parent that is killed leaves its children in the group; they go too.
func TestAFamilyGoesTogether(t *testing.T) {
	g, _ := task.New(context.Background())
	cmd := exec.Command("sh", "-c", `sleep 1000 & echo $!; wait`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(g, cmd, Options{Name: "family", Family: true, Watchdog: watchdogCommand()})
	if err != nil {
		t.Fatal(err)
	}
	var kid int
	if _, err := fmt.Fscan(out, &kid); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	eventually(t, "the child that was left to go", func() bool { return gone(kid) })
	if err := errors.Join(p.End(), g.Wait()); err != nil {
		t.Error(err)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	g, _ := task.New(context.Background())
	if _, err := Start(g, exec.Command("/nowhere/at/all"), Options{Name: "nobody"}); err == nil || !strings.Contains(err.Error(), "nobody: ") {
		t.Errorf("%v", err)
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestItGoesWithUs(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"=parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if gone(pid) {
		t.Fatal("it was gone before its parent")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the program to go too", func() bool { return gone(pid) })
}

func TestWatchdog(t *testing.T) {
	sleeper := func() *exec.Cmd {
		cmd := exec.Command("sleep", "100")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	left, taken := sleeper(), sleeper()
	dismissed, err := startWatchdog(watchdogCommand(), left.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	dismissed.dismiss()
	if gone(left.Process.Pid) {
		t.Error("a watchdog that was dismissed killed what it watched")
	}
	orphaned, err := startWatchdog(watchdogCommand(), taken.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	orphaned.pipe.Close() // as the system does for a process that was killed
	eventually(t, "the orphan to be killed", func() bool { return gone(taken.Process.Pid) })
	_ = orphaned.cmd.Wait()
	for _, args := range [][]string{nil, {"x"}, {"1"}, {"-5"}, {strconv.Itoa(2), "3"}} {
		if err := RunWatchdog(args, strings.NewReader("")); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

func TestBackoff(t *testing.T) {
	var got []time.Duration
	pause := time.Duration(0)
	for range 8 {
		pause = Backoff(pause, time.Second)
		got = append(got, pause)
	}
	if got[0] != firstBackoff || got[1] != 2*firstBackoff || got[7] != lastBackoff {
		t.Errorf("the pauses are %v", got)
	}
	if again := Backoff(lastBackoff, steady); again != firstBackoff {
		t.Errorf("after a long life: %s", again)
	}
}
