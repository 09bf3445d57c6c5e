package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A real Envoy and the built-in proxy are served the same revisions, good ones
// and bad ones, one after the other. Both accept and both refuse the same, and
// then answer alike.
func TestBesideEnvoy(t *testing.T) {
	path := xdstest.NeedEnvoy(t)
	variants(t, func(t *testing.T, delta bool) {
		front, other, v1, v2 := freePort(t), freePort(t), backend(t, "v1"), backend(t, "v2")
		dead := freePort(t)
		web, second := listener(t, "web", front, "local"), time.Second
		good := []proto.Message{web, route("local", "blue"), cluster("blue", second), endpoints("blue", v1)}
		l := startLab(t, labOptions{delta: delta, first: meshOf(t, good...)})
		l.beside(path, other)
		l.ends(engine.Accepted)
		answers(t, urlOf(front), "v1")
		answers(t, urlOf(other), "v1")
		with := func(more ...proto.Message) *mesh.Mesh { return meshOf(t, append(slices.Clone(good), more...)...) }
		for _, c := range []struct {
			name string
			m    *mesh.Mesh
		}{
			{"endpoint moved", with(endpoints("blue", v2))},
			{"two endpoints, one draining", with(draining(endpoints("blue", v1, v2), 0))},
			{"no endpoints", with(endpoints("blue"))},
			{"a dead endpoint", with(endpoints("blue", dead))},
			{"missing cluster", with(route("local", "nowhere"))},
			{"cluster renamed", meshOf(t, web, route("local", "green"), cluster("green", second), endpoints("green", v2))},
			{"cluster of another service", with(served("blue", "service"), endpoints("service", v2))},
			{"cluster with its endpoints", with(static(t, "blue", v2))},
			{"no timeout", with(cluster("blue", 0))},
			{"negative timeout", with(cluster("blue", -second))},
			{"cluster without EDS config", with(cluster("green", second), endpoints("green", v2), withoutConfig("bad"))},
			{"endpoint that is a name", with(named("blue"))},
			{"endpoint beyond all ports", with(endpoints("blue", 99999))},
			{"duplicate domain", with(domains("local", "a.test", "a.test"))},
			{"two wildcards", with(domains("local", "*", "*"))},
			{"no domain", with(domains("local"))},
			{"other domain", with(domains("local", "a.test"))},
			{"domain of the request", with(domains("local", "127.0.0.1:*", "127.0.0.1"))},
			{"bad regex", with(matching("local", "["))},
			{"good regex", with(matching("local", "/.*"))},
			{"weights of nothing", with(weighted(route("local", "blue", "green"), 0, 0))},
			{"all weight on one", with(weighted(route("local", "blue", "nowhere"), 1, 0))},
			{"redirect", with(redirecting("local"))},
			{"direct response", with(answering("local", 418, "short and stout"))},
			{"impossible status", with(answering("local", 42, ""))},
			{"validated clusters", with(validated(route("local", "nowhere")))},
			{"routes within", with(serving(t, "web", front, inline(t, route("in", "blue"))))},
			{"routes within, to nowhere", with(serving(t, "web", front, inline(t, route("in", "nowhere"))))},
			{"no chains", with(&listenerv3.Listener{Name: "more", Address: socket("127.0.0.1", dead)})},
			{"no address", with(unaddressed(listener(t, "more", 0, "local")))},
			{"somebody else's address", with(listener(t, "more", dead, "local"), moved(listener(t, "most", dead, "local"), "203.0.113.9"))},
			{"two listeners on one address", with(listener(t, "more", dead, "local"), listener(t, "most", dead, "local"))},
			{"listener renamed", meshOf(t, listener(t, "web", front, "local"), route("local", "blue"), cluster("blue", second), endpoints("blue", v2))},
			{"endpoint of no weight", with(heavy("blue", 0, v1))},
			{"endpoint of some weight", with(heavy("blue", 7, v2))},
			{"endpoint twice", with(endpoints("blue", v2, v2))},
			{"a gap in the priorities", with(priority(endpoints("blue", v2), 3))},
			{"an impossible priority", with(priority(endpoints("blue", v2), 300))},
			{"virtual host twice", with(twice("local", "a.test", "*"))},
			{"unknown filter", with(serving(t, "web", front, filtered(manager(t, "web", "local"), "nosuch")))},
			{"the same chain twice", with(doubled(listener(t, "web", front, "local")))},
			{"health check without thresholds", with(checked("blue", nil))},
			{"health check", with(checked("blue", wrapperspb.UInt32(1)))},
			{"weights of nothing within", with(serving(t, "web", front, inline(t, weighted(route("in", "blue", "blue"), 0, 0))))},
			{"nothing but clusters", meshOf(t, cluster("blue", second), endpoints("blue", v1))},
		} {
			t.Run(c.name, func(t *testing.T) {
				l.push(c.m)
				ours, theirs := l.settled("builtin-1"), l.settled("envoy-1")
				if (ours.Result == engine.Accepted) != (theirs.Result == engine.Accepted) {
					t.Fatalf("ours: %s %s\nEnvoy: %s %s", ours.Result, ours.Detail, theirs.Result, theirs.Detail)
				}
				alike(t, urlOf(front), urlOf(other))
				// Both back to what is good: a bad one must leave nothing behind.
				l.push(meshOf(t, good...))
				if a, b := l.settled("builtin-1"), l.settled("envoy-1"); a.Result != engine.Accepted || b.Result != engine.Accepted {
					t.Fatalf("the rollback: ours %s %s, Envoy %s %s", a.Result, a.Detail, b.Result, b.Detail)
				}
				alike(t, urlOf(front), urlOf(other))
			})
		}
	})
}

// settled waits until the newest revision has ended on the node.
func (l *lab) settled(node string) xds.Rollout {
	l.t.Helper()
	var out xds.Rollout
	eventually(l.t, fmt.Sprintf("revision %d ends on %s", l.revision, node), func() bool {
		n := l.server().State().Node(node)
		if n == nil {
			return false
		}
		out = n.Rollout
		return out.Revision == l.revision && !out.Ended.IsZero()
	})
	return out
}

// alike waits until both answer alike: the same status, and the same words of a
// backend or of their own.
func alike(t *testing.T, ours, theirs string) {
	t.Helper()
	var a, b string
	defer func() {
		if t.Failed() {
			t.Logf("ours %s, Envoy %s", a, b)
		}
	}()
	eventually(t, "both answer alike", func() bool {
		a, b = answerOf(ours), answerOf(theirs)
		return a == b
	})
}

func answerOf(url string) string {
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Get(url)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	body := make([]byte, 256)
	n, _ := resp.Body.Read(body)
	// What a refused connection is called has a part that names the library.
	said, _, _ := strings.Cut(string(body[:n]), ", transport failure reason")
	where := strings.ReplaceAll(resp.Header.Get("Location"), strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"), "HOST")
	return fmt.Sprintf("%d %q %s", resp.StatusCode, said, where)
}

func served(name, service string) *clusterv3.Cluster {
	c := cluster(name, time.Second)
	c.EdsClusterConfig.ServiceName = service
	return c
}

func static(t testing.TB, name string, port int) *clusterv3.Cluster {
	t.Helper()
	c := cluster(name, time.Second)
	c.EdsClusterConfig, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.LoadAssignment = endpoints(name, port)
	return c
}

func withoutConfig(name string) *clusterv3.Cluster {
	c := cluster(name, time.Second)
	c.EdsClusterConfig = nil
	return c
}

func named(name string) *endpointv3.ClusterLoadAssignment {
	a := endpoints(name, 80)
	a.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = socket("example.test", 80)
	return a
}

func domains(name string, of ...string) *routev3.RouteConfiguration {
	rc := route(name, "blue")
	rc.VirtualHosts[0].Domains = of
	return rc
}

func matching(name, regex string) *routev3.RouteConfiguration {
	rc := route(name, "blue")
	rc.VirtualHosts[0].Routes[0].Match.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regexOf(regex)}
	return rc
}

func redirecting(name string) *routev3.RouteConfiguration {
	rc := route(name, "blue")
	rc.VirtualHosts[0].Routes[0].Action = &routev3.Route_Redirect{Redirect: &routev3.RedirectAction{
		PathRewriteSpecifier: &routev3.RedirectAction_PathRedirect{PathRedirect: "/there"}, ResponseCode: routev3.RedirectAction_FOUND,
	}}
	return rc
}

func answering(name string, status uint32, body string) *routev3.RouteConfiguration {
	rc := route(name, "blue")
	rc.VirtualHosts[0].Routes[0].Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status, Body: inlineData(body)}}
	return rc
}

func validated(rc *routev3.RouteConfiguration) *routev3.RouteConfiguration {
	rc.ValidateClusters = wrapperspb.Bool(true)
	return rc
}

func inline(t testing.TB, rc *routev3.RouteConfiguration) *hcmv3.HttpConnectionManager {
	t.Helper()
	m := manager(t, "inline", "")
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: rc}
	return m
}

func unaddressed(l *listenerv3.Listener) *listenerv3.Listener {
	l.Address = nil
	return l
}

func moved(l *listenerv3.Listener, host string) *listenerv3.Listener {
	l.Address.GetSocketAddress().Address = host
	return l
}

func heavy(name string, weight uint32, ports ...int) *endpointv3.ClusterLoadAssignment {
	a := endpoints(name, ports...)
	a.Endpoints[0].LbEndpoints[0].LoadBalancingWeight = wrapperspb.UInt32(weight)
	return a
}

func priority(a *endpointv3.ClusterLoadAssignment, p uint32) *endpointv3.ClusterLoadAssignment {
	a.Endpoints[0].Priority = p
	return a
}

func twice(name string, first, second string) *routev3.RouteConfiguration {
	rc := domains(name, first)
	again := proto.CloneOf(rc.VirtualHosts[0])
	again.Domains = []string{second}
	rc.VirtualHosts = append(rc.VirtualHosts, again)
	return rc
}

func filtered(m *hcmv3.HttpConnectionManager, name string) *hcmv3.HttpConnectionManager {
	m.HttpFilters = append([]*hcmv3.HttpFilter{{Name: name}}, m.HttpFilters...)
	return m
}

func doubled(l *listenerv3.Listener) *listenerv3.Listener {
	l.FilterChains[0].Name = "a"
	again := proto.CloneOf(l.FilterChains[0])
	again.Name = "b"
	l.FilterChains = append(l.FilterChains, again)
	return l
}

func checked(name string, threshold *wrapperspb.UInt32Value) *clusterv3.Cluster {
	c := cluster(name, time.Second)
	c.HealthChecks = []*corev3.HealthCheck{{
		Timeout: durationpb.New(time.Second), Interval: durationpb.New(time.Second),
		UnhealthyThreshold: threshold, HealthyThreshold: threshold,
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{Path: "/"}},
	}}
	return c
}
