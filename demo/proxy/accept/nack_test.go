package accept_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/text"
)

// What the proxy refuses is found again from its sentence: the resource for
// sure, and for all but a few the field.
func TestRefusalsAreDiagnosed(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	refused, found := 0, 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind := typeOf(t, strings.TrimSuffix(filepath.Base(path), ".txtar"))
		for _, f := range archive.Files {
			r, _ := text.Decode(kind, mesh.Source{File: f.Name, Line: 1, Text: string(f.Data)})
			if strings.HasSuffix(f.Name, ".want") || r == nil {
				continue
			}
			err := accept.Accept(kind, r.Message)
			if err == nil {
				continue
			}
			refused++
			m, _ := mesh.New(r)
			d := nack.Diagnose(nack.Rejection{Text: err.Error(), Type: kind, Mesh: m})[0]
			if d.Key != r.Key || !d.Sure || d.Plain == "" {
				t.Errorf("%s: %v\n%+v", f.Name, err, d)
			}
			l := text.NewLocator(string(f.Data))
			if d.Path != "" && (l.Has(d.Path) || l.Has(text.Parent(d.Path))) { // what is missing stands nowhere
				found++
			} else {
				t.Logf("no field for: %v", err)
			}
		}
	}
	if found*100 < refused*95 {
		t.Errorf("the field of %d in %d refusals was found", found, refused)
	}
	t.Logf("the field of %d in %d refusals was found", found, refused)
}
