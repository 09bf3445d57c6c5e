package matchtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

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
			for _, no := range []string{"cookies:", "grpc:", "strip_matching_host_port", "strip_any_host_port", "cluster: gone"} {
				if strings.Contains(s, no) {
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

// Features names what the generator asks about, all of it and nothing else.
func TestFeaturesAreThoseOfTheGenerator(t *testing.T) {
	asked := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\bm\.may\("([^"]+)"`).FindAllSubmatch(source, -1) {
			asked[string(found[1])] = true
		}
	}
	want := Features()
	slices.Sort(want)
	if d := cmp.Diff(want, sorted(asked)); d != "" {
		t.Errorf("Features (-) and the generator (+) differ:\n%s", d)
	}
}
