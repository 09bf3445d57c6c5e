package check

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the rules say now into the goldens")

// TestRules holds each rule against testdata/rules/ID.txtar: a mesh in which it
// fires, what it says (section want), and a mesh (ok/…) in which it is silent.
func TestRules(t *testing.T) {
	for _, rule := range rules {
		t.Run(rule.id, func(t *testing.T) {
			archive := parseFile(t, filepath.Join("rules", rule.id+".txtar"))
			var fires, silent []txtar.File
			want := -1
			for i, f := range archive.Files {
				if name, ok := strings.CutPrefix(f.Name, "ok/"); ok {
					silent = append(silent, txtar.File{Name: name, Data: f.Data})
				} else if f.Name == "want" {
					want = i
				} else {
					fires = append(fires, f)
				}
			}
			if want < 0 || len(silent) == 0 || len(fires) == 0 {
				t.Fatal("the archive needs a mesh that fires, an ok/ mesh and a section want")
			}
			got := render(of(rule.id, MeshWith(meshOf(t, fires), around(archive))))
			if got == "" {
				t.Error("the rule says nothing where it should")
			}
			if *update {
				archive.Files[want].Data = []byte(got)
				name := filepath.Join("testdata", "rules", rule.id+".txtar")
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if got := render(of(rule.id, MeshWith(meshOf(t, silent), around(archive)))); got != "" {
				t.Errorf("the rule should be silent here:\n%s", got)
			}
		})
	}
}

// around is what the rules are told of the world: its files are the sections
// file/… of an archive, and those that are made here.
func around(a *txtar.Archive) Around {
	return Around{Known: byName{}, Now: today, ReadFile: func(path string) ([]byte, error) {
		if data, ok := certs()[path]; ok {
			return data, nil
		}
		for _, f := range a.Files {
			if f.Name == "file"+path {
				return f.Data, nil
			}
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}}
}

// byName knows why resources are absent that are called so.
type byName struct{}

func (byName) Absent(k mesh.Key) (from string, known bool) {
	switch {
	case strings.HasPrefix(k.Name, "foreign-"):
		return "another control plane", true
	case strings.HasPrefix(k.Name, "unread-"):
		return "", true
	}
	return "", false
}

// TestEveryGoldenHasItsRule finds the golden of a rule that was renamed.
func TestEveryGoldenHasItsRule(t *testing.T) {
	names, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, rule := range rules {
		if known[rule.id] {
			t.Errorf("two rules are called %s", rule.id)
		}
		known[rule.id] = true
	}
	for _, name := range names {
		if id := strings.TrimSuffix(filepath.Base(name), ".txtar"); !known[id] {
			t.Errorf("no rule is called %s", id)
		}
	}
}

// of is the findings of one rule.
func of(rule string, fs []mesh.Finding) []mesh.Finding {
	var out []mesh.Finding
	for _, f := range fs {
		if f.Rule == rule {
			out = append(out, f)
		}
	}
	return out
}
