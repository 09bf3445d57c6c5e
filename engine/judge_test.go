package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// single is a lab that opens one file, with others beside it.
func single(t *testing.T, name, content string, beside map[string]string) *lab {
	t.Helper()
	dir := t.TempDir()
	l := &lab{T: t, dir: filepath.Join(dir, name), state: t.TempDir()}
	l.must(os.WriteFile(l.dir, []byte(content), 0o600))
	for other, text := range beside {
		l.must(os.WriteFile(filepath.Join(dir, other), []byte(text), 0o600))
	}
	return l
}

func errorsAmong(fs []mesh.Finding) []mesh.Finding {
	var out []mesh.Finding
	for _, f := range fs {
		if f.Severity == mesh.Error {
			out = append(out, f)
		}
	}
	return out
}

// The dump of a running Envoy without its endpoints is served and has no errors;
// that they are missing is said once, and first.
func TestADumpWithoutEndpointsIsServed(t *testing.T) {
	const dump = `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": [
 {"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "app", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": {"ads": {}}}}},
 {"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "b", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": {"ads": {}}}}}]}]}`
	l := single(t, "dump.json", dump, nil)
	w := l.open()
	s := w.State()
	if errs := errorsAmong(append(s.Groups[0].Findings, s.Notices...)); len(errs) > 0 || s.Head() == nil {
		t.Errorf("served %v, errors %v", s.Head(), errs)
	}
	if n := notice(s, files.NotInDump); n == nil || !strings.Contains(n.Message, "2 clusters") {
		t.Errorf("it is not said that endpoints are missing: %v", s.Notices)
	}
	opened, err := files.Open(l.dir)
	l.must(err)
	if all := engine.Check(opened); all[0].Rule != files.NotInDump || len(errorsAmong(all)) > 0 {
		t.Errorf("check says %v", all)
	}
}

const pointingBootstrap = `static_resources:
  clusters:
  - name: app
    type: EDS
    connect_timeout: 1s
    eds_cluster_config: {eds_config: SOURCE}
`

// What a bootstrap names in a file is served, and followed when it changes.
func TestABootstrapThatReadsAFileIsServedWithIt(t *testing.T) {
	body := response(mesh.Endpoints, engine.Template(mesh.Endpoints, "app"))
	l := single(t, "envoy.yaml", strings.Replace(pointingBootstrap, "SOURCE", "{path_config_source: {path: app.yaml}}", 1), map[string]string{"app.yaml": body})
	w := l.open()
	s := w.State()
	if s.Head() == nil || s.Groups[0].Live.Get(endpoints) == nil || len(errorsAmong(s.Groups[0].Findings)) > 0 {
		t.Fatalf("served %v: %v", s.Head(), s.Groups[0].Findings)
	}
	at := filepath.Join(filepath.Dir(l.dir), "app.yaml")
	l.must(os.WriteFile(at, []byte(strings.Replace(body, "8080", "8081", 1)), 0o600))
	l.await(w, "the change of that file is offered", func(s *engine.State) bool {
		return s.Disk != nil && s.Disk.Changes == 1 && len(s.Disk.Files) == 1 && s.Disk.Files[0] == at
	})
	l.must(os.WriteFile(at, []byte("resources: ["), 0o600))
	l.await(w, "a file that cannot be read is no change to take", func(s *engine.State) bool {
		return s.Disk != nil && len(s.Disk.Problem) == 1 && s.Disk.Problem[0].Rule == files.UnusablePath
	})
	if err := w.TakeDisk(); err == nil {
		t.Error("a broken file was taken")
	}
	l.close(w)
	if s := l.open().State(); s.Head() == nil || s.Head().Number != 1 || s.Groups[0].Live.Get(endpoints) == nil {
		t.Errorf("what was served is not served on: %v", s.Notices)
	}
}

// A reader is warned of what comes from another control plane; a push, which would
// take it away from an Envoy, is refused unless it is forced.
func TestWhatComesFromAnotherControlPlaneHoldsBackAPush(t *testing.T) {
	body := strings.Replace(pointingBootstrap, "SOURCE", "{ads: {}}", 1) +
		"dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}\n"
	l := single(t, "envoy.yaml", body, nil)
	w := l.open()
	s := w.State()
	if errs := errorsAmong(s.Groups[0].Findings); len(errs) > 0 || s.Head() != nil {
		t.Errorf("served %v, errors %v", s.Head(), errs)
	}
	if n := notice(s, "not-served"); n == nil || !strings.Contains(n.Message, "1 name of what comes from another control plane") {
		t.Errorf("it is not said why nothing is served: %v", s.Notices)
	}
	var refused *engine.PushError
	if _, err := w.Push(engine.PushOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "another control plane") {
		t.Errorf("pushed: %v", err)
	}
	_, err := w.Push(engine.PushOptions{Force: true})
	l.must(err)
	opened, err := files.Open(l.dir)
	l.must(err)
	if errs := errorsAmong(engine.Check(opened)); len(errs) > 0 {
		t.Errorf("check says %v", errs)
	}
}

// Kept requests that cannot be read are told by Check.
func TestCheckTellsOfKeptRequests(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"binary":        {"\x00\x01\x02\xff", ""},
		"no YAML":       {"requests: [", ""},
		"unknown group": {"requests:\n- {name: a, group: edge, path: /}\n", "group \"edge\""},
		"none":          {"requests: []\n", "-"},
	} {
		l := newLab(t)
		l.write("requests.yaml", c.content)
		opened, err := files.Open(l.dir)
		l.must(err)
		var said []string
		for _, f := range engine.Check(opened) {
			if filepath.Base(f.File) == "requests.yaml" && f.Severity > mesh.Note {
				said = append(said, f.String())
			}
		}
		if got := strings.Join(said, "\n"); (c.want == "-") != (got == "") || c.want != "-" && !strings.Contains(got, c.want) {
			t.Errorf("%s: said %q, want %q", name, got, c.want)
		}
	}
}
