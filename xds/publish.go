package xds

import (
	"slices"

	"example.com/meshtui/engine"
)

// Publish rolls a revision out to the nodes that it goes to, and returns at
// once; every other node is led to what the revision keeps it at. Published
// again under its number with other nodes in Only, or none, it is widened: those
// that have it notice nothing, the rest get it. An older number than the newest,
// or the newest once it went to all, changes nothing.
func (s *Server) Publish(r *engine.Revision) {
	s.mu.Lock()
	if !follows(r, s.revision) {
		s.mu.Unlock()
		return
	}
	if s.revision == nil {
		s.first.Store(r)
	}
	s.revision = r
	s.published++
	s.unclear()
	at, nodes := s.published, s.nodeList()
	s.outcomes.publish(r, s.o.Now())
	s.mu.Unlock()
	for _, n := range nodes {
		n.aim(r, at)
	}
	s.changed()
}

// follows reports whether a revision takes the place of the newest.
func follows(r, newest *engine.Revision) bool {
	switch {
	case newest == nil || r.Number > newest.Number:
		return true
	case r.Number < newest.Number:
		return false
	}
	return len(newest.Only) > 0 && !slices.Equal(newest.Only, r.Only)
}

// heldBefore is what a node that runs holds when a server starts with a
// revision: what was accepted of its own before, or what it is to have when that
// was; nil when it is not known.
func heldBefore(first *engine.Revision, nodeID string) *engine.Revision {
	target := first.For(nodeID)
	switch {
	case target == nil && first != nil:
		return first.Base.For(nodeID)
	case target == nil || target.Base == nil && target.Outcome.Result == engine.Accepted:
		return target
	}
	return target.Base.For(nodeID)
}

// aim turns the node to what a publication has for it. A publication that has
// nothing for it leaves it where it is; one that was overtaken by a newer does
// not count.
func (n *node) aim(r *engine.Revision, publication uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.alone || publication <= n.aimed {
		return
	}
	n.aimed = publication
	if target := r.For(n.id); target != nil {
		n.target = target
	}
	n.rouse()
}
