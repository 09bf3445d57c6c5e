package friends

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/text"
)

var update = flag.Bool("update", false, "write what Of says into the golden files")

const told = "friends"

// parse reads the resources of a golden file: its sections named by a type.
func parse(t *testing.T, a *txtar.Archive) *mesh.Mesh {
	t.Helper()
	var rs []*mesh.Resource
	for _, f := range a.Files {
		if f.Name == told {
			continue
		}
		for _, k := range mesh.Types() {
			if k.String() == f.Name {
				rs = append(rs, decode(t, k, string(f.Data)))
			}
		}
	}
	m, err := mesh.New(rs...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func decode(t *testing.T, k mesh.Type, src string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(k, mesh.Source{Text: src})
	if r == nil || mesh.Worst(findings) == mesh.Error {
		t.Fatalf("%s: %v\n%s", k, findings, src)
	}
	return r
}

// written is a list of friends for a golden file.
func written(c *nginx.Config, fs []Friend) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s  (%s, %d places, %s)\n", f.Subject, strings.TrimSpace(f.At.Key.String()+" "+f.At.Path), f.Places, [...]string{"", "exact", "about", "none"}[f.Kind])
		for _, i := range f.Lines {
			fmt.Fprintf(&b, "  | %s\n", strings.TrimSpace(c.Lines[i].Text))
		}
		fmt.Fprintf(&b, "  nginx: %s\n  Envoy: %s\n", f.Nginx, f.Envoy)
		if f.Here != "" {
			fmt.Fprintf(&b, "  here:  %s\n", f.Here)
		}
		if f.Fix != nil {
			fmt.Fprintf(&b, "  fix:   %s\n", f.Fix.Says)
		}
		if f.Without != "" {
			fmt.Fprintf(&b, "  left:  %s\n", f.Without)
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, file := range goldens(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := parse(t, a)
			c := nginx.Project(m)
			got := written(c, Of(m, c))
			if *update {
				kept := a.Files[:0]
				for _, f := range a.Files {
					if f.Name != told {
						kept = append(kept, f)
					}
				}
				kept = append(kept, txtar.File{Name: told, Data: []byte(got)})
				a.Files = kept
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := ""
			for _, f := range a.Files {
				if f.Name == told {
					want = string(f.Data)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func goldens(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

// TestFixesMend holds that each setting that is offered can be made, gives a
// mesh that reads well, and that its friend is then told no more.
func TestFixesMend(t *testing.T) {
	mended := 0
	for _, file := range goldens(t) {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := parse(t, a)
		for _, f := range Of(m, nginx.Project(m)) {
			if f.Fix == nil {
				if f.Without == "" {
					t.Errorf("%s: %s: no setting, and no word why", file, f.Subject)
				}
				continue
			}
			puts, err := f.Fix.Texts()
			if err != nil || len(puts) == 0 {
				t.Errorf("%s: %s: %d texts: %v", file, f.Subject, len(puts), err)
				continue
			}
			now := m
			for _, p := range puts {
				now = now.Replace(p.Key, decode(t, p.Key.Type, p.Text))
			}
			for _, left := range Of(now, nginx.Project(now)) {
				if left.Subject == f.Subject && left.At.Key == f.At.Key {
					t.Errorf("%s: %s is still told of %s after its fix", file, f.Subject, left.At)
				}
			}
			mended++
		}
	}
	if mended < 20 {
		t.Errorf("%d fixes were made, want 20 at least", mended)
	}
}

// TestNothingIsNothing holds the edges.
func TestNothingIsNothing(t *testing.T) {
	if got := Of(nil, nil); got != nil {
		t.Errorf("a nil mesh has the false friends %v", got)
	}
	m, err := mesh.New()
	if err != nil {
		t.Fatal(err)
	}
	if got := Of(m, nginx.Project(m)); len(got) != 0 {
		t.Errorf("an empty mesh has the false friends %v", got)
	}
}
