package admin_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/xds/envoy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resource reads a resource from YAML.
func resource(t *testing.T, kind mesh.Type, yaml string) proto.Message {
	t.Helper()
	r, findings := text.Decode(kind, mesh.Source{Text: yaml})
	if r == nil {
		t.Fatalf("%v in\n%s", findings, yaml)
	}
	return r.Message
}

const (
	listenerYAML = `
name: web
address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
filter_chains:
- transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
      common_tls_context:
        tls_certificates:
        - certificate_chain: {inline_string: the certificate}
          private_key: {inline_string: the secret key}
  filters:
  - name: hcm
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: web
      rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`
	routeYAML = `
name: main
virtual_hosts:
- name: all
  domains: ["*"]
  routes: [{match: {prefix: /}, route: {cluster: app}}]
`
	clusterYAML = `
name: app
type: EDS
connect_timeout: 1s
eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}, service_name: app-endpoints}
health_checks:
- {timeout: 0.5s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /health}}
outlier_detection: {consecutive_5xx: 5}
`
	endpointsYAML = `
cluster_name: app-endpoints
endpoints:
- locality: {region: here, zone: a}
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9002}}}
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9003}}}
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9004}}}
    health_status: DRAINING
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9005}}}
    health_status: TIMEOUT
  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9006}}}
- locality: {region: here, zone: b}
  priority: 1
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: "::1", port_value: 9007}}}
    load_balancing_weight: 5
`
)

// watched is one proxy's admin interface with the state that a test gives it,
// and what is said to have been served.
type watched struct {
	state  atomic.Pointer[admin.State]
	served atomic.Pointer[map[mesh.Key]proto.Message]
	events chan envoy.Event
	w      *envoy.Watcher
	url    string
}

func watch(t *testing.T, s *admin.State, served map[mesh.Key]proto.Message) *watched {
	t.Helper()
	out := &watched{events: make(chan envoy.Event, 10)}
	out.state.Store(s)
	out.served.Store(&served)
	server := httptest.NewServer(admin.Handler(out.state.Load))
	t.Cleanup(server.Close)
	out.url = server.URL
	out.w = envoy.NewWatcher(envoy.WatcherOptions{
		Targets: func() []envoy.Target {
			return []envoy.Target{{Node: "builtin-1", Admin: server.Listener.Addr().String()}}
		},
		Served:   func(string) map[mesh.Key]proto.Message { return *out.served.Load() },
		Events:   out.events,
		Interval: 20 * time.Millisecond, Timeout: 10 * time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- out.w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return out
}

// facts waits until the facts are as wanted.
func (w *watched) facts(t *testing.T, what string, ok func(*envoy.Facts) bool) *envoy.Facts {
	t.Helper()
	changed, cancel := w.w.Changed()
	defer cancel()
	deadline := time.After(30 * time.Second)
	for {
		f := w.w.Facts("builtin-1")
		if f != nil && ok(f) {
			return f
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited 30 s in vain for: %s; last %+v", what, f)
		}
	}
}

func demoState(t *testing.T) (*admin.State, map[mesh.Key]proto.Message) {
	t.Helper()
	l, r := resource(t, mesh.Listener, listenerYAML), resource(t, mesh.Route, routeYAML)
	c, e := resource(t, mesh.Cluster, clusterYAML), resource(t, mesh.Endpoints, endpointsYAML)
	at := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	s := &admin.State{
		Node: "builtin-1", Version: "1.0.0", Ready: true, Started: at,
		Listeners: []admin.Dynamic{{Name: "web", Version: "1", Updated: at, Message: l}},
		Routes:    []admin.Dynamic{{Name: "main", Version: "1", Updated: at, Message: r}},
		Clusters:  []admin.Dynamic{{Name: "app", Version: "1", Updated: at, Message: c}},
		Endpoints: []admin.Dynamic{{Name: "app-endpoints", Version: "1", Updated: at, Message: e}},
		Versions: map[string]string{
			mesh.Cluster.URL(): "c1", mesh.Listener.URL(): "l1", mesh.Route.URL(): "r1", mesh.Endpoints.URL(): "e1",
		},
		Upstreams: []upstream.Snapshot{{
			Name: "app", Service: "app-endpoints",
			Hosts: []upstream.Host{
				{Address: "127.0.0.1:9001", Region: "here", Zone: "a", Weight: 1, Requests: 7, Success: 5, Errors: 2, Connections: 3, ConnectFailures: 1, ActiveRequests: 1},
				{Address: "127.0.0.1:9002", Region: "here", Zone: "a", Weight: 1, FailedCheck: true},
				{Address: "127.0.0.1:9003", Region: "here", Zone: "a", Weight: 1, Ejected: true},
				{Address: "127.0.0.1:9004", Region: "here", Zone: "a", Weight: 1, EDS: corev3.HealthStatus_DRAINING},
				{Address: "127.0.0.1:9005", Region: "here", Zone: "a", Weight: 1, EDS: corev3.HealthStatus_TIMEOUT},
				{Address: "127.0.0.1:9006", Region: "here", Zone: "a", Weight: 1, FailedCheck: true, PendingCheck: true},
				{Address: "[::1]:9007", Region: "here", Zone: "b", Weight: 5, Priority: 1},
			},
			Stats: map[string]uint64{
				"upstream_rq_total": 7, "health_check.failure": 1, "health_check.network_failure": 0,
				"outlier_detection.ejections_enforced_consecutive_5xx": 1, "upstream_rq_active": 0,
			},
		}},
		Stats: map[string]uint64{"listener_manager.lds.update_rejected": 2},
	}
	served := map[mesh.Key]proto.Message{
		{Type: mesh.Listener, Name: "web"}: l, {Type: mesh.Route, Name: "main"}: r,
		{Type: mesh.Cluster, Name: "app"}: c, {Type: mesh.Endpoints, Name: "app-endpoints"}: e,
	}
	return s, served
}

// What is active with what was served is seen as that, and every endpoint with
// the health that it would have from an Envoy.
func TestWatcherReadsTheSameFacts(t *testing.T) {
	s, served := demoState(t)
	w := watch(t, s, served)
	f := w.facts(t, "a good poll", func(f *envoy.Facts) bool { return !f.At.IsZero() })
	if f.Ready != "LIVE" || f.Version != "1.0.0" || f.Err != "" {
		t.Errorf("ready %q, version %q, error %q", f.Ready, f.Version, f.Err)
	}
	for k := range served {
		if a := f.Active[k]; a.State != envoy.ActiveSame {
			t.Errorf("%s is %s: %s", k, a.State, a.Detail)
		}
	}
	if a := f.Active[mesh.Key{Type: mesh.Cluster, Name: "app"}]; !a.Since.Equal(s.Started) {
		t.Errorf("the cluster is active since %s", a.Since)
	}
	type seen struct {
		Address, Health, Why string
		Weight, Priority     uint32
	}
	var got []seen
	for _, e := range f.Endpoints {
		got = append(got, seen{e.Address, e.Health.String(), e.Why, e.Weight, e.Priority})
	}
	want := []seen{
		{"127.0.0.1:9001", "healthy", "", 1, 0},
		{"127.0.0.1:9002", "check fails", "health check fails", 1, 0},
		{"127.0.0.1:9003", "ejected", "5 consecutive 5xx", 1, 0},
		{"127.0.0.1:9004", "draining", "EDS says DRAINING", 1, 0},
		{"127.0.0.1:9005", "EDS timeout", "EDS says TIMEOUT", 1, 0},
		{"127.0.0.1:9006", "not checked yet", "its first health check has not ended", 1, 0},
		{"[::1]:9007", "healthy", "", 5, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(envoy.ClusterStats{Requests: 7, Errors: 2, ConnectFailures: 1, ActiveRequests: 1}, f.Clusters["app"]); diff != "" {
		t.Error(diff)
	}
	if f.Rejected[mesh.Listener] != 2 {
		t.Errorf("rejected: %v", f.Rejected)
	}
}

// What an event tells of an endpoint is joined with the interface's answer.
func TestWatcherJoinsEvents(t *testing.T) {
	s, served := demoState(t)
	w := watch(t, s, served)
	when := time.Date(2026, 11, 23, 2, 0, 5, 0, time.UTC)
	w.events <- envoy.Event{Node: "builtin-1", Time: when, Kind: envoy.CheckUnhealthy, Cluster: "app", Address: "127.0.0.1:9002", Why: "HTTP 503"}
	f := w.facts(t, "the reason", func(f *envoy.Facts) bool {
		return len(f.Endpoints) > 1 && strings.Contains(f.Endpoints[1].Why, "HTTP 503")
	})
	if !f.Endpoints[1].Since.Equal(when) {
		t.Errorf("since %s", f.Endpoints[1].Since)
	}
}

// What is not (yet) as served is told apart: warming, refused, other content,
// absent, draining.
func TestWatcherTellsWhatIsNotActive(t *testing.T) {
	s, served := demoState(t)
	other := proto.Clone(s.Clusters[0].Message)
	clusterIn := resource(t, mesh.Cluster, strings.Replace(clusterYAML, "1s\neds", "2s\neds", 1))
	served[mesh.Key{Type: mesh.Cluster, Name: "app"}] = clusterIn
	served[mesh.Key{Type: mesh.Cluster, Name: "late"}] = resource(t, mesh.Cluster, strings.Replace(clusterYAML, "name: app", "name: late", 1))
	s.Clusters = []admin.Dynamic{
		{Name: "app", Version: "1", Message: other},
		{Name: "late", Version: "2", Message: served[mesh.Key{Type: mesh.Cluster, Name: "late"}], Warming: true},
	}
	s.Upstreams = append(s.Upstreams, upstream.Snapshot{Name: "late"})
	newer := resource(t, mesh.Listener, strings.Replace(listenerYAML, "10000", "10001", 1))
	served[mesh.Key{Type: mesh.Listener, Name: "web"}] = newer
	s.Listeners[0].Failure = &admin.Failure{At: s.Started, Version: "2", Details: "cannot bind '127.0.0.1:10001': Address already in use", Message: newer}
	served[mesh.Key{Type: mesh.Listener, Name: "bad"}] = newer
	s.Listeners = append(s.Listeners,
		admin.Dynamic{Name: "bad", Failure: &admin.Failure{At: s.Started, Details: "it runs no Lua"}},
		admin.Dynamic{Name: "gone", Message: newer, Drains: true})
	served[mesh.Key{Type: mesh.Route, Name: "nobody"}] = resource(t, mesh.Route, strings.Replace(routeYAML, "main", "nobody", 1))
	w := watch(t, s, served)
	f := w.facts(t, "a good poll", func(f *envoy.Facts) bool { return !f.At.IsZero() })
	type seen struct {
		State  string
		Detail string
	}
	got := map[string]seen{}
	for k, a := range f.Active {
		got[k.String()] = seen{a.State.String(), a.Detail}
	}
	want := map[string]seen{
		"cluster app":             {"active with other content", "differs in connect_timeout.seconds"},
		"cluster late":            {"warming", ""},
		"endpoints app-endpoints": {"active", ""},
		"listener web":            {"active with other content", "cannot bind '127.0.0.1:10001': Address already in use"},
		"listener bad":            {"not in Envoy", "it runs no Lua"},
		"route main":              {"active", ""},
		"route nobody":            {"not in Envoy", "no listener asks for it"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(f.Warming) != 1 || f.Warming[0] != "late" {
		t.Errorf("warming: %v", f.Warming)
	}
	if f.Draining != 1 {
		t.Errorf("%d listeners drain", f.Draining)
	}
}

// The state is read anew at each question.
func TestWatcherSeesChange(t *testing.T) {
	s, served := demoState(t)
	before := *s
	before.Ready, before.Listeners, before.Upstreams = false, nil, nil
	w := watch(t, &before, served)
	w.facts(t, "that it is not ready", func(f *envoy.Facts) bool { return f.Ready == "PRE_INITIALIZING" })
	w.state.Store(s)
	w.facts(t, "that it is", func(f *envoy.Facts) bool {
		return f.Ready == "LIVE" && f.Active[mesh.Key{Type: mesh.Listener, Name: "web"}].State == envoy.ActiveSame
	})
}
