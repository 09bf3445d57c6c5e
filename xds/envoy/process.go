package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example.com/meshtui/xds/child"
)

// ProcessState is how an Envoy of ours stands.
type ProcessState uint8

// The states of a process.
const (
	Starting   ProcessState = iota + 1 // started, not yet ready for traffic
	Live                               // /ready says LIVE
	Restarting                         // it ended; Why says how, NextTry when it is started again
	Stopping                           // being drained
	Stopped                            // ended, and stays so
)

// String is the state in one word.
func (s ProcessState) String() string {
	switch s {
	case Starting:
		return "starting"
	case Live:
		return "live"
	case Restarting:
		return "restarting"
	case Stopping:
		return "stopping"
	case Stopped:
		return "stopped"
	}
	return "unknown"
}

// Process is one Envoy of a Fleet at one moment.
type Process struct {
	Node     string
	Index    int // 0 for the first; its listener ports lie Index·PortStep above what was written
	PID      int // 0 when it does not run
	Admin    string
	Config   string // path of its bootstrap
	Log      string // path of its log
	State    ProcessState
	Since    time.Time // of State
	Why      string    // why it ended, when it did
	NextTry  time.Time // zero unless Restarting
	Restarts int
}

// runner keeps one Envoy running.
type runner struct {
	fleet *Fleet
	node  string
	up    chan struct{} // closed when the admin interface answers for the first time
	fell  chan error    // gets the reason when the Envoy dies before that

	mu  sync.Mutex
	now Process
}

func newRunner(f *Fleet, index int) *runner {
	node := f.o.NodeID(index)
	base := filepath.Join(f.o.Dir, node)
	return &runner{
		fleet: f, node: node, up: make(chan struct{}), fell: make(chan error, 1),
		now: Process{Node: node, Index: index, Config: base + ".yaml", Log: base + ".log", State: Starting, Since: f.o.Now()},
	}
}

func (r *runner) process() Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// become changes what process returns and tells those who watch.
func (r *runner) become(s ProcessState, change func(*Process)) {
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

// startDeadline is how long an Envoy may take to open its admin interface; it
// takes 60 ms on an idle machine.
const startDeadline = 30 * time.Second

// awaitUp waits for the first answer of the admin interface.
func (r *runner) awaitUp(ctx context.Context) error {
	late := time.NewTimer(startDeadline)
	defer late.Stop()
	select {
	case <-r.up:
		return nil
	case err := <-r.fell:
		return err
	case <-late.C:
		return fmt.Errorf("%s does not open its admin interface at %s within %s (its log: %s)",
			r.node, r.process().Admin, startDeadline, r.process().Log)
	case <-ctx.Done():
		return fmt.Errorf("%s did not come up: %w", r.node, ctx.Err())
	}
}

// supervise starts the Envoy, and starts it again when it ends, until the fleet
// is stopped or ctx ends.
func (r *runner) supervise(ctx context.Context) error {
	if !r.startLog() {
		return nil
	}
	var pause time.Duration
	for attempt := 1; ; attempt++ {
		began := r.fleet.o.Now()
		why := r.live(ctx)
		if r.ending(ctx) {
			r.become(Stopped, func(p *Process) { p.PID = 0 })
			return nil
		}
		if !r.wasUp() && attempt < 3 && strings.Contains(why.Error(), "'"+r.process().Admin+"'") {
			continue // another program was quicker to take the port that was free
		}
		if !r.wasUp() {
			r.become(Stopped, func(p *Process) { p.PID, p.Why = 0, why.Error() })
			r.fell <- fmt.Errorf("%s ended at its start: %w (its log: %s)", r.node, why, r.process().Log)
			return nil
		}
		pause = child.Backoff(pause, r.fleet.o.Now().Sub(began))
		r.become(Restarting, func(p *Process) {
			p.PID, p.Why, p.NextTry = 0, why.Error(), r.fleet.o.Now().Add(pause)
			p.Restarts++
		})
		if !r.rest(ctx, pause) {
			r.become(Stopped, nil)
			return nil
		}
	}
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

// rest waits; false when the fleet ends meanwhile.
func (r *runner) rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-r.fleet.stopping:
	}
	return false
}

// live runs the Envoy once and returns why it ended.
func (r *runner) live(ctx context.Context) error {
	l, err := r.launch()
	if err != nil {
		return err
	}
	r.become(Starting, func(p *Process) { p.PID, p.NextTry = l.PID(), time.Time{} })
	r.fleet.emit(Event{Node: r.node, Kind: EventStarted, Time: r.fleet.o.Now()})
	client, err := newAdmin(r.process().Admin, time.Second)
	if err != nil {
		return errors.Join(err, l.End())
	}
	defer client.close()
	r.awaitLive(ctx, l, client)
	select {
	case <-l.Done():
		return l.reason()
	case <-ctx.Done():
	case <-r.fleet.stopping:
		r.become(Stopping, nil)
		drain(r.fleet.stopCtx, client, l.Done())
	}
	return l.End()
}

// awaitLive polls /ready until it says LIVE or the process ends.
func (r *runner) awaitLive(ctx context.Context, l *life, client *admin) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		status, _, err := client.get(ctx, "/ready")
		if err == nil && !r.wasUp() {
			close(r.up)
		}
		if err == nil && status == 200 {
			r.become(Live, nil)
			return
		}
		if first {
			continue
		}
		select {
		case <-tick.C:
		case <-l.Done():
			return
		case <-ctx.Done():
			return
		case <-r.fleet.stopping:
			return
		}
	}
}

// startLog keeps the log of the fleet before as FILE.old and lets a new one
// begin. When that fails, awaitUp says so, and it returns false.
func (r *runner) startLog() bool {
	path := r.process().Log
	err := os.Rename(path, path+".old")
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return true
	}
	r.become(Stopped, func(p *Process) { p.Why = err.Error() })
	r.fell <- fmt.Errorf("%s: the log of the run before: %w", r.node, err)
	return false
}
