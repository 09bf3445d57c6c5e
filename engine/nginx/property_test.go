package nginx

import (
	"fmt"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// held fails the test unless the source map holds what Project promises: lines
// lead to resources that are there, and everything in the mesh has a line.
func held(t testing.TB, m *mesh.Mesh, c *Config) {
	t.Helper()
	mirrored := map[Origin]bool{}
	for i, l := range c.Lines {
		if strings.ContainsAny(l.Text, "\n\r") {
			t.Errorf("line %d holds a line break: %q", i+1, l.Text)
		}
		if l.Kind != Structure && m.Get(l.From.Key) == nil {
			t.Errorf("line %d is from %s, which is not in the mesh: %s", i+1, l.From.Key, l.Text)
		}
		if l.Kind == None && !strings.HasPrefix(strings.TrimSpace(l.Text), "#") {
			t.Errorf("line %d says what nginx cannot say: %s", i+1, l.Text)
		}
		if l.Kind == Exact && strings.HasPrefix(strings.TrimSpace(l.Text), "#") && l.Lesson == "" {
			t.Errorf("line %d is exact, and a comment that does not say what nginx does by itself: %s", i+1, l.Text)
		}
		if l.Kind != Structure && l.Kind != Exact && l.Lesson == "" {
			t.Errorf("line %d is not exact and does not say why: %s", i+1, l.Text)
		}
		for _, o := range append(l.Also, l.From) {
			if !o.Key.IsZero() && m.Get(o.Key) == nil {
				t.Errorf("line %d names %s, which is not in the mesh: %s", i+1, o.Key, l.Text)
			}
			mirrored[o] = true
		}
	}
	for _, r := range m.All() {
		for _, path := range mustShow(r) {
			if !mirrored[Origin{Key: r.Key, Path: path}] {
				t.Errorf("no line mirrors %s %s", r.Key, path)
			}
		}
	}
}

// mustShow lists the places of a resource that need a line.
func mustShow(r *mesh.Resource) []string {
	out := []string{""}
	switch msg := r.Message.(type) {
	case *routev3.RouteConfiguration:
		out = append(out, routePaths("", msg)...)
	case *clusterv3.Cluster:
		if msg.GetType() != clusterv3.Cluster_EDS {
			out = append(out, endpointPaths("load_assignment.", msg.GetLoadAssignment())...)
		}
	case *endpointv3.ClusterLoadAssignment:
		out = append(out, endpointPaths("", msg)...)
	case *listenerv3.Listener:
		out = append(out, "address")
	}
	return out
}

func routePaths(base string, rc *routev3.RouteConfiguration) (out []string) {
	for i, vh := range rc.GetVirtualHosts() {
		at := base + indexed("virtual_hosts", i)
		out = append(out, at)
		for j := range vh.GetRoutes() {
			out = append(out, at+"."+indexed("routes", j))
		}
	}
	return out
}

func endpointPaths(base string, cla *endpointv3.ClusterLoadAssignment) (out []string) {
	for i, l := range cla.GetEndpoints() {
		for j := range l.GetLbEndpoints() {
			out = append(out, base+indexed("endpoints", i)+"."+indexed("lb_endpoints", j))
		}
	}
	return out
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
