package xds_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// answers waits until the URL is answered by that backend.
func answers(t testing.TB, url, want string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	eventually(t, url+" is answered by "+want, func() bool {
		got, err := get(context.Background(), client, url)
		return err == nil && got == want
	})
}

func draining(cla *endpointv3.ClusterLoadAssignment, i int) *endpointv3.ClusterLoadAssignment {
	cla.Endpoints[0].LbEndpoints[i].HealthStatus = corev3.HealthStatus_DRAINING
	return cla
}

func weighted(rc *routev3.RouteConfiguration, weights ...uint32) *routev3.RouteConfiguration {
	for i, c := range rc.VirtualHosts[0].Routes[0].GetRoute().GetWeightedClusters().GetClusters() {
		c.Weight = wrapperspb.UInt32(weights[i])
	}
	return rc
}

// journey is a real Envoy under load, and the revisions that it is taken through.
type journey struct {
	*served
	t        testing.TB
	id       string // of the Envoy
	front    int
	v1, v2   int
	revision int
}

// drainWait is longer than the Envoys of these tests drain.
const drainWait = 2500 * time.Millisecond

func startJourney(t testing.TB, delta bool, o xds.Options, before ...func(*journey)) *journey {
	t.Helper()
	xdstest.NeedEnvoy(t)
	if o.DrainWait == 0 {
		o.DrainWait = drainWait
	}
	return journeyOn(t, delta, serve(t, o), before...)
}

// journeyOn begins a journey on a server of its own.
func journeyOn(t testing.TB, delta bool, s *served, before ...func(*journey)) *journey {
	t.Helper()
	j := &journey{served: s, t: t, id: "envoy-1", front: freePort(t), v1: backend(t, "v1"), v2: backend(t, "v2")}
	j.push(j.mesh("blue", cluster("blue", time.Second)))
	for _, do := range before {
		do(j)
	}
	startEnvoy(t, j.served, "envoy-1", delta)
	j.through("envoy-1", 1, engine.Accepted)
	answers(t, urlOf(j.front), "v1")
	return j
}

// mesh routes everything to one cluster with both backends behind it, v1 alone
// in use.
func (j *journey) mesh(to string, more ...proto.Message) *mesh.Mesh {
	return meshOf(j.t, append(more,
		listener(j.t, "web", j.front, "local"), route("local", to), endpoints(to, j.v1))...)
}

func (j *journey) push(m *mesh.Mesh) {
	j.revision++
	j.Publish(revision(j.revision, m))
}

// accepted pushes and waits for the end of the rollout.
func (j *journey) accepted(m *mesh.Mesh) {
	j.t.Helper()
	j.push(m)
	j.through("envoy-1", j.revision, engine.Accepted)
}

func TestEnvoyLosesNoRequest(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		l := startLoad(t, urlOf(j.front))
		web, second := listener(t, "web", j.front, "local"), time.Second
		both := func(name string) proto.Message { return endpoints(name, j.v1, j.v2) }
		steps := []struct {
			name string
			m    *mesh.Mesh
		}{
			{"endpoint added", meshOf(t, web, route("local", "blue"), cluster("blue", second), both("blue"))},
			{"endpoint drained", meshOf(t, web, route("local", "blue"), cluster("blue", second), draining(endpoints("blue", j.v1, j.v2), 0))},
			{"cluster changed", meshOf(t, web, route("local", "blue"), cluster("blue", 2*second), both("blue"))},
			{"canary", meshOf(t, web, route("local", "blue", "canary"), cluster("blue", 2*second), both("blue"), cluster("canary", second), endpoints("canary", j.v2))},
			{"weight changed", meshOf(t, web, weighted(route("local", "blue", "canary"), 1, 99), cluster("blue", 2*second), both("blue"), cluster("canary", second), endpoints("canary", j.v2))},
			{"route moved", meshOf(t, web, route("local", "canary"), cluster("blue", 2*second), both("blue"), cluster("canary", second), endpoints("canary", j.v2))},
			{"cluster renamed", meshOf(t, web, route("local", "green"), cluster("green", second), endpoints("green", j.v1))},
			{"and renamed back", meshOf(t, web, route("local", "blue"), cluster("blue", second), endpoints("blue", j.v2))},
			{"listener renamed on its port", meshOf(t, listener(t, "front", j.front, "local"), route("local", "blue"), cluster("blue", second), endpoints("blue", j.v2))},
			{"cluster emptied as its route moves", meshOf(t, listener(t, "front", j.front, "local"), route("local", "green"), cluster("blue", second), endpoints("blue"), cluster("green", second), endpoints("green", j.v1))},
			{"and another one drained", meshOf(t, listener(t, "front", j.front, "local"), route("local", "blue"), cluster("blue", second), endpoints("blue", j.v2), cluster("green", second), draining(endpoints("green", j.v1), 0))},
		}
		for _, step := range steps {
			l.flow(t, 50)
			j.accepted(step.m)
			l.flow(t, 50)
			l.lostNone(t, step.name)
		}
		answers(t, urlOf(j.front), "v2")
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// The control run: the renames of the test above, sent at once. If this loses
// nothing, the test above proves nothing.
func TestEnvoyLosesRequestsUnsequenced(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{Unsequenced: true})
		l := startLoad(t, urlOf(j.front))
		const renames = 200
		names := [2]string{"green", "blue"}
		for i := range renames {
			j.accepted(j.mesh(names[i%2], cluster(names[i%2], time.Second)))
			l.flow(t, 20)
			if l.bad.Load() > 0 {
				t.Logf("after %d renames %d of %d requests failed: %v", i+1, l.bad.Load(), l.sent.Load(), l.failures)
				return
			}
		}
		t.Errorf("%d renames lost none of %d requests", renames, l.sent.Load())
	})
}
