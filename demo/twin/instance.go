package twin

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/meshtui/xds/child"
)

// instance is one run of nginx: its master process, and what all of its processes
// log.
type instance struct {
	*child.Process
	twin  *Twin
	began time.Time
	pipe  *os.File      // what it says
	read  chan struct{} // closed when that has ended: no process is left

	mu    sync.Mutex
	emerg string // what the master said last of a file that it does not take
	worst string // what it logged last as an error, or as something worse
}

// gaveUp is what nginx says when it has tried often enough to have a port.
const gaveUp = "still could not bind()"

// launch starts nginx on the good file.
func (t *Twin) launch() (*instance, error) {
	if err := os.Remove(t.path(pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("starting nginx: %w", err)
	}
	log, err := os.OpenFile(t.path(logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("nginx's log: %w", err)
	}
	said, toUs, err := os.Pipe()
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("nginx's log: %w", err)
	}
	defer toUs.Close() // the processes have it: when the last ends, so does the pipe
	cmd := exec.Command(t.o.Program.Path, t.arguments(confFile)...)
	cmd.Stdout, cmd.Stderr = toUs, toUs
	p := &instance{twin: t, began: t.o.Now(), pipe: said, read: make(chan struct{})}
	// The master hears SIGTERM and ends its workers, which SIGKILL would leave.
	p.Process, err = child.Start(t.group, cmd, child.Options{Name: "nginx", Farewell: syscall.SIGTERM, Family: true, Watchdog: t.o.Watchdog})
	if err != nil {
		log.Close()
		said.Close()
		return nil, err
	}
	t.group.Go("nginx's log", func() error {
		defer close(p.read)
		defer log.Close()
		defer said.Close()
		p.follow(said, log)
		return nil
	})
	return p, nil
}

// follow copies what nginx says into its log, up to maxLogSize, and hears where
// it does not take a file.
func (p *instance) follow(said io.Reader, log io.Writer) {
	lines := bufio.NewReaderSize(said, 64<<10)
	for size := 0; ; {
		line, err := lines.ReadString('\n')
		if size += len(line); size < maxLogSize {
			_, _ = io.WriteString(log, line) // a full disk is no reason to stop nginx
		}
		p.hears(line)
		if err != nil {
			return
		}
	}
}

// hears looks at a line of the log.
func (p *instance) hears(line string) {
	level, says := logged(line)
	if levels := []string{"error", "crit", "alert", "emerg"}; !slices.Contains(levels, level) {
		return
	}
	p.mu.Lock()
	p.worst = says
	p.mu.Unlock()
	switch {
	case level == "emerg":
		p.heard(says)
	case level == "alert" && workerDied.MatchString(says):
		at := p.twin.o.Now()
		p.twin.become(func(s *State) { s.Crash = Crash{at, says} })
	}
}

// workerDied is how the master tells that a worker ended which it had not told to.
var workerDied = regexp.MustCompile(`^worker process \d+ exited (?:on signal|with fatal code|with code [1-9])`)

// heard notes what the master said against the file that it was given, and that
// it goes on with the one before. It tries for a while to have a port before it
// gives up, and says only before that which.
func (p *instance) heard(words string) {
	p.mu.Lock()
	tries := strings.HasPrefix(words, "bind()")
	if words != gaveUp {
		p.emerg = words
	}
	words = p.emerg
	p.mu.Unlock()
	if tries {
		return
	}
	p.twin.become(func(s *State) {
		if !s.Running || s.PID != p.PID() {
			return
		}
		s.Err, s.Load.Refused = words, words
		if s.before != nil && s.before.mesh != nil {
			s.Runs, s.Places, s.before = s.before.mesh, s.before.places, nil
		}
	})
}

// lastError is what it logged last as an error; "" for nothing.
func (p *instance) lastError() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.worst
}

// said is what it said last of a file that it does not take; "" for nothing.
func (p *instance) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.emerg
}

// finish waits until everything that it said is read; the process must be gone.
// Where something that it left behind holds the pipe, it does not wait for long.
func (p *instance) finish() {
	_ = p.pipe.SetReadDeadline(time.Now().Add(lastWordsTime)) // it may be closed already
	<-p.read
}

// awaitUp waits until nginx has written its process number, which it does once
// it listens.
func (p *instance) awaitUp(ctx context.Context) error {
	late := time.NewTimer(startTime)
	defer late.Stop()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(p.twin.path(pidFile))
		if err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(p.PID()) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			p.finish()
			return fmt.Errorf("nginx does not start: %s", cmp.Or(p.said(), p.Exit()))
		case <-late.C:
			return fmt.Errorf("nginx does not listen within %s", startTime)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
