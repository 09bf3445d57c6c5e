package xds_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// backend answers with its name.
func backend(t testing.TB, name string) int {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, name) // a client that has gone misses nothing
	}))
	t.Cleanup(b.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(b.URL, "http://"), ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// load is a steady stream of requests over kept connections. It is bounded: at
// most so many requests, whatever happens.
type load struct {
	url   string
	group *task.Group
	sent  atomic.Int64
	bad   atomic.Int64

	mu       sync.Mutex
	failures map[string]int
}

const (
	workers     = 8
	maxRequests = 200_000
)

func startLoad(t testing.TB, url string) *load {
	t.Helper()
	g, ctx := task.New(context.Background())
	l := &load{url: url, group: g, failures: map[string]int{}}
	for range workers {
		g.Go("load", func() error {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil && l.sent.Add(1) <= maxRequests {
				if _, err := get(ctx, client, l.url); err != nil && ctx.Err() == nil {
					l.fail(err)
				}
			}
			return nil
		})
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) fail(err error) {
	l.bad.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[err.Error()]++
}

func (l *load) stop() {
	l.group.Stop()
	_ = l.group.Wait() // the workers return nil
}

// flow waits until so many more requests were answered.
func (l *load) flow(t testing.TB, n int64) {
	t.Helper()
	from := l.sent.Load()
	eventually(t, "requests flow", func() bool { return l.sent.Load() >= from+n })
}

func get(ctx context.Context, c *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return string(body), nil
}

// eventually polls what no channel tells.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(xdstest.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it never came to be: %s", what)
		}
	}
}

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
	j := &journey{served: serve(t, o), t: t, front: freePort(t), v1: backend(t, "v1"), v2: backend(t, "v2")}
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
	variants(t, func(t *testing.T, delta bool) {
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
			if bad := l.bad.Load(); bad > 0 {
				t.Fatalf("%s: %d of %d requests failed: %v", step.name, bad, l.sent.Load(), l.failures)
			}
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
