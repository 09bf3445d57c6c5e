package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func copied(t testing.TB, from string) string {
	t.Helper()
	return write(t, t.TempDir(), snapshot(t, from))
}

// edit is the default mesh with one resource's text changed.
func edit(t testing.TB, o *Opened, k mesh.Key, change func(string) (string, error)) map[string]*mesh.Mesh {
	t.Helper()
	m := o.Meshes[mesh.DefaultGroup]
	r := m.Get(k)
	if r == nil {
		t.Fatalf("no %s", k)
		return nil
	}
	body, err := change(r.Source.Text)
	if err != nil {
		t.Fatal(err)
	}
	src := r.Source
	src.Text = body
	return map[string]*mesh.Mesh{mesh.DefaultGroup: m.With(decoded(t, k.Type, src))}
}

func decoded(t testing.TB, typ mesh.Type, src mesh.Source) *mesh.Resource {
	t.Helper()
	r, fs := text.Decode(typ, src)
	if r == nil {
		t.Fatal(fs)
	}
	return r
}

func save(t testing.TB, dir string, from *Opened, meshes map[string]*mesh.Mesh) *Opened {
	t.Helper()
	var rules []mesh.Rule
	if from != nil {
		rules = from.Rules
	}
	o, err := Save(dir, from, rules, meshes, Disk{})
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := o.Changed(); err != nil || len(changed) > 0 {
		t.Errorf("what was saved is not what is on disk: %v, %v", changed, err)
	}
	again := open(t, dir)
	for g, m := range meshes {
		if d := mesh.Diff(m, again.Meshes[g]); len(d) > 0 {
			t.Errorf("group %s reads back otherwise: %v", g, d)
		}
		if d := mesh.DiffText(o.Meshes[g], again.Meshes[g]); len(d) > 0 {
			t.Errorf("Save returned another group %s than Open reads: %v", g, d)
		}
	}
	return o
}

var cluster = mesh.Key{Type: mesh.Cluster, Name: "example_proxy_cluster"}
