package nginx

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
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

var update = flag.Bool("update", false, "write what Project says into the golden files")

// parseMesh reads resources from YAML, each with its type.
func parseMesh(t testing.TB, resources ...[2]string) *mesh.Mesh {
	t.Helper()
	var out []*mesh.Resource
	for _, r := range resources {
		var kind mesh.Type
		for _, k := range mesh.Types() {
			if k.String() == r[0] {
				kind = k
			}
		}
		res, findings := text.Decode(kind, mesh.Source{Text: r[1]})
		if res == nil || mesh.Worst(findings) == mesh.Error {
			t.Fatalf("%s: %v", r[0], findings)
		}
		out = append(out, res)
	}
	m, err := mesh.New(out...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// archive is the resources of a golden file: its sections named by a type.
func archive(a *txtar.Archive) (out [][2]string) {
	for _, f := range a.Files {
		if f.Name != "nginx.conf" {
			out = append(out, [2]string{f.Name, string(f.Data)})
		}
	}
	return out
}

// shown is a config with its source map, one line each.
func shown(c *Config) string {
	var b strings.Builder
	for _, l := range c.Lines {
		origin := ""
		if !l.From.Key.IsZero() {
			origin = strings.TrimSpace(l.From.Key.String() + " " + l.From.Path)
		}
		for _, o := range l.Also {
			origin += " + " + strings.TrimSpace(o.Key.String()+" "+o.Path)
		}
		line := fmt.Sprintf("%s  %s", [...]string{".", "E", "A", "N"}[l.Kind], l.Text)
		if origin != "" {
			line = fmt.Sprintf("%-60s  <- %s", line, origin)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestProjectGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := parseMesh(t, archive(a)...)
			c := Project(m)
			held(t, m, c)
			got := shown(c)
			if *update {
				kept := a.Files[:0]
				for _, f := range a.Files {
					if f.Name != "nginx.conf" {
						kept = append(kept, f)
					}
				}
				kept = append(kept, txtar.File{Name: "nginx.conf", Data: []byte(got)})
				a.Files = kept
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := ""
			for _, f := range a.Files {
				if f.Name == "nginx.conf" {
					want = string(f.Data)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestNginxTakesTheGoldenFiles is apart from the comparison, so that the latter
// runs where there is no nginx.
func TestNginxTakesTheGoldenFiles(t *testing.T) {
	nginxtest.Need(t)
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			nginxtest.Accepted(t, Project(parseMesh(t, archive(a)...)).String())
		})
	}
}
