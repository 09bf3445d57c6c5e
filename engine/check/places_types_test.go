package check

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
)

// TestPlacesInEveryTypesFile holds that findings about virtual hosts, scopes,
// extensions and runtimes stand on the operator's own lines, though the rules for
// routes look at a virtual host within a route configuration of our own making.
func TestPlacesInEveryTypesFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: r1
  vhds: {config_source: {ads: {}, resource_api_version: V3}}
  virtual_hosts:
  - name: own
    domains: [a.test]
    routes: [{match: {prefix: /}, direct_response: {status: 200}}]
`,
		"vhds.yaml": `resources:
# one that joins r1
- "@type": type.googleapis.com/envoy.config.route.v3.VirtualHost
  name: r1/www
  domains:
  - www.test
  - a.test
  - http://b.test
  routes:
  - match: {prefix: /}
    route: {cluster: gone, timeout: 5s}
  - match:
      safe_regex: {regex: "["}
    route: {cluster: gone, timeout: 5s}
  - match: {prefix: /late}
    direct_response: {status: 200}
  - match: {prefix: /x}
    route:
      timeout: 1s
      weighted_clusters:
        clusters:
        - name: gone
`,
		"srds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration
  name: gold
  route_configuration_name: nowhere
  key: {fragments: [{string_key: gold}]}
- "@type": type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration
  name: other
  route_configuration_name: r1
  key:
    fragments: [{string_key: gold}]
`,
		"ecds.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: guard
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    grpc_service:
      envoy_grpc:
        cluster_name: gone
    deny_at_disable: {}
    failure_mode_allow: true
    transport_api_version: V3
    metadata_context_namespaces: []
    filter_enabled:
      default_value: {numerator: 1}
`,
		"rtds.yaml": `resources:
- "@type": type.googleapis.com/envoy.service.runtime.v3.Runtime
  layer: {a.b: 1}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o, err := files.Open(dir)
	if err != nil || len(o.Problems) > 0 {
		t.Fatal(err, o.Problems)
	}
	var got []string
	for _, f := range Mesh(o.Meshes[mesh.DefaultGroup]) {
		if f.Severity > mesh.Note {
			got = append(got, fmt.Sprintf("%s:%d:%d %s %s", filepath.Base(f.File), f.Line, f.Column, f.Rule, f.Path))
		}
	}
	want := []string{
		"ecds.yaml:9:5 validation typed_config.deny_at_disable.default_value",
		"rtds.yaml:2:3 validation name",
		"srds.yaml:4:3 dangling-reference route_configuration_name",
		"srds.yaml:9:3 duplicate-scope key",
		"vhds.yaml:7:5 duplicate-domain domains[1]",
		"vhds.yaml:11:13 dangling-reference routes[0].route.cluster",
		"vhds.yaml:13:20 bad-regex routes[1].match.safe_regex.regex",
		"vhds.yaml:14:13 dangling-reference routes[1].route.cluster",
		"vhds.yaml:22:11 cluster-weights routes[3].route.weighted_clusters.clusters[0]",
		"vhds.yaml:22:11 dangling-reference routes[3].route.weighted_clusters.clusters[0].name",
		"ecds.yaml:8:9 dangling-reference typed_config.grpc_service.envoy_grpc.cluster_name",
		"vhds.yaml:8:5 domain-host domains[2]",
		"vhds.yaml:15:5 shadowed-route routes[2]",
		"vhds.yaml:17:5 shadowed-route routes[3]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
