package main

import (
	"slices"
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/plan"
	"example.com/meshtui/xds/truth"
)

// truth is everything that is known of a node; nil for one that is not.
func (s *session) truth(nodeID string) *truth.Node {
	n := s.server.State().Node(nodeID)
	if n == nil {
		return nil
	}
	return truth.Of(n, s.watcher.Facts(nodeID), s.offered(n, n.Revision), time.Now())
}

// offered is what a revision has for a node; nil when it is not kept any more.
func (s *session) offered(n *xds.Node, revision int) *mesh.Mesh {
	_, r := s.revision(revision)
	if r = r.For(n.ID); r == nil {
		return nil
	}
	_, m := r.MeshFor(n.ID, n.Cluster)
	return m
}

// revision is a revision by its number, and the one that came before it; nil
// where there is none.
func (s *session) revision(number int) (before, r *engine.Revision) {
	all := s.workspace.State().Revisions
	i := slices.IndexFunc(all, func(r *engine.Revision) bool { return r.Number == number })
	switch {
	case i < 0:
		return nil, nil
	case i == 0:
		return nil, all[0]
	}
	return all[i-1], all[i]
}

// steps says how nodes get from one mesh to another, a sentence a step.
func steps(from, to *mesh.Mesh) []string {
	return plan.Describe(plan.Between(from, to, plan.Flight{}))
}

// diagnose takes the words of a NACK on the wire apart.
func (s *session) diagnose(m xds.Message) []nack.Diagnosis {
	n := s.server.State().Node(m.Node)
	if n == nil {
		return nil
	}
	r := nack.Rejection{Text: m.Detail, Type: m.Type, Mesh: s.offered(n, m.Revision)}
	if before, _ := s.revision(m.Revision); before != nil {
		_, r.Before = before.MeshFor(n.ID, n.Cluster)
	}
	if rej := n.Types[m.Type].Rejected; rej != nil && rej.Nonce == m.Nonce {
		r.Text, r.Changed = rej.Raw, rej.Resources
	} else {
		for _, name := range m.Names {
			r.Changed = append(r.Changed, mesh.Key{Type: m.Type, Name: name})
		}
	}
	return nack.Diagnose(r)
}
