package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	yaml "example.com/meshtui/engine/text"
)

// imported is a text as the importer takes it. The text has to be one.
func imported(t testing.TB, file string) *Result {
	t.Helper()
	c, err := conf.Parse("nginx.conf", conf.Text(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Problems {
		t.Errorf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return Import(c)
}

// wellMade holds what every import has to hold: Envoy takes the mesh, and every
// directive is accounted for.
func wellMade(t testing.TB, r *Result) {
	t.Helper()
	for _, f := range check.Mesh(r.Mesh) {
		if f.Severity == mesh.Error {
			t.Errorf("%s %s: %s", f.Key, f.Path, f.Message)
		}
	}
	for _, e := range r.Report {
		if e.Reason == "it is not carried over" {
			t.Errorf("line %d: nobody knows %s", e.Line, e.Directive)
		}
	}
}

// told is a report as the golden files have it.
func told(r *Result) string {
	var b strings.Builder
	for _, e := range r.Report {
		fmt.Fprintf(&b, "%d %c: %s: %s", e.Line, ".EAN"[e.Kind], e.Directive, e.Reason)
		if e.Instead != "" {
			fmt.Fprintf(&b, "\n\t→ %s", e.Instead)
		}
		if !e.Key.IsZero() {
			fmt.Fprintf(&b, "\n\tat %s", strings.TrimSpace(e.Key.String()+" "+e.Path))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestHTTPGolden holds the YAML and the report for one nginx.conf a topic.
func TestHTTPGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/http/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := imported(t, string(section(a, "nginx.conf")))
			wellMade(t, r)
			got := map[string]string{"report": told(r)}
			for _, kind := range []mesh.Type{mesh.Listener, mesh.Route, mesh.Cluster, mesh.Endpoints} {
				var b strings.Builder
				for _, res := range r.Mesh.List(kind) {
					text, err := yaml.Encode(res.Message)
					if err != nil {
						t.Fatal(err)
					}
					b.WriteString("# " + res.Key.Name + "\n" + text)
				}
				got[kind.String()] = b.String()
			}
			if *update {
				rewrite(t, file, a, got)
				return
			}
			for _, f := range a.Files {
				if want, ok := got[f.Name]; ok {
					if diff := cmp.Diff(string(f.Data), want); diff != "" {
						t.Errorf("%s of %s (-want +got):\n%s", f.Name, file, diff)
					}
				}
			}
		})
	}
}

func section(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// rewrite puts what was said into the sections that a golden file has.
func rewrite(t *testing.T, file string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	for i, f := range a.Files {
		if s, ok := got[f.Name]; ok {
			a.Files[i].Data = []byte(s)
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
