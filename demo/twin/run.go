package twin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/meshtui/xds/child"
)

// The files in the twin's folder.
const (
	confFile  = "nginx.conf"     // what nginx runs
	triedFile = "nginx.conf.new" // what nginx -t looks at
	logFile   = "nginx.log"
	pidFile   = "nginx.pid" // as engine/nginx writes it
	maxTest   = 30 * time.Second
	startTime = 10 * time.Second
	pollTime  = 2 * time.Millisecond
	lastWords = 5 // lines of a refusal that has no [emerg]

	lastWordsTime = 3 * time.Second
	maxLogSize    = 10 << 20
)

// run keeps nginx running and has it take what is followed, until the twin ends.
func (t *Twin) run() error {
	if err := t.folder(); err != nil {
		t.become(func(s *State) { s.Err = err.Error() })
		return nil
	}
	t.become(func(s *State) { s.Log = filepath.Join(t.o.Dir, logFile) })
	r := &runner{twin: t}
	defer r.end()
	for {
		r.step()
		select {
		case <-t.ctx.Done():
			return nil
		case <-t.wanted:
		case <-r.gone():
			r.fell()
		case <-r.due():
			r.pausing, r.tried = nil, nil // a port may be another's by now
		}
	}
}

// runner is what the task that runs nginx knows.
type runner struct {
	twin    *Twin
	tried   *wish     // what was given to nginx -t last
	good    bool      // there is a file that nginx takes
	process *instance // nil while none runs
	pause   time.Duration
	pausing *time.Timer // nil unless it waits for the next start
}

func (r *runner) gone() <-chan struct{} {
	if r.process == nil {
		return nil
	}
	return r.process.Done()
}

func (r *runner) due() <-chan time.Time {
	if r.pausing == nil {
		return nil
	}
	return r.pausing.C
}

func (r *runner) end() {
	if r.pausing != nil {
		r.pausing.Stop()
	}
	if r.process != nil {
		_ = r.process.End() // it is gone, or it is not ours to end
		r.process.finish()
	}
	r.twin.become(func(s *State) { s.Running, s.PID = false, 0 })
}

// step does what is to do now: it takes a new text, and starts nginx where it
// does not run.
func (r *runner) step() {
	fresh := false
	if w := r.twin.wish(); w != nil && w != r.tried {
		r.tried = w
		fresh = r.take(w)
	}
	switch {
	case !r.good, r.pausing != nil && !fresh, r.twin.ctx.Err() != nil:
	case r.process == nil:
		r.start()
	case fresh:
		r.reload()
	}
}

// take writes what is wished and has nginx look at it. It returns whether nginx
// would take it; then it stands in the file that nginx runs.
func (r *runner) take(w *wish) bool {
	t := r.twin
	load := Load{Number: t.State().Load.Number + 1, Mesh: w.mesh, Asked: w.at}
	err := r.write(w, &load)
	if err == nil {
		err = r.test(&load)
	}
	if err == nil {
		err = os.Rename(t.path(triedFile), t.path(confFile))
	}
	if err != nil {
		load.Refused = err.Error()
	}
	listens := t.places.listeners(w.mesh)
	t.become(func(s *State) {
		s.Load, s.Err = load, load.Refused
		if err == nil {
			s.before = &ran{s.Runs, s.Places}
			s.Runs, s.Places = w.mesh, listens
		}
	})
	r.good = r.good || err == nil
	return err == nil
}

func (t *Twin) path(file string) string { return filepath.Join(t.o.Dir, file) }

func (r *runner) write(w *wish, load *Load) error {
	t := r.twin
	var held map[string]string
	if r.process != nil {
		held = t.State().Places
	}
	t.places.forget(held)
	moved, err := t.places.move(w.mesh)
	if err != nil {
		return err
	}
	text := t.o.Program.write(moved)
	if err := os.WriteFile(t.path(triedFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing nginx.conf: %w", err)
	}
	load.Bytes, load.Written = len(text), t.o.Now()
	return nil
}

// arguments are nginx's, with the file that it is to read.
func (t *Twin) arguments(file string, more ...string) []string {
	return append([]string{"-e", "stderr", "-p", t.o.Dir + "/", "-c", file, "-g", t.o.Program.globals()}, more...)
}

// test has nginx -t look at the file.
func (r *runner) test(load *Load) error {
	t := r.twin
	ctx, cancel := context.WithTimeout(t.ctx, maxTest)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.o.Program.Path, t.arguments(triedFile, "-t", "-q")...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	load.Tested = t.o.Now()
	switch {
	case err == nil:
		return nil
	case t.ctx.Err() != nil:
		return t.ctx.Err()
	case ctx.Err() != nil:
		return fmt.Errorf("nginx -t did not end within %s", maxTest)
	}
	return errors.New(cmp.Or(refusal(said.String()), "nginx -t: "+err.Error()))
}

// start starts nginx on the good file and waits until it listens.
func (r *runner) start() {
	t := r.twin
	began := t.o.Now()
	p, err := t.launch()
	if err == nil {
		r.process = p
		t.become(func(s *State) { s.PID = p.PID() })
		err = p.awaitUp(t.ctx)
	}
	if err != nil {
		r.failed(began, err.Error())
		return
	}
	t.become(func(s *State) {
		s.Running = true
		if s.Load.Refused == "" {
			s.Load.Given, s.Err = began, ""
		}
	})
}

// reload tells nginx to take the file. What it says against it comes by its log.
func (r *runner) reload() {
	t := r.twin
	given := t.o.Now()
	if err := r.process.Signal(syscall.SIGHUP); err != nil {
		return // it is gone, which run hears of
	}
	t.become(func(s *State) { s.Load.Given = given })
}

// fell notes that nginx ended by itself.
func (r *runner) fell() {
	r.failed(r.process.began, "")
}

// failed puts off the next start of an nginx that is gone, or does not get up.
func (r *runner) failed(began time.Time, why string) {
	t := r.twin
	if p := r.process; p != nil {
		_ = p.End()
		p.finish()
		if why == "" {
			why = "nginx ended: " + cmp.Or(p.Exit(), "without an error")
			if said := p.lastError(); said != "" {
				why += "; its last error: " + said
			}
			at := t.o.Now()
			t.become(func(s *State) { s.Crash = Crash{at, why} })
		}
		r.process = nil
	}
	if t.ctx.Err() != nil {
		return
	}
	r.pause = child.Backoff(r.pause, t.o.Now().Sub(began))
	r.pausing = time.NewTimer(r.pause)
	next := t.o.Now().Add(r.pause).Format("15:04:05")
	t.become(func(s *State) {
		s.Running, s.PID = false, 0
		s.Restarts++
		s.Err = fmt.Sprintf("%s; next start at %s, its log is %s", why, next, s.Log)
	})
}

// logged is a line of nginx's log without its time and numbers: its level and what
// it says; level is "" for any other line.
func logged(line string) (level, says string) {
	for _, level := range []string{"notice", "warn", "error", "crit", "alert", "emerg"} {
		_, rest, found := strings.Cut(line, "["+level+"] ")
		if !found {
			continue
		}
		if i := strings.Index(rest, ": "); i > 0 && strings.Trim(rest[:i], "0123456789#") == "" {
			rest = rest[i+2:]
		}
		return level, strings.TrimSpace(rest)
	}
	return "", strings.TrimSpace(line)
}

// refusal is what nginx said against a file: its first line of [emerg], else the
// last lines that there are.
func refusal(said string) string {
	var all []string
	for line := range strings.Lines(said) {
		if level, says := logged(line); level == "emerg" {
			return says
		}
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return strings.Join(all[max(0, len(all)-lastWords):], "; ")
}
