package xds

import (
	"slices"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// A step keeps what is to go until everything else has moved. What the node
// never accepted must not be kept like that: a cluster that it refused would be
// refused again in every response that still holds it, and one that hangs in
// warming would hang on. Where no traffic may depend on them they go at once.

// settled is the offered mesh without what the node is not known to have and
// the new mesh has not either, and how the two differ. A resource that was
// refused after it had once been accepted goes back to what was accepted.
func (n *node) settled(to *mesh.Mesh) (*mesh.Mesh, []mesh.Change) {
	var changes []mesh.Change
	var taken map[string]bool
	for k := range n.doubt {
		if k.Type != mesh.Cluster && (k.Type != mesh.Listener || !n.bad[k]) {
			continue // nothing sends these again, and a cluster that stays needs its endpoints
		}
		now := n.offered.mesh.Get(k)
		if to.Get(k) != nil || now == nil {
			continue
		}
		if taken == nil {
			taken = plan.AddressesTaken(to)
		}
		switch good := n.good[k]; {
		case good == nil && slices.ContainsFunc(plan.Addresses(now), func(a string) bool { return taken[a] }):
			// It goes as its successor comes, in case it is there after all.
		case good == nil && !n.parked[k] && n.mayLead(k):
			// It goes when traffic has gone.
		case good == nil:
			changes = append(changes, mesh.Change{Key: k, Old: now})
		case n.bad[k]:
			changes = append(changes, mesh.Change{Key: k, Old: now, New: good})
		}
	}
	if len(changes) == 0 {
		return n.offered.mesh, nil
	}
	return plan.Apply(n.offered.mesh, changes), changes
}

// remember puts what is about to be offered in doubt, and keeps what the node
// has accepted of it before, until it accepts the change.
func (n *node) remember(changes []mesh.Change) {
	for _, c := range changes {
		if c.New != nil {
			n.doubt[c.Key] = true
		}
		// What was offered and never sent is not what was accepted.
		st := n.status[c.Key]
		if c.Old != nil && c.New != nil && !n.bad[c.Key] && st.Acked != (Fact{}) && st.Hash == c.Old.Hash() {
			n.good[c.Key] = c.Old
		}
	}
}

// maxReplans is how often a run is planned anew because of what the node refuses:
// a node may refuse something else each time.
const maxReplans = 8

// outdated reports whether a rejection is about what was offered before the run
// began, and what the run changes or takes away: something that is only kept until
// everything else has moved, or that was still on its way. The run does not stop
// for it. Planned anew, it keeps no longer what the node is known not to have.
func (n *node) outdated(rec *record) bool {
	if len(n.run.steps) == 0 {
		return false
	}
	to, any := n.run.steps[len(n.run.steps)-1].Mesh, false
	for i, k := range rec.changed {
		if n.offered.mesh.Get(k) == nil {
			any = true // it was taken back in the very moment in which it was sent
			continue
		}
		if !n.parked[k] {
			continue
		}
		if r := to.Get(k); r != nil && r.Hash() == rec.hashes[i] || n.run.brought(k, rec.hashes[i]) {
			return false
		}
		any = true
	}
	return any
}

// brought reports whether a step of the run brings a resource with this content.
func (r *run) brought(k mesh.Key, hash string) bool {
	return slices.ContainsFunc(r.steps, func(step plan.Step) bool {
		return slices.ContainsFunc(step.ByType[k.Type], func(c mesh.Change) bool {
			return c.Key == k && c.New != nil && c.New.Hash() == hash
		})
	})
}
