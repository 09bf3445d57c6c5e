package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
)

// askingFront is a bootstrap whose routes and endpoints are elsewhere.
const askingFront = `static_resources:
  listeners:
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          rds: # where the routes are
            route_config_name: dyn
            config_source: ROUTES
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: app
    type: EDS
    eds_cluster_config: {service_name: svc, eds_config: ENDPOINTS}
`

const dynRoutes = `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: dyn
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes: [{match: {prefix: /}, route: {cluster: app, timeout: 0s}}]
`

const svcEndpoints = `{"resources": [{"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  "cluster_name": "svc",
  "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9001}}}}]}]}]}
`

// asking writes a bootstrap that has its routes and endpoints from the given config
// sources, beside other files.
func asking(t *testing.T, routes, endpoints, more string, files map[string]string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	body := strings.NewReplacer("ROUTES", routes, "ENDPOINTS", endpoints).Replace(askingFront) + more
	write(t, dir, files)
	write(t, dir, map[string]string{"envoy.yaml": strings.ReplaceAll(body, "DIR", dir)})
	return dir, filepath.Join(dir, "envoy.yaml")
}

// judged is all that there is to say of what was opened but notes, as people read
// it, less hints.
func judged(o *Opened, dir string) []string {
	var out []string
	for _, f := range append(append(append([]mesh.Finding(nil), o.Problems...), o.Notices...), check.MeshWith(o.Meshes[mesh.DefaultGroup], check.Around{Known: o.Known(mesh.DefaultGroup)})...) {
		if f.Severity > mesh.Note {
			f.Hint = ""
			out = append(out, relative(f.String(), dir))
		}
	}
	return out
}

func TestABootstrapWhoseRoutesAndEndpointsAreInFiles(t *testing.T) {
	dir, path := asking(t, "{path_config_source: {path: DIR/rds.yaml}}", "{path: eds.json}", "",
		map[string]string{"rds.yaml": dynRoutes, "eds.json": svcEndpoints})
	o := open(t, path)
	if got := judged(o, dir); len(got) > 0 {
		t.Errorf("it is in order: %s", strings.Join(got, "\n"))
	}
	m := o.Meshes[mesh.DefaultGroup]
	for _, want := range []struct {
		key  mesh.Key
		file string
		line int
	}{
		{mesh.Key{Type: mesh.Route, Name: "dyn"}, "rds.yaml", 2},
		{mesh.Key{Type: mesh.Endpoints, Name: "svc"}, "eds.json", 1},
	} {
		r := m.Get(want.key)
		if r == nil || r.Source.File != filepath.Join(dir, want.file) || r.Source.Line != want.line {
			t.Errorf("%s: %+v", want.key, r)
		}
	}
	for _, k := range []mesh.Key{{Type: mesh.Listener, Name: "web"}, {Type: mesh.Cluster, Name: "app"}} {
		if body := m.Get(k).Source.Text; !strings.Contains(body, "ads: {}") || strings.Contains(body, "path") {
			t.Errorf("%s is served as\n%s", k, body)
		}
	}
	if !strings.Contains(m.Get(mesh.Key{Type: mesh.Listener, Name: "web"}).Source.Text, "# where the routes are") {
		t.Error("a comment is lost")
	}
	if f := rule(o.Notices, "read-from"); f == nil || f.Line != 20 || !strings.Contains(f.Message, "endpoints svc: read from eds.json") {
		t.Errorf("it is not said where the routes are from: %v", f)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "eds.json"), path, filepath.Join(dir, "rds.yaml")}, o.Paths()); diff != "" {
		t.Error(diff)
	}
	write(t, dir, map[string]string{"rds.yaml": dynRoutes + "# edited\n"})
	if changed, err := o.Changed(); err != nil || len(changed) != 1 || filepath.Base(changed[0]) != "rds.yaml" {
		t.Errorf("changed: %v, %v", changed, err)
	}
	saved := save(t, filepath.Join(dir, "saved"), o, o.Meshes)
	if data, err := os.ReadFile(filepath.Join(dir, "saved", "rds.yaml")); err != nil || !strings.Contains(string(data), "name: dyn") || len(saved.Problems) > 0 {
		t.Errorf("saved %s, %v, %v", data, err, saved.Problems)
	}
}

// What is left to Envoy says why, and nothing is said of the reference.
func TestABootstrapWhoseFilesCannotBeRead(t *testing.T) {
	good := map[string]string{"rds.yaml": dynRoutes, "eds.json": svcEndpoints}
	const at = "DIR/envoy.yaml:13: warning: listener web: filter_chains[0].filters[0].typed_config.rds.config_source.path_config_source.path: " +
		"DIR/rds.yaml cannot be used, neither here nor by an Envoy: "
	for name, c := range map[string]struct {
		rds  string
		want []string
	}{
		"no YAML":     {"resources: [", []string{at + "line 1: "}},
		"no list":     {"name: dyn\n", []string{at + "there is no list of resources in it"}},
		"another one": {strings.ReplaceAll(dynRoutes, "dyn", "other"), []string{at + "it has no route dyn"}},
		"a mistake": {strings.ReplaceAll(dynRoutes, "domains", "domain"), []string{
			"DIR/rds.yaml:6:5: error: route dyn: virtual_hosts[0].domain: unknown field", at + "its route dyn cannot be read"}},
		"two": {dynRoutes + strings.TrimPrefix(strings.ReplaceAll(dynRoutes, "dyn", "other"), "resources:\n"), []string{
			"DIR/rds.yaml:8: warning: it has 2 resources, but an Envoy that reads it by path_config_source takes a file of exactly one"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := asking(t, "{path_config_source: {path: DIR/rds.yaml}}", "{path: DIR/eds.json}", "", good)
			write(t, dir, map[string]string{"rds.yaml": c.rds})
			got := judged(open(t, path), dir)
			if len(got) != len(c.want) {
				t.Fatalf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], c.want[i])
				}
			}
		})
	}
}

// Two resources of one name, from a file and from the bootstrap, are both kept.
func TestABootstrapWithANameFromTwoPlaces(t *testing.T) {
	more := "  - name: svc\n    type: STATIC\n    load_assignment: {cluster_name: svc, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.9, port_value: 9}}}}]}]}\n"
	_, path := asking(t, "{path_config_source: {path: DIR/rds.yaml}}", "{path: DIR/eds.json}", more,
		map[string]string{"rds.yaml": dynRoutes, "eds.json": svcEndpoints})
	o := open(t, path)
	m := o.Meshes[mesh.DefaultGroup]
	if r := m.Get(mesh.Key{Type: mesh.Endpoints, Name: "svc"}); r == nil || !strings.Contains(r.Source.Text, "127.0.0.9") {
		t.Errorf("the static endpoints are lost: %+v", r)
	}
	if r := m.Get(mesh.Key{Type: mesh.Cluster, Name: "app"}); !strings.Contains(r.Source.Text, "eds.json") {
		t.Errorf("the cluster would get the endpoints of another: %s", r.Source.Text)
	}
	if f := rule(o.Notices, "outside-path"); f == nil || !strings.Contains(f.Message, "there is another endpoints svc") {
		t.Errorf("it is not said: %v", o.Notices)
	}
}

func TestABootstrapOfAnotherControlPlane(t *testing.T) {
	const more = `  - name: fixed
    type: STATIC
    load_assignment: {cluster_name: fixed, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}
  - name: xds
    type: STATIC
    load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 18000}}}}]}]}
dynamic_resources:
  ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}
`
	dir, path := asking(t, "{ads: {}}", "{ads: {}}", more, nil)
	o := open(t, path)
	got := strings.Join(judged(o, dir), "\n")
	for _, want := range []string{
		`warning: listener web: filter_chains[0].filters[0].typed_config.rds.route_config_name: listener "web" names route "dyn", which comes from another control plane, not read here`,
		`warning: cluster app: eds_cluster_config.service_name: cluster "app" names the endpoints "svc", which come from another control plane, not read here`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it is not said: %s\n%s", want, got)
		}
	}
	if strings.Contains(got, "error") {
		t.Error(got)
	}
	// The very same without such a server is a mistake, and so is the loss of what was there.
	_, path = asking(t, "{ads: {}}", "{ads: {}}", "", nil)
	if from, known := open(t, path).Known(mesh.DefaultGroup).Absent(mesh.Key{Type: mesh.Route, Name: "dyn"}); known {
		t.Errorf("routes come from %q", from)
	}
	if from, known := o.Known(mesh.DefaultGroup).Absent(mesh.Key{Type: mesh.Endpoints, Name: "fixed"}); known {
		t.Errorf("what was opened comes from %q", from)
	}
}

// A dump without endpoints says so once, before all else.
func TestADumpWithoutEndpointsIsNoMistake(t *testing.T) {
	o := open(t, "testdata/dumps/istioctl-cluster.json")
	if f := o.Notices[0]; f.Rule != NotInDump || f.Severity != mesh.Warning || !strings.Contains(f.Message, "4 clusters") {
		t.Errorf("the first that is said: %s", f)
	}
	got := slices.DeleteFunc(judged(o, "testdata"), func(s string) bool { return strings.Contains(s, "BlackHoleCluster") })
	if len(got) != 1 {
		t.Errorf("more than that is said: %s", strings.Join(got, "\n"))
	}
}

// Static clusters of a dump, whose endpoints are lifted, do not stand for those of
// the others; a dump that was taken with endpoints and lacks some is not in order.
func TestADumpOfWhichEndpointsAreMissing(t *testing.T) {
	const clusters = `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
 "static_clusters": [{"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "fixed", "connect_timeout": "1s",
   "load_assignment": {"cluster_name": "fixed", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9}}}}]}]}}}],
 "dynamic_active_clusters": [{"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "app", "type": "EDS",
   "connect_timeout": "1s", "eds_cluster_config": {"eds_config": {"ads": {}}}}}]}MORE]}`
	for more, want := range map[string]string{
		"": "the endpoints of 1 cluster that asks EDS are not in it",
		`, {"@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump"}`: `error: cluster app: name: cluster "app" names the endpoints "app", which are not in this mesh`,
	} {
		dir := write(t, t.TempDir(), map[string]string{"dump.json": strings.Replace(clusters, "MORE", more, 1)})
		got := judged(open(t, filepath.Join(dir, "dump.json")), dir)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("said %s\nwant %s", strings.Join(got, "\n"), want)
		}
	}
}

// A resource or file that cannot be read is one problem, not one for each of those
// that name it.
func TestWhatCannotBeReadDoesNotCascade(t *testing.T) {
	const routes = "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: r\n  virtual_hosts:\n" +
		"  - {name: v, domains: [\"*\"], routes: [{match: {prefix: /}, route: {cluster: app, timeout: 1s}}]}\n"
	for name, cds := range map[string]string{
		"a resource": "resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: app\n  typ: EDS\n",
		"a file":     "resources: [\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, t.TempDir(), map[string]string{"rds.yaml": routes, "cds.yaml": cds})
			got := judged(open(t, dir), dir)
			if len(got) != 1 || !strings.HasPrefix(got[0], "DIR/cds.yaml:") {
				t.Errorf("said\n%s", strings.Join(got, "\n"))
			}
		})
	}
}
