package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"github.com/google/go-cmp/cmp"
)

func TestSaveUnchangedWritesNothing(t *testing.T) {
	dir := copied(t, "testdata/dynamic-fs")
	o := open(t, dir)
	refuse := writerFunc(func(path string, _ []byte, _ fs.FileMode) error { return fmt.Errorf("%s was written", path) })
	if _, err := Save(dir, o, o.Rules, o.Meshes, refuse); err != nil {
		t.Error(err)
	}
}

type writerFunc func(path string, data []byte, perm fs.FileMode) error

func (f writerFunc) WriteFile(path string, data []byte, perm fs.FileMode) error {
	return f(path, data, perm)
}

func TestSaveChangesOneChunk(t *testing.T) {
	dir := copied(t, "testdata/dynamic-fs")
	before := snapshot(t, dir)
	o := open(t, dir)
	save(t, dir, o, edit(t, o, cluster, func(s string) (string, error) { return text.Set(s, "connect_timeout", "2s") }))
	want := before
	want["cds.yaml"] = strings.NewReplacer("1s # short", "2s # short", "path_config_source:", "path_config_source: # as the container sees it",
		"eds.yaml # as the container sees it", "eds.yaml").Replace(before["cds.yaml"])
	if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const messy = `# head
version_info: "7" # keep

resources: # the list

# one
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name:   one   # wide
  # inside one

# far from two

# two
# more of two
-   "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: two
- "@type": type.googleapis.com/unknown.Thing # cannot be read
  x: [1,
    2]
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: broken
  oops: 1
# three
- {"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster,
   name: three}
# tail
nonce: ""
`

func TestSaveKeepsTheRest(t *testing.T) {
	one, two, three := mesh.Key{Type: mesh.Cluster, Name: "one"}, mesh.Key{Type: mesh.Cluster, Name: "two"}, mesh.Key{Type: mesh.Cluster, Name: "three"}
	fresh := func() *mesh.Resource {
		return decoded(t, mesh.Cluster, mesh.Source{Text: "# of four\nname: four\n"})
	}
	cases := map[string]struct {
		change func(m *mesh.Mesh) *mesh.Mesh
		want   func(s string) string
	}{
		"remove one": {func(m *mesh.Mesh) *mesh.Mesh { return m.Without(one) }, func(s string) string {
			return strings.Replace(s, s[strings.Index(s, "# one"):strings.Index(s, "\n# far")], "", 1)
		}},
		"remove two": {func(m *mesh.Mesh) *mesh.Mesh { return m.Without(two) }, func(s string) string {
			return strings.Replace(s, s[strings.Index(s, "# two"):strings.Index(s, "- \"@type\": type.googleapis.com/unknown")], "", 1)
		}},
		"remove three": {func(m *mesh.Mesh) *mesh.Mesh { return m.Without(three) }, func(s string) string {
			return strings.Replace(s, s[strings.Index(s, "# three"):strings.Index(s, "# tail")], "", 1)
		}},
		"change two": {func(m *mesh.Mesh) *mesh.Mesh {
			return m.With(decoded(t, mesh.Cluster, mesh.Source{Text: m.Get(two).Source.Text + "lb_policy: RANDOM\n"}))
		}, func(s string) string {
			return strings.Replace(s, "    name: two\n", "    name: two\n    lb_policy: RANDOM\n", 1)
		}},
		"change three": {func(m *mesh.Mesh) *mesh.Mesh {
			out, err := text.Set(m.Get(three).Source.Text, "lb_policy", "RANDOM")
			if err != nil {
				t.Fatal(err)
			}
			return m.With(decoded(t, mesh.Cluster, mesh.Source{Text: out}))
		}, func(s string) string {
			return strings.Replace(s, "name: three}", "name: three,\n   lb_policy: RANDOM}", 1)
		}},
		"add four": {func(m *mesh.Mesh) *mesh.Mesh { return m.With(fresh()) }, func(s string) string {
			return strings.Replace(s, "# tail", "- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  # of four\n  name: four\n# tail", 1)
		}},
		"rename one": {func(m *mesh.Mesh) *mesh.Mesh {
			r := decoded(t, mesh.Cluster, mesh.Source{Text: strings.Replace(m.Get(one).Source.Text, "one   #", "uno   #", 1)})
			return m.Without(one).With(r)
		}, func(s string) string {
			head, rest, _ := strings.Cut(s, "# one")
			_, rest, _ = strings.Cut(rest, "\n# far")
			return head + strings.Replace("\n# far"+rest, "# tail", "- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name:   uno   # wide\n  # inside one\n# tail", 1)
		}},
	}
	for name, c := range cases {
		for _, eol := range []string{"\n", "\r\n"} {
			source := strings.ReplaceAll(messy, "\n", eol)
			dir := write(t, t.TempDir(), map[string]string{"cds.yaml": source})
			o := open(t, dir)
			save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: c.change(o.Meshes[mesh.DefaultGroup])})
			want := strings.ReplaceAll(c.want(messy), "\n", eol)
			if diff := cmp.Diff(want, snapshot(t, dir)["cds.yaml"]); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", name, eol, diff)
			}
		}
	}
}

func TestSaveToTheEndOfAFile(t *testing.T) {
	four := decoded(t, mesh.Cluster, mesh.Source{Text: "name: four\n"})
	item := "- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: "
	for before, want := range map[string]string{
		"":                          "resources:\n" + item + "four\n",
		"# head":                    "# head\nresources:\n" + item + "four\n",
		"resources: [] # none":      "resources: # none\n" + item + "four\n",
		"resources:\nnonce: a\n":    "resources:\n" + item + "four\nnonce: a\n",
		"resources:\n" + item + "a": "resources:\n" + item + "a\n" + item + "four\n",
		"{\"resources\": []}":       "{\"resources\": [{\n      \"@type\": \"type.googleapis.com/envoy.config.cluster.v3.Cluster\",\n      \"name\": \"four\"\n    }]}",
	} {
		dir := write(t, t.TempDir(), map[string]string{"cds.yaml": before})
		o := open(t, dir)
		save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: o.Meshes[mesh.DefaultGroup].With(four)})
		if diff := cmp.Diff(want, snapshot(t, dir)["cds.yaml"]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", before, diff)
		}
	}
}

func TestSaveJSON(t *testing.T) {
	source := "{\n  \"version_info\": \"1\",\n  \"resources\": [\n    {\n      \"@type\": \"type.googleapis.com/envoy.config.cluster.v3.Cluster\",\n      \"name\": \"a\"\n    },\n    {\"@type\": \"type.googleapis.com/envoy.config.cluster.v3.Cluster\", \"name\": \"b\"}\n  ]\n}\n"
	dir := write(t, t.TempDir(), map[string]string{"cds.json": source})
	o := open(t, dir)
	a := mesh.Key{Type: mesh.Cluster, Name: "a"}
	meshes := edit(t, o, a, func(s string) (string, error) { return text.Set(s, "lb_policy", "RANDOM") })
	m := meshes[mesh.DefaultGroup].Without(mesh.Key{Type: mesh.Cluster, Name: "b"}).
		With(decoded(t, mesh.Cluster, mesh.Source{Text: "name: c\nload_assignment:\n  endpoints: []\n"}))
	save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: m})
	golden(t, "saved.json", snapshot(t, dir)["cds.json"])
}

func TestSaveEmptiedFile(t *testing.T) {
	dir := copied(t, "testdata/dynamic-fs")
	o := open(t, dir)
	save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: o.Meshes[mesh.DefaultGroup].Without(cluster)})
	if got, want := snapshot(t, dir)["cds.yaml"], "version_info: \"0\"\n\nresources: []\n# the end\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSaveBootstrapToFolder(t *testing.T) {
	for _, path := range bootstraps(t) {
		o := open(t, path)
		dir := filepath.Join(t.TempDir(), "new")
		save(t, dir, o, o.Meshes)
		var b strings.Builder
		files := snapshot(t, dir)
		for _, name := range open(t, dir).Paths() {
			name = filepath.Base(name)
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "-- %s %v --\n%s", name, info.Mode(), relative(files[name], dir))
		}
		golden(t, "saved-"+filepath.Base(path)+".txt", b.String())
	}
}

func TestSaveNeverOverwritesASingleFile(t *testing.T) {
	path := "testdata/bootstraps/front-proxy.yaml"
	o := open(t, path)
	if _, err := Save(path, o, nil, o.Meshes, Disk{}); err == nil {
		t.Error("the bootstrap was overwritten")
	}
	for _, name := range []string{"cds.yaml", "eds-other.yaml", "groups.yaml"} {
		dir := write(t, t.TempDir(), map[string]string{name: "mine"})
		if _, err := Save(dir, o, nil, o.Meshes, Disk{}); err == nil || len(snapshot(t, dir)) != 1 {
			t.Errorf("a folder with a foreign %s was saved to (%v)", name, err)
		}
	}
}

func TestSaveToAnotherFolder(t *testing.T) {
	o := open(t, copied(t, "testdata/dynamic-fs"))
	dir := filepath.Join(t.TempDir(), "copy")
	save(t, dir, o, o.Meshes)
	got := snapshot(t, dir)
	if !strings.Contains(got["cds.yaml"], "path: "+filepath.Join(dir, "eds.yaml")) || got["eds.yaml"] != snapshot(t, "testdata/dynamic-fs")["eds.yaml"] {
		t.Errorf("got %v", got)
	}
}

func TestSaveGroups(t *testing.T) {
	mk := func(name string) *mesh.Mesh {
		m, err := mesh.New(decoded(t, mesh.Listener, mesh.Source{Text: "name: " + name + "\n"}))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	dir := t.TempDir()
	rules := []mesh.Rule{{Group: "edge", Node: "edge-*"}, {Group: "inner", Cluster: "i?"}}
	meshes := map[string]*mesh.Mesh{mesh.DefaultGroup: mk("d"), "edge": mk("e"), "inner": mk("i")}
	o, err := Save(dir, nil, rules, meshes, Disk{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules, open(t, dir).Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	meshes["edge"] = mk("e2")
	save(t, dir, o, meshes)
	got := snapshot(t, dir)
	for _, want := range []string{"default/lds.yaml", "edge/lds.yaml", "inner/lds.yaml", "groups.yaml"} {
		if _, ok := got[want]; !ok || len(got) != 4 {
			t.Errorf("no %s in %v", want, got)
		}
	}
}

// A write that fails leaves every file as it was, whichever one fails.
func TestSaveFailingHalfWay(t *testing.T) {
	for fail := range 3 {
		dir := copied(t, "testdata/dynamic-fs")
		before := snapshot(t, dir)
		o := open(t, dir)
		m := o.Meshes[mesh.DefaultGroup]
		for _, r := range m.All() {
			m = m.With(decoded(t, r.Key.Type, mesh.Source{Text: r.Source.Text + "# changed\n"}))
		}
		written, failed := 0, ""
		w := writerFunc(func(path string, data []byte, perm fs.FileMode) error {
			if written++; written == fail+1 {
				failed = path
				return errors.New("no space left on device")
			}
			return Disk{}.WriteFile(path, data, perm)
		})
		_, err := Save(dir, o, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m}, w)
		if err == nil || !strings.Contains(err.Error(), failed) || failed == "" {
			t.Fatalf("write %d: %v does not name %q", fail, err, failed)
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Errorf("write %d (-want +got):\n%s", fail, diff)
		}
	}
}

func TestSaveOrder(t *testing.T) {
	o := open(t, "testdata/bootstraps/tls-termination.yaml")
	var order []string
	w := writerFunc(func(path string, _ []byte, perm fs.FileMode) error {
		order = append(order, fmt.Sprintf("%s %o", filepath.Base(path), perm))
		return nil
	})
	if _, err := Save(filepath.Join(t.TempDir(), "x"), o, nil, o.Meshes, w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"sds.yaml 600", "eds.yaml 644", "cds.yaml 644", "rds.yaml 644", "lds.yaml 644"}, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSaveIntoABrokenFile(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": "resources:\n- {\n", "lds.yaml": "resources: []\n"})
	o := open(t, dir)
	m := o.Meshes[mesh.DefaultGroup].With(decoded(t, mesh.Cluster, mesh.Source{Text: "name: a\n"}))
	if _, err := Save(dir, o, nil, map[string]*mesh.Mesh{mesh.DefaultGroup: m}, Disk{}); err == nil || !strings.Contains(err.Error(), "cds.yaml") {
		t.Errorf("got %v", err)
	}
	l := o.Meshes[mesh.DefaultGroup].With(decoded(t, mesh.Listener, mesh.Source{Text: "name: a\n"}))
	save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: l})
	if got := snapshot(t, dir)["cds.yaml"]; got != "resources:\n- {\n" {
		t.Errorf("the broken file became %q", got)
	}
}

// Resources that share anchors survive a change to the one that has them.
func TestSaveSharedAnchors(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": `resources:
- "@type": &t type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: a
  connect_timeout: &wait 5s
- "@type": *t
  name: b
  connect_timeout: *wait
`})
	o := open(t, dir)
	save(t, dir, o, edit(t, o, mesh.Key{Type: mesh.Cluster, Name: "b"}, func(s string) (string, error) { return text.Set(s, "lb_policy", "RANDOM") }))
	o = open(t, dir)
	save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: o.Meshes[mesh.DefaultGroup].Without(mesh.Key{Type: mesh.Cluster, Name: "a"})})
}

// Removing a resource that is there twice removes both texts of it.
func TestSaveWithoutATwin(t *testing.T) {
	item := "- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: "
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": "resources:\n" + item + "a\n" + item + "b\n" + item + "a\n"})
	o := open(t, dir)
	if len(o.Problems) != 1 {
		t.Fatal(o.Problems)
	}
	o = save(t, dir, o, edit(t, o, mesh.Key{Type: mesh.Cluster, Name: "b"}, func(s string) (string, error) { return s + "# b\n", nil }))
	if got := snapshot(t, dir)["cds.yaml"]; strings.Count(got, "name: a") != 2 {
		t.Errorf("a text was lost:\n%s", got)
	}
	save(t, dir, o, map[string]*mesh.Mesh{mesh.DefaultGroup: o.Meshes[mesh.DefaultGroup].Without(mesh.Key{Type: mesh.Cluster, Name: "a"})})
	if got := snapshot(t, dir)["cds.yaml"]; strings.Contains(got, "name: a") {
		t.Errorf("it is still there:\n%s", got)
	}
}

func TestDiskKeepsLinksAndModes(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := (Disk{}).WriteFile(link, []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "new" {
		t.Errorf("%q %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
