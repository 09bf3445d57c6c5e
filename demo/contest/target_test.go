package contest

import (
	"testing"

	"example.com/meshtui/engine/mesh"
)

// By which request a push is seen, if by any.
func TestShows(t *testing.T) {
	const at = "127.0.0.1:10000"
	toA := []string{"match: {prefix: /foo}\n    route: {cluster: b}", "match: {prefix: /}\n    route: {cluster: a}"}
	with := func(change func(*mesh.Mesh) *mesh.Mesh) *mesh.Mesh { return change(shop(t, at, toA...)) }
	for _, tc := range []struct {
		name    string
		to      *mesh.Mesh
		visible bool
		path    string
		who     string // one who answers anew
	}{
		{"another cluster", shop(t, at, toA[0], "match: {prefix: /}\n    route: {cluster: c}"), true, "/", "127.0.0.1:5"},
		{"another route's cluster", shop(t, at, "match: {prefix: /foo}\n    route: {cluster: c}", toA[1]), true, "/foo", "127.0.0.1:5"},
		{"a new route", shop(t, at, "match: {prefix: /new}\n    route: {cluster: c}", toA[0], toA[1]), true, "/new", "127.0.0.1:5"},
		{"a status", shop(t, at, toA[0], "match: {prefix: /}\n    direct_response: {status: 503}"), true, "/", "status 503"},
		{"all other endpoints", with(func(m *mesh.Mesh) *mesh.Mesh {
			return m.Replace(mesh.Key{Type: mesh.Endpoints, Name: "a"}, endpoints(t, "a", 8, 9))
		}), true, "/", "127.0.0.1:8"},
		{"one endpoint less", with(func(m *mesh.Mesh) *mesh.Mesh {
			return m.Replace(mesh.Key{Type: mesh.Endpoints, Name: "a"}, endpoints(t, "a", 1))
		}), false, "/", "127.0.0.1:1"},
		{"a canary", shop(t, at, toA[0], "match: {prefix: /}\n    route: {weighted_clusters: {clusters: [{name: a, weight: 9}, {name: c, weight: 1}]}}"), false, "/", "127.0.0.1:5"},
		{"a cluster that is not there", shop(t, at, toA[0], "match: {prefix: /}\n    route: {cluster: gone}"), false, "/", ""},
		{"a timeout", shop(t, at, toA[0], "match: {prefix: /}\n    route: {cluster: a, timeout: 3s}"), false, "/", "127.0.0.1:2"},
		{"another port", shop(t, "127.0.0.1:10001", toA...), false, "/", "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := shows(shop(t, at, toA...), tc.to)
			if got.visible() != tc.visible || got.request.Path != tc.path || tc.who != "" && !got.answers[tc.who] {
				t.Errorf("%+v, visible %v", got, got.visible())
			}
			if got.bound == "" {
				t.Error("nobody listens for it")
			}
		})
	}
}
