package match_test

import (
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// resource decodes the YAML of one resource.
func resource(t testing.TB, kind mesh.Type, yaml string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(kind, text.Whole("", yaml))
	if r == nil {
		t.Fatalf("%s:\n%s\n%v", kind, yaml, findings)
	}
	return r
}

func TestThinThread(t *testing.T) {
	m, err := mesh.New(
		resource(t, mesh.Listener, `
name: web
address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
filter_chains:
- filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: shop, config_source: {ads: {}}}
      http_filters:
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`),
		resource(t, mesh.Route, `
name: shop
virtual_hosts:
- name: www
  domains: ["www.example.com"]
  routes:
  - name: foo
    match: {prefix: /foo}
    route: {weighted_clusters: {clusters: [{name: app, weight: 90}, {name: app-v2, weight: 10}]}}
  - match: {prefix: /}
    redirect: {https_redirect: true}
`),
		resource(t, mesh.Cluster, `{name: app, type: EDS, eds_cluster_config: {eds_config: {ads: {}}}}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	matcher := match.New(m)
	for path, want := range map[string]string{
		"/foo/x": "web ▸ www ▸ foo ▸ app 90, app-v2 10",
		"/":      "redirect 301 https://www.example.com/",
	} {
		e := matcher.Explain(&match.Request{Host: "www.example.com", Path: path})
		if got := e.Target(); got != want {
			t.Errorf("%s: %s, want %s\n%+v", path, got, want, e)
		}
		if len(e.Losers) != 1 {
			t.Errorf("%s: losers %+v, want the other route", path, e.Losers)
		}
		t.Logf("%+v\n%+v\n%v", e.Steps, e.Losers, e.Caveats)
	}
}
