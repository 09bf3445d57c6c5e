package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"github.com/rogpeppe/go-internal/txtar"
)

// fileTypes are the types by the name that a txtar section begins with.
var fileTypes = map[string]mesh.Type{"lds": mesh.Listener, "rds": mesh.Route, "cds": mesh.Cluster, "eds": mesh.Endpoints, "sds": mesh.Secret,
	"vhd": mesh.VirtualHost, "srd": mesh.ScopedRoute, "ecd": mesh.Extension, "rtd": mesh.Runtime}

// meshOf reads the sections lds…, rds… and so on of an archive: one or more
// resources each, separated by lines of "---". Lines are those of the section.
func meshOf(t testing.TB, files []txtar.File) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, f := range files {
		ty, ok := fileTypes[f.Name[:min(3, len(f.Name))]]
		if !ok {
			continue
		}
		line := 1
		for _, part := range strings.SplitAfter(string(f.Data), "---\n") {
			body := strings.TrimSuffix(part, "---\n")
			r, findings := text.Decode(ty, mesh.Source{File: f.Name, Line: line, Text: body})
			if r == nil {
				t.Fatalf("%s: %v", f.Name, findings)
			}
			line += strings.Count(part, "\n")
			all = append(all, r)
		}
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// render is findings as the goldens have them.
func render(fs []mesh.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString("[" + f.Rule + "] " + f.String() + "\n")
	}
	return b.String()
}

func parseFile(t testing.TB, name string) *txtar.Archive {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return txtar.Parse(data)
}

func TestCleanMeshHasNoFindings(t *testing.T) {
	if got := render(Mesh(meshOf(t, parseFile(t, "clean.txtar").Files))); got != "" {
		t.Errorf("findings in a mesh that is as it should be:\n%s", got)
	}
}
