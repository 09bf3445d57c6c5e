package check

import (
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestChange holds what a push does against testdata/change: sections from/…
// and to/… are the meshes, want what is said.
func TestChange(t *testing.T) {
	names, err := filepath.Glob("testdata/change/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive := parseFile(t, strings.TrimPrefix(name, "testdata/"))
			var from, to []txtar.File
			want, golden := "", false
			for _, f := range archive.Files {
				if name, ok := strings.CutPrefix(f.Name, "from/"); ok {
					from = append(from, txtar.File{Name: name, Data: f.Data})
				} else if name, ok := strings.CutPrefix(f.Name, "to/"); ok {
					to = append(to, txtar.File{Name: name, Data: f.Data})
				} else if f.Name == "want" {
					want, golden = string(f.Data), true
				}
			}
			if !golden {
				t.Fatal("there is no section want")
			}
			if diff := cmp.Diff(want, render(Change(meshOf(t, from), meshOf(t, to)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangeOfNothing(t *testing.T) {
	clean := meshOf(t, parseFile(t, "clean.txtar").Files)
	for name, m := range map[string][2]*mesh.Mesh{"first push": {nil, clean}, "same": {clean, clean}, "both empty": {nil, nil}} {
		if got := Change(m[0], m[1]); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
