package files

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// dumped is what a running Envoy says that it holds, opened.
func dumped(t *testing.T, admin int, query string) *Opened {
	t.Helper()
	var body string
	eventually(t, "a dump of an Envoy that is live", func() error {
		if _, err := get(admin, "/ready"); err != nil {
			return err
		}
		var err error
		body, err = get(admin, query)
		return err
	})
	return open(t, filepath.Join(write(t, t.TempDir(), map[string]string{"dump.json": body}), "dump.json"))
}

// What a real Envoy makes of a bootstrap says the same as the bootstrap, resource
// by resource, and each of them by ?resource= too.
func TestARealDumpSaysWhatTheBootstrapSaid(t *testing.T) {
	binary := envoy(t)
	for _, path := range bootstraps(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			path, admin := onFreePorts(t, path), freePort(t)
			want := open(t, path).Meshes[mesh.DefaultGroup]
			run(t, binary, "-c", path, "--service-node", "n", "--service-cluster", "c",
				"--config-yaml", fmt.Sprintf("admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}", admin))
			o := dumped(t, admin, "/config_dump?include_eds")
			if len(o.Problems) > 0 {
				t.Fatal(o.Problems)
			}
			got := o.Meshes[mesh.DefaultGroup]
			for _, c := range mesh.Diff(want, got) {
				if c.Key.Type == mesh.Secret && c.Old != nil && c.New != nil {
					continue // the dump has no key
				}
				t.Errorf("%s: %s", c.Key, cmp.Diff(content(c.Old), content(c.New)))
			}
			routesAlike(t, want, got)
			for _, r := range got.All() {
				linesHold(t, r.Source)
			}
		})
	}
}

func content(r *mesh.Resource) string {
	if r == nil {
		return "not there"
	}
	return r.Source.Text
}

// routesAlike holds that every route of both meshes takes its requests to the
// same target.
func routesAlike(t *testing.T, a, b *mesh.Mesh) {
	t.Helper()
	probes := kept.Probe(a, b)
	if len(probes) == 0 && len(a.List(mesh.Route)) > 0 {
		t.Error("no route was probed")
	}
	for _, m := range kept.Compare(match.New(a), match.New(b), probes) {
		t.Errorf("%s goes to %s in the original, to %s in the dump: %v", m.Request.Name, m.From, m.To, m.Why)
	}
}

// An Envoy that gets all by xDS dumps dynamic resources; they open as what was
// served, with the endpoints as Envoy holds them.
func TestARealDumpOfWhatCameByXDS(t *testing.T) {
	binary := envoy(t)
	o := open(t, onFreePorts(t, "testdata/bootstraps/front-proxy.yaml"))
	want := o.Meshes[mesh.DefaultGroup]
	dir, admin := filepath.Join(t.TempDir(), "saved"), freePort(t)
	save(t, dir, o, o.Meshes)
	start(t, binary, dir, admin)
	eventually(t, "the listeners are active", func() error { return settled(admin, len(want.List(mesh.Listener))) })

	got := dumped(t, admin, "/config_dump?include_eds")
	if len(got.Problems) > 0 {
		t.Fatal(got.Problems)
	}
	sameButEndpoints(t, want, got.Meshes[mesh.DefaultGroup])
	routesAlike(t, want, got.Meshes[mesh.DefaultGroup])
	saved := filepath.Join(t.TempDir(), "of-the-dump")
	save(t, saved, got, got.Meshes)

	without := dumped(t, admin, "/config_dump")
	if rule(without.Notices, NotInDump) == nil {
		t.Errorf("it is not said that the endpoints are missing: %v", without.Notices)
	}
	for resource, typ := range map[string]mesh.Type{"dynamic_listeners": mesh.Listener, "dynamic_route_configs": mesh.Route,
		"dynamic_active_clusters": mesh.Cluster, "dynamic_endpoint_configs&include_eds": mesh.Endpoints} {
		part := dumped(t, admin, "/config_dump?resource="+resource).Meshes[mesh.DefaultGroup]
		if all := part.List(typ); len(all) != len(want.List(typ)) || part.Len() != len(all) {
			t.Errorf("%s: %d of %d resources", resource, len(all), part.Len())
		}
	}
}

// sameButEndpoints compares two meshes, of load assignments the addresses alone:
// Envoy dumps what it made of the rest.
func sameButEndpoints(t *testing.T, want, got *mesh.Mesh) {
	t.Helper()
	for _, c := range mesh.Diff(want, got) {
		if c.Old == nil || c.New == nil {
			t.Errorf("%s: %s", c.Key, cmp.Diff(content(c.Old), content(c.New)))
			continue
		}
		switch old := c.Old.Message.(type) {
		case *endpointv3.ClusterLoadAssignment:
			if diff := cmp.Diff(addresses(old), addresses(c.New.Message)); diff != "" {
				t.Errorf("%s: %s", c.Key, diff)
			}
			for _, l := range c.New.Message.(*endpointv3.ClusterLoadAssignment).GetEndpoints() {
				if l.LoadBalancingWeight != nil && l.GetLoadBalancingWeight().GetValue() == 0 {
					t.Errorf("%s has a weight of 0, which Envoy refuses", c.Key)
				}
			}
		case *clusterv3.Cluster:
			t.Errorf("%s: %s", c.Key, cmp.Diff(c.Old.Source.Text, c.New.Source.Text))
		default:
			t.Errorf("%s: %s", c.Key, cmp.Diff(content(c.Old), content(c.New)))
		}
	}
}

func addresses(m proto.Message) []string {
	var out []string
	for _, l := range m.(*endpointv3.ClusterLoadAssignment).GetEndpoints() {
		for _, lb := range l.GetLbEndpoints() {
			out = append(out, mesh.Address(lb.GetEndpoint().GetAddress()))
		}
	}
	return out
}

func rule(fs []mesh.Finding, name string) *mesh.Finding {
	for i := range fs {
		if fs[i].Rule == name {
			return &fs[i]
		}
	}
	return nil
}

// A dump is never written over: it is saved to a folder, which says the same.
func TestADumpIsSavedToAFolder(t *testing.T) {
	paths, err := filepath.Glob("testdata/dumps/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(write(t, t.TempDir(), map[string]string{filepath.Base(path): string(data)}), filepath.Base(path))
		o := open(t, path)
		if _, err := Save(path, o, o.Rules, o.Meshes, Disk{}); err == nil || !strings.Contains(err.Error(), "is a file") {
			t.Errorf("%s was written over: %v", path, err)
		}
		save(t, filepath.Join(t.TempDir(), "saved"), o, o.Meshes)
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, data) {
			t.Errorf("%s was changed: %v", path, err)
		}
	}
}

// What a real Envoy rejected, and what still warms, is told and not taken.
func TestARealDumpOfWhatIsNotUsed(t *testing.T) {
	binary := envoy(t)
	o := open(t, onFreePorts(t, "testdata/bootstraps/front-proxy.yaml"))
	dir, admin := filepath.Join(t.TempDir(), "saved"), freePort(t)
	o = save(t, dir, o, o.Meshes)
	want := o.Meshes[mesh.DefaultGroup]
	start(t, binary, dir, admin)
	eventually(t, "the listeners are active", func() error { return settled(admin, len(want.List(mesh.Listener))) })

	change := func(file, more string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := (Disk{}).WriteFile(filepath.Join(dir, file), []byte(string(data)+more), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change("lds.yaml", `- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: newcomer
  address: {socket_address: {address: 127.0.0.1, port_value: `+fmt.Sprint(admin)+`}}
  enable_reuse_port: false
  filter_chains:
  - filters:
    - {name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: x, cluster: late}}
`)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes a health check and never answers it
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	change("cds.yaml", `- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: late
  health_checks: [{timeout: 60s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /}}]
  load_assignment: {cluster_name: late, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: `+
		fmt.Sprint(silent.Addr().(*net.TCPAddr).Port)+`}}}}]}]}
`)
	eventually(t, "a rejected listener and a warming cluster in the dump", func() error {
		body, err := get(admin, "/config_dump")
		for _, field := range []string{"error_state", "dynamic_warming_clusters"} {
			if err == nil && !strings.Contains(body, field) {
				err = fmt.Errorf("there is no %s", field)
			}
		}
		return err
	})
	got := dumped(t, admin, "/config_dump?include_eds")
	for name, key := range map[string]mesh.Key{"rejected": {Type: mesh.Listener, Name: "newcomer"}, "warming": {Type: mesh.Cluster, Name: "late"}} {
		told := 0
		for _, f := range got.Notices {
			if f.Rule == name && f.Key == key && f.Line > 1 {
				told++
			}
		}
		if told != 1 || got.Meshes[mesh.DefaultGroup].Get(key) != nil {
			t.Errorf("%s %s is told %d times, and taken: %v\n%v", name, key, told, got.Meshes[mesh.DefaultGroup].Get(key), got.Notices)
		}
	}
	sameButEndpoints(t, want, got.Meshes[mesh.DefaultGroup])
}
