package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// manyRoutes is a mesh of 10,000 routes in one route configuration.
func manyRoutes(b *testing.B) *mesh.Mesh {
	b.Helper()
	var routes strings.Builder
	routes.WriteString("name: app\nvirtual_hosts:\n")
	for h := range 100 {
		fmt.Fprintf(&routes, "- name: h%d\n  domains: [h%d.example]\n  routes:\n", h, h)
		for r := range 100 {
			fmt.Fprintf(&routes, "  - {match: {prefix: /r%02d}, route: {cluster: app}}\n", r)
		}
	}
	all := []*mesh.Resource{}
	for typ, body := range map[mesh.Type]string{mesh.Listener: engine.Template(mesh.Listener, "app"), mesh.Route: routes.String(),
		mesh.Cluster: engine.Template(mesh.Cluster, "app"), mesh.Endpoints: engine.Template(mesh.Endpoints, "app")} {
		r, findings := text.Decode(typ, mesh.Source{Text: body})
		if r == nil {
			b.Fatal(findings)
		}
		all = append(all, r)
	}
	m, err := mesh.New(all...)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkEditAmong10000Routes is one edit of a route among 10,000, with no
// request kept and with 100: what the behaviour diff adds.
func BenchmarkEditAmong10000Routes(b *testing.B) {
	m := manyRoutes(b)
	for _, n := range []int{0, 100} {
		b.Run(fmt.Sprintf("%d kept", n), func(b *testing.B) {
			var rs []kept.Request
			for i := range n {
				rs = append(rs, kept.Request{Name: fmt.Sprint(i), Ask: match.Request{Host: fmt.Sprintf("h%d.example", i), Path: "/r50"}})
			}
			w, err := engine.OpenMeshes(context.Background(), "big", map[string]*mesh.Mesh{mesh.DefaultGroup: m}, engine.Options{Kept: rs})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := w.Close(); err != nil {
					b.Error(err)
				}
			})
			i := 0
			for b.Loop() {
				i++
				if err := w.Edit(mesh.DefaultGroup, engine.SetField{Key: route, Path: "virtual_hosts[7].routes[50].route.cluster", Value: fmt.Sprint("c", i)}); err != nil {
					b.Fatal(err)
				}
				if got := len(w.State().Group(mesh.DefaultGroup).Moved); n > 0 && got != 1 {
					b.Fatalf("%d moved", got)
				}
			}
		})
	}
}
