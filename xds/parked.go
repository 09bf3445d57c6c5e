package xds

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
)

// What a node rejected is not sent again until it changes. In delta nothing is
// sent again that does not change; a full SotW response has to hold every
// listener or cluster, and in it stands what the node has accepted instead.

// park keeps back what a rejection is about: the resources that it names, or
// all that were new in the response where it names none. Those that it does not
// name stand rejected along with them, and come again with the next response.
func (n *node) park(s *sub, rec *record, message string) {
	culprits := slices.DeleteFunc(slices.Clone(rec.changed), func(k mesh.Key) bool { return !mentions(message, k.Name) })
	if len(culprits) == 0 {
		culprits = rec.changed
	}
	for _, k := range culprits {
		if n.bad[k] {
			n.parked[k] = true
		}
	}
	if s.full() && len(culprits) > 0 {
		n.reversion(rec.typ) // what is sent from now on is not what was rejected
	}
}

// unpark lets go again what was rejected, because it changes, and with it all
// that was rejected in the same words.
func (n *node) unpark(k mesh.Key) {
	if !n.parked[k] {
		return
	}
	rej := n.status[k].Rejected
	for other := range n.parked {
		if other == k || n.status[other].Rejected == rej {
			delete(n.parked, other)
		}
	}
}

// exonerate takes a resource off those that stand rejected.
func (n *node) exonerate(k mesh.Key) {
	delete(n.bad, k)
	delete(n.parked, k)
}

// staysAway reports whether a resource is parked, and offered as it was refused.
func (n *node) staysAway(k mesh.Key) bool {
	r := n.offered.mesh.Get(k)
	return r != nil && n.parked[k] && n.status[k].Hash == r.Hash()
}

// instead is what a full response holds for an offered resource: what was
// accepted of it last where it is parked, or nil where nothing was.
func (n *node) instead(r *mesh.Resource) *mesh.Resource {
	if n.staysAway(r.Key) {
		return n.good[r.Key]
	}
	return r
}

// leadsNowhere is the rejection of a cluster that the node does not have, while
// a step would lead traffic to it; nil when it leads to none.
func (n *node) leadsNowhere(step plan.Step) *Rejection {
	if len(n.bad) == 0 || n.srv.o.Unsequenced {
		return nil
	}
	for _, c := range step.Changes {
		if c.New == nil || !plan.Leads(c.Key.Type) {
			continue
		}
		var before []mesh.Reference
		if c.Old != nil {
			before = mesh.References(c.Old)
		}
		for _, ref := range mesh.References(c.New) {
			led := slices.ContainsFunc(before, func(b mesh.Reference) bool { return b.To == ref.To })
			if ref.To.Type == mesh.Cluster && n.bad[ref.To] && n.good[ref.To] == nil && !led && !corrects(step, ref.To) {
				return n.status[ref.To].Rejected
			}
		}
	}
	return nil
}

// corrects reports whether a step brings a resource that was refused as it was.
func corrects(step plan.Step, k mesh.Key) bool {
	return slices.ContainsFunc(step.ByType[k.Type], func(c mesh.Change) bool { return c.Key == k && c.New != nil })
}

// leadsStill is the rejection of a listener or of routes that the node therefore
// has as they were, while a step would take away what they lead to; nil when it
// takes away nothing of that kind.
func (n *node) leadsStill(step plan.Step) *Rejection {
	if len(n.bad) == 0 || !step.Breaks {
		return nil
	}
	gone := map[mesh.Key]bool{}
	for _, c := range step.Changes {
		if c.New == nil {
			gone[c.Key] = true
		}
	}
	for k := range n.bad {
		if before := n.good[k]; before != nil && !gone[k] &&
			slices.ContainsFunc(mesh.References(before), func(ref mesh.Reference) bool { return gone[ref.To] }) {
			return n.status[k].Rejected
		}
	}
	return nil
}

// mentions reports whether a message has a name as a whole: "app" is neither in
// "app-v2" nor in "/etc/app.pem".
func mentions(message, name string) bool {
	if name == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(message[from:], name)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(name)
		if !joinsBefore(message[:begin]) && !joinsAfter(message[end:]) {
			return true
		}
		from = begin + 1
	}
}

// nameBytes are what goes on with a name: the end of a sentence does not, but
// the dot within "app.pem" does.
const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/|"

func joinsBefore(s string) bool {
	s = strings.TrimRight(s, ".")
	return s != "" && strings.IndexByte(nameBytes, s[len(s)-1]) >= 0
}

func joinsAfter(s string) bool {
	s = strings.TrimLeft(s, ".")
	return s != "" && strings.IndexByte(nameBytes, s[0]) >= 0
}
