package child

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"example.com/meshtui/engine/task"
)

// Process is a program that runs, or has run. All methods may be called from any
// goroutine.
type Process struct {
	cmd   *exec.Cmd
	done  chan struct{}
	exit  error // of cmd.Wait; read it after done
	guard *watchdog
	o     Options
}

// Options say how a program is tied to this one.
type Options struct {
	Name string // of the goroutine that waits for it, and in errors
	// Farewell is the signal that the kernel sends the program when we are gone:
	// SIGKILL when it is 0. A program whose own children outlive it when it is
	// killed wants one that it hears.
	Farewell syscall.Signal
	// Family says that the program has children of its own in its group, which
	// may be left when it is gone: they are killed then.
	Family bool
	// Watchdog is this program and what makes it call RunWatchdog; os.Executable
	// and WatchdogCommand when empty.
	Watchdog []string
}

// Start starts cmd, of which it sets SysProcAttr, and waits for its end in a
// goroutine of g.
func Start(g *task.Group, cmd *exec.Cmd, o Options) (*Process, error) {
	if o.Farewell == 0 {
		o.Farewell = syscall.SIGKILL
	}
	cmd.SysProcAttr = attributes(o.Farewell)
	p := &Process{cmd: cmd, done: make(chan struct{}), o: o}
	if err := p.spawn(g, o.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	if diesWithParent {
		return p, nil
	}
	var err error
	if p.guard, err = startWatchdog(o.Watchdog, p.PID()); err != nil {
		return nil, errors.Join(err, p.End())
	}
	return p, nil
}

// spawn starts the process from a thread that lives until the process is gone:
// on Linux the kernel takes the end of that thread for ours.
func (p *Process) spawn(g *task.Group, name string) error {
	started := make(chan error, 1)
	g.Go(name+" process", func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.exit = p.cmd.Wait()
			p.sweep()
		}
		close(p.done)
		return nil
	})
	return <-started
}

// PID is the process's number. It is that of its group too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process itself, not to its group. It fails when
// the process is gone.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.done: // reaped: its number may be another's by now
		return fmt.Errorf("process %d is gone", p.PID())
	default:
	}
	return syscall.Kill(p.PID(), s)
}

// Exit is how a process that is gone ended, in the system's words: "signal:
// killed"; "" when it ended without an error. It waits until the process is gone.
func (p *Process) Exit() string {
	<-p.done
	p.guard.dismiss()
	if p.exit == nil {
		return ""
	}
	return p.exit.Error()
}

// End ends the process and all in its group: by SIGTERM, after two seconds by
// SIGKILL. It returns when the process is gone.
func (p *Process) End() error {
	defer p.guard.dismiss()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.done: // reaped: its number may be another's by now
			return nil
		default:
		}
		if err := syscall.Kill(-p.PID(), signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %d cannot be ended: %w", p.PID(), err)
		}
		timer := time.NewTimer(2 * time.Second)
		select {
		case <-p.done:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	<-p.done
	return nil
}

// sweep kills what a process with a family left behind when it ended. The number
// of a group that has members is not given to another process.
func (p *Process) sweep() {
	if p.o.Family {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // nobody is left, mostly
	}
}
