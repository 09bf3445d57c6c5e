package match_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

const runtimeTable = `
name: many
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - match: {prefix: /, runtime_fraction: {runtime_key: shop.new, default_value: {numerator: 0}}}
    direct_response: {status: 201}
  - match: {prefix: /}
    direct_response: {status: 202}
`

// What the mesh's runtime says holds for its requests, and what a request says of
// the runtime goes before it.
func TestMeshBringsItsRuntime(t *testing.T) {
	for _, c := range []struct {
		name, layer, path string
		own               map[string]float64
		want              int
	}{
		{"no runtime", "", "/a#b", nil, 400},
		{"a feature", `{name: meshtui, layer: {envoy.reloadable_features.http_reject_path_with_fragment: false}}`, "/a#b", nil, 202},
		{"as text", `{name: meshtui, layer: {envoy.reloadable_features.http_reject_path_with_fragment: "False"}}`, "/a#b", nil, 202},
		{"in structs", `{name: meshtui, layer: {envoy: {reloadable_features: {http_reject_path_with_fragment: false}}}}`, "/a#b", nil, 202},
		{"a layer that no Envoy of ours asks for", `{name: other, layer: {envoy.reloadable_features.http_reject_path_with_fragment: false}}`, "/a#b", nil, 400},
		{"the request's own first", `{name: meshtui, layer: {envoy.reloadable_features.http_reject_path_with_fragment: false}}`, "/a#b",
			map[string]float64{"envoy.reloadable_features.http_reject_path_with_fragment": 1}, 400},
		{"a percentage", `{name: meshtui, layer: {shop.new: 100}}`, "/", nil, 201},
		{"a percentage as text", `{name: meshtui, layer: {shop.new: "100"}}`, "/", nil, 201},
		{"a share", `{name: meshtui, layer: {shop: {new: {numerator: 1000000, denominator: MILLION}}}}`, "/", nil, 201},
		{"none of them", `{name: meshtui, layer: {shop.new: {numerator: 0}}}`, "/", nil, 202},
		{"beside the request's own", `{name: meshtui, layer: {shop.new: 100}}`, "/", map[string]float64{"other": 1}, 201},
	} {
		all := []*mesh.Resource{resource(t, mesh.Listener, webListener), resource(t, mesh.Route, runtimeTable)}
		before, err := mesh.New(all...)
		if err != nil {
			t.Fatal(err)
		}
		if c.layer != "" {
			all = append(all, resource(t, mesh.Runtime, c.layer))
		}
		m, err := mesh.New(all...)
		if err != nil {
			t.Fatal(err)
		}
		q := &match.Request{Path: c.path, Host: "a", Runtime: c.own}
		if got := match.New(m).Match(q).Status; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if diff := cmp.Diff(match.New(m).Match(q).Status, match.New(before).Renew(m).Match(q).Status); diff != "" {
			t.Errorf("%s: renewed\n%s", c.name, diff)
		}
	}
}
