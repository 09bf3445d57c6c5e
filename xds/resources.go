package xds

import (
	"iter"
	"maps"

	"example.com/meshtui/engine/mesh"
)

// Resources is what is known of every resource on one node. It is immutable;
// the zero value knows of none.
type Resources struct{ byKey map[mesh.Key]ResourceStatus }

// Get is what is known of one resource; the zero status where the node was sent
// none of that key, or where it is gone from the node.
func (r Resources) Get(k mesh.Key) ResourceStatus { return r.byKey[k] }

// Has reports whether the node was sent a resource of that key and has it still.
func (r Resources) Has(k mesh.Key) bool {
	_, ok := r.byKey[k]
	return ok
}

// With is r with one status added or put in the place of the one of its key.
func (r Resources) With(k mesh.Key, s ResourceStatus) Resources {
	out := maps.Clone(r.byKey)
	if out == nil {
		out = map[mesh.Key]ResourceStatus{}
	}
	out[k] = s
	return Resources{out}
}

// All goes over all resources, by type and name.
func (r Resources) All() iter.Seq2[mesh.Key, ResourceStatus] {
	return func(yield func(mesh.Key, ResourceStatus) bool) {
		for k, s := range r.byKey {
			if !yield(k, s) {
				return
			}
		}
	}
}

// Len is how many there are.
func (r Resources) Len() int { return len(r.byKey) }
