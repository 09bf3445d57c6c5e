package tui

import (
	"fmt"
	"testing"
	"time"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

// cautious is a calm scene whose listener has a filter that may decide.
func cautious() *tuitest.Scene {
	m := tuitest.Mesh().With(tuitest.Resource(mesh.Listener, `name: web
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
      - name: envoy.filters.http.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code: { inline_string: "function envoy_on_request(h) end" }
      - name: envoy.filters.http.router
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
`))
	return &tuitest.Scene{Workspace: tuitest.NewWorkspace(m, m), Nodes: tuitest.NodesFor(m, "envoy-1"), Evidence: tuitest.EvidenceFor(m, "envoy-1")}
}

func TestGoldenTry(t *testing.T) {
	wrong := func(match.Request) Tried {
		return Tried{Status: 503, Proto: "HTTP/1.1", Answered: "127.0.0.1:9009 (legacy)", Took: 31 * time.Millisecond, Body: "no",
			Moved: []Moved{{Cluster: "legacy", Endpoint: "127.0.0.1:9009", Requests: 1}}}
	}
	for _, sc := range []struct {
		name  string
		scene func() *tuitest.Scene
		trier Trier
		keys  []string
	}{
		{"try-predicted", tuitest.Calm, by(fine), nil},
		{"try-agrees", tuitest.Calm, by(fine), []string{"enter"}},
		{"try-differs", tuitest.Calm, by(wrong), []string{"enter"}},
		{"try-draft", drafted, by(fine), []string{"enter"}},
		{"try-caveats", cautious, nil, nil},
		{"try-no-listener", tuitest.Calm, by(fine), []string{"tab", "ctrl+u", "4", "4", "3"}},
		{"try-reasons", tuitest.Calm, by(fine), []string{"tab", "tab", "tab", "tab", "tab", "j", "j"}},
		{"try-kept", keepers, by(fine), []string{"ctrl+o", "j", "a"}},
	} {
		for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
			t.Run(fmt.Sprintf("%s %d×%d", sc.name, s[0], s[1]), func(t *testing.T) {
				a := tried(t, sc.scene(), sc.trier, s[0], s[1])
				press(a, sc.keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
			})
		}
	}
}
