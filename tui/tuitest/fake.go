package tuitest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// Now is the time at which the examples stand still.
var Now = time.Date(2026, 11, 23, 13, 22, 45, 0, time.UTC)

// wake is a wake channel that one subscriber shares with the test.
type wake struct {
	once sync.Once
	ch   chan struct{}
}

func (w *wake) channel() chan struct{} {
	w.once.Do(func() { w.ch = make(chan struct{}, 1) })
	return w.ch
}

// Changed is the wake channel.
func (w *wake) Changed() (<-chan struct{}, func()) { return w.channel(), func() {} }

// Wake says that something changed.
func (w *wake) Wake() {
	select {
	case w.channel() <- struct{}{}:
	default:
	}
}

// Workspace is a workspace that notes what was asked of it. Its state changes
// only when a test sets it.
type Workspace struct {
	wake
	mu    sync.Mutex
	state *engine.State
	Calls []string // what was asked, in order: "edit drain …", "push", "rollback 3"
	Edits []engine.Edit
	Err   func(call string) error // what to answer; nil for success

	Change merge.Change  // what an edit of the nginx.conf is answered with
	Shown  *nginx.Config // that was edited last
}

// NewWorkspace holds one group with a live mesh and a draft of it.
func NewWorkspace(live, draft *mesh.Mesh, findings ...mesh.Finding) *Workspace {
	changes := mesh.DiffText(live, draft)
	rev := func(n int, note string, ago time.Duration, o engine.Outcome) *engine.Revision {
		return &engine.Revision{Number: n, At: Now.Add(-ago), Note: note, Author: "ann",
			Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: live}, Outcome: o}
	}
	ok := engine.Outcome{Result: engine.Accepted, Nodes: 1, Took: 12 * time.Millisecond}
	s := &engine.State{Name: "shop", Path: "/srv/shop", SaveTo: "/srv/shop", Draft: len(changes), At: Now,
		Groups:    []engine.GroupState{{Name: mesh.DefaultGroup, Live: live, Draft: draft, Changes: changes, Findings: findings}},
		Revisions: []*engine.Revision{rev(11, "opened", time.Hour, ok), rev(12, "canary to a tenth", 4*time.Minute, ok)}}
	if len(changes) > 0 {
		s.Undo = []string{"edit " + changes[0].Key.String()}
	}
	return &Workspace{state: s}
}

// State is what Set set last.
func (w *Workspace) State() *engine.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Set changes a copy of the state and wakes the screen.
func (w *Workspace) Set(change func(*engine.State)) {
	w.mu.Lock()
	s := *w.state
	s.Groups = append([]engine.GroupState(nil), s.Groups...)
	s.Revisions = append([]*engine.Revision(nil), s.Revisions...)
	change(&s)
	w.state = &s
	w.mu.Unlock()
	w.Wake()
}

func (w *Workspace) call(name string) error {
	w.mu.Lock()
	w.Calls = append(w.Calls, name)
	w.mu.Unlock()
	if w.Err != nil {
		return w.Err(name)
	}
	return nil
}

// Edit notes the edits.
func (w *Workspace) Edit(_ string, edits ...engine.Edit) error {
	w.mu.Lock()
	w.Edits = append(w.Edits, edits...)
	w.mu.Unlock()
	return w.call("edit " + edits[0].Describe())
}

// Undo notes that it was asked.
func (w *Workspace) Undo() error { return w.call("undo") }

// Redo notes that it was asked.
func (w *Workspace) Redo() error { return w.call("redo") }

// Discard notes that it was asked.
func (w *Workspace) Discard() error { return w.call("discard") }

// Push answers with the next revision.
func (w *Workspace) Push(o engine.PushOptions) (*engine.Revision, error) {
	what := fmt.Sprintf("push %q force=%t", o.Note, o.Force)
	if len(o.Only) > 0 {
		what += fmt.Sprintf(" only=%q", o.Only)
	}
	if err := w.call(what); err != nil {
		return nil, err
	}
	return &engine.Revision{Number: w.State().Head().Number + 1}, nil
}

// Rollback answers with the next revision.
func (w *Workspace) Rollback(n int) (*engine.Revision, error) {
	if err := w.call(fmt.Sprintf("rollback %d", n)); err != nil {
		return nil, err
	}
	return &engine.Revision{Number: w.State().Head().Number + 1}, nil
}

// Widen answers with the newest revision.
func (w *Workspace) Widen() (*engine.Revision, error) {
	if err := w.call("widen"); err != nil {
		return nil, err
	}
	return w.State().Head(), nil
}

// Cancel answers with the next revision.
func (w *Workspace) Cancel() (*engine.Revision, error) {
	if err := w.call("cancel"); err != nil {
		return nil, err
	}
	return &engine.Revision{Number: w.State().Head().Number + 1}, nil
}

// Save notes where to.
func (w *Workspace) Save(dir string) error { return w.call(fmt.Sprintf("save %q", dir)) }

// TakeDisk notes that it was asked.
func (w *Workspace) TakeDisk() error { return w.call("take disk") }

// DismissDisk notes that it was asked.
func (w *Workspace) DismissDisk() { _ = w.call("dismiss disk") }

// Keep notes the request and keeps it.
func (w *Workspace) Keep(r kept.Request) error {
	if err := w.call("keep " + r.Name); err != nil {
		return err
	}
	w.Set(func(s *engine.State) { s.Kept = append(s.Kept[:len(s.Kept):len(s.Kept)], r) })
	return nil
}

// Forget notes the name and forgets the request.
func (w *Workspace) Forget(name string) error {
	if err := w.call("forget " + name); err != nil {
		return err
	}
	w.Set(func(s *engine.State) {
		s.Kept = slices.DeleteFunc(slices.Clone(s.Kept), func(r kept.Request) bool { return r.Name == name })
	})
	return nil
}

// EditNginx notes the text, changes nothing and answers with Change.
func (w *Workspace) EditNginx(_ string, shown *nginx.Config, edited string) (*merge.Change, error) {
	w.mu.Lock()
	w.Shown = shown
	change := w.Change
	w.mu.Unlock()
	if err := w.call("edit nginx.conf: " + edited); err != nil {
		return nil, err
	}
	return &change, nil
}

// Nodes are nodes and a wire that a test sets.
type Nodes struct {
	wake
	mu       sync.Mutex
	state    *xds.State
	Messages []xds.Message
	Bodies   map[uint64]proto.Message
}

// State is what Set set last.
func (n *Nodes) State() *xds.State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// Set replaces the state and wakes the screen.
func (n *Nodes) Set(s *xds.State) {
	n.mu.Lock()
	n.state = s
	n.mu.Unlock()
	n.Wake()
}

// Since reads the messages after seq.
func (n *Nodes) Since(seq uint64, max int) ([]xds.Message, uint64) {
	var out []xds.Message
	for _, m := range n.Messages {
		if m.Seq > seq && len(out) < max {
			out = append(out, m)
		}
	}
	return out, 0
}

// Body is a message's body.
func (n *Nodes) Body(seq uint64) (proto.Message, bool) {
	m, ok := n.Bodies[seq]
	return m, ok
}

// Evidence is what each node's admin interface tells.
type Evidence struct {
	wake
	mu    sync.Mutex
	facts map[string]*envoy.Facts
}

// Facts is what Set set last.
func (e *Evidence) Facts(node string) *envoy.Facts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.facts[node]
}

// Set replaces what a node tells and wakes the screen.
func (e *Evidence) Set(node string, f *envoy.Facts) {
	e.mu.Lock()
	next := map[string]*envoy.Facts{node: f}
	for k, v := range e.facts {
		if k != node {
			next[k] = v
		}
	}
	e.facts = next
	e.mu.Unlock()
	e.Wake()
}

// ErrRefused is an error for a test to answer with.
var ErrRefused = errors.New("refused by the test")
