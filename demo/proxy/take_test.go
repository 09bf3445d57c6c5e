package proxy_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/demo/proxy/admin"
	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/engine/mesh"
)

// told is a node that a test tells what its control plane would.
type told struct {
	*proxy.Node
	t       testing.TB
	version int
}

func startTold(t testing.TB) *told {
	t.Helper()
	dir, err := os.MkdirTemp("", "builtin")
	if err != nil {
		t.Fatal(err)
	}
	n, stop, err := proxy.StartNode(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return &told{Node: n, t: t}
}

// world is a response in the state of the world, change one of delta.
func (n *told) world(typ mesh.Type, ms ...proto.Message) client.Answer {
	return n.take(&client.Response{Type: typ, Whole: typ == mesh.Listener || typ == mesh.Cluster}, ms)
}

func (n *told) change(typ mesh.Type, removed []string, ms ...proto.Message) client.Answer {
	return n.take(&client.Response{Type: typ, Removed: removed}, ms)
}

func (n *told) take(r *client.Response, ms []proto.Message) client.Answer {
	n.version++
	r.Version = strconv.Itoa(n.version)
	for _, m := range ms {
		r.Resources = append(r.Resources, client.Resource{Name: mesh.NameOf(m), Version: r.Version, Message: m})
	}
	return n.Take(r)
}

// stands is how the resources of a kind stand: "name", "name warming", "name
// draining", "name failed".
func stands(ds []admin.Dynamic) []string {
	var out []string
	for _, d := range ds {
		s := d.Name
		switch {
		case d.Warming:
			s += " warming"
		case d.Drains:
			s += " draining"
		case d.Message == nil:
			s += " absent"
		}
		if d.Failure != nil {
			s += " failed"
		}
		out = append(out, s)
	}
	return out
}

func (n *told) clusters(want ...string) {
	n.t.Helper()
	n.mustStand("clusters", n.State().Clusters, want)
}
func (n *told) listeners(want ...string) {
	n.t.Helper()
	n.mustStand("listeners", n.State().Listeners, want)
}

func (n *told) mustStand(what string, ds []admin.Dynamic, want []string) {
	n.t.Helper()
	if diff := cmp.Diff(want, stands(ds)); diff != "" {
		n.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func mustSay(t testing.TB, a client.Answer, want string, took ...string) {
	t.Helper()
	got := ""
	if a.Err != nil {
		got = a.Err.Error()
	}
	if want == "" && got != "" || !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("the answer is %q, want %q", got, want)
	}
	if a.Err != nil && !slices.Equal(a.Took, took) {
		t.Errorf("it took %v, want %v", a.Took, took)
	}
}

func held(a client.Answer) bool {
	if a.Held == nil {
		return false
	}
	select {
	case <-a.Held:
		return false
	default:
		return true
	}
}

// undone is a cluster of a kind that the proxy does not do.
func undone(name string) *clusterv3.Cluster {
	c := cluster(name, time.Second)
	c.EdsClusterConfig, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	return c
}

// Of a response with clusters the good ones are applied, what is missing goes,
// what was good before its bad version stays, and the words name the bad ones.
func TestClustersArePartlyTaken(t *testing.T) {
	n := startTold(t)
	mustSay(t, n.world(mesh.Cluster, cluster("old", time.Second), cluster("kept", time.Second)), "")
	n.world(mesh.Endpoints, endpoints("old", 1), endpoints("kept", 1))
	n.clusters("kept", "old")
	a := n.world(mesh.Cluster, undone("bad"), cluster("good", time.Second), undone("kept"), cluster("good", 2*time.Second))
	mustSay(t, a, `^Error adding/updating cluster\(s\) bad: .*type.*, kept: .*type.*, good: duplicate cluster good found$`, "good")
	n.clusters("good warming", "kept")
	if got := n.State().Stats["cluster_manager.cds.update_rejected"]; got != 1 {
		t.Errorf("%d rejected", got)
	}
	mustSay(t, n.change(mesh.Cluster, []string{"kept", "nobody"}), "")
	n.clusters("good warming")
}

// The answer to clusters is held until those that it brought are warm, or no
// longer wanted; that of another response is not.
func TestAnswerToClustersIsHeld(t *testing.T) {
	n := startTold(t)
	first := n.world(mesh.Cluster, cluster("a", time.Second), cluster("b", time.Second))
	n.world(mesh.Endpoints, endpoints("a", 1))
	if !held(first) {
		t.Error("the answer does not wait for b")
	}
	again := n.world(mesh.Cluster, cluster("a", time.Second), cluster("b", time.Second))
	if !held(again) {
		t.Error("b is still warming, and the answer says that it is not")
	}
	n.clusters("a", "b warming")
	second := n.world(mesh.Cluster, cluster("a", time.Second), cluster("b", 2*time.Second), cluster("c", time.Second))
	if held(first) || held(again) {
		t.Error("the version of b that is waited for was replaced")
	}
	n.world(mesh.Endpoints, endpoints("b", 1))
	if !held(second) {
		t.Error("the answer does not wait for c")
	}
	third := n.world(mesh.Cluster, cluster("a", time.Second), cluster("b", 2*time.Second))
	if held(second) || held(third) {
		t.Error("c is gone, and still waited for")
	}
	// A changed cluster has its endpoints already.
	fourth := n.world(mesh.Cluster, cluster("a", 3*time.Second))
	if held(fourth) {
		t.Error("a waits for endpoints that are known")
	}
	n.clusters("a")
}

// Endpoints that were refused, or that do not exist, are waited for no longer.
func TestWithoutEndpoints(t *testing.T) {
	for name, tell := range map[string]func(*told) client.Answer{
		"broken": func(n *told) client.Answer {
			broken := endpoints("a", 1)
			broken.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = socket("127.0.0.1", 99999)
			a := n.world(mesh.Endpoints, broken)
			mustSay(t, a, "endpoints a: Proto constraint validation failed")
			return a
		},
		"a name as address": func(n *told) client.Answer {
			named := endpoints("a", 1)
			named.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = socket("example.test", 80)
			a := n.world(mesh.Endpoints, named)
			mustSay(t, a, "malformed IP address: example.test")
			return a
		},
		"unreadable": func(n *told) client.Answer {
			n.Refused(mesh.Endpoints, os.ErrInvalid)
			return client.Answer{Err: os.ErrInvalid}
		},
		"not there": func(n *told) client.Answer { return n.change(mesh.Endpoints, []string{"a"}) },
	} {
		t.Run(name, func(t *testing.T) {
			n := startTold(t)
			first := n.world(mesh.Cluster, cluster("a", time.Second))
			a := tell(n)
			if held(first) {
				t.Error("the cluster still waits")
			}
			n.clusters("a")
			if got := n.State().Stats["cluster.a.update_rejected"]; (got == 1) != (a.Err != nil) {
				t.Errorf("%d rejected", got)
			}
		})
	}
}

// Endpoints and routes are applied in their order up to the first that is wrong.
func TestInOrderUpToTheFirstWrong(t *testing.T) {
	n := startTold(t)
	n.world(mesh.Cluster)
	port := freePort(t)
	l := listener(t, "web", port, "a")
	for _, name := range []string{"b", "c"} {
		l.FilterChains = append(l.FilterChains, &listenerv3.FilterChain{
			FilterChainMatch: &listenerv3.FilterChainMatch{SourcePorts: []uint32{uint32(len(l.FilterChains))}},
			Filters:          serving(t, "x", port, manager(t, "other", name)).FilterChains[0].Filters,
		})
	}
	mustSay(t, n.world(mesh.Listener, l), "")
	n.listeners("web warming")
	wrong := route("b", "x")
	wrong.VirtualHosts[0].Domains = []string{"*", "*"}
	mustSay(t, n.world(mesh.Route, route("a", "x"), wrong, route("c", "x")), "^(route )?b: ", "a")
	if diff := cmp.Diff([]string{"a"}, stands(n.State().Routes)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if got := n.State().Stats["http.other.rds.b.update_rejected"]; got != 1 {
		t.Errorf("%d rejected", got)
	}
	n.listeners("web warming") // c is still to come
	mustSay(t, n.change(mesh.Route, []string{"c"}), "")
	n.listeners("web")
	if status, _, err := ask(t, urlOf(port)); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("%d %v", status, err)
	}
}

// A resource that breaks the rules of its type spoils its whole response.
func TestBreachIsRefusedWhole(t *testing.T) {
	n := startTold(t)
	n.world(mesh.Cluster, cluster("old", time.Second))
	late := cluster("late", 0)
	late.ConnectTimeout = durationpb.New(0)
	mustSay(t, n.world(mesh.Cluster, cluster("good", time.Second), late),
		`late: Proto constraint validation failed \(ClusterValidationError.ConnectTimeout: value must be greater than 0s\)`)
	n.clusters("old warming")
}

// What comes again unchanged changes nothing: nothing warms, drains or is newer
// than it was.
func TestUnchanged(t *testing.T) {
	n := startTold(t)
	port := freePort(t)
	tell := func() {
		n.world(mesh.Cluster, cluster("a", time.Second))
		n.world(mesh.Endpoints, endpoints("a", 1))
		n.world(mesh.Listener, listener(t, "web", port, "r"))
		n.world(mesh.Route, route("r", "a"))
	}
	tell()
	before := n.State()
	tell()
	after := n.State()
	for name, pair := range map[string][2][]admin.Dynamic{
		"clusters": {before.Clusters, after.Clusters}, "endpoints": {before.Endpoints, after.Endpoints},
		"listeners": {before.Listeners, after.Listeners}, "routes": {before.Routes, after.Routes},
	} {
		if len(pair[0]) != 1 || len(pair[1]) != 1 || pair[0][0].Version != pair[1][0].Version || !pair[0][0].Updated.Equal(pair[1][0].Updated) {
			t.Errorf("%s: %+v became %+v", name, pair[0], pair[1])
		}
	}
	if !after.Ready {
		t.Error("it is not ready")
	}
}
