package kept

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
)

const bigListener = `name: web
address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
filter_chains:
- filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: big, config_source: {ads: {}}}
      http_filters:
      - {name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
`

// big is a mesh of 10,000 routes; the last goes to a cluster of that name.
func big(b testing.TB, last string) *mesh.Mesh {
	var t strings.Builder
	t.WriteString("name: big\nvirtual_hosts:\n")
	for h := range 100 {
		fmt.Fprintf(&t, "- name: h%d\n  domains: [h%d.example]\n  routes:\n", h, h)
		for r := range 100 {
			cluster := "app"
			if h == 15 && r == 99 {
				cluster = last
			}
			fmt.Fprintf(&t, "  - {match: {prefix: /r%02d}, route: {cluster: %s}}\n", r, cluster)
		}
	}
	return meshOf(b, map[string]string{"rds.yaml": t.String(), "lds.yaml": bigListener,
		"cds.yaml": "name: app\n---\nname: other\n"}, "")
}
