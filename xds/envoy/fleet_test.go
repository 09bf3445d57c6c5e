package envoy

import (
	"context"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

func child() (bool, int) { return false, 0 }

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
outlier_detection: {consecutive_5xx: 3, interval: 0.5s, base_ejection_time: 60s, max_ejection_percent: 100}
`

func appEndpoints(ports ...string) string {
	s := "endpoints\ncluster_name: app\nendpoints:\n- lb_endpoints:\n"
	for _, p := range ports {
		s += "  - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " + p + "}}}\n"
	}
	return s
}

func identity(_ mesh.Type, m proto.Message) proto.Message { return m }

func TestLab(t *testing.T) {
	b := realEnvoy(t)
	cp := startControlPlane(t)
	dir := t.TempDir()
	o := FleetOptions{Binary: b, Nodes: 1, XDS: cp.address, Dir: dir}
	one, two := newBackend(t), newBackend(t)
	cp.push(t, "envoy-1", o.Overlay("envoy-1"), appCluster, appEndpoints(one.port(), two.port()))
	f, err := StartFleet(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		log, _ := os.ReadFile(dir + "/envoy-1.log")
		t.Logf("%s", log)
	}()
	client, _ := newAdmin(f.Processes()[0].Admin, 1e9)
	defer client.close()
	w := NewWatcher(WatcherOptions{Targets: f.Targets, Served: cp.Served, Events: f.Events()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	defer func() { cancel(); <-done }()
	show := func() {
		fa := w.Facts("envoy-1")
		if fa == nil {
			return
		}
		t.Logf("%+v", *fa)
		_, body, _ := client.get(ctx, "/clusters?format=json&filter=app")
		t.Logf("%s", body)
	}
	health := func(i int) Health {
		fa := w.Facts("envoy-1")
		if fa == nil || len(fa.Endpoints) <= i {
			return HealthUnknown
		}
		for _, e := range fa.Endpoints {
			if e.Address == []string{one.Listener.Addr().String(), two.Listener.Addr().String()}[i] {
				return e.Health
			}
		}
		return HealthUnknown
	}
	eventually(t, "healthy", func() bool { return health(0) == Healthy && health(1) == Healthy })
	show()
	one.Close()
	eventually(t, "failed", func() bool { return health(0) == CheckFailed })
	show()
	two.hang.Store(true)
	eventually(t, "timeout", func() bool { return health(1) == CheckTimeout })
	show()
	for _, p := range []string{"dynamic_active_clusters", "dynamic_endpoint_configs&include_eds", "dynamic_warming_clusters", "dynamic_listeners"} {
		_, body, _ := client.get(ctx, "/config_dump?resource="+p)
		t.Logf("%s: %s", p, body)
	}
}
