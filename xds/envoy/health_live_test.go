package envoy

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// appCluster checks its endpoints twice a second and ejects after three 5xx. A
// check that passes would put an ejected endpoint back at once.
const appCluster = `cluster
name: app
type: EDS
connect_timeout: 0.5s
eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 2s}}
common_lb_config: {update_merge_window: 0s, healthy_panic_threshold: {value: 0}}
health_checks:
- timeout: 0.3s
  interval: 0.5s
  no_traffic_interval: 0.5s
  unhealthy_threshold: 1
  healthy_threshold: 1
  http_health_check: {path: /health}
outlier_detection: {consecutive_5xx: 3, interval: 0.5s, base_ejection_time: 60s, max_ejection_percent: 100,
  successful_active_health_check_uneject_host: false}
`

// lab is one watched Envoy with endpoints behind it.
type lab struct {
	cp    *controlPlane
	fleet *Fleet
	watch *Watcher
	port  uint32
}

func newLab(t *testing.T, texts func(port uint32) []string) *lab {
	t.Helper()
	binary := realEnvoy(t)
	l := &lab{cp: startControlPlane(t), port: freePort(t)}
	o := FleetOptions{Binary: binary, Nodes: 1, XDS: l.cp.address, Dir: t.TempDir()}
	l.cp.push(t, "envoy-1", o.Overlay("envoy-1"), texts(l.port)...)
	l.fleet = startFleet(t, o)
	l.watch = watch(t, WatcherOptions{Targets: l.fleet.Targets, Served: l.cp.Served, Events: l.fleet.Events()})
	return l
}

func (l *lab) push(t *testing.T, texts ...string) {
	t.Helper()
	l.cp.push(t, "envoy-1", l.fleet.Overlay("envoy-1"), texts...)
	l.watch.Poke("envoy-1")
}

// becomes waits until the endpoint stands so, and checks why and since when.
func (l *lab) becomes(t *testing.T, b *backend, want Health, why string, dated bool) {
	t.Helper()
	address := b.Listener.Addr().String()
	find := func(f *Facts) Endpoint {
		for _, e := range f.Endpoints {
			if e.Cluster == "app" && e.Address == address {
				return e
			}
		}
		return Endpoint{}
	}
	f := facts(t, l.watch, "envoy-1", address+" is "+want.String(), func(f *Facts) bool {
		e := find(f)
		return e.Address != "" && e.Health == want && strings.Contains(e.Why, why) && e.Since.IsZero() != dated
	})
	if f.Err != "" || f.Version == "" {
		t.Errorf("the facts are %+v", f)
	}
	if e := find(f); dated && (e.Since.After(time.Now().Add(time.Second)) || time.Since(e.Since) > time.Minute) {
		t.Errorf("since %s", e.Since)
	}
}

func withHealth(b *backend, status string) string {
	return strings.TrimSuffix(appEndpoints(b.port()), "\n") + "\n    health_status: " + status + "\n"
}

func TestEachIllnessIsToldApart(t *testing.T) {
	one, two := newBackend(t), newBackend(t)
	l := newLab(t, func(port uint32) []string {
		return []string{appCluster, appEndpoints(one.port(), two.port()), webListener("web", port), mainRoute}
	})
	rest := []string{webListener("web", l.port), mainRoute}
	l.becomes(t, one, Healthy, "", true)
	l.becomes(t, two, Healthy, "", true)

	one.checks.Store(http.StatusInternalServerError)
	l.becomes(t, one, CheckFailed, "HTTP 500", true)
	l.becomes(t, two, Healthy, "", true)
	one.checks.Store(http.StatusOK)
	l.becomes(t, one, Healthy, "", true)

	one.hang.Store(true)
	l.becomes(t, one, CheckTimeout, "no answer within 300ms", true)
	one.hang.Store(false)
	l.becomes(t, one, Healthy, "", true)

	two.status.Store(http.StatusServiceUnavailable)
	client := newClient(t)
	eventually(t, "three errors of one endpoint", func() bool { answer(client, l.port); return two.hits.Load() > 2 && ejections(t, l) > 0 })
	l.becomes(t, two, Ejected, "3 consecutive 5xx", true)
	l.becomes(t, one, Healthy, "", true)

	// Taken out of EDS, an endpoint stays while its check passes.
	l.push(t, append(rest, appCluster, appEndpoints(one.port()))...)
	l.becomes(t, two, Ejected, "also removal pending", true)

	one.Close()
	l.becomes(t, one, CheckFailed, "connection refused or cut", true)
}

func ejections(t *testing.T, l *lab) uint64 {
	t.Helper()
	if has(t, l.fleet, "/stats?filter=ejections_active", "ejections_active: 1") {
		return 1
	}
	return 0
}

func TestEDSHealthIsToldApart(t *testing.T) {
	b := newBackend(t)
	l := newLab(t, func(port uint32) []string { return []string{plainCluster, withHealth(b, "DRAINING")} })
	for _, c := range []struct {
		status string
		want   Health
	}{
		{"DRAINING", Draining}, {"DEGRADED", Degraded}, {"UNHEALTHY", EDSUnhealthy}, {"TIMEOUT", EDSTimeout}, {"HEALTHY", Healthy},
	} {
		l.push(t, plainCluster, withHealth(b, c.status))
		l.becomes(t, b, c.want, "", false)
		facts(t, l.watch, "envoy-1", c.status+" is active", func(f *Facts) bool {
			return f.Active[mesh.Key{Type: mesh.Endpoints, Name: "app"}].State == ActiveSame
		})
	}
}

// An endpoint that was never checked looks to Envoy like one that fails.
func TestNotCheckedYet(t *testing.T) {
	one, slow := newBackend(t), newBackend(t)
	slow.hang.Store(true)
	patient := strings.Replace(appCluster, "timeout: 0.3s", "timeout: 60s", 1)
	l := newLab(t, func(port uint32) []string { return []string{patient, appEndpoints(one.port())} })
	l.becomes(t, one, Healthy, "", true)
	l.push(t, patient, appEndpoints(one.port(), slow.port()))
	l.becomes(t, slow, NotChecked, "first health check", false)
	slow.CloseClientConnections()
	l.becomes(t, slow, CheckFailed, "connection refused or cut", true)
}

// An Envoy that somebody else started has no event pipe: what it is ill with
// comes from its counters.
func TestEnvoyOfAnother(t *testing.T) {
	binary := realEnvoy(t)
	cp := startControlPlane(t)
	one, two := newBackend(t), newBackend(t)
	port, adminPort := freePort(t), freePort(t)
	plain := func(_ mesh.Type, m proto.Message) proto.Message { return m }
	cp.push(t, "theirs", plain, appCluster, appEndpoints(one.port(), two.port()), webListener("web", port), mainRoute)
	b := Bootstrap{NodeID: "theirs", XDS: cp.address, Admin: joinHostPort("127.0.0.1", adminPort), Delta: true}
	config, err := b.YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary.Path, append([]string{"-c", path, "--concurrency", "1"}, Flags()...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	w := watch(t, WatcherOptions{Targets: targets(Target{Node: "theirs", Admin: b.Admin}), Served: cp.Served})
	is := func(b *backend, want Health, why string) {
		t.Helper()
		facts(t, w, "theirs", b.Listener.Addr().String()+" is "+want.String(), func(f *Facts) bool {
			for _, e := range f.Endpoints {
				if e.Address == b.Listener.Addr().String() && e.Health == want && strings.Contains(e.Why, why) {
					return true
				}
			}
			return false
		})
	}
	is(one, Healthy, "")
	two.status.Store(http.StatusInternalServerError)
	client := newClient(t)
	eventually(t, "enough errors", func() bool { answer(client, port); return two.hits.Load() > 2 })
	is(two, Ejected, "3 consecutive 5xx")
	one.Close()
	is(one, CheckFailed, "connection refused, cut or too slow")
	facts(t, w, "theirs", "the cluster is active", func(f *Facts) bool {
		return f.Active[mesh.Key{Type: mesh.Cluster, Name: "app"}].State == ActiveSame
	})
}

func TestWhatIsActive(t *testing.T) {
	b := newBackend(t)
	texts := func(port uint32) []string {
		return []string{appCluster, appEndpoints(b.port()), webListener("web", port), mainRoute, "route\nname: unused\nvirtual_hosts: [{name: a, domains: ['*']}]\n"}
	}
	l := newLab(t, texts)
	key := func(t mesh.Type, name string) mesh.Key { return mesh.Key{Type: t, Name: name} }
	is := func(k mesh.Key, want ActiveState, detail string) Active {
		t.Helper()
		f := facts(t, l.watch, "envoy-1", k.String()+" is "+want.String(), func(f *Facts) bool {
			a, ok := f.Active[k]
			return ok && a.State == want && strings.Contains(a.Detail, detail)
		})
		return f.Active[k]
	}
	for _, k := range []mesh.Key{key(mesh.Cluster, "app"), key(mesh.Endpoints, "app"), key(mesh.Listener, "web"), key(mesh.Route, "main")} {
		if a := is(k, ActiveSame, ""); a.Detail != "" || a.Since.IsZero() {
			t.Errorf("%s: %+v", k, a)
		}
	}
	is(key(mesh.Route, "unused"), Absent, "no listener asks for it")

	// A new cluster without its endpoints warms.
	waiting := strings.NewReplacer("name: app", "name: waiting", "2s", "60s").Replace(plainCluster)
	l.push(t, append(texts(l.port), waiting)...)
	is(key(mesh.Cluster, "waiting"), Warming, "")
	facts(t, l.watch, "envoy-1", "the list of warming clusters", func(f *Facts) bool { return len(f.Warming) == 1 && f.Warming[0] == "waiting" })

	// A listener that Envoy refuses: the old one stays, and Envoy says why.
	held := taken(t)
	broken := texts(l.port)
	broken[2] = webListener("web", held)
	l.push(t, broken...)
	is(key(mesh.Listener, "web"), ActiveOther, "Address already in use")
	facts(t, l.watch, "envoy-1", "the refusal is counted", func(f *Facts) bool { return f.Rejected[mesh.Listener] > 0 })

	// What Envoy runs differs from what was served: it is said where.
	l.push(t, texts(l.port)...)
	is(key(mesh.Listener, "web"), ActiveSame, "")
	l.cp.pretend("envoy-1", parse(t, strings.Replace(mainRoute, "prefix: /", "prefix: /other", 1)))
	is(key(mesh.Route, "main"), ActiveOther, "virtual_hosts[0].routes[0].match.prefix")
	l.cp.pretend("envoy-1", parse(t, appEndpoints("1")))
	is(key(mesh.Endpoints, "app"), ActiveOther, "127.0.0.1:1 is not there")
}

// pretend changes what the watcher is told was served.
func (cp *controlPlane) pretend(node string, m proto.Message) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	next := map[mesh.Key]proto.Message{}
	for k, v := range cp.served[node] {
		next[k] = v
	}
	kind, _ := mesh.TypeOf(m)
	next[mesh.Key{Type: kind, Name: mesh.NameOf(m)}] = m
	cp.served[node] = next
}
