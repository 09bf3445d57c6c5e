package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
)

const pointingCluster = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: app
  type: EDS
  connect_timeout: 1s
  eds_cluster_config:
    eds_config:
      path_config_source:
        path: PATH
`

const pointedAt = `resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: app
`

// front writes a folder whose cluster has its endpoints at path, "" for its own
// eds.yaml.
func front(t *testing.T, dir, path string, more map[string]string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(dir, "eds.yaml")
	}
	files := map[string]string{"cds.yaml": strings.Replace(pointingCluster, "PATH", path, 1)}
	for name, data := range more {
		files[name] = data
	}
	return write(t, dir, files)
}

// said are the findings of an opened workspace, its folder and the rest of the
// test's own folders taken out.
func said(t *testing.T, o *Opened) []string {
	t.Helper()
	var out []string
	for _, f := range append(append([]mesh.Finding(nil), o.Problems...), o.Notices...) {
		out = append(out, strings.ReplaceAll(strings.ReplaceAll(f.String(), o.Path, "DIR"), filepath.Dir(o.Path), "UP"))
	}
	return out
}

func TestWhereAPathPoints(t *testing.T) {
	whole := map[string]string{"eds.yaml": pointedAt}
	up := t.TempDir()
	elsewhere := write(t, filepath.Join(up, "other"), map[string]string{"app.yaml": pointedAt, "eds.yaml": pointedAt})
	const at = "DIR/cds.yaml:"
	const field = " cluster app: eds_cluster_config.eds_config"
	for name, c := range map[string]struct {
		path string
		more map[string]string
		want []string
		ads  bool
	}{
		"its own file": {"", whole, []string{at + "8: note:" + field + `: path_config_source DIR/eds.yaml is served as "ads: {}"; on disk it stays`}, true},
		"of a container": {"/no/such/place/eds.yaml", whole, []string{
			at + "8: note:" + field + `: path_config_source /no/such/place/eds.yaml is served as "ads: {}"; on disk it stays`}, true},
		"copied": {filepath.Join(elsewhere, "eds.yaml"), whole, []string{
			at + "8: warning:" + field + ": path_config_source UP/other/eds.yaml is of another folder; eds.yaml of this one is served in its place (save writes the new place)"}, true},
		"renamed": {filepath.Join(up, "gone", "eds.yaml"), whole, []string{
			at + "8: warning:" + field + ": path_config_source UP/gone/eds.yaml is of another folder; eds.yaml of this one is served in its place (save writes the new place)"}, true},
		"a namesake without it": {filepath.Join(elsewhere, "eds.yaml"), map[string]string{"eds.yaml": "resources: []\n"}, []string{
			at + "9: warning:" + field + ".path_config_source.path: Envoy reads UP/other/eds.yaml by itself; meshtui neither serves nor watches it (put it into the workspace to have it served)"}, false},
		"elsewhere": {filepath.Join(elsewhere, "app.yaml"), whole, []string{
			at + "9: warning:" + field + ".path_config_source.path: Envoy reads UP/other/app.yaml by itself; meshtui neither serves nor watches it (put it into the workspace to have it served)"}, false},
		"nowhere": {filepath.Join(up, "eds-x.yaml"), whole, []string{
			at + "9: error:" + field + ".path_config_source.path: there is no UP/eds-x.yaml, and Envoy rejects the resource: paths must refer to an existing path (put the file there, or correct the path)"}, false},
		"moved away": {"", nil, []string{
			at + "9: error:" + field + ".path_config_source.path: there is no DIR/eds.yaml, and Envoy rejects the resource: paths must refer to an existing path (put the file there, or correct the path)"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, front(t, filepath.Join(up, strings.ReplaceAll(name, " ", "-")+".d"), c.path, c.more))
			if diff := cmp.Diff(c.want, said(t, o)); diff != "" {
				t.Error(diff)
			}
			body := o.Meshes[mesh.DefaultGroup].Get(mesh.Key{Type: mesh.Cluster, Name: "app"}).Source.Text
			if strings.Contains(body, "ads: {}") != c.ads {
				t.Errorf("served as\n%s", body)
			}
		})
	}
}

func TestARenamedFolderOfGroups(t *testing.T) {
	up := t.TempDir()
	o := open(t, write(t, filepath.Join(up, "new.d"), map[string]string{
		"groups.yaml":   "groups: [{group: edge, node: edge-*}]\n",
		"edge/cds.yaml": strings.Replace(pointingCluster, "PATH", filepath.Join(up, "old.d", "edge", "eds.yaml"), 1), "edge/eds.yaml": pointedAt}))
	if len(o.Problems) > 0 || len(o.Notices) != 1 || o.Notices[0].Rule != "moved-path" {
		t.Error(said(t, o))
	}
}

func TestSaveWritesTheNewPlaceOfACopy(t *testing.T) {
	up := t.TempDir()
	first := front(t, filepath.Join(up, "front.d"), "", map[string]string{"eds.yaml": pointedAt})
	data, err := os.ReadFile(filepath.Join(first, "cds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	second := write(t, filepath.Join(up, "front2.d"), map[string]string{"cds.yaml": string(data), "eds.yaml": pointedAt})
	o := open(t, second)
	saved, err := Save(second, o, o.Rules, o.Meshes, Disk{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"eds.yaml": pointedAt,
		"cds.yaml": strings.Replace(pointingCluster, "PATH", filepath.Join(second, "eds.yaml"), 1)}
	if diff := cmp.Diff(want, snapshot(t, second)); diff != "" {
		t.Error(diff)
	}
	for _, f := range saved.Notices {
		if f.Severity > mesh.Note {
			t.Errorf("after the save it is still said: %s", f)
		}
	}
}
