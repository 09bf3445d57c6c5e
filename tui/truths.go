package tui

import (
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// truthAge is how long a node's truth is shown before it is asked for again
// although nothing it was made from has changed: what is warming gets stuck by
// time alone.
const truthAge = time.Second

// nodeTruth is the truth about one node, found by resource, and what it was
// made from.
type nodeTruth struct {
	*truth.Node
	byKey map[mesh.Key]*truth.Resource

	from  *xds.Node
	facts *envoy.Facts
	head  *engine.Revision
	asked time.Time
}

// joinTruths asks for the truth about each of the group's nodes, where anything
// may have changed since the last picture.
func (m *maker) joinTruths(d *data) {
	if m.deps.Truth == nil {
		return
	}
	d.truths = make(map[string]*nodeTruth, len(d.members))
	now := m.now()
	for _, n := range d.members {
		if m.last != nil {
			if t := m.last.truths[n.ID]; t != nil && t.from == n && t.facts == d.facts[n.ID] && t.head == d.head && now.Sub(t.asked) < truthAge {
				d.truths[n.ID] = t
				continue
			}
		}
		if t := m.deps.Truth(n.ID); t != nil {
			d.truths[n.ID] = newNodeTruth(t, n, d.facts[n.ID], d.head, now)
		}
	}
}

func newNodeTruth(t *truth.Node, from *xds.Node, f *envoy.Facts, head *engine.Revision, now time.Time) *nodeTruth {
	out := &nodeTruth{Node: t, byKey: make(map[mesh.Key]*truth.Resource, len(t.Resources)), from: from, facts: f, head: head, asked: now}
	for i := range t.Resources {
		out.byKey[t.Resources[i].Key] = &t.Resources[i]
	}
	return out
}

// truthOf is the truth about one resource on one node, or nil.
func (d *data) truthOf(node string, k mesh.Key) *truth.Resource {
	if t := d.truths[node]; t != nil {
		return t.byKey[k]
	}
	return nil
}

// look is where marks come from.
func (d *data) look() mark.Look { return mark.Look{Facts: d.factsOf, Truth: d.truthOf} }

// fact is one thing that holds of a resource, and since when.
type fact struct {
	name string
	mark truth.Mark
}

// factsIn are the facts of a resource that hold, in the order in which they
// come about.
func factsIn(r *truth.Resource) []fact {
	var out []fact
	for _, f := range []fact{{"served", r.Served}, {"warming", r.Warming}, {"ACKed", r.Acked},
		{"active", r.Active}, {"carrying traffic", r.Carrying}, {"rejected", r.Rejected}} {
		if f.mark.Yes() {
			out = append(out, f)
		}
	}
	return out
}
