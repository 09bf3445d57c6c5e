package plan

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3" // the goldens hold one
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each archive holds the meshes from and to, one resource a line as a kind and
// its JSON, the plan between them, and what it says of itself; some go on to a
// third mesh.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, ar, "from", "to", "")
			if section(ar, "then") != "" {
				golden(t, ar, "to", "then", " of then")
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// golden holds the plan from one mesh to another against the archive.
func golden(t *testing.T, ar *txtar.Archive, from, to, which string) {
	t.Helper()
	old := readMesh(t, section(ar, from))
	steps := Between(old, readMesh(t, section(ar, to)), Flight{})
	for name, got := range map[string]string{
		"plan" + which: describe(old, steps),
		"said" + which: strings.Join(append(Describe(steps), ""), "\n"),
	} {
		if *update {
			setSection(ar, name, got)
		}
		if diff := cmp.Diff(section(ar, name), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func section(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setSection(ar *txtar.Archive, name, text string) {
	for i, f := range ar.Files {
		if f.Name == name {
			ar.Files[i].Data = []byte(text)
			return
		}
	}
	ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(text)})
}

func readMesh(t *testing.T, text string) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for line := range strings.Lines(text) {
		kind, body, ok := strings.Cut(strings.TrimSpace(line), " {")
		if !ok {
			continue
		}
		body = "{" + body
		msg := newOf(kind)
		if msg == nil {
			t.Fatalf("no such kind: %s", kind)
		}
		if err := protojson.Unmarshal([]byte(body), msg); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newOf(kind string) proto.Message {
	for _, t := range mesh.Types() {
		if t.String() == kind {
			return t.New()
		}
	}
	return nil
}

// describe writes a plan as people would: what each step brings (+ new,
// ~ changed, - gone), what it needs, and what is offered from then on.
func describe(from *mesh.Mesh, steps []Step) string {
	var b strings.Builder
	drains := false
	for i, s := range steps {
		var services []string
		for _, t := range s.Types {
			services = append(services, t.Service())
		}
		fmt.Fprintf(&b, "step %d: %s\n", i+1, strings.Join(services, " "))
		if drains && s.Breaks {
			b.WriteString("  when old connections have drained\n")
		}
		drains = drains || s.Drains
		for _, c := range s.Changes {
			sign := "~"
			switch {
			case c.Old == nil:
				sign = "+"
			case c.New == nil:
				sign = "-"
			}
			fmt.Fprintf(&b, "  %s %s\n", sign, c.Key)
		}
		for _, ref := range s.Needs {
			fmt.Fprintf(&b, "  needs %s for %s\n", ref.To, ref.From)
		}
		for _, t := range mesh.Types() {
			var names []string
			for _, r := range s.Mesh.List(t) {
				names = append(names, r.Key.Name)
			}
			if len(names) > 0 {
				fmt.Fprintf(&b, "  offers %s: %s\n", t.Service(), strings.Join(names, " "))
			}
		}
	}
	return b.String()
}

// Whatever the two meshes, the last step offers exactly the new one, no step
// offers a reference to what it has just taken away, and nothing goes together
// with something new but what hands its place over.
func TestPlanEndsWhereItShould(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		from, to := readMesh(t, section(ar, "from")), readMesh(t, section(ar, "to"))
		for _, way := range [][2]*mesh.Mesh{{from, to}, {to, from}, {nil, to}, {from, nil}} {
			checkPlan(t, file, way[0], way[1])
		}
	}
}

func checkPlan(t *testing.T, file string, from, to *mesh.Mesh) {
	t.Helper()
	at := from
	for i, s := range Between(from, to, Flight{}) {
		for _, ref := range s.Mesh.References() {
			if s.Mesh.Get(ref.To) == nil && at.Get(ref.To) != nil && to.Get(ref.To) == nil && to.Get(ref.From) == nil {
				t.Errorf("%s: step %d takes %s away while %s still uses it", file, i+1, ref.To, ref.From)
			}
		}
		adds, removes, handed := false, false, handedOver(s.Changes, nil)
		for _, c := range s.Changes {
			more, less := endpointsMove(c)
			adds = adds || c.New != nil && (more || !less)
			removes = removes || c.New == nil && !handed[c.Key]
		}
		if adds && removes {
			t.Errorf("%s: step %d both adds and removes", file, i+1)
		}
		at = s.Mesh
	}
	if left := mesh.Diff(at, to); len(left) > 0 {
		t.Errorf("%s: the plan leaves %d changes undone", file, len(left))
	}
}
