package matchtest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

var plain = Options{Address: "127.0.0.1", Port: 10000, Backends: []uint32{1, 2, 3, 4}, LocalReplies: true}

// A case is the same for the same seed, and another for another.
func TestSameSeedSameCase(t *testing.T) {
	a, b, other := New(7, plain), New(7, plain), New(8, plain)
	if d := cmp.Diff(a.Requests, b.Requests, cmp.Comparer(func(x, y Request) bool { return string(x.Raw) == string(y.Raw) })); d != "" {
		t.Error(d)
	}
	for _, r := range a.Mesh.All() {
		if d := cmp.Diff(r.Message, b.Mesh.Get(r.Key).Message, protocmp.Transform()); d != "" {
			t.Error(d)
		}
	}
	if string(a.Requests[0].Raw) == string(other.Requests[0].Raw) && string(a.Requests[1].Raw) == string(other.Requests[1].Raw) {
		t.Error("another seed gave the same requests")
	}
}

// What Options leaves out is not there.
func TestLeavingOut(t *testing.T) {
	o := plain
	o.Without = append(Classes(), "cookies", "grpc", "strip port", "missing cluster")
	for seed := range uint64(50) {
		c := New(seed, o)
		for _, q := range c.Requests {
			if len(q.Classes) > 0 {
				t.Fatalf("class %q was left out", q.Classes)
			}
		}
		for _, r := range c.Mesh.All() {
			s := Report(Case{Mesh: mustMesh(r)}, nil, Observed{}, nil)
			for _, no := range []string{"cookies:", "grpc:", "strip_", "cluster: gone"} {
				if strings.Contains(strings.ReplaceAll(s, "strip_query", ""), no) && !strings.Contains(s, "strip_trailing") {
					t.Fatalf("%s was left out, but:\n%s", no, s)
				}
			}
		}
	}
}

func mustMesh(r *mesh.Resource) *mesh.Mesh {
	m, err := mesh.New(r)
	if err != nil {
		panic(err)
	}
	return m
}

// What is drawn for a regular expression matches it in full.
func TestSamplesMatch(t *testing.T) {
	m := newMaker(1, plain)
	for range 500 {
		pattern := m.regex()
		s := m.sample(pattern)
		if !regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(s) {
			t.Errorf("%q does not match %s", s, pattern)
		}
	}
}

// Shrinking gets to the one thing that matters, in mesh and request alike.
func TestShrinkFindsTheSmallest(t *testing.T) {
	var c Case
	has := func(c Case) bool { // some route with a prefix, and a request with a dot segment
		found := false
		for _, vh := range tableOf(c).GetVirtualHosts() {
			found = found || slices.ContainsFunc(vh.GetRoutes(), func(r *routev3.Route) bool { return r.GetMatch().GetPrefix() != "" })
		}
		return found && strings.Contains(string(c.Requests[0].Raw), "/..")
	}
	for seed := uint64(1); ; seed++ {
		c = New(seed, plain)
		if i := slices.IndexFunc(c.Requests, func(q Request) bool { return strings.Contains(string(q.Raw), "/..") && len(q.Ask.Headers) > 1 }); i >= 0 && len(tableOf(c).GetVirtualHosts()) > 2 {
			c.Requests = c.Requests[i : i+1]
			if has(c) {
				break
			}
		}
	}
	small := Shrink(c, func(cases []Case) []bool {
		var out []bool
		for _, c := range cases {
			out = append(out, has(c))
		}
		return out
	})
	table := tableOf(small)
	if len(table.GetVirtualHosts()) != 1 || len(table.VirtualHosts[0].Routes) != 1 || table.VirtualHosts[0].Routes[0].Action != nil {
		t.Errorf("the mesh is not the smallest:\n%v", table)
	}
	if q := small.Requests[0].Ask; q.Path != "/.." || len(q.Headers) > 0 || len(q.Host) > 1 || q.Method != "GET" {
		t.Errorf("the request is not the smallest: %q", small.Requests[0].Raw)
	}
}

// tableOf is the routes of a case, wherever they stand.
func tableOf(c Case) *routev3.RouteConfiguration {
	for _, r := range c.Mesh.List(mesh.Route) {
		return r.Message.(*routev3.RouteConfiguration)
	}
	return inlineTable(c)
}
