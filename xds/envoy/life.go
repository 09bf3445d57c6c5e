package envoy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// life is one run of an Envoy process.
type life struct {
	cmd   *exec.Cmd
	done  chan struct{} // closed when the process is gone
	exit  error         // of cmd.Wait; read it after done
	log   string        // path of the log
	since int64         // where in the log this run begins
	guard *watchdog
}

func (l *life) pid() int { return l.cmd.Process.Pid }

// launch writes the bootstrap and starts the process.
func (r *runner) launch() (*life, error) {
	config, err := r.writeBootstrap()
	if err != nil {
		return nil, err
	}
	p := r.process()
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s's log: %w", r.node, err)
	}
	defer log.Close()
	since, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("%s's log: %w", r.node, err)
	}
	events, toUs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%s's event pipe: %w", r.node, err)
	}
	defer toUs.Close() // the process has its own copy: when it ends, so does the pipe

	cmd := exec.Command(r.fleet.o.Binary.Path, r.arguments(config)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{toUs} // the child's descriptor 3
	cmd.SysProcAttr = processAttributes()
	l := &life{cmd: cmd, done: make(chan struct{}), log: p.Log, since: since}
	if err := r.spawn(l); err != nil {
		events.Close()
		return nil, fmt.Errorf("%s: %w", r.node, err)
	}
	r.fleet.group.Go(r.node+" events", func() error { r.readEvents(events); return nil })
	if !diesWithParent {
		if l.guard, err = startWatchdog(r.fleet.o.Watchdog, l.pid()); err != nil {
			return nil, errors.Join(err, l.end())
		}
	}
	return l, nil
}

func (r *runner) writeBootstrap() (path string, err error) {
	admin, err := r.fleet.adminAddress(r.node, r.process().Admin)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	r.now.Admin = admin
	r.mu.Unlock()
	o := r.fleet.o
	text, err := Bootstrap{NodeID: r.node, Cluster: o.Cluster, XDS: o.XDS, Admin: admin, Delta: o.Delta, Events: true}.YAML()
	if err != nil {
		return "", err
	}
	path = r.process().Config
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("%s's bootstrap: %w", r.node, err)
	}
	return path, nil
}

func (r *runner) arguments(config string) []string {
	args := append([]string{"-c", config}, Flags()...)
	return append(args,
		"--concurrency", strconv.Itoa(max(1, r.fleet.o.Concurrency)),
		"--log-format", "%Y-%m-%dT%T.%e %l %n: %v")
}

// spawn starts the process from a thread that lives until the process is gone:
// on Linux the kernel ends the process when the thread that started it does.
func (r *runner) spawn(l *life) error {
	started := make(chan error, 1)
	r.fleet.group.Go(r.node+" process", func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := l.cmd.Start()
		started <- err
		if err == nil {
			l.exit = l.cmd.Wait()
		}
		close(l.done)
		return nil
	})
	return <-started
}

// readEvents hands on what comes through the pipe until the process is gone.
func (r *runner) readEvents(pipe *os.File) {
	defer pipe.Close()
	lines := bufio.NewScanner(pipe)
	lines.Buffer(make([]byte, 0, 4096), 1<<20)
	for lines.Scan() {
		if e, ok := parseEvent(r.node, lines.Bytes()); ok {
			r.fleet.emit(e)
		}
	}
	// A line beyond 1 MB ends the scan; the pipe must be emptied all the same,
	// or Envoy would stand still at its next event.
	_, _ = io.Copy(io.Discard, pipe)
}

// end ends the process and all in its group, by force when it does not listen,
// and returns why it was gone.
func (l *life) end() error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-l.done: // reaped: its number may be another's by now
			l.guard.dismiss()
			return nil
		default:
		}
		if err := syscall.Kill(-l.pid(), signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %d cannot be ended: %w", l.pid(), err)
		}
		timer := time.NewTimer(2 * time.Second)
		select {
		case <-l.done:
			timer.Stop()
			l.guard.dismiss()
			return nil
		case <-timer.C:
		}
	}
	<-l.done
	l.guard.dismiss()
	return nil
}

// reason says in one sentence how a process ended that nobody ended.
func (l *life) reason() error {
	l.guard.dismiss()
	how := "it ended without an error"
	if l.exit != nil {
		how = l.exit.Error()
	}
	if said := lastWords(l.log, l.since); said != "" {
		how += ": " + said
	}
	return errors.New(how)
}

var (
	logLine   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+ (\w+) [\w.]+: (.*)`)
	withinLog = int64(64 << 10)
)

// lastWords is what an Envoy logged last that tells why it ended: its last
// critical line, else its last error, else its last line.
func lastWords(path string, since int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(since, size-withinLog), io.SeekStart)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return ""
	}
	return chooseWords(string(text))
}

func chooseWords(text string) string {
	byLevel := map[string]string{}
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := logLine.FindStringSubmatch(line); m != nil {
			byLevel[m[1]] = m[2]
			line = m[2]
		}
		if line != "" {
			last = line
		}
	}
	for _, level := range []string{"critical", "error"} {
		if said := byLevel[level]; said != "" {
			return debugPrefix.ReplaceAllString(said, "")
		}
	}
	return last
}

// drain has an Envoy finish what it does: it tells keep-alive clients to go,
// takes no new connections after the drain time, and is waited for until no
// connection, or after the drain time no request, is left, until ctx ends or
// the process does.
func drain(ctx context.Context, client *admin, gone <-chan struct{}) {
	if status, _, err := client.do(ctx, http.MethodPost, "/drain_listeners?graceful"); err != nil || status != http.StatusOK {
		return
	}
	closed := time.NewTimer((drainSeconds*1000 + 100) * time.Millisecond)
	defer closed.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	portsClosed := false
	for {
		connections, requests, err := inFlight(ctx, client)
		if err != nil || connections == 0 || (portsClosed && requests == 0) {
			return
		}
		select {
		case <-tick.C:
		case <-closed.C:
			portsClosed = true
		case <-gone:
			return
		case <-ctx.Done():
			return
		}
	}
}

// inFlight counts the downstream connections and requests, the admin
// interface's own left out.
func inFlight(ctx context.Context, client *admin) (connections, requests uint64, err error) {
	body, err := client.must(ctx, `/stats?usedonly&filter=%5E(listener%7Chttp)%5C..*downstream_(cx%7Crq)_active$`)
	if err != nil {
		return 0, 0, err
	}
	for name, n := range readStats(body) {
		switch {
		case strings.HasPrefix(name, "listener.admin.") || strings.HasPrefix(name, "http.admin."):
		case strings.HasPrefix(name, "listener.") && strings.HasSuffix(name, ".downstream_cx_active"):
			connections += n
		case strings.HasPrefix(name, "http.") && strings.HasSuffix(name, ".downstream_rq_active"):
			requests += n
		}
	}
	return connections, requests, nil
}
