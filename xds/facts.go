package xds

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// facts is the server's State and those who wait for it to change. A State is
// built when somebody looks and something changed, by whoever looks; a stream
// only marks that it did.
type facts struct {
	changes atomic.Uint64 // how many there were
	built   atomic.Pointer[builtState]

	building sync.Mutex
	wakes    task.Wakes
}

// builtState is the State after so many changes. That is one word with it and no
// mark to be cleared: who looks while another builds must not get the one before.
type builtState struct {
	*State
	after uint64
}

func (f *facts) init(now time.Time) {
	f.built.Store(&builtState{State: &State{At: now}})
}

// changed marks the State as out of date and wakes who waits for it. It never
// blocks, and is called with a node's mutex held.
func (s *Server) changed() {
	s.facts.changes.Add(1)
	s.facts.wakes.Wake()
}

// Changed gives a channel on which a wake-up lies whenever State or Wire may
// have changed since it was last taken, and a function that ends that. However
// slowly it is read, it holds up nobody.
func (s *Server) Changed() (<-chan struct{}, func()) {
	return s.facts.wakes.Changed()
}

// State is the server as it stands now.
func (s *Server) State() *State {
	if b := s.facts.built.Load(); b.after == s.facts.changes.Load() {
		return b.State
	}
	s.facts.building.Lock()
	defer s.facts.building.Unlock()
	after := s.facts.changes.Load() // before anything is read: what comes meanwhile is not in it
	if b := s.facts.built.Load(); b.after == after {
		return b.State
	}
	s.mu.Lock()
	st := &State{Address: s.address, At: s.o.Now()}
	if s.revision != nil {
		st.Revision = s.revision.Number
	}
	nodes := s.nodeList()
	s.mu.Unlock()
	for _, n := range nodes {
		st.Nodes = append(st.Nodes, n.shown())
	}
	s.facts.built.Store(&builtState{st, after})
	return st
}

// shown is the node as State shows it.
func (n *node) shown() *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.view != nil {
		return n.view
	}
	v := &Node{
		ID: n.id, Cluster: n.cluster, Group: n.group, Agent: n.agent, Admin: n.admin, CSDS: n.csds, Info: n.info, Remote: n.remote, Variant: n.variant,
		Connected: len(n.streams) > 0, Since: n.since, Streams: len(n.streams),
		Rollout: n.run.shown(), Types: map[mesh.Type]TypeStatus{}, Resources: Resources{maps.Clone(n.status)},
	}
	if n.target != nil {
		v.Revision = n.target.Number
	}
	for _, t := range mesh.Types() {
		if ts, ok := n.typeStatus(t); ok {
			v.Types[t] = ts
		}
	}
	n.view = v
	return v
}

func (r *run) shown() Rollout {
	out := Rollout{
		Revision: r.revision, Result: r.result, Steps: len(r.steps), Waiting: r.waiting, Warming: r.warming, Detail: r.detail,
		Started: r.started, Ended: r.ended,
	}
	if r.at < len(r.steps) {
		out.Step = r.at + 1
	}
	if out.Waiting == drainWords {
		out.Waiting = r.draining
	}
	return out
}

// typeStatus joins what the node's streams asked of a type with what it was
// told; ok is false for a type that never came up.
func (n *node) typeStatus(t mesh.Type) (ts TypeStatus, ok bool) {
	if f := n.types[t]; f != nil {
		ts.Sent, ts.Acked, ts.Rejected, ok = f.sent, f.acked, f.rejected, true
	}
	lists := 0
	for _, st := range n.streams {
		s := st.subs[t.URL()]
		if s == nil || !n.counts(st) {
			continue
		}
		ok = true
		ts.Wildcard = ts.Wildcard || s.wildcard
		lists++
		if names := s.names.sorted(); lists == 1 {
			ts.Subscribed = names[:len(names):len(names)] // shared; more are added to a copy
		} else {
			ts.Subscribed = append(ts.Subscribed, names...)
		}
	}
	if lists > 1 {
		slices.Sort(ts.Subscribed)
		ts.Subscribed = slices.Compact(ts.Subscribed)
	}
	return ts, ok
}
