package friends

import (
	"cmp"
	"slices"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// Friend is one false friend of a mesh: a subject on which the two worlds part
// although they look alike, and all places of one resource where they do.
type Friend struct {
	Subject string       // what it is about: "silence", "Host upstream", "max_fails"
	Lines   []int        // indexes in Config.Lines of the lines that are marked, ascending; none where no line says it
	At      nginx.Origin // the resource and the first field
	Places  int          // how many fields of the resource it holds for; at least 1
	Kind    nginx.Kind   // how near to nginx Envoy can come: Exact, Approximate, None
	Nginx   string       // what nginx was observed to do, one sentence
	Envoy   string       // what Envoy was observed to do, one sentence
	Here    string       // what that means for this mesh, one sentence; may be empty
	Fix     *Fix         // makes Envoy behave as nginx does; nil where no setting does
	Without string       // where Fix is nil: that there is none, and what comes nearest; beside a Fix: what it leaves; may be empty then
}

// Of finds the false friends of a mesh beside its projection, in the order of
// the lines, those without a line last. One whose setting is made already is not
// told. A nil mesh has none; without a projection none has a line.
func Of(m *mesh.Mesh, c *nginx.Config) []Friend {
	if m == nil {
		return nil
	}
	l := &look{mesh: m, lines: index(c), bare: map[string]bool{}}
	for _, r := range m.List(mesh.Listener) {
		l.listener(r)
	}
	for _, r := range m.List(mesh.Route) {
		l.routes(r)
	}
	for _, r := range m.List(mesh.Cluster) {
		l.cluster(r)
	}
	slices.SortStableFunc(l.found, func(a, b Friend) int { return cmp.Compare(uint(a.First()), uint(b.First())) })
	return l.found
}

// First is the first of the lines that are marked, -1 where there is none.
func (f *Friend) First() int {
	if len(f.Lines) == 0 {
		return -1
	}
	return f.Lines[0]
}

// look is one search.
type look struct {
	mesh  *mesh.Mesh
	lines *lines
	found []Friend
	bare  map[string]bool // route configurations, by name: all that use it take the port off the Host already
}
