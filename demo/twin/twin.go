package twin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Options say what a Twin is made of. Program and Dir must be set.
type Options struct {
	Program  Program
	Dir      string   // its own: made with mode 0700
	Watchdog []string // see child.Options
	Now      func() time.Time
}

// Twin is an nginx that follows what is pushed. All methods may be called from
// any goroutine. It does not run before Start.
type Twin struct {
	o      Options
	group  *task.Group
	ctx    context.Context
	wakes  task.Wakes
	places *places // of the task that runs nginx alone

	begin  sync.Once
	wanted chan struct{} // one slot: something to follow

	mu   sync.Mutex
	next *wish // what is to run; nil before the first Follow
	now  State
}

// wish is a mesh that is to run, and since when.
type wish struct {
	mesh *mesh.Mesh
	at   time.Time
}

// State is a Twin at one moment.
type State struct {
	Started bool   // it was asked to run
	Running bool   // nginx is there and listens
	PID     int    // of nginx's master process; 0 while there is none
	Log     string // path of its log
	// Err is why nginx does not run, or runs an older text: its own words where it
	// has said some. "" while all is well.
	Err      string
	Places   map[string]string // where it listens: from an address of the mesh's listeners ("0.0.0.0:80", a path) to nginx's
	Runs     *mesh.Mesh        // what the newest text says that nginx took; nil before the first
	Load     Load              // the newest text that nginx was given
	Restarts int
	Crash    Crash // the newest

	before *ran // what nginx goes on with where it does not take the newest text after all
}

// Crash is that nginx, or one of its workers, ended although nobody asked it to.
type Crash struct {
	At   time.Time // zero for none
	Says string    // how it ended, and what nginx logged last that tells why
}

// ran is a text that nginx took.
type ran struct {
	mesh   *mesh.Mesh
	places map[string]string
}

// Load is one text on its way to nginx.
type Load struct {
	Number  int        // 1 for the first, 0 for none
	Mesh    *mesh.Mesh // what it says
	Asked   time.Time  // when Follow was called with it
	Bytes   int        // how long the file is
	Written time.Time  // when the file was written
	Tested  time.Time  // when nginx -t had looked at it
	Given   time.Time  // when nginx was started with it, or told to take it; zero when it was refused
	Refused string     // nginx's own words
}

// New makes a Twin. Its tasks end, and nginx with them, when ctx does; Close is
// needed all the same.
func New(ctx context.Context, o Options) *Twin {
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Twin{o: o, wanted: make(chan struct{}, 1), places: newPlaces(o.Dir)}
	t.group, t.ctx = task.New(ctx)
	return t
}

// Program is the nginx that runs, or would.
func (t *Twin) Program() Program { return t.o.Program }

// Follow has nginx take what m says, from now on; it returns at once. The newest
// mesh wins. Before Start it is only remembered.
func (t *Twin) Follow(m *mesh.Mesh) {
	t.mu.Lock()
	t.next = &wish{mesh: m, at: t.o.Now()}
	t.mu.Unlock()
	task.Poke(t.wanted)
}

// Start has nginx run what was followed last; it returns at once. Once is enough.
func (t *Twin) Start() {
	t.begin.Do(func() {
		t.become(func(s *State) { s.Started = true })
		t.group.Go("nginx", t.run)
	})
}

// State is how the twin stands. It is the caller's own.
func (t *Twin) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.now
	out.Places = maps.Clone(out.Places)
	return out
}

// Changed returns a channel that fills when State has changed, and what ends the
// subscription.
func (t *Twin) Changed() (<-chan struct{}, func()) { return t.wakes.Changed() }

// Close ends nginx and returns what went wrong with our part of it.
func (t *Twin) Close() error {
	t.group.Stop()
	return t.group.Wait()
}

func (t *Twin) become(change func(*State)) {
	t.mu.Lock()
	change(&t.now)
	t.mu.Unlock()
	t.wakes.Wake()
}

// wish is what is to run now; nil for nothing yet.
func (t *Twin) wish() *wish {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

// folder makes the twin's own.
func (t *Twin) folder() error {
	err := os.MkdirAll(t.o.Dir, 0o700)
	if err == nil {
		err = os.Chmod(t.o.Dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("the folder for nginx: %w", err)
	}
	return nil
}

// await waits until ok holds of the state, or ctx or the twin ends.
func (t *Twin) await(ctx context.Context, ok func(State) bool) error {
	changed, stop := t.Changed()
	defer stop()
	for !ok(t.State()) {
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("nginx is not ready in time: %w", cmp.Or(context.Cause(ctx), ctx.Err()))
		case <-t.ctx.Done():
			return fmt.Errorf("nginx was stopped: %w", t.ctx.Err())
		}
	}
	return nil
}
