package truth_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
	"example.com/meshtui/xds/xdstest"
)

// edsCluster warms for a minute, if nothing comes.
func edsCluster(name string) string {
	return "cluster\nname: " + name + "\ntype: EDS\nconnect_timeout: 1s\n" +
		"eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 60s}}\n"
}

func endpointsOf(cluster, port string) string {
	return "endpoints\ncluster_name: " + cluster + "\nendpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " + port + "}}}}]}]\n"
}

// webListener asks for its routes as the source says.
func webListener(name string, port int, routes string) string {
	return fmt.Sprintf(`listener
name: %s
address: {socket_address: {address: 127.0.0.1, port_value: %d}}
enable_reuse_port: false
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: in.%s
      %s
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`, name, port, name, routes)
}

const (
	rdsMain   = `rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}`
	mainRoute = "route\nname: main\nvirtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: app}}]}]\n"
)

func keys(pairs ...any) []mesh.Key {
	var out []mesh.Key
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, mesh.Key{Type: pairs[i].(mesh.Type), Name: pairs[i+1].(string)})
	}
	return out
}

var shop = keys(mesh.Listener, "web", mesh.Route, "main", mesh.Cluster, "app", mesh.Endpoints, "app")

// texts is the mesh that most tests begin with.
func (l *lab) texts(backend string) []string {
	return []string{webListener("web", l.port, rdsMain), mainRoute, edsCluster("app"), endpointsOf("app", backend)}
}

// What is served becomes active, and carries traffic while requests are sent.
// When Envoy hangs nothing is said of it any more but what was so.
func TestEnvoyActiveCarryingHung(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		l := newLab(t, delta, plainStatic)
		l.push(l.texts(newBackend(t))...)
		l.active(shop...)
		for _, k := range shop {
			l.request()
			r := l.until(k.Type, k.Name, truth.Carrying, "active; 1 request in the last")
			if !r.Served.Yes() || !r.Acked.Yes() || !r.Active.Yes() || r.Active.Source != truth.Admin || r.Requests != 1 {
				t.Errorf("%s: %+v", k, r)
			}
			l.until(k.Type, k.Name, truth.Active, "no request in the last")
		}
		if n := l.truth(); n.Worst < truth.Active || len(n.Types) != 5 || len(n.Foreign) != 0 || n.Stale {
			t.Errorf("%+v", n)
		}
		if err := l.envoy.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		l.until(mesh.Cluster, "app", truth.Unobservable, "since then the admin interface does not answer")
		if err := l.envoy.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		l.active(shop...)
	})
}

// Envoy accepts what its bootstrap has under the same name, and keeps its own.
func TestEnvoyOverriddenByItsBootstrap(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		port := freePort(t)
		l := newLab(t, delta, fmt.Sprintf(bootstrapParts, port))
		l.push(append(l.texts(newBackend(t)), edsCluster("fixed"), webListener("fixed", port, rdsMain),
			"runtime\nname: "+envoy.RuntimeLayer+"\nlayer: {shop: {limit: 3, on: true}, text: x, share: {numerator: 5, denominator: HUNDRED}}\n",
			"listener\nname: api\napi_listener: {api_listener: {'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: a, "+rdsMain+"}}\n")...)
		l.active(append(shop, keys(mesh.Runtime, envoy.RuntimeLayer)...)...)
		r := l.until(mesh.Cluster, "fixed", truth.Overridden, "its bootstrap has a cluster of this name, which xDS does not replace; it differs in ")
		if c, ok := r.Instead.(*clusterv3.Cluster); !ok || c.GetConnectTimeout().GetSeconds() != 7 || !r.Acked.Yes() {
			t.Errorf("%+v", r)
		}
		if r = l.until(mesh.Listener, "fixed", truth.Overridden, "its bootstrap has a listener of this name"); r.Instead == nil || !r.Acked.Yes() {
			t.Errorf("%+v", r)
		}
		l.until(mesh.Listener, "api", truth.PassedOver, "Envoy takes an api_listener from its bootstrap only")
		l.eventually("another static cluster is seen", func(n *truth.Node) bool {
			return len(n.Foreign) == 1 && n.Foreign[0] == truth.Foreign{Key: mesh.Key{Type: mesh.Cluster, Name: "theirs"}, Origin: envoy.FromBootstrap}
		})

		l.admin("/runtime_modify?shop.limit=77")
		r = l.until(mesh.Runtime, envoy.RuntimeLayer, truth.Drifted, "shop.limit is 77 instead of 3: the layer admin overrides it")
		if rt, ok := r.Instead.(*runtimev3.Runtime); !ok || rt.GetLayer().GetFields()["shop.limit"].GetNumberValue() != 77 {
			t.Errorf("%+v", r)
		}
		l.admin("/runtime_modify?shop.limit=")
		l.active(keys(mesh.Runtime, envoy.RuntimeLayer)...)
	})
}

const bootstrapParts = `static_resources:
  listeners:
  - {name: fixed, address: {socket_address: {address: 127.0.0.1, port_value: %d}}, filter_chains: [{filters: []}]}
  clusters:
  - {name: fixed, connect_timeout: 7s, load_assignment: {cluster_name: fixed}}
  - {name: theirs, connect_timeout: 7s, load_assignment: {cluster_name: theirs}}
`

// A cluster whose endpoints nobody serves warms, and one whose first health check
// takes its time (delta says of missing endpoints that there are none, and Envoy
// goes on). Envoy withholds the ACK of all that came along. It is told what is
// missing, and after a while that it is stuck.
func TestEnvoyWarmingAndStuck(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		l := newLab(t, delta, plainStatic)
		texts := l.texts(newBackend(t))
		l.push(texts...)
		l.active(shop...)
		waits, slow, missing := "waits for endpoints slow, which is not in the revision", edsCluster("slow"), ""
		if delta {
			waits = "waits for its first health check"
			slow += "health_checks: [{timeout: 60s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /}}]\n"
			missing = endpointsOf("slow", blackHole(t))
		}
		next := append(slices.Clone(texts), slow, "cluster\nname: fine\ntype: STATIC\nconnect_timeout: 1s\n")
		if delta {
			next = append(next, missing)
		}
		l.push(next...)
		l.until(mesh.Cluster, "slow", truth.WaitingToWarm, waits)
		if r := l.until(mesh.Cluster, "fine", truth.Active, "the ACK is withheld until these are warm: slow"); r.Acked.Yes() || r.Rejected.Yes() {
			t.Errorf("%+v", r)
		}
		if r := l.until(mesh.Cluster, "slow", truth.Stuck, waits); !r.Warming.Yes() || r.Acked.Yes() {
			t.Errorf("%+v", r)
		}
		l.push(texts...) // a cluster that hangs goes, and all is well
		l.active(shop...)
		if delta {
			return
		}
		// A listener that warms says itself what it waits for.
		l.push(append(texts, webListener("second", freePort(t), `rds: {route_config_name: late, config_source: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 60s}}`))...)
		l.until(mesh.Listener, "second", truth.WaitingToWarm, "waits for RDS late")
	})
}

// blackHole is a port that takes connections and never answers.
func blackHole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// One bad resource in a response is rejected; what came with it is taken, and said
// to be.
func TestEnvoyRejectedInPart(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		l := newLab(t, delta, plainStatic)
		texts := l.texts(newBackend(t))
		l.push(texts...)
		l.active(shop...)
		bad := "cluster\nname: bad\ntype: EDS\nconnect_timeout: 1s\n"
		good := "cluster\nname: good\ntype: STATIC\nconnect_timeout: 1s\n"
		l.push(append(texts, bad, good)...)
		r := l.until(mesh.Cluster, "bad", truth.Rejected, "rejected; the node has none of it")
		if !strings.Contains(r.Words, "cannot create an EDS cluster without an EDS config") || r.Acked.Yes() || r.Partly {
			t.Errorf("%+v", r)
		}
		r = l.until(mesh.Cluster, "good", truth.Active, "active")
		if r.Rejected.Yes() != r.Partly {
			t.Errorf("%+v", r)
		}
		t.Logf("good: %s", r.Says)
		held, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		texts[0] = webListener("web", held.Addr().(*net.TCPAddr).Port, rdsMain)
		l.push(append(texts, webListener("second", freePort(t), rdsMain))...)
		r = l.until(mesh.Listener, "web", truth.Rejected, "rejected; the node runs the version before it")
		if !strings.Contains(r.Words, "Address already in use") || r.Instead == nil {
			t.Errorf("%+v", r)
		}
		r = l.until(mesh.Listener, "second", truth.Active, "active")
		t.Logf("second: %s", r.Says)
		l.request()
	})
}

// A route that the node has from a file has the name of one of ours, which it
// therefore never asks for.
func TestEnvoyOverriddenByAFile(t *testing.T) {
	t.Parallel()
	l := newLab(t, false, plainStatic)
	file := filepath.Join(l.dir, "rds.yaml")
	config := "resources:\n- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: main\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	texts := l.texts(newBackend(t))
	texts[0] = webListener("web", l.port, "rds: {route_config_name: main, config_source: {path_config_source: {path: "+file+"}}}")
	l.push(texts...)
	l.until(mesh.Route, "main", truth.Overridden, "a route of this name from another source than meshtui, and did not ask for ours")
}

// Somebody else answers in the node's name: what it accepted is not in the node
// that the admin interface is of.
func TestEnvoyMissing(t *testing.T) {
	t.Parallel()
	l := newLab(t, false, plainStatic)
	l.push(append(l.texts(newBackend(t)), strings.Replace(mainRoute, "name: main", "name: ghost", 1))...)
	l.active(shop...)
	l.until(mesh.Route, "ghost", truth.Unasked, "nothing in the node asks for it")
	other := xdstest.Dial(t, "unix:"+filepath.Join(l.dir, "xds"), xdstest.Config{ID: "envoy-1", Agent: "envoy"}).Open()
	other.Subscribe(mesh.Route, "ghost")
	other.Ack(other.Next())
	l.until(mesh.Route, "ghost", truth.Missing, "accepted, but not in the node")
}

// The types that few meshes have are compared too: filters by ECDS, scopes,
// virtual hosts that join a route (delta only), and the routes beside them.
func TestEnvoyRareTypes(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		l := newLab(t, delta, plainStatic)
		toggle := `filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: scoped
      scoped_routes:
        name: scopes
        scope_key_builder: {fragments: [{header_value_extractor: {name: x-scope, element_separator: ";", element: {key: k, separator: "="}}}]}
        rds_config_source: {ads: {}, resource_api_version: V3}
        scoped_rds: {scoped_rds_config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: toggle
        config_discovery:
          config_source: {ads: {}, resource_api_version: V3}
          type_urls: [type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault]
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`
		texts := append(l.texts(newBackend(t)),
			fmt.Sprintf("listener\nname: scoped\naddress: {socket_address: {address: 127.0.0.1, port_value: %d}}\nenable_reuse_port: false\n%s", freePort(t), toggle),
			"extension\nname: toggle\ntyped_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, max_active_faults: 3}\n",
			"scoped route\nname: one\nroute_configuration_name: main\nkey: {fragments: [{string_key: a}]}\n")
		rare := keys(mesh.Extension, "toggle", mesh.ScopedRoute, "one", mesh.Listener, "scoped")
		if delta {
			texts[1] = strings.Replace(mainRoute, "virtual_hosts", "vhds: {config_source: {ads: {}, resource_api_version: V3}}\nvirtual_hosts", 1)
			texts = append(texts, "virtual host\nname: main/late\ndomains: [late.test]\nroutes: [{match: {prefix: /}, route: {cluster: app}}]\n")
			rare = append(rare, keys(mesh.VirtualHost, "main/late")...)
		}
		l.push(texts...)
		l.active(append(shop, rare...)...)
	})
}
