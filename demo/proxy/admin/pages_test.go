package admin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/demo/proxy/admin"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Every page answers as an Envoy's does, in form and in status.
func TestPages(t *testing.T) {
	s, _ := demoState(t)
	server := httptest.NewServer(admin.Handler(func() *admin.State { return s }))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		path   string
		status int
		want   []string
		never  string
	}{
		{"/", 200, []string{"built-in proxy", "/config_dump"}, "quitquitquit"},
		{"/nothing", 404, []string{"invalid path. admin commands are:"}, ""},
		{"/ready", 200, []string{"LIVE\n"}, ""},
		{"/server_info", 200, []string{"meshtui built-in proxy/1.0.0/", `"id": "builtin-1"`, `"state": "LIVE"`}, "nvoy/"},
		{"/listeners", 200, []string{"web::127.0.0.1:10000\n"}, ""},
		{"/listeners?format=json", 200, []string{`"listener_statuses"`, `"port_value": 10000`}, ""},
		{"/init_dump", 200, []string{"{}"}, ""},
		{"/clusters", 200, []string{
			"app::observability_name::app\n", "app::default_priority::max_retries::3\n", "app::127.0.0.1:9001::rq_total::7\n",
			"app::127.0.0.1:9003::health_flags::/failed_outlier_check\n", "app::127.0.0.1:9001::health_flags::healthy\n",
			"app::127.0.0.1:9001::zone::a\n", "app::eds_service_name::app-endpoints\n",
		}, ""},
		{"/clusters?filter=^x$", 200, nil, "app"},
		{"/clusters?filter=(", 400, []string{"Invalid re2 regex"}, ""},
		{"/clusters?format=json", 200, []string{`"eds_health_status": "UNHEALTHY"`, `"value": "7"`, `"type": "GAUGE"`, `"zone": "b"`}, "TIMEOUT"},
		{"/stats", 200, []string{
			"cluster_manager.cds.version_text: \"c1\"\n", "http.web.rds.main.version_text: \"r1\"\n", "cluster.app.version_text: \"e1\"\n",
			"cluster.app.upstream_rq_total: 7\n", "cluster.app.upstream_rq_active: 0\n", "listener_manager.total_listeners_active: 1\n",
		}, ""},
		{"/stats?usedonly&type=Counters", 200, []string{"cluster.app.upstream_rq_total: 7\n"}, "active"},
		{"/stats?type=Gauges", 200, []string{"cluster.app.upstream_rq_active: 0\n"}, "rq_total"},
		{"/stats?type=nonsense", 400, []string{"usage"}, ""},
		{"/stats?format=json&filter=rq_total", 200, []string{`{"stats":[{"name":"cluster.app.upstream_rq_total","value":7}]}`}, ""},
		{"/config_dump", 200, []string{
			"admin.v3.BootstrapConfigDump", "admin.v3.ClustersConfigDump", "admin.v3.ListenersConfigDump", "admin.v3.RoutesConfigDump",
			"admin.v3.SecretsConfigDump", "[redacted]", "the certificate", `"version_info": "c1"`,
		}, "EndpointsConfigDump"},
		{"/config_dump?include_eds", 200, []string{"admin.v3.EndpointsConfigDump"}, "the secret key"},
		{"/config_dump?resource=dynamic_listeners", 200, []string{`"active_state"`}, "the secret key"},
		{"/config_dump?resource=dynamic_warming_clusters", 200, []string{"{}"}, "configs"},
		{"/config_dump?resource=nonsense", 404, []string{"nonsense not found in config dump"}, ""},
		{"/config_dump?mask=nonsense", 400, []string{"could not be successfully used"}, ""},
		{"/config_dump?mask=version_info", 200, []string{`"version_info": "c1"`, `"version_info": "l1"`}, "last_updated"},
		{"/config_dump?resource=dynamic_active_clusters&name_regex=^other$", 200, []string{"{}"}, "app"},
	} {
		status, body := get(t, server.URL+strings.ReplaceAll(c.path, "^", "%5E"))
		if status != c.status {
			t.Errorf("%s: status %d", c.path, status)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in\n%s", c.path, want, body)
			}
		}
		if c.never != "" && strings.Contains(body, c.never) {
			t.Errorf("%s: %q in\n%s", c.path, c.never, body)
		}
	}
	res, err := http.Post(server.URL+"/ready", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %d", res.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A mask steps into the packed resource and keeps that alone.
func TestMask(t *testing.T) {
	s, _ := demoState(t)
	server := httptest.NewServer(admin.Handler(func() *admin.State { return s }))
	t.Cleanup(server.Close)
	_, body := get(t, server.URL+"/config_dump?resource=dynamic_active_clusters&mask=cluster.name,cluster.type,version_info")
	var got any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"configs": []any{map[string]any{
		"@type":        "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster",
		"version_info": "1",
		"cluster":      map[string]any{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "app", "type": "EDS"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	http.DefaultClient.CloseIdleConnections()
}
