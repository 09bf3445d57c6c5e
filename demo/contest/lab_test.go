package contest

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds how long a test waits for what must happen.
const deadline = 30 * time.Second

// resource is one of the YAML text.
func resource(t *testing.T, kind mesh.Type, content string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(kind, mesh.Source{Text: content})
	if r == nil {
		t.Fatal(findings)
	}
	return r
}

// shop is a mesh like the demo's, with its listener at an address and these
// routes, and clusters a and b of two endpoints and c of one.
func shop(t *testing.T, address string, routes ...string) *mesh.Mesh {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	out := []*mesh.Resource{
		resource(t, mesh.Listener, fmt.Sprintf(`
name: web
address: {socket_address: {address: %s, port_value: %s}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: local_route, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`, host, port)),
		resource(t, mesh.Route, "name: local_route\nvirtual_hosts:\n- name: www\n  domains: [www.example.com]\n  routes:\n  - "+strings.Join(routes, "\n  - ")+"\n"),
	}
	for cluster, ports := range map[string][]int{"a": {1, 2}, "b": {3, 4}, "c": {5}} {
		out = append(out, resource(t, mesh.Cluster, "name: "+cluster+"\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}\n"), endpoints(t, cluster, ports...))
	}
	m, err := mesh.New(out...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func endpoints(t *testing.T, cluster string, ports ...int) *mesh.Resource {
	t.Helper()
	var b strings.Builder
	for _, p := range ports {
		fmt.Fprintf(&b, "  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}\n", p)
	}
	return resource(t, mesh.Endpoints, "cluster_name: "+cluster+"\nendpoints:\n- lb_endpoints:\n"+b.String())
}

// wire is a conversation that a test writes.
type wire struct {
	mu   sync.Mutex
	msgs []xds.Message
}

func (w *wire) say(m xds.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.Seq = uint64(len(w.msgs) + 1)
	m.At = time.Now()
	w.msgs = append(w.msgs, m)
}

func (w *wire) Since(seq uint64, _ int) ([]xds.Message, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.msgs[seq:], 0
}

// alone is a contest without nginx, of whoever listens at the mesh's address.
func alone(t *testing.T, m *mesh.Mesh) (*Contest, *wire) {
	t.Helper()
	w := &wire{}
	ws, err := engine.OpenMeshes(t.Context(), "shop", map[string]*mesh.Mesh{mesh.DefaultGroup: m}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := New(t.Context(), Options{
		Workspace: ws, Wire: w, Node: "envoy-1", Name: "Envoy", NoNginx: "no nginx here",
		Process: func() Process { return Process{PID: 1, Since: time.Unix(1, 0)} },
		Who:     func(h http.Header) string { return h.Get("X-Who") },
	})
	c.Pushed(&engine.Revision{Number: 1}, m)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := ws.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, w
}

// until waits for a state.
func until(t *testing.T, c *Contest, what string, ok func(State) bool) State {
	t.Helper()
	wake, stop := c.Changed()
	defer stop()
	late := time.NewTimer(deadline)
	defer late.Stop()
	for !ok(c.State()) {
		select {
		case <-wake:
		case <-late.C:
			t.Fatalf("waited in vain until %s: %+v", what, c.State())
		}
	}
	return c.State()
}
