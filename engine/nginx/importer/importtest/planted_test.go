package importtest

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// TestTheUsualOrderIsFoundOut puts the routes into the order that everybody
// believes in: `=`, `^~`, expressions, prefixes. The oracle must see that.
func TestTheUsualOrderIsFoundOut(t *testing.T) {
	r := &run{t: t, known: map[string]int{}}
	r.batches(1, 2000, func(m *mesh.Mesh) *mesh.Mesh {
		var out []*mesh.Resource
		for _, res := range m.All() {
			if table, ok := proto.Clone(res.Message).(*routev3.RouteConfiguration); ok {
				for _, vh := range table.GetVirtualHosts() {
					slices.SortStableFunc(vh.GetRoutes(), func(a, b *routev3.Route) int { return rank(a) - rank(b) })
				}
				altered, err := mesh.NewResource(table, mesh.Source{})
				if err != nil {
					t.Fatal(err)
				}
				res = altered
			}
			out = append(out, res)
		}
		altered, err := mesh.New(out...)
		if err != nil {
			t.Fatal(err)
		}
		return altered
	})
	if hits := slices.IndexFunc(r.failures, func(f failure) bool { return f.what == "location hit" || f.what == "status" }); hits < 0 {
		t.Errorf("none of %d requests went elsewhere", r.sent)
	}
	t.Logf("%d of %d requests went elsewhere", len(r.failures), r.sent)
}

// rank is a route's place in that order, by its location.
func rank(r *routev3.Route) int {
	switch {
	case strings.HasPrefix(r.GetName(), "nginx: no location"):
		return 5
	case strings.HasPrefix(r.GetName(), "nginx: "):
		return 0
	case strings.HasPrefix(r.GetName(), "= "):
		return 1
	case strings.HasPrefix(r.GetName(), "^~ "):
		return 2
	case strings.HasPrefix(r.GetName(), "~"):
		return 3
	}
	return 4
}
