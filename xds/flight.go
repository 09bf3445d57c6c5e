package xds

import (
	"slices"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// A newer revision does not wait for the one on its way. Until the node has
// answered, it may have what it accepted last, or anything that it was sent
// since; the way on has to be safe from each of these.

// flight is what is under way to the node, as a run to a new mesh begins.
func (n *node) flight(to *mesh.Mesh) plan.Flight {
	f := plan.Flight{Types: map[mesh.Type]bool{}, Doubt: map[mesh.Key]bool{}, Ways: n.ways}
	for _, st := range n.counting() {
		for _, s := range st.subs {
			if s.typ != 0 && (s.unsaid() || len(s.open) > 0) && n.heeds(s) {
				f.Types[s.typ] = true
			}
		}
	}
	for k := range n.doubt {
		if n.bad[k] {
			continue // it has been answered
		}
		f.Doubt[k] = true
		if _, sent := n.status[k]; sent { // on a stream that has ended, maybe
			f.Types[k.Type] = true
		}
	}
	for _, need := range n.run.unasked() {
		if !n.bad[need.From] && n.offered.mesh.Get(need.From) != nil && to.Get(need.To) != nil && !n.asks(need.To) {
			f.Needs = append(f.Needs, need)
		}
	}
	f.Drains = f.Types[mesh.Listener] && !n.letGo.IsZero()
	for k := range n.ways {
		if n.offered.mesh.Get(k) == nil && !f.Types[k.Type] {
			delete(n.ways, k) // it is known to have gone
		}
	}
	return f
}

// unasked is what the node was to ask for during the run and may not have, each
// once: a step waits for what it inherits, too, and to add up the two would
// double them with each revision of a burst that nobody answers.
func (r *run) unasked() []mesh.Reference {
	if r.at >= len(r.steps) {
		return nil
	}
	if !r.offered {
		return r.inherited
	}
	seen := map[mesh.Reference]bool{}
	return slices.DeleteFunc(slices.Concat(r.inherited, r.steps[r.at].Needs), func(need mesh.Reference) bool {
		before := seen[need]
		seen[need] = true
		return before
	})
}

// noteWay enters a resource that leads traffic and is being sent.
func (n *node) noteWay(r *mesh.Resource) {
	if !plan.Leads(r.Key.Type) {
		return
	}
	ways := n.ways[r.Key]
	if len(ways) == maxUnanswered {
		ways = append(ways[:0], ways[1:]...)
	}
	n.ways[r.Key] = append(ways, r)
}

// mayLead reports whether traffic may go to a cluster already.
func (n *node) mayLead(cluster mesh.Key) bool {
	for _, ways := range n.ways {
		for _, r := range ways {
			if slices.ContainsFunc(mesh.References(r), func(ref mesh.Reference) bool { return ref.To == cluster }) {
				return true
			}
		}
	}
	return false
}
