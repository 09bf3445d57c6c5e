package contest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"example.com/meshtui/demo"
	"example.com/meshtui/demo/twin"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
)

// What each side is asked by while the contest is watched.
const (
	clients = 10                     // keep-alive connections
	rate    = 70                     // requests a second, over all of them
	slows   = 3                      // slow requests that are always in flight
	thinks  = 4 * time.Second        // how long one takes; below the timeout of the demo's routes
	lasting = 6 * time.Second        // how long the upgraded connection goes on after a change
	tick    = 100 * time.Millisecond // what a Tick is about
	ticks   = 100                    // how many are kept
	awaited = 10 * time.Second       // how long a change is waited for before the next one may be made
	look    = 20 * time.Millisecond  // between two looks at processes, the wire and nginx
)

// Workspace is where Change edits and pushes; *engine.Workspace is one.
type Workspace interface {
	State() *engine.State
	Edit(group string, edits ...engine.Edit) error
	Push(engine.PushOptions) (*engine.Revision, error)
	Undo() error
}

// Wire is what was said to the Envoy; *xds.Wire is one.
type Wire interface {
	Since(seq uint64, max int) (msgs []xds.Message, dropped uint64)
}

// Options say what competes. All but Crash, Twin, NoNginx, Now and Who must be set.
type Options struct {
	Workspace Workspace
	Wire      Wire
	Node      string                   // id of the Envoy that competes
	Name      string                   // what it is called: "Envoy 1.40.0"
	Process   func() Process           // its process
	Crash     func() Crash             // when it died last; nil where that is not known
	Twin      *twin.Twin               // nil where there is no nginx
	NoNginx   string                   // why not
	Who       func(http.Header) string // the address of the backend that an answer came from; "" for none
	Now       func() time.Time
}

// Contest is both worlds and what they did. All methods may be called from any
// goroutine.
type Contest struct {
	o       Options
	ctx     context.Context
	group   *task.Group
	wakes   task.Wakes
	turned  chan struct{} // one slot: Watch was called
	pushed  chan struct{} // one slot: a change is to be followed
	seen    uint64        // newest message of the wire that was looked at; of the task that looks alone
	changes sync.Mutex    // one Change at a time

	mu     sync.Mutex
	on     bool
	live   *mesh.Mesh // what was pushed last
	base   target     // what is asked where no change says otherwise
	change *change    // the last one; nil before the first
	worlds []*world
	undo   *undo // what Change did last; nil when it was taken back
}

// change is one push, and how it shows.
type change struct {
	revision int
	what     string
	at       time.Time
	mesh     *mesh.Mesh
	target   target
}

// New makes a contest that nobody watches yet. Its tasks end when ctx does; Close
// is needed all the same.
func New(ctx context.Context, o Options) *Contest {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Who == nil {
		o.Who = func(http.Header) string { return "" }
	}
	c := &Contest{o: o, turned: make(chan struct{}, 1), pushed: make(chan struct{}, 1)}
	if o.Twin != nil {
		c.worlds = append(c.worlds, newWorld(c, "nginx "+o.Twin.Program().Version, true))
	}
	c.worlds = append(c.worlds, newWorld(c, o.Name, false))
	c.group, c.ctx = task.New(ctx)
	c.group.Go("the contest", c.run)
	return c
}

// Watch has the clients connect, and go again. It returns at once.
func (c *Contest) Watch(on bool) {
	c.mu.Lock()
	c.on = on
	c.mu.Unlock()
	task.Poke(c.turned)
	c.wakes.Wake()
}

// Changed returns a channel that fills when State has changed, and what ends the
// subscription.
func (c *Contest) Changed() (<-chan struct{}, func()) { return c.wakes.Changed() }

// Close ends everything that was begun.
func (c *Contest) Close() error {
	c.group.Stop()
	return c.group.Wait()
}

// Pushed is told of every revision in the moment in which it goes out, with the
// mesh that both sides get; nil is none. Revisions come one after the other. It
// does not wait for anything.
func (c *Contest) Pushed(r *engine.Revision, m *mesh.Mesh) {
	c.mu.Lock()
	before, on := c.live, c.on
	c.mu.Unlock()
	if m == nil || m == before {
		return // it goes to others
	}
	base := targetOf(match.New(m), m, plainRequest())
	var now *change
	if before != nil && on {
		now = &change{revision: r.Number, what: r.Note, mesh: m, target: shows(before, m)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.base, c.change = m, base, now
	if now == nil {
		return
	}
	now.at = c.o.Now() // both sides begin when this returns
	for _, w := range c.worlds {
		w.begin()
	}
	task.Poke(c.pushed)
}

// run begins and ends what watching needs.
func (c *Contest) run() error {
	var watching *watching
	for {
		c.mu.Lock()
		on := c.on
		c.mu.Unlock()
		var err error
		switch {
		case on && watching == nil:
			watching = c.begin()
		case !on && watching != nil:
			err, watching = watching.end(), nil
		}
		if err != nil {
			return err
		}
		select {
		case <-c.turned:
		case <-c.ctx.Done():
			if watching != nil {
				return watching.end()
			}
			return nil
		}
	}
}

// watching is what runs while the contest is watched.
type watching struct{ group *task.Group }

func (w *watching) end() error {
	w.group.Stop()
	return w.group.Wait()
}

func (c *Contest) begin() *watching {
	if c.o.Twin != nil {
		c.o.Twin.Start()
	}
	g, ctx := task.New(c.ctx)
	c.mu.Lock()
	c.change = nil
	for _, w := range c.worlds {
		w.reset()
	}
	c.mu.Unlock()
	for _, w := range c.worlds {
		w.populate(ctx, g)
	}
	g.Go("the contest's clock", func() error { return c.clock(ctx) })
	g.Go("the contest's eye", func() error { return c.watch(ctx) })
	g.Go("the contest's start", func() error { return c.follow(ctx, g) })
	return &watching{g}
}

// clock begins a new tick on both sides at once.
func (c *Contest) clock(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		c.mu.Lock()
		for _, w := range c.worlds {
			w.turn()
		}
		c.mu.Unlock()
		c.wakes.Wake()
	}
}

// watch looks at processes, at nginx's files and at the wire.
func (c *Contest) watch(ctx context.Context) error {
	beat := time.NewTicker(look)
	defer beat.Stop()
	for {
		for _, w := range c.worlds {
			w.lookAtProcesses()
			w.lookAtCrash()
		}
		c.lookAtWire()
		c.lookAtNginx()
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
	}
}

// follow asks both sides after each change until they answer anew.
func (c *Contest) follow(ctx context.Context, g *task.Group) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.pushed:
		}
		c.mu.Lock()
		now := c.change
		c.mu.Unlock()
		if now == nil {
			continue
		}
		for _, w := range c.worlds {
			g.Go("the contest's first asker", func() error { w.findFirst(ctx, now); return nil })
		}
	}
}

// plainRequest is what the clients ask for as long as no change says otherwise.
func plainRequest() match.Request {
	return match.Request{Method: http.MethodGet, Host: demo.Host, Path: "/"}
}
