package envoy

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Target is one Envoy to watch.
type Target struct {
	Node  string
	Admin string // "127.0.0.1:9901" or "unix:/path"; others are not asked
	CSDS  string // of a gRPC client: where it tells its own status, same forms; asked in the place of Admin
}

// Looker looks into a node that is no Envoy. It belongs to one goroutine.
type Looker interface {
	// Look asks once how the node has what it was served. The facts that it
	// returns need only say that; they are new each time.
	Look(ctx context.Context, served map[mesh.Key]proto.Message) (*Facts, error)
	Close()
}

// WatcherOptions says what to watch. Targets and Served must be set.
type WatcherOptions struct {
	Targets  func() []Target                              // asked once an interval, so that nodes come and go
	Served   func(node string) map[mesh.Key]proto.Message // what the node was served last, overlays included
	Events   <-chan Event                                 // of the fleet; nil when there is none
	Status   func(node, csds string) (Looker, error)      // makes what asks a target with CSDS; nil asks none
	Interval time.Duration                                // between polls of one Envoy; 1 s when 0
	Timeout  time.Duration                                // for one question; 1 s when 0
	Now      func() time.Time
}

// Watcher keeps Facts about Envoys. Each Envoy is polled by a goroutine of its
// own: one that hangs holds no other. All methods may be called from any
// goroutine.
type Watcher struct {
	o       WatcherOptions
	changed task.Wakes

	mu      sync.Mutex
	pollers map[string]*poller // by node
	past    map[string]*chronicle
}

// NewWatcher makes a watcher; Run makes it watch.
func NewWatcher(o WatcherOptions) *Watcher {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Watcher{o: o, pollers: map[string]*poller{}, past: map[string]*chronicle{}}
}

// Facts is the newest about the node, nil when it is not watched.
func (w *Watcher) Facts(node string) *Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.pollers[node]; p != nil {
		return p.facts.Load()
	}
	return nil
}

// Changed returns a channel that fills when Facts of any node have changed, and
// what ends the subscription.
func (w *Watcher) Changed() (<-chan struct{}, func()) { return w.changed.Changed() }

// Poke has the node polled at once and what it was served compared again:
// call it when something was served or answered.
func (w *Watcher) Poke(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.pollers[node]; p != nil {
		p.compareNext.Store(true)
		task.Poke(p.wake)
	}
}

// Draining is how many listeners and filter chains of a node drain, and when
// that was asked; ok is false when it is not known. It never waits: it has the
// node asked anew, so that who calls it again soon knows better.
func (w *Watcher) Draining(node string) (draining int, at time.Time, ok bool) {
	w.mu.Lock()
	p := w.pollers[node]
	w.mu.Unlock()
	if p == nil {
		return 0, time.Time{}, false
	}
	p.drainNext.Store(true)
	task.Poke(p.wake)
	f := p.facts.Load()
	return f.Draining, f.DrainingAt, f.Err == "" && !f.DrainingAt.IsZero()
}

// Warming is which clusters of a node are warming, and when that was seen; ok is
// false when it is not known. It never waits.
func (w *Watcher) Warming(node string) (clusters []string, at time.Time, ok bool) {
	w.mu.Lock()
	p := w.pollers[node]
	w.mu.Unlock()
	if p == nil {
		return nil, time.Time{}, false
	}
	f := p.facts.Load()
	return f.Warming, f.At, f.Err == "" && !f.At.IsZero()
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	group, ctx := task.New(ctx)
	group.Go("watcher", func() error {
		tick := time.NewTicker(w.o.Interval)
		defer tick.Stop()
		w.reconcile(ctx, group)
		for {
			select {
			case <-tick.C:
				w.reconcile(ctx, group)
			case e := <-w.o.Events: // a nil channel never gives one
				w.note(e)
			case <-ctx.Done():
				return nil
			}
		}
	})
	err := group.Wait()
	w.mu.Lock()
	clear(w.pollers)
	w.mu.Unlock()
	return err
}

// reconcile starts pollers for targets that are new or moved, and ends those of
// targets that are gone.
func (w *Watcher) reconcile(ctx context.Context, group *task.Group) {
	targets := map[string]Target{}
	for _, t := range w.o.Targets() {
		targets[t.Node] = t
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for node, p := range w.pollers {
		if t, ok := targets[node]; !ok || t != p.target {
			p.cancel()
			delete(w.pollers, node)
		}
	}
	for node, t := range targets {
		if w.pollers[node] != nil {
			continue
		}
		pollCtx, cancel := context.WithCancel(ctx)
		p := newPoller(w, t, cancel)
		w.pollers[node] = p
		group.Go("watch "+node, func() error { return p.run(pollCtx) })
	}
}

// note keeps what an Envoy told and has it polled, so that the news is not a
// second old before it is seen.
func (w *Watcher) note(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.past[e.Node]
	if c == nil {
		c = &chronicle{}
		w.past[e.Node] = c
	}
	c.note(e)
	p := w.pollers[e.Node]
	if p == nil {
		return
	}
	if e.Kind == EventStarted {
		p.compareNext.Store(true)
	} else {
		p.hint(e.Cluster)
	}
	if e.Kind != CheckFailure || e.First { // a further failure is no news
		task.Poke(p.wake)
	}
}

// forget drops what the node told of endpoints that are gone.
func (w *Watcher) forget(node string, gone []endpointID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.past[node]; c != nil {
		for _, id := range gone {
			c.forget(id)
		}
	}
}

// told is what the node told of an endpoint.
func (w *Watcher) told(node, cluster, address string) history {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.past[node]; c != nil {
		return c.at(cluster, address)
	}
	return history{}
}
