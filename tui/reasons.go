package tui

import (
	"cmp"
	"slices"
	"strings"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/xds"
)

// refusal is one rejected response and what the doctor makes of it.
type refusal struct {
	node     string
	t        mesh.Type
	fact     xds.Fact
	text     string     // the node's own words as they came
	among    []mesh.Key // what was new in the response
	revision int
	reasons  []nack.Diagnosis
	seq      uint64 // of the message on the wire that it is made from; 0 where it stands in the state
}

// about is the reason that is about a resource, or nil.
func (r *refusal) about(k mesh.Key) *nack.Diagnosis {
	for i := range r.reasons {
		if r.reasons[i].Key == k {
			return &r.reasons[i]
		}
	}
	return nil
}

// refusalKey is by what a refusal is known again in the next picture.
type refusalKey struct {
	node, nonce, text string
	t                 mesh.Type
	revision          int
}

// diagnose finds what each node rejects now, and why. What was found for the
// last picture is kept.
func (m *maker) diagnose(d *data) {
	known := map[refusalKey]*refusal{}
	if m.last != nil {
		for _, r := range m.last.refusals {
			known[r.key()] = r
		}
	}
	for _, n := range d.members {
		for _, t := range mesh.Types() {
			if rej := n.Types[t].Rejected; rej != nil {
				r := &refusal{node: n.ID, t: t, fact: rej.Fact, text: rej.Raw, among: rej.Resources, revision: rejectedRevision(n, rej)}
				d.addRefusal(r, known)
			}
		}
		for _, k := range rejectedKeys(n) {
			rej := n.Resources.Get(k).Rejected
			r := &refusal{node: n.ID, t: k.Type, fact: rej.Fact, text: rej.Raw, among: rej.Resources, revision: n.Resources.Get(k).Revision}
			if len(r.among) == 0 {
				r.among = []mesh.Key{k}
			}
			if !d.covered(r) {
				d.addRefusal(r, known)
			}
		}
	}
}

func (r *refusal) key() refusalKey {
	return refusalKey{r.node, r.fact.Nonce, r.text, r.t, r.revision}
}

// covered reports whether a refusal with these words stands already.
func (d *data) covered(r *refusal) bool {
	return slices.ContainsFunc(d.refusals, func(o *refusal) bool { return o.node == r.node && o.t == r.t && o.text == r.text })
}

func (d *data) addRefusal(r *refusal, known map[refusalKey]*refusal) {
	if old := known[r.key()]; old != nil {
		r = old
	} else {
		d.reason(r)
	}
	d.refusals = append(d.refusals, r)
}

// rejectedKeys are the resources of a node that stand rejected, in order.
func rejectedKeys(n *xds.Node) []mesh.Key {
	var out []mesh.Key
	for k, st := range n.Resources.All() {
		if st.Rejected != nil {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(x, y mesh.Key) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), strings.Compare(x.Name, y.Name))
	})
	return out
}

// rejectedRevision is the revision that a rejected response belonged to, 0 when
// nothing says so.
func rejectedRevision(n *xds.Node, rej *xds.Rejection) int {
	for _, k := range rej.Resources {
		if st := n.Resources.Get(k); st.Rejected != nil && st.Rejected.Version == rej.Version {
			return st.Revision
		}
	}
	return n.Rollout.Revision
}

// reason has a refusal diagnosed against the mesh that was pushed.
func (d *data) reason(r *refusal) {
	r.reasons = nack.Diagnose(d.rejection(r, nil))
}

// rejection is a refusal as the doctor takes it; of is the mesh that it is held
// against, nil for the one that was pushed.
func (d *data) rejection(r *refusal, of *mesh.Mesh) nack.Rejection {
	group := d.group
	if n := d.xs.Node(r.node); n != nil {
		group = n.Group
	}
	pushed, before := d.pushed(r.revision, group)
	if of == nil {
		of = pushed
	}
	return nack.Rejection{Text: r.text, Type: r.t, Changed: r.among, Mesh: of, Before: before}
}

// pushed is the mesh of a group in a revision, and in the one before it that
// was accepted; the newest where the number is not known.
func (d *data) pushed(number int, group string) (at, before *mesh.Mesh) {
	revs := d.ws.Revisions
	i := slices.IndexFunc(revs, func(r *engine.Revision) bool { return r.Number == number })
	if i < 0 {
		i = len(revs) - 1
	}
	if i < 0 {
		return &mesh.Mesh{}, nil
	}
	for j := i - 1; j >= 0 && before == nil; j-- {
		if revs[j].Outcome.Result == engine.Accepted {
			before = meshOf(revs[j], group)
		}
	}
	return meshOf(revs[i], group), before
}

// meshOf is a group's mesh in a revision, or the default group's.
func meshOf(r *engine.Revision, group string) *mesh.Mesh {
	if m := r.Meshes[group]; m != nil {
		return m
	}
	if m := r.Meshes[mesh.DefaultGroup]; m != nil {
		return m
	}
	return &mesh.Mesh{}
}

// refusalOf is why a resource stands rejected on a node that is shown; nil when
// it does not.
func (d *data) refusalOf(k mesh.Key) *refusal {
	for _, n := range d.nodes {
		if r := d.refusalOn(n.ID, k); r != nil {
			return r
		}
	}
	return nil
}

// refusalOn is why a resource stands rejected on a node, or nil.
func (d *data) refusalOn(node string, k mesh.Key) *refusal {
	var among *refusal
	for _, r := range d.refusals {
		switch {
		case r.node != node || r.t != k.Type:
		case r.about(k) != nil:
			return r
		case among == nil && slices.Contains(r.among, k):
			among = r
		}
	}
	return among
}
