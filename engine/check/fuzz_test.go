package check

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzMesh holds that whatever can be decoded can be checked, that each finding
// says something, and that the order is always the same.
func FuzzMesh(f *testing.F) {
	names, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(names, "testdata/clean.txtar") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			for _, t := range mesh.Types() {
				f.Add(byte(t), string(file.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, yaml string) {
		r, _ := text.Decode(mesh.Type(kind), mesh.Source{Text: yaml})
		if r == nil {
			return
		}
		m, err := mesh.New(r)
		if err != nil {
			t.Fatal(err)
		}
		found := Mesh(m)
		for _, f := range found {
			if f.Rule == "" || f.Message == "" || f.Severity == 0 || f.Key != r.Key {
				t.Errorf("a finding that says too little: %+v", f)
			}
			if f.Line == 0 {
				t.Errorf("a finding without a line: %s", f)
			}
		}
		if again := Mesh(m); render(again) != render(found) {
			t.Errorf("two runs differ:\n%s\n%s", render(found), render(again))
		}
		Change(nil, m)
		Change(m, nil)
	})
}
