package xds

import (
	"maps"
	"slices"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// own is what was published to one node alone.
type own struct {
	revision *engine.Revision // nil after Clear
	versions map[mesh.Type]string
}

// PublishTo rolls a mesh out to one node alone, connected or not, and returns at
// once. Planned and gated like any other rollout, it goes on from whatever the
// node has; but a step that is not answered within Options.StepDeadline is followed
// by the next all the same. Until Clear, what Publish brings does not concern this
// node.
//
// A response about a type carries versions[type] as its version_info (delta:
// system_version_info); a type without an entry gets one as after Publish.
// Where only the version of a type is new, SotW subscriptions are answered again
// under it; in delta nothing has changed, and nothing is sent. It is for those
// who drive a Server from outside, such as a conformance suite.
func (s *Server) PublishTo(nodeID string, m *mesh.Mesh, versions map[mesh.Type]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != nil {
		s.ownNumber = max(s.ownNumber, s.revision.Number)
	}
	s.ownNumber++
	o := own{
		revision: &engine.Revision{Number: s.ownNumber, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: m}},
		versions: maps.Clone(versions),
	}
	s.own[nodeID] = o
	if n := s.nodes[nodeID]; n != nil {
		n.aimOwn(o)
	}
	s.changed()
}

// Clear takes back what the node was to have, and forgets what it was offered and
// what it said of that. Nothing it asks for is answered until Publish or PublishTo
// has something for it again; then everything is, at once and without regard to
// what there was before, on the streams that it still has too. No rollout waits for
// these any more once the node opens a new one, but for those that ask for something
// else.
func (s *Server) Clear(nodeID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.own, nodeID)
	if s.revision != nil {
		s.own[nodeID] = own{} // it does not get what all get when it comes back
	}
	if n := s.nodes[nodeID]; n != nil {
		n.clear(s.published)
	}
	s.changed()
}

// unclear ends Clear for every node, since something was published to all; s.mu
// is held.
func (s *Server) unclear() {
	maps.DeleteFunc(s.own, func(_ string, o own) bool { return o.revision == nil })
}

// goal sets what a node that was not known is to have; s.mu and n.mu are held.
func (s *Server) goal(n *node) {
	n.aimed = s.published
	o, single := s.own[n.id]
	switch {
	case single && o.revision == nil:
		n.muted = true
	case single:
		n.target, n.given, n.alone = o.revision, o.versions, true
	case s.revision != nil:
		n.target = s.revision.For(n.id)
	}
}

// aimOwn makes what was published to the node alone its target.
func (n *node) aimOwn(o own) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.target, n.given, n.alone = o.revision, o.versions, true
	n.rouse()
}

// clear ends the rollout and every answer, until something newer is published.
func (n *node) clear(publication uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.target, n.given, n.alone, n.muted, n.aimed = nil, nil, false, true, publication
	n.reset()
	n.run.seq++ // what is answered yet was sent by a run that is over
	n.guess, n.born = certain, time.Time{}
	for _, st := range n.streams {
		st.cleared = true
		st.again()
		for _, s := range st.subs {
			s.watch.takeBack()
			s.open, s.suspect, s.accepted = nil, nil, ""
		}
	}
	n.rouse()
}

// takenOn reports whether the run goes on without the answers to the step under
// way. Who drives a server from outside may look for the end before it answers.
func (n *node) takenOn() bool { return n.alone && n.run.at < len(n.run.steps)-1 }

// takeBack takes the tokens off the channel of a watch, and with them those of
// the other watches that share it, which are taken back with it.
func (w *watch) takeBack() {
	for taken := true; taken; {
		select {
		case <-w.sotw:
		case <-w.delta:
		default:
			taken = false
		}
	}
	w.pending = false
}

// rename takes over the versions that came with the target, as a step is offered:
// those of the types that it changes, and of those that no step of the run does.
// Of the latter the SotW streams are told, who know what they have by its version.
func (n *node) rename(step plan.Step) {
	for t, v := range n.given {
		_, now := step.ByType[t]
		if v == n.offered.given[t] || !now && n.run.changes(t) {
			continue
		}
		n.offered.given[t] = v
		delete(n.offered.again, t)
		if now {
			continue
		}
		for _, st := range n.streams {
			if s := st.subs[t.URL()]; s != nil && !st.delta() {
				s.whole = true
			}
		}
	}
	maps.DeleteFunc(n.offered.given, func(t mesh.Type, _ string) bool { return n.given[t] == "" })
}

// changes reports whether a step of the run changes a type.
func (r *run) changes(t mesh.Type) bool {
	return slices.ContainsFunc(r.steps, func(step plan.Step) bool { return len(step.ByType[t]) > 0 })
}

// shares reports whether the node is connected and gets what all get.
func (n *node) shares() bool { return len(n.streams) > 0 && !n.alone && !n.muted }
