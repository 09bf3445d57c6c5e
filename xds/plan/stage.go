package plan

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// stage is where in a plan a change belongs. Each is one step.
type stage int

const (
	makeClusters    stage = iota // clusters, their endpoints, secrets: everything that traffic will need
	makeListeners                // listeners, with what is new of what they ask for
	moveTraffic                  // routes, scopes, virtual hosts, filters and runtime values that are in use already
	breakWays                    // listeners, scopes and virtual hosts that go, before what they lead to
	breakEverything              // clusters, endpoints, routes, secrets that nothing needs any more; endpoints that leave or drain
	stages
)

// ways are the types by which a node finds a request's cluster, in the order in
// which they are sent. A change in one of them can move traffic.
func ways() []mesh.Type {
	return []mesh.Type{mesh.Runtime, mesh.Extension, mesh.Listener, mesh.ScopedRoute, mesh.Route, mesh.VirtualHost}
}

// Leads reports whether resources of a type lead requests on to others, which
// must be there for as long as they do.
func Leads(t mesh.Type) bool { return t != mesh.Runtime && slices.Contains(ways(), t) }

// stagesOf sorts changes into the stages of a plan.
func stagesOf(changes []mesh.Change, f Flight) [stages][]mesh.Change {
	handed := handedOver(changes, f.Ways)
	moves := f.moves() || slices.ContainsFunc(changes, movesTraffic)
	var byStage [stages][]mesh.Change
	put := func(s stage, c mesh.Change) { byStage[s] = append(byStage[s], c) }
	for _, c := range changes {
		if !moves || c.Key.Type != mesh.Endpoints {
			put(stageOf(c, handed[c.Key]), c)
			continue
		}
		for s, part := range splitEndpoints(c) {
			put(s, part)
		}
	}
	if !slices.ContainsFunc(byStage[makeListeners], isListener) {
		byStage[moveTraffic] = append(byStage[makeListeners], byStage[moveTraffic]...)
		byStage[makeListeners] = nil
	}
	return byStage
}

// splitEndpoints is the change of an assignment while traffic moves, by stage:
// what it brings comes first, and what it takes away goes last. What cannot be
// split comes at once.
func splitEndpoints(c mesh.Change) map[stage]mesh.Change {
	adds, takes := endpointsMove(c)
	switch {
	case takes && !adds:
		return map[stage]mesh.Change{breakEverything: c}
	case takes:
		if between := both(c); between != nil {
			return map[stage]mesh.Change{
				makeClusters:    {Key: c.Key, Old: c.Old, New: between},
				breakEverything: {Key: c.Key, Old: between, New: c.New},
			}
		}
	}
	return map[stage]mesh.Change{stageOf(c, false): c}
}

// stageOf is the stage of one change; handed says that another resource takes
// the place of one that goes, in the same response.
func stageOf(c mesh.Change, handed bool) stage {
	gone := c.New == nil
	switch c.Key.Type {
	case mesh.Listener:
		if gone && !handed {
			return breakWays
		}
		return makeListeners
	case mesh.ScopedRoute, mesh.VirtualHost:
		if gone && !handed {
			return breakWays
		}
		return moveTraffic
	case mesh.Runtime, mesh.Extension, mesh.Route:
		switch {
		case gone && c.Key.Type == mesh.Runtime: // back to the defaults, which may lead elsewhere
			return breakWays
		case gone:
			return breakEverything
		case c.Old == nil:
			return makeListeners
		}
		return moveTraffic
	}
	if gone {
		return breakEverything
	}
	return makeClusters
}

// movesTraffic reports whether a change leads requests elsewhere: what they
// leave must stay as it is until they have. A new scope or virtual host takes
// requests from a more general one, new runtime values from the defaults.
func movesTraffic(c mesh.Change) bool {
	switch c.Key.Type {
	case mesh.ScopedRoute, mesh.VirtualHost, mesh.Runtime:
		return true
	}
	return c.Old != nil && slices.Contains(ways(), c.Key.Type)
}

// handedOver names the resources that go while another one comes to their
// place. Such a pair must travel in one response: Envoy refuses a second
// listener on an address that is still taken, a second scope with the same key,
// a second virtual host for the same domain. What is in flight may be at the
// place that it had before.
func handedOver(changes []mesh.Change, inFlight map[mesh.Key][]*mesh.Resource) map[mesh.Key]bool {
	wanted := map[string]bool{}
	for _, c := range changes {
		if c.New != nil {
			for _, p := range places(c.New) {
				wanted[p] = true
			}
		}
	}
	leaving := map[mesh.Key]bool{}
	for _, c := range changes {
		if c.New != nil || len(wanted) == 0 {
			continue
		}
		for _, r := range append([]*mesh.Resource{c.Old}, inFlight[c.Key]...) {
			if slices.ContainsFunc(places(r), func(p string) bool { return wanted[p] }) {
				leaving[c.Key] = true
			}
		}
	}
	return leaving
}

// places are what only one resource of its type can have at a time.
func places(r *mesh.Resource) []string {
	var out []string
	switch m := r.Message.(type) {
	case *routev3.ScopedRouteConfiguration:
		out = []string{scopeKey(m)}
	case *routev3.VirtualHost:
		routes, _, _ := strings.Cut(m.GetName(), "/")
		for _, d := range m.GetDomains() {
			out = append(out, routes+"/"+strings.ToLower(d))
		}
	default:
		out = Addresses(r)
	}
	for i := range out {
		out[i] = r.Key.Type.String() + " " + out[i]
	}
	return out
}

func scopeKey(m *routev3.ScopedRouteConfiguration) string {
	var fragments []string
	for _, f := range m.GetKey().GetFragments() {
		fragments = append(fragments, f.GetStringKey())
	}
	return strings.Join(fragments, "\x00")
}
