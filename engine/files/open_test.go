package files

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files from what the code does")

// dump is all that an opened workspace says, for goldens.
func dump(o *Opened) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q\n", o.Kind, o.Name)
	for _, r := range o.Rules {
		fmt.Fprintf(&b, "rule %+v\n", r)
	}
	for _, f := range o.Problems {
		fmt.Fprintf(&b, "problem: %s\n", f)
	}
	for _, f := range o.Notices {
		fmt.Fprintf(&b, "notice: %s\n", f)
	}
	var groups []string
	for g := range o.Meshes {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	for _, g := range groups {
		for _, r := range o.Meshes[g].All() {
			fmt.Fprintf(&b, "\n== %s: %s (line %d)\n%s", g, r.Key, r.Source.Line, r.Source.Text)
		}
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func bootstraps(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/bootstraps/*")
	if err != nil || len(files) < 7 {
		t.Fatalf("bootstraps: %v, %v", files, err)
	}
	return files
}

func open(t testing.TB, path string) *Opened {
	t.Helper()
	o, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOpenBootstrap(t *testing.T) {
	for _, path := range bootstraps(t) {
		o := open(t, path)
		if len(o.Problems) > 0 || o.Kind != Bootstrap {
			t.Errorf("%s: %v %v", path, o.Kind, o.Problems)
		}
		golden(t, filepath.Base(path)+".txt", dump(o))
	}
}

// Names that are missing or taken twice, aliases through what is lifted, parts
// that cannot be carried and a cluster that cannot be read.
func TestOpenAwkwardBootstrap(t *testing.T) {
	o := open(t, "testdata/awkward/bootstrap.yaml")
	golden(t, "awkward.txt", dump(o))
	dir := filepath.Join(t.TempDir(), "saved")
	save(t, dir, o, o.Meshes)
}

func TestOpenFolder(t *testing.T) {
	o := open(t, "testdata/dynamic-fs")
	golden(t, "dynamic-fs.txt", dump(o))
	if got := o.Paths(); len(got) != 4 {
		t.Errorf("paths %v", got)
	}
}

// write fills a folder with files.
func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// relative takes the test's own folder out of a text.
func relative(s, dir string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, dir, "DIR"), fmt.Sprintf("%q", filepath.Base(dir)), `"DIR"`)
}

func TestOneBadResourceHarmsNoOther(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"cds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: good
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: bad
  lb_polcy: x
- name: untyped
- just text
- "@type": type.googleapis.com/envoy.api.v2.Cluster
  name: old
- "@type": type.googleapis.com/envoy.config.core.v3.Node
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: good
- {"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: flow}
`,
		"eds.yaml":  "resources:\n- {\n",
		"rds.yml":   "virtual_hosts: []\n",
		"sds.yaml":  "\n# no secrets yet\n",
		"lds.json":  `{"resources": [{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "web"}]}`,
		"other.yml": "a: 1\n", "notes.txt": "no yaml",
		"edge/lds.yaml":   "resources: []\n",
		"unrelated/x.yml": "resources: []\n",
		"groups.yaml":     "groups:\n- {group: edge, node: edge-*}\n- {group: more, cluster: '['}\n- 5\n",
	})
	golden(t, "bad.txt", relative(dump(open(t, dir)), dir))
}

func TestOpenRefuses(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"empty.yaml": "# nothing\n", "garbage.bin": "\x00\x01\xff\xfe", "jinja.yaml": "static_resources:\n{% for c in clusters %}\n- {{ c }}\n{% endfor %}\n",
		"v2.yaml":     "static_resources:\n  clusters:\n  - name: a\n    hosts: [{socket_address: {address: 127.0.0.1, port_value: 1}}]\n",
		"v2type.yaml": "static_resources:\n  listeners:\n  - name: a\n    filter_chains:\n    - filters:\n      - name: x\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.config.filter.network.tcp_proxy.v2.TcpProxy\n",
		"multi.yaml":  "static_resources: {}\n---\na: 1\n", "dump.json": `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"}]}`,
		"single.yaml": "name: web\nfilter_chains: []\n", "alien.yaml": "apiVersion: v1\nkind: Pod\n", "list.yaml": "- a\n", "scalar.yaml": "hello\n",
		"dynamic.yaml": "dynamic_resources:\n  cds_config: {path_config_source: {path: /etc/envoy/cds.yaml}}\n", "ads.yaml": "node: {id: a}\ndynamic_resources: {ads_config: {api_type: GRPC}}\n",
		"top.yaml": "listeners: []\n", "broken.yaml": "static_resources:\n  a: [\n", "folder/notes.txt": "x", "folder2/envoy.yaml": "static_resources: {}\n",
		"list_of.yaml": "static_resources: {clusters: 5}\n",
	})
	names := []string{"missing", "empty.yaml", "garbage.bin", "jinja.yaml", "v2.yaml", "v2type.yaml", "multi.yaml", "dump.json", "single.yaml",
		"alien.yaml", "list.yaml", "scalar.yaml", "dynamic.yaml", "ads.yaml", "top.yaml", "broken.yaml", "folder", "folder2", "list_of.yaml"}
	var b strings.Builder
	for _, name := range names {
		o, err := Open(filepath.Join(dir, name))
		if err == nil {
			t.Errorf("%s was opened: %s", name, dump(o))
			continue
		}
		if msg := err.Error(); strings.Contains(msg, "\n") || strings.HasSuffix(msg, ".") {
			t.Errorf("%s: not one sentence: %q", name, msg)
		}
		fmt.Fprintf(&b, "%s\n", relative(err.Error(), dir))
	}
	golden(t, "refused.txt", b.String())
}

func TestOpenCrowdedFile(t *testing.T) {
	dir := copied(t, "testdata/dynamic-fs")
	eds := snapshot(t, dir)["eds.yaml"]
	write(t, dir, map[string]string{"eds.yaml": eds + strings.Replace(strings.TrimPrefix(eds, "resources:\n"), "example_proxy_cluster", "other", 1)})
	for _, f := range open(t, dir).Notices {
		if f.Rule == "crowded-file" && f.File == filepath.Join(dir, "eds.yaml") {
			return
		}
	}
	t.Error("nothing is said about two load assignments in a file that a cluster points to")
}

func TestOpenSingleResponse(t *testing.T) {
	o := open(t, "testdata/dynamic-fs/eds.yaml")
	if o.Kind != Response || o.Meshes[mesh.DefaultGroup].Get(mesh.Key{Type: mesh.Endpoints, Name: "example_proxy_cluster"}) == nil {
		t.Errorf("got %s", dump(o))
	}
}

func TestChangedComparesContent(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": "resources: []\n", "lds.yaml": "resources: []\n", "rds.yaml": "resources: []\n"})
	o := open(t, dir)
	write(t, dir, map[string]string{"cds.yaml": "resources: []\n"}) // the same again
	if got, err := o.Changed(); err != nil || len(got) != 0 {
		t.Fatalf("nothing changed, got %v, %v", got, err)
	}
	write(t, dir, map[string]string{"cds.yaml": "resources: [] \n", "eds.yaml": "resources: []\n"})
	if err := os.Remove(filepath.Join(dir, "lds.yaml")); err != nil {
		t.Fatal(err)
	}
	got, err := o.Changed()
	want := []string{filepath.Join(dir, "cds.yaml"), filepath.Join(dir, "eds.yaml"), filepath.Join(dir, "lds.yaml")}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func FuzzOpen(f *testing.F) {
	for _, path := range bootstraps(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, name := range []string{"lds", "rds", "cds", "eds"} {
		data, err := os.ReadFile("testdata/dynamic-fs/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := openFile("fuzz.yaml", data)
		if (o == nil) != (err != nil) {
			t.Fatalf("%v beside %v", o, err)
		}
	})
}

// The checks of a mesh say what is not looked into, so Open does not.
func TestExtensionsThatAreNotCheckedAreNotNoted(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"cds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: app
  typed_extension_protocol_options:
    acme: {"@type": type.googleapis.com/acme.v1.Options}
`})
	o := open(t, dir)
	for _, f := range append(o.Problems, o.Notices...) {
		t.Errorf("%s", f)
	}
	if o.Meshes[mesh.DefaultGroup].Len() != 1 {
		t.Error("the cluster was not read")
	}
}
