package plan

import (
	"sync"

	"example.com/meshtui/engine/mesh"
)

// Memory remembers the newest plans. All nodes of a group go the same way at the
// same time; the way is worked out once.
type Memory struct {
	mu   sync.Mutex
	kept []keptPlan
}

type keptPlan struct {
	from, to *mesh.Mesh
	atOnce   bool
	steps    []Step
}

const maxPlans = 8

// Between is the plan from one mesh to the other for a node that has answered
// everything; in one step when asked to.
func (p *Memory) Between(from, to *mesh.Mesh, once bool) []Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kept {
		if k.from == from && k.to == to && k.atOnce == once {
			return k.steps
		}
	}
	k := keptPlan{from: from, to: to, atOnce: once}
	if once {
		k.steps = AtOnce(from, to)
	} else {
		k.steps = Between(from, to, Flight{})
	}
	if len(p.kept) == maxPlans {
		p.kept = append(p.kept[:0], p.kept[1:]...)
	}
	p.kept = append(p.kept, k)
	return k.steps
}
