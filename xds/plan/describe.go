package plan

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Describe says a plan in plain sentences, one a step.
func Describe(steps []Step) []string {
	out := make([]string, len(steps))
	drains := false
	for i, s := range steps {
		out[i] = s.sentence(drains && s.Breaks)
		drains = drains || s.Drains
	}
	return out
}

// String is the step in one plain sentence, such as "CDS+EDS: adds cluster
// app-v2 and its endpoints; waits until it is warm".
func (s Step) String() string { return s.sentence(false) }

func (s Step) sentence(drained bool) string {
	clauses := slices.Concat(s.handOvers(), s.adds(), s.changes(), s.moves(), s.removes())
	if len(clauses) == 0 {
		return "nothing to send; waits for the answers to what was sent before"
	}
	text := strings.Join(s.services(), "+") + ": "
	if drained {
		text += "once old connections have drained, "
	}
	text += strings.Join(clauses, ", ")
	switch warm := s.warms(); {
	case len(warm) == 1:
		text += "; waits until it is warm"
	case len(warm) > 1:
		text += "; waits until they are warm"
	}
	return text
}

// services are those that the step has something to say on.
func (s Step) services() []string {
	says := map[mesh.Type]bool{}
	for t := range s.ByType {
		says[t] = true
	}
	for _, ref := range s.Needs {
		if ref.To.Type == mesh.Endpoints { // sent again, changed or not
			says[mesh.Endpoints] = true
		}
	}
	var out []string
	for _, t := range order {
		if says[t] {
			out = append(out, t.Service())
		}
	}
	return out
}

// warms are the clusters that the node takes into use only when it has what
// they need.
func (s Step) warms() []string {
	var out []string
	for _, c := range s.ByType[mesh.Cluster] {
		if c.New != nil {
			out = append(out, c.Key.Name)
		}
	}
	return out
}

// handOvers says which listener takes the address of which, and which goes for
// a moment only, because that cannot be done in any order.
func (s Step) handOvers() []string {
	var out []string
	for _, leaves := range s.ByType[mesh.Listener] {
		if slices.Contains(s.Again, leaves.Key) {
			out = append(out, fmt.Sprintf("takes listener %s off %s until the next step, for it exchanges addresses with others: until then it is closed and refuses connections",
				leaves.Key.Name, strings.Join(left(leaves), ", ")))
			continue
		}
		for _, c := range s.ByType[mesh.Listener] {
			if address := shared(leaves, c); address != "" {
				out = append(out, fmt.Sprintf("listener %s takes over %s from %s", c.Key.Name, address, leaves.Key.Name))
			}
		}
	}
	return out
}

// shared is an address that one listener leaves to another; "" when it does not.
func shared(leaves, comes mesh.Change) string {
	if comes.New == nil || comes.Key == leaves.Key {
		return ""
	}
	var has []string
	for _, a := range Addresses(comes.New) {
		has = append(has, shown(a))
	}
	for _, a := range left(leaves) {
		if slices.Contains(has, a) {
			return a
		}
	}
	return ""
}

func (s Step) adds() []string {
	fresh := func(c mesh.Change) bool { return c.Old == nil }
	along := s.endpointsOf(fresh)
	var out []string
	for _, t := range order {
		var names []string
		for _, c := range s.ByType[t] {
			if fresh(c) && (t != mesh.Endpoints || !along[c.Key.Name]) && !s.takesOver(c) {
				names = append(names, c.Key.Name)
			}
		}
		out = appendClause(out, "adds", t, names, t == mesh.Cluster && len(along) > 0, "and %s endpoints")
	}
	return out
}

// takesOver reports whether handOvers tells of a listener that comes.
func (s Step) takesOver(c mesh.Change) bool {
	return isListener(c) && slices.ContainsFunc(s.ByType[mesh.Listener], func(leaves mesh.Change) bool {
		return shared(leaves, c) != ""
	})
}

// leavesOver reports whether handOvers tells of a listener that goes.
func (s Step) leavesOver(gone mesh.Change) bool {
	return isListener(gone) && (slices.Contains(s.Again, gone.Key) ||
		slices.ContainsFunc(s.ByType[mesh.Listener], func(c mesh.Change) bool { return shared(gone, c) != "" }))
}

// changes are the clauses for what stays and is changed without moving traffic.
func (s Step) changes() []string {
	changed := func(c mesh.Change) bool { return c.Old != nil && c.New != nil }
	along := s.endpointsOf(changed)
	var out []string
	for _, t := range []mesh.Type{mesh.Cluster, mesh.Secret, mesh.Listener} {
		var names []string
		for _, c := range s.ByType[t] {
			if changed(c) && (!isListener(c) || len(left(c)) == 0) {
				names = append(names, c.Key.Name)
			}
		}
		out = appendClause(out, "changes", t, names, t == mesh.Cluster && len(along) > 0, "and sends %s endpoints again")
	}
	for _, c := range s.ByType[mesh.Listener] {
		if !changed(c) || len(left(c)) == 0 {
			continue
		}
		if closes := s.closed(c); len(closes) > 0 {
			out = append(out, fmt.Sprintf("moves listener %s off %s, which closes at once and refuses connections", c.Key.Name, strings.Join(closes, ", ")))
			continue
		}
		var to []string
		for _, a := range Addresses(c.New) {
			to = append(to, shown(a))
		}
		out = append(out, fmt.Sprintf("moves listener %s to %s", c.Key.Name, strings.Join(to, ", ")))
	}
	by := map[string][]string{}
	for _, c := range s.ByType[mesh.Endpoints] {
		if changed(c) && !along[c.Key.Name] {
			verb, note := endpointsVerb(c)
			by[verb] = append(by[verb], c.Key.Name+note)
		}
	}
	for _, verb := range []string{bringsEndpoints, swapsEndpoints, takesEndpoints, altersEndpoints} {
		out = appendClause(out, verb, mesh.Endpoints, by[verb], false, "")
	}
	return out
}

// left are the addresses that a listener leaves, as people write them.
func left(c mesh.Change) []string {
	if c.Old == nil || !isListener(c) {
		return nil
	}
	var keeps, out []string
	if c.New != nil {
		keeps = Addresses(c.New)
	}
	for _, a := range Addresses(c.Old) {
		if !slices.Contains(keeps, a) {
			out = append(out, shown(a))
		}
	}
	return out
}

// closed are the addresses that a changed listener leaves and no other takes in
// the same step: Envoy closes them at once, and who connects is refused.
func (s Step) closed(c mesh.Change) []string {
	taken := map[string]bool{}
	for _, other := range s.ByType[mesh.Listener] {
		if other.New != nil {
			for _, a := range Addresses(other.New) {
				taken[shown(a)] = true
			}
		}
	}
	return slices.DeleteFunc(left(c), func(a string) bool { return taken[a] })
}

// moves are the clauses for what leads traffic elsewhere.
func (s Step) moves() []string {
	var out []string
	for _, t := range []mesh.Type{mesh.Runtime, mesh.Extension, mesh.ScopedRoute, mesh.Route, mesh.VirtualHost} {
		var names []string
		for _, c := range s.ByType[t] {
			if c.Old != nil && c.New != nil {
				names = append(names, c.Key.Name)
			}
		}
		effect := "(traffic moves)"
		if t == mesh.Runtime || t == mesh.Extension { // what their values lead to cannot be seen
			effect = "(may move traffic)"
		}
		if slices.ContainsFunc(s.ByType[t], s.leadsAhead) {
			effect = "(traffic moves; Envoy asks for the new routes only then: requests may get 404 for some milliseconds)"
		}
		out = appendClause(out, "changes", t, names, true, effect)
	}
	return out
}

// leadsAhead reports whether a scope moves to routes that come with it: Envoy
// moves it at once, and asks for them only then.
func (s Step) leadsAhead(c mesh.Change) bool {
	if c.Key.Type != mesh.ScopedRoute || c.Old == nil || c.New == nil {
		return false
	}
	return slices.ContainsFunc(mesh.References(c.New), func(to mesh.Reference) bool {
		return to.To.Type == mesh.Route && slices.ContainsFunc(s.ByType[mesh.Route], func(r mesh.Change) bool { return r.Key == to.To && r.Old == nil })
	})
}

func (s Step) removes() []string {
	gone := func(c mesh.Change) bool { return c.New == nil }
	along := s.endpointsOf(gone)
	var out []string
	for _, t := range order {
		var names, kept []string
		for _, c := range s.ByType[t] {
			switch {
			case !gone(c) || t == mesh.Endpoints && along[c.Key.Name] || s.leavesOver(c):
			case s.keeps(c):
				kept = append(kept, c.Key.Name)
			default:
				names = append(names, c.Key.Name)
			}
		}
		tail, extra := "", false
		switch {
		case t == mesh.Cluster && len(along) > 0:
			tail, extra = "and %s endpoints", true
		case t == mesh.Listener:
			tail, extra = "(its port closes, open connections drain)", len(names) == 1
		}
		out = appendClause(out, "removes", t, names, extra, tail)
		them := "it"
		if len(kept) > 1 {
			them = "them"
		}
		out = appendClause(out, "removes", t, kept, true,
			fmt.Sprintf("(SotW sends nothing for that: Envoy keeps %s as long as something uses %s)", them, them))
	}
	return out
}

// keeps reports whether a node goes on with what is removed: SotW has no word for
// a named resource that is gone, and something still asks for it. Runtime layers
// are not of them: those are sent empty.
func (s Step) keeps(c mesh.Change) bool {
	switch c.Key.Type {
	case mesh.Route, mesh.Endpoints, mesh.Secret, mesh.Extension:
		return slices.ContainsFunc(s.Mesh.References(), func(ref mesh.Reference) bool { return ref.To == c.Key })
	}
	return false
}

// endpointsOf are the names of the endpoints that travel along with clusters of
// the kind asked for: they are told of in one clause with them.
func (s Step) endpointsOf(which func(mesh.Change) bool) map[string]bool {
	changing := map[string]bool{}
	for _, c := range s.ByType[mesh.Endpoints] {
		changing[c.Key.Name] = true
	}
	out := map[string]bool{}
	for _, c := range s.ByType[mesh.Cluster] {
		r := c.New
		if r == nil {
			r = c.Old
		}
		name, ok := mesh.EndpointsOf(r.Message)
		if !ok || !which(c) {
			continue
		}
		if changing[name] || c.New != nil && s.Mesh.Get(mesh.Key{Type: mesh.Endpoints, Name: name}) != nil {
			out[name] = true
		}
	}
	return out
}

// appendClause appends "adds clusters a, b" and the tail, in which %s is "its"
// or "their"; nothing where there are no names.
func appendClause(out []string, verb string, t mesh.Type, names []string, extra bool, tail string) []string {
	const few = 4
	if len(names) == 0 {
		return out
	}
	noun, whose := t.String(), "its"
	if len(names) > 1 {
		whose = "their"
	}
	switch {
	case t == mesh.Endpoints && (verb == bringsEndpoints || verb == takesEndpoints || verb == swapsEndpoints || verb == altersEndpoints):
		noun = "endpoints of"
	case t == mesh.Endpoints:
		noun = "the endpoints of"
	case len(names) > 1:
		noun += "s"
	}
	listed := strings.Join(names[:min(few, len(names))], ", ")
	if more := len(names) - few; more > 0 {
		listed += fmt.Sprintf(" and %d more", more)
	}
	clause := verb + " " + noun + " " + listed
	if extra {
		clause += " " + strings.ReplaceAll(tail, "%s", whose)
	}
	return append(out, clause)
}

// shown is an address as people write it.
func shown(address string) string {
	return strings.TrimPrefix(strings.TrimPrefix(address, "TCP://"), "unix:")
}
