package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest"
)

// realEnvoy runs an Envoy that takes the resources from files, as from a
// control plane, and returns its admin interface.
func realEnvoy(t *testing.T, files map[string]string) (url string) {
	t.Helper()
	binary, dir, port := xdstest.NeedEnvoy(t), t.TempDir(), freePort(t)
	for name, resources := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(resources, "$DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bootstrap := fmt.Sprintf(`
node: {id: builtin-1, cluster: meshtui}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %s}}}
dynamic_resources:
  cds_config: {path_config_source: {path: %[2]s/cds.yaml}}
  lds_config: {path_config_source: {path: %[2]s/lds.yaml}}
`, port, dir)
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "off")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-exited
	})
	url = "http://127.0.0.1:" + port
	deadline := time.Now().Add(30 * time.Second)
	for {
		if res, err := http.Get(url + "/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return url
			}
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("Envoy ended: %v\n%s", err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy is not ready")
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// resourceFile is a DiscoveryResponse with one type's resources.
func resourceFile(kind mesh.Type, all ...string) string {
	out := "version_info: v1\nresources:\n"
	for _, yaml := range all {
		out += "- \"@type\": " + kind.URL() + "\n  " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ") + "\n"
	}
	return out
}

// Each page has the form of the same page of an Envoy that has the same
// resources: every field that we tell is one that it tells, with a value of the
// same kind.
func TestFormsAreEnvoys(t *testing.T) {
	listener := strings.Replace(withoutTLS(listenerYAML), "port_value: 10000", "port_value: "+freePort(t), 1)
	listener = strings.Replace(listener, "{ads: {}, resource_api_version: V3}", "{path_config_source: {path: $DIR/rds.yaml}}", 1)
	bad := strings.Replace(strings.Replace(listener, "name: web", "name: bad", 1), "address: 127.0.0.1", "address: 203.0.113.9", 1)
	cluster := strings.Replace(clusterYAML, "{ads: {}, resource_api_version: V3}", "{path_config_source: {path: $DIR/eds.yaml}}", 1)
	theirs := realEnvoy(t, map[string]string{
		"lds.yaml": resourceFile(mesh.Listener, listener, bad), "rds.yaml": resourceFile(mesh.Route, routeYAML),
		"cds.yaml": resourceFile(mesh.Cluster, cluster), "eds.yaml": resourceFile(mesh.Endpoints, endpointsYAML),
	})
	s, _ := demoState(t)
	s.Listeners[0].Message = resource(t, mesh.Listener, listener)
	s.Clusters[0].Message = resource(t, mesh.Cluster, cluster)
	refused := resource(t, mesh.Listener, bad)
	s.Listeners = append(s.Listeners, admin.Dynamic{Name: "bad", Failure: &admin.Failure{At: s.Started, Version: "2", Details: "no", Message: refused}})
	server := httptest.NewServer(admin.Handler(func() *admin.State { return s }))
	t.Cleanup(server.Close)
	for _, path := range []string{
		"/clusters?format=json", "/listeners?format=json", "/server_info", "/config_dump?include_eds", "/init_dump",
		"/config_dump?resource=dynamic_active_clusters", "/config_dump?resource=dynamic_listeners",
		"/config_dump?resource=dynamic_route_configs", "/config_dump?resource=dynamic_endpoint_configs&include_eds",
		"/config_dump?resource=dynamic_warming_clusters&mask=cluster.name", "/config_dump?mask=version_info",
		"/config_dump?resource=dynamic_active_clusters&mask=cluster.name,version_info", "/stats?format=json&filter=upstream_rq_total",
	} {
		ours, want := form(t, server.URL+path), form(t, theirs+path)
		for at, kind := range ours {
			if want[at] == "" && !ignoredForm(at) {
				t.Errorf("%s: an Envoy tells no %s", path, at)
			} else if want[at] != kind && want[at] != "" {
				t.Errorf("%s: %s is a %s, and a %s in an Envoy", path, at, kind, want[at])
			}
		}
		if len(ours) == 0 != (len(want) == 0) {
			t.Errorf("%s: we tell %d fields, an Envoy %d", path, len(ours), len(want))
		}
	}
	var kinds [2][]string
	for i, url := range []string{server.URL, theirs} {
		var dump struct {
			Configs []map[string]any `json:"configs"`
		}
		_, body := get(t, url+"/config_dump?include_eds")
		if err := json.Unmarshal([]byte(body), &dump); err != nil {
			t.Fatal(err)
		}
		for _, c := range dump.Configs {
			kinds[i] = append(kinds[i], c["@type"].(string))
		}
	}
	kinds[1] = slices.DeleteFunc(kinds[1], func(k string) bool { return strings.HasSuffix(k, "EcdsConfigDump") })
	if diff := cmp.Diff(kinds[1], kinds[0]); diff != "" {
		t.Errorf("parts of the dump: Envoy -, ours +\n%s", diff)
	}
	if diff := cmp.Diff(textForm(t, theirs), textForm(t, server.URL)); diff != "" {
		t.Errorf("/clusters as text: Envoy -, ours +\n%s", diff)
	}
	http.DefaultClient.CloseIdleConnections()
}

// withoutTLS takes the transport socket out of a listener.
func withoutTLS(yaml string) string {
	from, to := strings.Index(yaml, "- transport_socket:"), strings.Index(yaml, "  filters:")
	return yaml[:from] + "- filters:" + yaml[to+len("  filters:"):]
}

// ignoredForm are fields of ours that this Envoy has no reason to tell: flags of
// hosts that are ill in our state and well in its.
func ignoredForm(at string) bool {
	return strings.Contains(at, ".health_status.") || strings.HasSuffix(at, "stats[].value") || strings.HasSuffix(at, "user_agent_name") ||
		strings.Contains(at, "bootstrap.node.")
}

// form is the kind of value at every path of an answer.
func form(t *testing.T, url string) map[string]string {
	t.Helper()
	status, body := get(t, url)
	if status != http.StatusOK {
		t.Fatalf("%s: status %d %s", url, status, body)
	}
	var tree any
	if err := json.Unmarshal([]byte(body), &tree); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	out := map[string]string{}
	formOf(out, "", tree)
	delete(out, "")
	return out
}

func formOf(out map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		out[at] = "object"
		for name, value := range v {
			formOf(out, at+"."+name, value)
		}
	case []any:
		out[at] = "list"
		for _, value := range v {
			formOf(out, at+"[]", value)
		}
	case string:
		out[at] = "string"
	default:
		out[at] = fmt.Sprintf("%T", v)
	}
}

// textForm is what /clusters tells of the cluster and of one of its hosts, in
// its text form, without values.
func textForm(t *testing.T, url string) []string {
	t.Helper()
	_, body := get(t, url+"/clusters?filter="+strings.ReplaceAll("^app$", "^", "%5E"))
	var out []string
	for line := range strings.Lines(body) {
		parts := strings.Split(strings.TrimSpace(line), "::")
		name := strings.Join(parts[:len(parts)-1], "::")
		if !strings.Contains(name, "127.0.0.1:900") || strings.Contains(name, "127.0.0.1:9001") {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return slices.DeleteFunc(out, func(s string) bool {
		return strings.Contains(s, "[::1]") || strings.HasSuffix(s, "success_rate") || strings.Contains(s, "outlier::")
	})
}
