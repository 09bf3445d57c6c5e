package xds

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// A newer revision does not wait for the one on its way. Until the node has
// answered, it may have what it accepted last, or anything that it was sent
// since; the way on has to be safe from each of these.

// flight is what a node was told and has not answered when a newer revision
// takes over. The zero flight is that it has answered everything.
type flight struct {
	types map[mesh.Type]bool // of which something is unsaid or unanswered
	doubt map[mesh.Key]bool  // what is offered, and not known to have been taken
	needs []mesh.Reference   // what the node is yet to ask for
	// ways are the listeners and routes by which traffic may go: what was
	// accepted last, and what was sent since.
	ways   map[mesh.Key][]*mesh.Resource
	drains bool // connections of a listener in flight may be left to drain
}

func (f flight) none() bool { return len(f.types) == 0 && len(f.needs) == 0 }

// moves reports whether traffic may be on its way from one place to another.
func (f flight) moves() bool {
	return f.types[mesh.Listener] || f.types[mesh.Route] || slices.ContainsFunc(f.needs, func(r mesh.Reference) bool { return r.To.Type == mesh.Route })
}

// leads reports whether one of the changes leads traffic to a cluster that the
// node may not have taken yet.
func (f flight) leads(changes []mesh.Change, to *mesh.Mesh) bool {
	if len(f.doubt) == 0 {
		return false
	}
	for _, c := range changes {
		if c.New == nil {
			continue
		}
		for _, ref := range mesh.References(c.New) {
			if ref.To.Type == mesh.Cluster && f.doubts(to.Get(ref.To)) {
				return true
			}
		}
	}
	return false
}

// doubts reports whether a cluster, or what it has for endpoints, is in doubt.
func (f flight) doubts(cluster *mesh.Resource) bool {
	if cluster == nil {
		return false
	}
	name, ok := mesh.EndpointsOf(cluster.Message)
	return f.doubt[cluster.Key] || ok && f.doubt[mesh.Key{Type: mesh.Endpoints, Name: name}]
}

// await makes a step wait for what is in flight of these types, too.
func (s *Step) await(f flight, types ...mesh.Type) {
	s.Needs = slices.Clone(s.Needs)
	awaited := map[mesh.Type]bool{}
	for _, t := range types {
		awaited[t] = f.types[t]
	}
	for _, need := range f.needs {
		if slices.Contains(types, need.To.Type) {
			s.Needs = append(s.Needs, need)
			awaited[need.To.Type] = true
		}
	}
	before := s.Types
	s.Types = slices.DeleteFunc(slices.Clone(sendOrder), func(t mesh.Type) bool { return !awaited[t] && !slices.Contains(before, t) })
	s.Drains = s.Drains || f.drains && awaited[mesh.Listener]
}

// flight is what is under way to the node, as a run to a new mesh begins.
func (n *node) flight(to *mesh.Mesh) flight {
	f := flight{types: map[mesh.Type]bool{}, doubt: map[mesh.Key]bool{}, ways: n.ways}
	for _, st := range n.counting() {
		for _, s := range st.subs {
			if s.typ != 0 && (s.unsaid() || len(s.open) > 0) {
				f.types[s.typ] = true
			}
		}
	}
	for k := range n.doubt {
		if n.bad[k] {
			continue // it has been answered
		}
		f.doubt[k] = true
		if _, sent := n.status[k]; sent { // on a stream that has ended, maybe
			f.types[k.Type] = true
		}
	}
	for _, need := range n.run.unasked() {
		if !n.bad[need.From] && n.offered.mesh.Get(need.From) != nil && to.Get(need.To) != nil && !n.asks(need.To) {
			f.needs = append(f.needs, need)
		}
	}
	f.drains = f.types[mesh.Listener] && !n.letGo.IsZero()
	for k := range n.ways {
		if n.offered.mesh.Get(k) == nil && !f.types[k.Type] {
			delete(n.ways, k) // it is known to have gone
		}
	}
	return f
}

// unasked is what the node was to ask for during the run and may not have.
func (r *run) unasked() []mesh.Reference {
	if r.at >= len(r.steps) {
		return nil
	}
	if !r.offered {
		return r.inherited
	}
	return slices.Concat(r.inherited, r.steps[r.at].Needs)
}

// noteWay enters a listener or routes that are being sent.
func (n *node) noteWay(r *mesh.Resource) {
	if r.Key.Type != mesh.Listener && r.Key.Type != mesh.Route {
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

// addressesTaken are what the listeners of a mesh bind.
func addressesTaken(m *mesh.Mesh) map[string]bool {
	taken := map[string]bool{}
	for _, r := range m.List(mesh.Listener) {
		for _, a := range addressesOf(r) {
			taken[a] = true
		}
	}
	return taken
}
