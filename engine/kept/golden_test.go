package kept

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
)

var update = flag.Bool("update", false, "rewrite the golden files from what the code does")

// eachArchive runs a test for each archive of a folder. got gives the files that
// are compared, by name.
func eachArchive(t *testing.T, dir string, got func(t *testing.T, in map[string]string) map[string]string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]string{}
			for _, f := range a.Files {
				in[f.Name] = string(f.Data)
			}
			for name, text := range got(t, in) {
				if *update {
					put(a, name, text)
				} else if diff := cmp.Diff(in[name], text); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func put(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// said is requests and findings as a text.
func said(rs []Request, findings []mesh.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&b, f)
	}
	for _, r := range rs {
		fmt.Fprintf(&b, "line %d: %q group %q %+v expect %+v\n", r.Line, r.Name, r.Group, shownAsk(r), r.Expect)
	}
	return b.String()
}

func shownAsk(r Request) string {
	s := strings.Join(append([]string{r.Ask.Method, r.Ask.Host, r.Ask.Path}, extrasOf(r.Ask)...), "|")
	return s
}

func TestParse(t *testing.T) {
	eachArchive(t, "parse", func(t *testing.T, in map[string]string) map[string]string {
		rs, findings := Parse(in["requests.yaml"], "requests.yaml")
		return map[string]string{"says": said(rs, findings)}
	})
}

// meshOf reads resources, a YAML document each, of files such as cds.yaml.
func meshOf(t testing.TB, in map[string]string, prefix string) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, typ := range mesh.Types() {
		for _, doc := range strings.Split(in[prefix+typ.File()], "---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			r, findings := text.Decode(typ, mesh.Source{Text: doc})
			if r == nil {
				t.Fatal(findings)
			}
			all = append(all, r)
		}
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
