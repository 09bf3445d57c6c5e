package plan

import (
	"slices"

	"example.com/meshtui/engine/mesh"
)

// BeginWith is a plan whose first step also brings the given changes, or that
// begins with them where its first step may have to wait. The steps may be
// shared with other nodes, and are left as they are.
func BeginWith(changes []mesh.Change, steps []Step, from, to *mesh.Mesh) []Step {
	if len(changes) == 0 {
		return steps
	}
	first := NewStep(changes, from, to)
	if len(steps) == 0 || steps[0].Breaks { // which may have to wait
		return append([]Step{first}, steps...)
	}
	first.Needs = append(first.Needs, steps[0].Needs...)
	first.Changes = append(first.Changes, steps[0].Changes...)
	for t, cs := range steps[0].ByType {
		first.ByType[t] = append(first.ByType[t], cs...)
	}
	types := slices.Concat(first.Types, steps[0].Types)
	first.Types = slices.DeleteFunc(Order(), func(t mesh.Type) bool { return !slices.Contains(types, t) })
	first.Mesh, first.Drains = steps[0].Mesh, first.Drains || steps[0].Drains
	return append([]Step{first}, steps[1:]...)
}
