package csds_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/csds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
	"example.com/meshtui/xds/xdstest"
)

const (
	ads      = "{ads: {}, resource_api_version: V3}"
	listener = `listener
name: shop
api_listener:
  api_listener:
    "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
    rds: {route_config_name: main, config_source: ` + ads + `}
    http_filters:
    - name: router
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`
	mainRoute  = "route\nname: main\nvirtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: ''}, route: {cluster: app}}]}]\n"
	appCluster = "cluster\nname: app\ntype: EDS\neds_cluster_config: {eds_config: " + ads + "}\n"
	// gRPC takes no such policy.
	oddCluster = appCluster + "lb_policy: MAGLEV\n"
)

func appEndpoints(t *testing.T, address string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`endpoints
cluster_name: app
endpoints:
- locality: {region: here}
  load_balancing_weight: 1
  lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]
`, host, port)
}

// A gRPC client is a node like others: RPCs flow over what it is served, an
// endpoint moves, what it rejects is sent once and leaves it at work, and a
// correction is taken.
func TestGRPCClientIsServed(t *testing.T) {
	l := newLab(t)
	first, second := backend(t), backend(t)
	l.push(listener, mainRoute, appCluster, appEndpoints(t, first))
	c := startClient(t, l, csds.Bootstrap{NodeID: "grpc-1", Cluster: "shop", XDS: l.address})
	c.callUntil(first)
	n := l.through("grpc-1", engine.Accepted)
	if n.Agent != "gRPC Go 1.85.0" || n.CSDS != c.csds || n.Cluster != "shop" || n.Variant != xds.SotWADS {
		t.Errorf("%+v", n)
	}

	l.push(listener, mainRoute, appCluster, appEndpoints(t, second))
	l.through("grpc-1", engine.Accepted)
	c.callUntil(second)

	l.push(listener, mainRoute, oddCluster, appEndpoints(t, second))
	n = l.through("grpc-1", engine.Rejected)
	st := n.Resources.Get(mesh.Key{Type: mesh.Cluster, Name: "app"})
	if st.Rejected == nil || st.Rejected.Sent != 1 || !strings.Contains(st.Rejected.Detail, "app") {
		t.Errorf("%+v", st.Rejected)
	}
	if got := c.dump()["Cluster app"]; got.GetClientStatus().String() != "NACKED" || got.GetXdsConfig() == nil {
		t.Errorf("the client says %v", got)
	}
	c.callUntil(second) // with what it had

	l.push(listener, mainRoute, appCluster, appEndpoints(t, first))
	l.through("grpc-1", engine.Accepted)
	c.callUntil(first)
	nacks := 0
	messages, _ := l.Wire().Since(0, 1<<20)
	for _, m := range messages {
		if m.Kind == xds.NACK {
			nacks++
		}
	}
	if nacks != 1 {
		t.Errorf("%d NACKs", nacks)
	}
}

// What a gRPC client tells of itself makes the truth about it: active by content,
// rejected with what it has instead.
func TestGRPCClientTruth(t *testing.T) {
	l := newLab(t)
	address := backend(t)
	l.push(listener, mainRoute, appCluster, appEndpoints(t, address))
	c := startClient(t, l, csds.Bootstrap{NodeID: "grpc-1", XDS: l.address})
	c.callUntil(address)
	w := envoy.NewWatcher(envoy.WatcherOptions{
		Served: l.Served, Status: csds.Look, Interval: 50 * time.Millisecond,
		Targets: func() []envoy.Target {
			n := l.State().Node("grpc-1")
			return []envoy.Target{{Node: n.ID, Admin: n.Admin, CSDS: n.CSDS}, {Node: "stranger", CSDS: n.CSDS}, {Node: "far", CSDS: "192.0.2.1:1"}}
		},
	})
	l.tasks.Go("watcher", func() error { return w.Run(l.ctx) })
	until := func(k mesh.Key, want truth.Verdict, says string) (out truth.Resource) {
		t.Helper()
		changed, done := w.Changed()
		defer done()
		for deadline := time.After(xdstest.Patience); ; {
			n := truth.Of(l.State().Node("grpc-1"), w.Facts("grpc-1"), l.offered, time.Now())
			for _, r := range n.Resources {
				if r.Key == k && r.Verdict == want && strings.Contains(r.Says, says) {
					return r
				}
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatalf("%s never was %s: %q; it is %+v", k, want, says, n)
			}
		}
	}
	all := []mesh.Key{{Type: mesh.Listener, Name: "shop"}, {Type: mesh.Route, Name: "main"}, {Type: mesh.Cluster, Name: "app"}, {Type: mesh.Endpoints, Name: "app"}}
	for _, k := range all {
		if r := until(k, truth.Active, "active"); r.Active.Source != truth.Admin || r.Active.At.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	l.push(listener, mainRoute, oddCluster, appEndpoints(t, address))
	r := until(all[2], truth.Rejected, "the node runs the version before it")
	if have, ok := r.Instead.(*clusterv3.Cluster); !ok || have.GetLbPolicy() != clusterv3.Cluster_ROUND_ROBIN || !strings.Contains(r.Words, "MAGLEV") {
		t.Errorf("%+v", r)
	}
	until(all[0], truth.Active, "active")
	for node, want := range map[string]string{"stranger": `is that of node "grpc-1"`, "far": "only on loopback or a unix socket"} {
		for f := w.Facts(node); f == nil || !strings.Contains(f.Err, want); f = w.Facts(node) {
			if f != nil && f.Err != "" {
				t.Fatalf("%s: %s", node, f.Err)
			}
			<-time.After(time.Millisecond)
		}
	}
}
