package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// TestEditsWithinRoutesAreThoseOneByOne holds edits that are made in texts of their
// own against the same made one after another.
func TestEditsWithinRoutesAreThoseOneByOne(t *testing.T) {
	t.Parallel()
	const yaml = `name: r   # ours
virtual_hosts:
# first
- name: a
  domains: [a.test]
  routes:
  # one
  - name: one   # it
    match: {prefix: /a}
    # before the route
    route: {cluster: x, timeout: 1s}   # slow
  - match:
      prefix: /b

    route:
      cluster: x # behind
      retry_policy: {retry_on: reset}
  # the rest
  - {match: {prefix: /}, direct_response: {status: 200}}
- name: b
  domains: ["*"]
  routes: [{match: {prefix: /c}, route: {cluster: x}}, {match: {prefix: /}, route: {cluster: w}}]
`
	r, findings := text.Decode(mesh.Route, mesh.Source{Text: yaml})
	if r == nil {
		t.Fatal(findings)
	}
	m, err := mesh.New(r)
	if err != nil {
		t.Fatal(err)
	}
	var edits []Edit
	for _, e := range []string{"virtual_hosts[0].routes[0].route.timeout=2s", "virtual_hosts[0].routes[0].route.cluster=z", "virtual_hosts[0].routes[1].route.cluster=z",
		"virtual_hosts[0].routes[1].route.idle_timeout=9s", "virtual_hosts[0].routes[2].direct_response.status=204", "virtual_hosts[1].routes[0].route.cluster=z", "virtual_hosts[1].routes[1].match.prefix=/d"} {
		path, value, _ := strings.Cut(e, "=")
		edits = append(edits, Edit{Op: Set, Key: r.Key, Path: path, Value: value})
	}
	edits = append(edits, Edit{Op: Delete, Key: r.Key, Path: "virtual_hosts[0].routes[1].route.retry_policy"},
		Edit{Op: Insert, Key: r.Key, Path: "virtual_hosts[0].routes[1].request_headers_to_remove[0]", Value: "x-a"}, Edit{Op: Delete, Key: r.Key, Path: "virtual_hosts[0].routes[0]"})
	want := yaml
	for _, e := range edits {
		if want, err = e.made(want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := (&Change{Edits: edits}).Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Get(r.Key).Source.Text); diff != "" {
		t.Errorf("(-one by one +within routes)\n%s", diff)
	}
}
