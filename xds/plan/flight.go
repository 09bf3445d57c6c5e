package plan

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// Flight is what a node was told and has not answered when a newer revision
// takes over. The zero Flight is that it has answered everything.
type Flight struct {
	Types map[mesh.Type]bool // of which something is unsaid or unanswered
	Doubt map[mesh.Key]bool  // what is offered, and not known to have been taken
	Needs []mesh.Reference   // what the node is yet to ask for
	// Ways are the resources by which traffic may go (Leads says of which types):
	// what was accepted last, and what was sent since.
	Ways   map[mesh.Key][]*mesh.Resource
	Drains bool // connections of a listener in flight may be left to drain
}

// None reports whether nothing is in flight.
func (f Flight) None() bool { return len(f.Types) == 0 && len(f.Needs) == 0 }

// moves reports whether traffic may be on its way from one place to another.
func (f Flight) moves() bool {
	return slices.ContainsFunc(ways(), func(t mesh.Type) bool { return f.Types[t] }) ||
		slices.ContainsFunc(f.Needs, func(r mesh.Reference) bool { return Leads(r.To.Type) })
}

// leads reports whether one of the changes leads traffic to a cluster that the
// node may not have taken yet.
func (f Flight) leads(changes []mesh.Change, to *mesh.Mesh) bool {
	if len(f.Doubt) == 0 {
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
func (f Flight) doubts(cluster *mesh.Resource) bool {
	if cluster == nil {
		return false
	}
	name, ok := mesh.EndpointsOf(cluster.Message)
	return f.Doubt[cluster.Key] || ok && f.Doubt[mesh.Key{Type: mesh.Endpoints, Name: name}]
}

// await makes a step wait for what is in flight of these types, too.
func (s *Step) await(f Flight, types ...mesh.Type) {
	s.Needs = slices.Clone(s.Needs)
	awaited := map[mesh.Type]bool{}
	for _, t := range types {
		awaited[t] = f.Types[t]
	}
	for _, need := range f.Needs {
		if slices.Contains(types, need.To.Type) {
			s.Needs = append(s.Needs, need)
			awaited[need.To.Type] = true
		}
	}
	before := s.Types
	s.Types = slices.DeleteFunc(Order(), func(t mesh.Type) bool { return !awaited[t] && !slices.Contains(before, t) })
	s.Drains = s.Drains || f.Drains && awaited[mesh.Listener]
}

// AddressesTaken are what the listeners of a mesh bind.
func AddressesTaken(m *mesh.Mesh) map[string]bool {
	taken := map[string]bool{}
	for _, r := range m.List(mesh.Listener) {
		for _, a := range Addresses(r) {
			taken[a] = true
		}
	}
	return taken
}
