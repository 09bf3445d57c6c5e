package nginx

import (
	"fmt"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// large is a mesh of n routes in one virtual host and n endpoints in one
// cluster.
func large(t testing.TB, n int) *mesh.Mesh {
	t.Helper()
	vh := &routev3.VirtualHost{Name: "all", Domains: []string{"*"}}
	lb := &endpointv3.LocalityLbEndpoints{}
	for i := range n {
		vh.Routes = append(vh.Routes, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: fmt.Sprintf("/service-%05d/", i)}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "app"}}},
		})
		lb.LbEndpoints = append(lb.LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: fmt.Sprintf("127.1.%d.%d", i/250, i%250+1), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 9001}}}}}}})
	}
	m := listening(t, 18090, &routev3.RouteConfiguration{Name: "large", VirtualHosts: []*routev3.VirtualHost{vh}})
	for _, msg := range []proto.Message{
		&clusterv3.Cluster{Name: "app", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}},
		&endpointv3.ClusterLoadAssignment{ClusterName: "app", Endpoints: []*endpointv3.LocalityLbEndpoints{lb}},
	} {
		r, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		m = m.With(r)
	}
	return m
}

func BenchmarkProject(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := large(b, n)
			b.ReportAllocs()
			for b.Loop() {
				Project(m)
			}
		})
	}
}

// TestNginxTakesALargeMesh holds that tables grow with the mesh.
func TestNginxTakesALargeMesh(t *testing.T) {
	nginxtest.Need(t)
	m := large(t, 10_000)
	c := Project(m)
	held(t, m, c)
	nginxtest.Accepted(t, c.String())
}
