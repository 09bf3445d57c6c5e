package tuitest

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/text"
)

// source is one resource of the example mesh.
type source struct {
	t    mesh.Type
	text string
}

var example = []source{
	{mesh.Listener, `name: web
address:
  socket_address: { address: 127.0.0.1, port_value: 10000 }
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds:
        route_config_name: local_route
        config_source: { ads: {}, resource_api_version: V3 }
      http_filters:
      - name: envoy.filters.http.router
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
`},
	{mesh.Listener, `name: raw
address:
  socket_address: { address: 127.0.0.1, port_value: 10001 }
filter_chains:
- filters:
  - name: envoy.filters.network.tcp_proxy
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
      stat_prefix: raw
      cluster: legacy
`},
	{mesh.Route, `name: local_route
virtual_hosts:
- name: shop
  domains: [www.example.com, www.example.com:*]
  routes:
  # the canary takes a tenth
  - match: { prefix: /foo }
    route:
      weighted_clusters:
        clusters:
        - { name: app, weight: 90 }
        - { name: app-v2, weight: 10 }
  - match: { path: /health }
    direct_response: { status: 200 }
  - match: { prefix: / }
    route: { cluster: legacy }
`},
	{mesh.Cluster, cluster("app", "ROUND_ROBIN")},
	{mesh.Cluster, cluster("app-v2", "LEAST_REQUEST")},
	{mesh.Cluster, `name: legacy
type: STATIC
connect_timeout: 1s
load_assignment:
  cluster_name: legacy
  endpoints:
  - lb_endpoints:
    - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9009 } } }
`},
	{mesh.Endpoints, assignment("app", 9001, 9002)},
	{mesh.Endpoints, assignment("app-v2", 9003)},
}

func cluster(name, policy string) string {
	return fmt.Sprintf(`name: %s
type: EDS
lb_policy: %s
connect_timeout: 1s
eds_cluster_config:
  eds_config: { ads: {}, resource_api_version: V3 }
health_checks:
- { timeout: 1s, interval: 1s, unhealthy_threshold: 2, healthy_threshold: 1, tcp_health_check: {} }
outlier_detection: {}
`, name, policy)
}

func assignment(cluster string, ports ...int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster_name: %s\nendpoints:\n- lb_endpoints:\n", cluster)
	for _, p := range ports {
		fmt.Fprintf(&b, "  - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: %d } } }\n", p)
	}
	return b.String()
}

// Resource decodes one resource; it panics on a text that is wrong, which only
// a mistake in a test can make.
func Resource(t mesh.Type, yaml string) *mesh.Resource {
	r, findings := text.Decode(t, mesh.Source{Text: yaml})
	if r == nil {
		panic(fmt.Sprintf("%s: %v", yaml, findings))
	}
	return r
}

// Mesh is the example: a web listener with a weighted route, a TCP listener, a
// cluster with its endpoints inline.
func Mesh() *mesh.Mesh {
	m := &mesh.Mesh{}
	for _, s := range example {
		m = m.With(Resource(s.t, s.text))
	}
	return m
}

// Large is a mesh with one cluster of n endpoints.
func Large(n int) *mesh.Mesh {
	ports := make([]int, n)
	for i := range ports {
		ports[i] = 10000 + i%50000
	}
	return Mesh().With(Resource(mesh.Endpoints, assignment("app", ports...)))
}

// Project is a short nginx.conf that says what the example says, with the
// source map that a real projection has.
func Project(m *mesh.Mesh) *nginx.Config {
	c := &nginx.Config{}
	add := func(text string, kind nginx.Kind, k mesh.Key, path, lesson string) {
		c.Lines = append(c.Lines, nginx.Line{Text: text, Kind: kind, From: nginx.Origin{Key: k, Path: path}, Lesson: lesson})
	}
	none := mesh.Key{}
	for _, r := range m.List(mesh.Cluster) {
		add("    upstream "+r.Key.Name+" {", nginx.Exact, r.Key, "", "A cluster is an upstream that can change without a reload.")
		add("        # no active health checks in open source nginx", nginx.None, r.Key, "health_checks", "")
		if r.Key.Name == "app" {
			k := mesh.Key{Type: mesh.Endpoints, Name: "app"}
			add("        server 127.0.0.1:9001;", nginx.Exact, k, "endpoints[0].lb_endpoints[0]", "")
			add("        server 127.0.0.1:9002;", nginx.Exact, k, "endpoints[0].lb_endpoints[1]", "")
		}
		add("    }", nginx.Structure, none, "", "")
	}
	web, route := mesh.Key{Type: mesh.Listener, Name: "web"}, mesh.Key{Type: mesh.Route, Name: "local_route"}
	add("    server {", nginx.Exact, route, "virtual_hosts[0]", "")
	add("        listen 127.0.0.1:10000;", nginx.Exact, web, "address", "")
	add("        location /foo {", nginx.Approximate, route, "virtual_hosts[0].routes[0]", "nginx takes the longest prefix, Envoy the first route that matches.")
	add("            proxy_pass http://$split;", nginx.Exact, route, "virtual_hosts[0].routes[0].route", "")
	add("        }", nginx.Structure, none, "", "")
	add("    }", nginx.Structure, none, "", "")
	return c
}
