package contest

import (
	"context"
	"net"
	"net/netip"
	"time"

	"example.com/meshtui/engine/task"
)

// world is one side. What is not said otherwise is guarded by the contest's mu.
type world struct {
	c     *Contest
	name  string // read-only
	nginx bool   // read-only

	begun     bool // it has answered: before that a refused connection is no failure
	open      int
	closed    int
	answers   int
	failed    int
	did       string
	bytes     int
	refused   string
	effective time.Time // when it answered anew; zero before
	lastOld   time.Time // when it last answered as before the change
	ticks     []Tick
	processes processes
	crashes   crashes

	slow         [slows]*slowRun
	slowAtChange []*slowRun
	up           *upgradedRun
	upAtChange   *upgradedRun
}

func newWorld(c *Contest, name string, nginx bool) *world {
	w := &world{c: c, name: name, nginx: nginx}
	w.reset()
	return w
}

// reset forgets everything: nobody has watched before.
func (w *world) reset() {
	w.begun, w.open, w.processes = false, 0, processes{}
	w.crashes = crashes{seen: w.c.o.Now()}
	w.slow, w.up = [slows]*slowRun{}, nil
	w.ticks = make([]Tick, 1, ticks)
	w.forget()
}

// forget forgets what the last change did.
func (w *world) forget() {
	w.closed, w.answers, w.failed, w.bytes = 0, 0, 0, 0
	w.did, w.refused, w.effective, w.lastOld = "", "", time.Time{}, time.Time{}
	w.slowAtChange, w.upAtChange = nil, nil
	w.crashes.forget()
}

// begin begins a change: what was new is old from now on.
func (w *world) begin() {
	w.forget()
	for i := range w.ticks {
		w.ticks[i].Old, w.ticks[i].New = w.ticks[i].Old+w.ticks[i].New, 0
	}
	w.ticks[len(w.ticks)-1].Change = true
	w.processes.begin()
	for _, s := range w.slow {
		if s != nil && !s.over {
			w.slowAtChange = append(w.slowAtChange, s)
		}
	}
	if w.up != nil && w.up.ended.IsZero() {
		w.upAtChange = w.up
	}
}

// turn begins a new tick.
func (w *world) turn() {
	if len(w.ticks) == ticks {
		w.ticks = append(w.ticks[:0], w.ticks[1:]...)
	}
	w.ticks = append(w.ticks, Tick{})
}

// target is what is asked now.
func (c *Contest) target() target {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.change != nil {
		return c.change.target
	}
	return c.base
}

// at is where this side listens for an address of the mesh; "" while it does not.
func (w *world) at(bound string) string {
	if w.nginx {
		s := w.c.o.Twin.State()
		if !s.Running {
			return ""
		}
		return s.Places[bound]
	}
	at, err := netip.ParseAddrPort(bound)
	if err != nil {
		return ""
	}
	if at.Addr().IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port(at))
	}
	return bound
}

// answer is one that came, or did not.
type answer struct {
	at     time.Time
	opened time.Time // when its connection was
	who    string    // see Contest.identity; "" when there was none
	failed bool
}

// count notes an answer of the load.
func (w *world) count(a answer) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	now := &w.ticks[len(w.ticks)-1]
	if !a.failed {
		w.crashes.answered(a.at)
	}
	w.answers++
	switch {
	case a.failed:
		now.Failed++
		if !w.crashes.feels(felt{at: a.at}) {
			w.failed++
		}
	case w.isNew(a):
		now.New++
	default:
		now.Old++
		if w.c.change != nil {
			w.lastOld = a.at
		}
	}
	if !a.failed {
		w.begun = true
	}
}

// isNew reports whether an answer was made after the change, and notes the first
// one that says so. Where no answer can say so, those count as new that came
// after the side was seen to have changed: by a connection of then in nginx,
// whose old workers go on with theirs.
func (w *world) isNew(a answer) bool {
	change := w.c.change
	switch {
	case change == nil:
		return false
	case change.target.visible():
		fresh := change.target.answers[a.who]
		if fresh && w.effective.IsZero() && a.at.After(change.at) {
			w.effective = a.at
		}
		return fresh
	case w.effective.IsZero():
		return false
	case w.nginx:
		return a.opened.After(w.effective)
	}
	return a.at.After(w.effective)
}

// changed notes when a side was seen to have changed.
func (w *world) changed(of *change, at time.Time) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.c.change == of && w.effective.IsZero() {
		w.effective = at
	}
}

// populate starts this side's clients.
func (w *world) populate(ctx context.Context, g *task.Group) {
	for i := range clients {
		g.Go("a client of "+w.name, func() error { w.client(ctx, i); return nil })
	}
	for i := range slows {
		g.Go("a slow request to "+w.name, func() error { w.slowly(ctx, i); return nil })
	}
	g.Go("an upgraded connection to "+w.name, func() error { w.upgraded(ctx); return nil })
}

// pause waits; false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
