package match_test

import (
	"fmt"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

const webListener = `
name: web
address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
filter_chains:
- filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: many, config_source: {ads: {}}}
      http_filters:
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// manyRoutes is a mesh with n routes in one virtual host, whose last one takes
// what no other does.
func manyRoutes(t testing.TB, n int) *mesh.Mesh {
	vh := &routev3.VirtualHost{Name: "www", Domains: []string{"*"}}
	for i := range n {
		prefix := fmt.Sprintf("/service-%d/", i)
		if i == n-1 {
			prefix = "/"
		}
		vh.Routes = append(vh.Routes, &routev3.Route{
			Name:   fmt.Sprint("r", i),
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "app"}}},
		})
	}
	r, err := mesh.NewResource(&routev3.RouteConfiguration{Name: "many", VirtualHosts: []*routev3.VirtualHost{vh}}, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(
		resource(t, mesh.Listener, webListener), r,
		resource(t, mesh.Cluster, `{name: app, type: STATIC, load_assignment: {cluster_name: app, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The whole way of a request, from the listener to the endpoints, among few and
// among many routes.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			m := match.New(manyRoutes(b, n))
			r := &match.Request{Host: "www.example.com", Path: fmt.Sprintf("/service-%d/x?y=z", n/2)}
			m.Match(r)
			b.ReportAllocs()
			for b.Loop() {
				m.Match(r)
			}
		})
	}
}

// What an edit costs: a new matcher, and the first request that compiles it;
// and what Renew makes of the second when the edit was elsewhere.
func BenchmarkNew(b *testing.B) {
	r := &match.Request{Host: "www.example.com", Path: "/"}
	for _, n := range []int{10, 10_000} {
		m := manyRoutes(b, n)
		b.Run(fmt.Sprintf("new/routes=%d", n), func(b *testing.B) {
			for b.Loop() {
				match.New(m)
			}
		})
		b.Run(fmt.Sprintf("first-request/routes=%d", n), func(b *testing.B) {
			for b.Loop() {
				match.New(m).Match(r)
			}
		})
		b.Run(fmt.Sprintf("renewed/routes=%d", n), func(b *testing.B) {
			from := match.New(m)
			from.Match(r)
			for b.Loop() {
				from.Renew(m).Match(r)
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	m := match.New(manyRoutes(b, 10_000))
	r := &match.Request{Host: "www.example.com", Path: "/service-5000/x"}
	for b.Loop() {
		m.Explain(r)
	}
}
