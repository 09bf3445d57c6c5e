package matchtest

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
)

// Shrinking gets to the one thing that matters, in mesh and request alike.
func TestShrinkFindsTheSmallest(t *testing.T) {
	var c Case
	has := func(c Case) bool { // some route with a prefix, and a request with a dot segment
		found := false
		for _, vh := range tableOf(c).GetVirtualHosts() {
			found = found || slices.ContainsFunc(vh.GetRoutes(), func(r *routev3.Route) bool { return r.GetMatch().GetPrefix() != "" })
		}
		return found && strings.Contains(string(c.Requests[0].Raw), "/..")
	}
	for seed := uint64(1); ; seed++ {
		c = New(seed, plain)
		if i := slices.IndexFunc(c.Requests, func(q Request) bool { return strings.Contains(string(q.Raw), "/..") && len(q.Ask.Headers) > 1 }); i >= 0 && len(tableOf(c).GetVirtualHosts()) > 2 {
			c.Requests = c.Requests[i : i+1]
			if has(c) {
				break
			}
		}
	}
	small := Shrink(c, func(cases []Case) []bool {
		var out []bool
		for _, c := range cases {
			out = append(out, has(c))
		}
		return out
	})
	table := tableOf(small)
	if len(table.GetVirtualHosts()) != 1 || len(table.VirtualHosts[0].Routes) != 1 || table.VirtualHosts[0].Routes[0].Action != nil {
		t.Errorf("the mesh is not the smallest:\n%v", table)
	}
	if q := small.Requests[0].Ask; q.Path != "/.." || len(q.Headers) > 0 || len(q.Host) > 1 || q.Method != "GET" {
		t.Errorf("the request is not the smallest: %q", small.Requests[0].Raw)
	}
}

// tableOf is the routes of a case, wherever they stand.
func tableOf(c Case) *routev3.RouteConfiguration {
	for _, r := range c.Mesh.List(mesh.Route) {
		return r.Message.(*routev3.RouteConfiguration)
	}
	return inlineTable(c)
}
