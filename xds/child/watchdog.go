package child

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// WatchdogCommand is the hidden subcommand under which a program that starts
// others must call RunWatchdog. It is used where the kernel cannot tie a child
// to its parent, that is everywhere but on Linux.
const WatchdogCommand = "watchdog"

// RunWatchdog waits until in ends and then kills the process group named in
// args[0], unless a byte came first: the sign that all went well. in is the
// read end of a pipe that the parent holds open for as long as it lives. It
// returns an error on wrong use.
func RunWatchdog(args []string, in io.Reader) error {
	if len(args) != 1 {
		return fmt.Errorf("%s: needs the process group and is not for people", WatchdogCommand)
	}
	group, err := strconv.Atoi(args[0])
	if err != nil || group <= 1 {
		return fmt.Errorf("%s: %q is no process group", WatchdogCommand, args[0])
	}
	if n, _ := in.Read(make([]byte, 1)); n > 0 {
		return nil
	}
	return syscall.Kill(-group, syscall.SIGKILL)
}

// watchdog is a process that kills a process group once we are gone.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startWatchdog starts one for the group; command is this program with what
// makes it call RunWatchdog.
func startWatchdog(command []string, group int) (*watchdog, error) {
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("watchdog: %w", err)
		}
		command = []string{self, WatchdogCommand}
	}
	cmd := exec.Command(command[0], append(append([]string(nil), command[1:]...), strconv.Itoa(group))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends the watchdog and leaves the group alone. A nil watchdog is none.
func (w *watchdog) dismiss() {
	if w == nil {
		return
	}
	_, _ = w.pipe.Write([]byte{1}) // when it is gone already there is nothing to tell
	w.pipe.Close()
	_ = w.cmd.Wait()
}
