package envoy

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"example.com/meshtui/xds/child"
)

// life is one run of an Envoy process.
type life struct {
	*child.Process
	log   string // path of the log
	since int64  // where in the log this run begins
}

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
	process, err := child.Start(r.fleet.group, cmd, child.Options{Name: r.node, Watchdog: r.fleet.o.Watchdog})
	if err != nil {
		events.Close()
		return nil, err
	}
	r.fleet.group.Go(r.node+" events", func() error { r.readEvents(events); return nil })
	return &life{Process: process, log: p.Log, since: since}, nil
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

// reason says in one sentence how a process ended that nobody ended.
func (l *life) reason() error {
	how := cmp.Or(l.Exit(), "it ended without an error")
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
