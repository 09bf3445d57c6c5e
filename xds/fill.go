package xds

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// fills are the resources that Options.Fill puts something into, filled in once
// for all nodes.
type fills struct {
	fill func(*mesh.Resource) proto.Message

	mu   sync.Mutex
	made map[mesh.Key][]item // the newest last; groups may call different resources the same
}

// fillsOfOneName is how many fillings are kept for one name: one for each group
// that uses it, and for the revisions that are under way.
const fillsOfOneName = 8

// of is a resource filled in; r itself where there is nothing to fill in. It
// holds the lock while it asks, so that no old answer outlives a forget.
func (f *fills) of(r *mesh.Resource) *mesh.Resource {
	if f.fill == nil {
		return r
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, it := range f.made[r.Key] {
		if it.plain == r || it.plain.Hash() == r.Hash() {
			return it.served
		}
	}
	m := f.fill(r)
	if m == nil || m == r.Message {
		return r
	}
	filled, err := mesh.NewResource(m, r.Source)
	if err != nil || filled.Key != r.Key {
		return r // what is no resource, or another one, has no place in a response
	}
	if f.made == nil {
		f.made = map[mesh.Key][]item{}
	}
	made := f.made[r.Key]
	if len(made) == fillsOfOneName {
		made = slices.Delete(made, 0, 1)
	}
	f.made[r.Key] = append(made, item{plain: r, served: filled})
	return filled
}

func (f *fills) forget(keys []mesh.Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		delete(f.made, k)
	}
}

// Refill says that what Options.Fill answers for these resources has changed.
// They are filled in anew and sent to every node that has asked for them, under
// a version of their own. No rollout waits for that unless one is under way.
// Keys of which nothing is offered are skipped.
func (s *Server) Refill(keys ...mesh.Key) {
	s.fills.forget(keys)
	for _, n := range s.allNodes() {
		n.refill(keys)
	}
	s.changed()
}

func (n *node) refill(keys []mesh.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	touched := map[mesh.Type]bool{}
	for _, k := range keys {
		r := n.offered.mesh.Get(k)
		if r == nil {
			continue
		}
		delete(n.items, k)
		touched[k.Type] = true
		for _, st := range n.streams {
			if s := st.subs[k.Type.URL()]; s != nil {
				s.mark([]mesh.Change{{Key: k, Old: r, New: r}})
			}
		}
	}
	for t := range touched {
		n.reversion(t)
		n.kick(t)
	}
}
