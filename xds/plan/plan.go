package plan

import (
	"fmt"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/mesh"
)

// Step is one part of a plan. Its changes go out together; the next step
// begins when the node has answered all of them.
type Step struct {
	// Types are those whose answers the step waits for, in the order in which
	// they are sent; also to what earlier steps and revisions said.
	Types []mesh.Type
	// Changes are what the step brings, by type and name.
	Changes []mesh.Change
	// Needs are what a node asks for on taking the changes, and what it must
	// have before they are in effect: the endpoints of a new or changed cluster
	// (Envoy warms it anew and counts only endpoints that come afterwards), the
	// routes, secrets and filter configurations of a listener, the routes of a
	// scope.
	Needs []mesh.Reference
	// Mesh is what is offered to a node from the beginning of the step.
	Mesh *mesh.Mesh
	// Drains says that a listener changes or goes: connections that were open
	// before go on as before for as long as they are drained.
	Drains bool
	// Breaks says that the step takes away what such connections may still use.
	Breaks bool

	// Again are the listeners that the step takes away and a later one brings
	// again: they and others exchange addresses.
	Again []mesh.Key

	// ByType are Changes by the type of what changes.
	ByType map[mesh.Type][]mesh.Change
}

var order = []mesh.Type{
	mesh.Runtime, mesh.Cluster, mesh.Endpoints, mesh.Secret, mesh.Extension,
	mesh.Listener, mesh.ScopedRoute, mesh.Route, mesh.VirtualHost,
}

// Order is the order in which the types of one step are sent: what is referred
// to before what refers to it, but what a node asks for only then behind what
// makes it ask: endpoints after their clusters, routes after their listeners.
func Order() []mesh.Type { return slices.Clone(order) }

// Between is the way from one mesh to another on which no request is lost: make
// before break, also with regard to what is in flight. It is empty when both
// say the same and nothing is.
func Between(from, to *mesh.Mesh, f Flight) []Step {
	byStage := stagesOf(mesh.Diff(from, to), f)
	moving := slices.Concat(byStage[makeListeners], byStage[moveTraffic])
	var steps []Step
	at := from
	for s, cs := range byStage {
		leads := stage(s) == makeClusters && f.leads(moving, to)
		gate := stage(s) == moveTraffic && f.moves() && len(byStage[breakWays])+len(byStage[breakEverything]) > 0
		if len(cs) == 0 && !leads && !gate {
			continue
		}
		for _, part := range partsOf(stage(s), cs, f) {
			at = Apply(at, part)
			steps = append(steps, NewStep(part, at, to))
		}
		step := &steps[len(steps)-1]
		step.Breaks = stage(s) == breakEverything
		if leads {
			step.await(f, mesh.Cluster, mesh.Endpoints, mesh.Secret)
		}
		if gate {
			step.await(f, append(ways(), mesh.Secret)...)
		}
	}
	if len(steps) == 0 && !f.None() {
		steps = append(steps, NewStep(nil, to, to))
	}
	if len(steps) > 0 {
		last := &steps[len(steps)-1]
		last.Mesh = to
		last.await(f, order...)
	}
	return steps
}

// partsOf are the steps of one stage.
func partsOf(s stage, changes []mesh.Change, f Flight) [][]mesh.Change {
	if s == makeListeners {
		return waves(changes, f.Ways)
	}
	return [][]mesh.Change{changes}
}

// AtOnce is the plan of one step that brings everything together: for a node
// that holds nothing yet, and for showing what sequencing is good for.
func AtOnce(from, to *mesh.Mesh) []Step {
	changes := mesh.Diff(from, to)
	if len(changes) == 0 {
		return nil
	}
	return []Step{NewStep(changes, to, to)}
}

func isListener(c mesh.Change) bool { return c.Key.Type == mesh.Listener }

// NewStep completes a step: its order and what it needs. A need that the final
// mesh does not hold cannot be waited for.
func NewStep(changes []mesh.Change, at, final *mesh.Mesh) Step {
	s := Step{Changes: changes, Mesh: at, ByType: map[mesh.Type][]mesh.Change{}}
	touched := map[mesh.Type]bool{}
	for _, c := range changes {
		touched[c.Key.Type] = true
		s.ByType[c.Key.Type] = append(s.ByType[c.Key.Type], c)
		s.Drains = s.Drains || isListener(c) && c.Old != nil
		if c.New == nil {
			s.comesAgain(c, final)
			continue
		}
		for _, ref := range mesh.References(c.New) {
			if isNeed(ref) && final.Get(ref.To) != nil {
				s.Needs = append(s.Needs, ref)
				touched[ref.To.Type] = true
			}
		}
	}
	for _, t := range order {
		if touched[t] {
			s.Types = append(s.Types, t)
		}
	}
	return s
}

// comesAgain enters a listener that goes away for a moment only.
func (s *Step) comesAgain(gone mesh.Change, final *mesh.Mesh) {
	if isListener(gone) && final.Get(gone.Key) != nil {
		s.Again = append(s.Again, gone.Key)
	}
}

// isNeed reports whether Envoy asks us for what ref names on seeing ref.From.
// A cluster that a route names is not asked for: it is there or it is not.
func isNeed(ref mesh.Reference) bool {
	switch ref.To.Type {
	case mesh.Route, mesh.Secret, mesh.Extension:
		return true
	case mesh.Endpoints:
		return ref.From.Type == mesh.Cluster
	}
	return false
}

// Apply is m with the changes made.
func Apply(m *mesh.Mesh, changes []mesh.Change) *mesh.Mesh {
	byKey := make(map[mesh.Key]mesh.Change, len(changes))
	for _, c := range changes {
		byKey[c.Key] = c
	}
	all := make([]*mesh.Resource, 0, m.Len()+len(changes))
	for _, r := range m.All() {
		c, changed := byKey[r.Key]
		switch {
		case !changed:
			all = append(all, r)
		case c.New != nil:
			all = append(all, c.New)
		}
	}
	for _, c := range changes {
		if c.Old == nil {
			all = append(all, c.New)
		}
	}
	out, err := mesh.New(all...)
	if err != nil {
		// A diff names each key once and calls it old exactly when m holds it.
		panic(fmt.Sprintf("plan: %v", err))
	}
	return out
}

// Addresses lists what a listener binds.
func Addresses(r *mesh.Resource) []string {
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return nil
	}
	out := []string{addressText(l.GetAddress())}
	for _, more := range l.GetAdditionalAddresses() {
		out = append(out, addressText(more.GetAddress()))
	}
	return slices.DeleteFunc(out, func(a string) bool { return a == "" })
}

func addressText(a *corev3.Address) string {
	if p := a.GetPipe(); p != nil {
		return "unix:" + p.GetPath()
	}
	if s := a.GetSocketAddress(); s != nil {
		return fmt.Sprintf("%s://%s:%d%s", s.GetProtocol(), s.GetAddress(), s.GetPortValue(), s.GetNamedPort())
	}
	return ""
}
