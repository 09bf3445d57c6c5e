package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds/envoy"
)

// Back-off between restarts of a node that broke: doubled from first to last,
// and back to first after one that lived for steady.
const (
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 10 * time.Second
	steady       = 30 * time.Second
)

// runner keeps one node running.
type runner struct {
	fleet *Fleet
	id    string
	up    chan struct{} // closed when the admin interface answers for the first time
	fell  chan error    // gets the reason when it never does
	log   *slog.Logger

	mu  sync.Mutex
	now envoy.Process
}

func newRunner(f *Fleet, index int) *runner {
	id := f.o.NodeID(index)
	return &runner{
		fleet: f, id: id, up: make(chan struct{}), fell: make(chan error, 1),
		now: envoy.Process{
			Node: id, Index: index, Admin: "unix:" + f.socket(index), Log: filepath.Join(f.o.Dir, id+".log"),
			State: envoy.Starting, Since: f.o.Now(),
		},
	}
}

func (r *runner) process() envoy.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// become changes what process returns and tells those who watch.
func (r *runner) become(s envoy.ProcessState, change func(*envoy.Process)) {
	r.mu.Lock()
	if r.now.State != s {
		r.now.State, r.now.Since = s, r.fleet.o.Now()
	}
	if change != nil {
		change(&r.now)
	}
	r.mu.Unlock()
	r.fleet.changed.Wake()
}

// awaitUp waits for the admin interface to open.
func (r *runner) awaitUp(ctx context.Context) error {
	select {
	case <-r.up:
		return nil
	case err := <-r.fell:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s did not come up: %w", r.id, ctx.Err())
	}
}

// supervise starts the node, and starts it again when it breaks, until the fleet
// is stopped or ctx ends.
func (r *runner) supervise(ctx context.Context) error {
	log, err := r.openLog()
	if err != nil {
		r.become(envoy.Stopped, func(p *envoy.Process) { p.Why = err.Error() })
		r.fell <- err
		return nil
	}
	defer log.Close()
	r.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	for pause := time.Duration(0); ; {
		began := r.fleet.o.Now()
		why := r.live(ctx)
		if r.ending(ctx) {
			r.become(envoy.Stopped, func(p *envoy.Process) { p.PID = 0 })
			return why
		}
		why = r.reason(why)
		if !r.wasUp() {
			r.become(envoy.Stopped, func(p *envoy.Process) { p.PID, p.Why = 0, why.Error() })
			r.fell <- why
			return nil
		}
		pause = backoff(pause, r.fleet.o.Now().Sub(began))
		r.become(envoy.Restarting, func(p *envoy.Process) {
			p.PID, p.Why, p.NextTry = 0, why.Error(), r.fleet.o.Now().Add(pause)
			p.Restarts++
		})
		r.rest(ctx, pause)
	}
}

// backoff is the pause before the next start, given the one before the last
// start and how long the node lived.
func backoff(last, lived time.Duration) time.Duration {
	if last == 0 || lived >= steady {
		return firstBackoff
	}
	return min(2*last, lastBackoff)
}

func (r *runner) openLog() (*os.File, error) {
	path := r.process().Log
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: the log of the run before: %w", r.id, err)
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s's log: %w", r.id, err)
	}
	return log, nil
}

func (r *runner) wasUp() bool {
	select {
	case <-r.up:
		return true
	default:
		return false
	}
}

func (r *runner) ending(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-r.fleet.stopping:
		return true
	default:
		return false
	}
}

// rest waits, or returns when the fleet ends.
func (r *runner) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-r.fleet.stopping:
	}
}

// live runs the node once and returns what went wrong in it.
func (r *runner) live(ctx context.Context) error {
	if r.ending(ctx) {
		return nil
	}
	p := r.process()
	// A socket left behind by a process that is gone: the folder is this
	// fleet's alone.
	if err := os.Remove(p.Admin[len("unix:"):]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s's admin interface: %w", r.id, err)
	}
	n, err := r.fleet.launch(ctx, nodeOptions{
		id: r.id, xds: r.fleet.o.XDS, admin: p.Admin, delta: r.fleet.o.Delta,
		emit: r.fleet.emit, log: r.log, now: r.fleet.o.Now,
	})
	if err != nil {
		return err
	}
	r.become(envoy.Starting, func(p *envoy.Process) { p.PID, p.NextTry = os.Getpid(), time.Time{} })
	r.fleet.emit(envoy.Event{Node: r.id, Kind: envoy.EventStarted, Time: r.fleet.o.Now()})
	r.log.Info("started", "xds", r.fleet.o.XDS, "admin", p.Admin)
	if !r.wasUp() {
		close(r.up)
	}
	r.watch(n)
	return n.wait()
}

// watch tells when the node is ready, and stops it when the fleet ends.
func (r *runner) watch(n *node) {
	for live := n.live; ; {
		select {
		case <-live:
			r.become(envoy.Live, nil)
			live = nil
		case <-n.ctx.Done():
			return
		case <-r.fleet.stopping:
			r.become(envoy.Stopping, nil)
			n.stop(r.fleet.stopCtx)
			return
		}
	}
}

// reason says in one sentence why a node that nobody ended broke; the log has
// the rest.
func (r *runner) reason(err error) error {
	if err == nil {
		return errors.New("it ended without an error")
	}
	var panicked *task.PanicError
	if errors.As(err, &panicked) {
		r.log.Error("broke", "why", err, "stack", string(panicked.Stack))
	} else {
		r.log.Error("broke", "why", err)
	}
	return err
}
