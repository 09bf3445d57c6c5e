package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// maxOfOne is how many findings of one rule a single resource may have. A
// thousand routes with one mistake are one mistake, and the last finding kept
// says how many there were.
const maxOfOne = 20

// Mesh is everything that can be said about one group's mesh by itself, worst
// first, then by place. It is empty when nothing is to be said, and for a nil
// mesh.
func Mesh(m *mesh.Mesh) []mesh.Finding { return MeshWith(m, Around{}) }

// Around is what is known of the world around a mesh. The zero Around knows
// nothing, and then nothing is said of what only the world can tell.
type Around struct {
	Known Known // of the resources that are not in the mesh; may be nil
	// ReadFile reads a file that a resource names, so that certificates can be
	// looked into. It fails with fs.ErrNotExist for one that is not on this machine,
	// where an Envoy most likely runs. nil reads none.
	ReadFile func(path string) ([]byte, error)
	Now      time.Time // by which certificates are judged; the zero time judges none
}

// Known is what is known of resources that a mesh names and does not hold.
type Known interface {
	// Absent says why the mesh does not hold a resource. from is where it comes
	// from instead, such as "another control plane", or "" where nothing more is to
	// be said, since that was said already. known is false for a name that leads
	// nowhere as far as anybody knows.
	Absent(k mesh.Key) (from string, known bool)
}

// MeshWith is Mesh for a mesh of which more is known than what is in it: a
// reference to what is known to be absent is no error.
func MeshWith(m *mesh.Mesh, around Around) []mesh.Finding {
	c := newChecker(m)
	c.Around = around
	for _, r := range rules {
		c.rule = r.id
		r.run(c)
	}
	return c.done()
}

// checker is one pass over a mesh: what the rules look at, and what they said.
type checker struct {
	Around
	mesh    *mesh.Mesh
	nodes   []node
	byName  map[messageName][]int   // indexes of nodes, by what kind of message they are
	sources map[place]source        // where the name that stands at a place is looked up
	waits   map[place]time.Duration // initial_fetch_timeout, where it is written

	refs        []mesh.Reference // every name in the mesh that means another resource
	assignments []assignment
	tables      map[*routev3.RouteConfiguration]compiled
	grpc        map[mesh.Key]bool // what gRPC clients come to; nil while nobody asked

	rule     string // the id of the rule that runs
	findings []mesh.Finding
}

// place is one field of one resource.
type place struct {
	key  mesh.Key
	path string
}

// report adds a finding of the running rule. Lines are looked up at the end,
// and only for what is kept.
func (c *checker) report(s mesh.Severity, key mesh.Key, path, message, hint string) {
	if key.Type == mesh.VirtualHost {
		path = strings.TrimPrefix(strings.TrimPrefix(path, joinedAt), ".")
	}
	c.findings = append(c.findings, mesh.Finding{
		Severity: s, Rule: c.rule, Key: key, Path: path, Message: message, Hint: hint,
	})
}

// done sorts the findings, cuts what repeats and looks up where they stand.
func (c *checker) done() []mesh.Finding {
	slices.SortStableFunc(c.findings, func(a, b mesh.Finding) int {
		return cmp.Or(
			compareKeys(a.Key, b.Key), cmp.Compare(a.Rule, b.Rule),
			compareNatural(a.Path, b.Path), cmp.Compare(a.Message, b.Message),
		)
	})
	kept := cutRepeats(c.findings)
	locateAll(kept, c.mesh)
	Sort(kept)
	return kept
}

// Sort orders findings as people want to read them: worst first, then by file
// and line, then by resource. Findings that are equal in all this keep their
// order.
func Sort(fs []mesh.Finding) {
	slices.SortStableFunc(fs, func(a, b mesh.Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			compareKeys(a.Key, b.Key), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule),
		)
	})
}

func compareKeys(a, b mesh.Key) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

// cutRepeats drops equal findings and all but the first maxOfOne of each run of
// one rule on one resource. The findings must be sorted by resource and rule.
func cutRepeats(fs []mesh.Finding) []mesh.Finding {
	fs = slices.Compact(fs)
	var out []mesh.Finding
	for i := 0; i < len(fs); {
		end := i
		for end < len(fs) && fs[end].Key == fs[i].Key && fs[end].Rule == fs[i].Rule {
			end++
		}
		run := fs[i:end]
		// The worst of a run must not be what is cut.
		slices.SortStableFunc(run, func(a, b mesh.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
		if cut := len(run) - maxOfOne; cut > 0 {
			run = run[:maxOfOne]
			run[maxOfOne-1].Message += fmt.Sprintf("; and %d more such places in this %s", cut, run[0].Key.Type)
		}
		out = append(out, run...)
		i = end
	}
	return out
}
