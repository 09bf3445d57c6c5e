package xds_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
)

// pool is a mesh whose one cluster has these endpoints; mesh says at which.
func (j *journey) pool(ports ...int) *mesh.Mesh {
	j.t.Helper()
	return meshOf(j.t, listener(j.t, "web", j.front, "local"), route("local", "blue"), cluster("blue", time.Second), endpoints("blue", ports...))
}

// Backends come and really go, one after the other, each after it has left the
// cluster: no request is lost.
func TestEnvoyEndpointsChurn(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		old, end := mortal(t, "0")
		j.accepted(j.pool(old))
		l := startLoad(t, urlOf(j.front))
		for i := range 15 {
			port, endNext := mortal(t, fmt.Sprint(i+1))
			j.accepted(j.pool(old, port))
			l.flow(t, 30)
			j.accepted(meshOf(t, listener(t, "web", j.front, "local"), route("local", "blue"), cluster("blue", time.Second), draining(endpoints("blue", old, port), 0)))
			j.accepted(j.pool(port))
			l.flow(t, 30) // what it was given before is answered
			end()
			l.flow(t, 10)
			l.lostNone(t, fmt.Sprintf("backend %d gone", i))
			old, end = port, endNext
		}
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// The control run: a backend that goes before it has left the cluster loses some.
func TestEnvoyLosesRequestsOfDeadEndpoint(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		port, end := mortal(t, "0")
		j.accepted(j.pool(port, j.v1))
		l := startLoad(t, urlOf(j.front))
		l.flow(t, 40)
		end()
		l.flow(t, 100)
		j.accepted(j.pool(j.v1))
		if l.bad.Load() == 0 {
			t.Errorf("none of %d requests was lost", l.sent.Load())
		}
	})
}

// A cluster that changes warms anew, and is taken into use at once though its
// endpoints have not changed; Envoy itself would wait for ever.
func TestEnvoyTakesChangedCluster(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		l := startLoad(t, urlOf(j.front))
		for i := range 12 {
			l.flow(t, 20)
			j.accepted(j.mesh("blue", patient(cluster("blue", time.Duration(2+i)*time.Second))))
			if warming := j.warming(); warming != "" {
				t.Fatalf("change %d is accepted, and still warms: %s", i+1, warming)
			}
			l.lostNone(t, fmt.Sprintf("change %d", i+1))
		}
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// The control run: go-control-plane's own cache does not send the endpoints
// again, and the changed cluster never gets warm.
func TestStockLeavesChangedClusterCold(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		c := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
		j := &journey{served: &served{t: t, addr: serveStock(t, c)}, t: t, id: "envoy-1", front: freePort(t), v1: backend(t, "v1")}
		j.offer(c, "1", j.mesh("blue", patient(cluster("blue", time.Second))))
		startEnvoy(t, j.served, j.id, delta)
		answers(t, urlOf(j.front), "v1")
		j.offer(c, "2", j.mesh("blue", patient(cluster("blue", 2*time.Second))))
		eventually(t, "it warms", func() bool { return strings.Contains(j.warming(), "blue") })
		startLoad(t, urlOf(j.front)).flow(t, 300)
		if warming := j.warming(); !strings.Contains(warming, "blue") {
			t.Errorf("the endpoints came again: %q", warming)
		}
	})
}

// serveStock is go-control-plane's server over one of its caches, and where it
// listens.
func serveStock(t testing.TB, c cache.Cache) (addr string) {
	t.Helper()
	g, ctx := task.New(context.Background())
	srv := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 100 * time.Millisecond, PermitWithoutStream: true}))
	discovery.RegisterAggregatedDiscoveryServiceServer(srv, server.NewServer(ctx, c, nil))
	path := filepath.Join(shortDir(t), "x")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g.Go("stock", func() error { return srv.Serve(l) })
	t.Cleanup(func() {
		g.Stop()
		srv.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return "unix:" + path
}

// offer gives a stock cache what it is to serve; endpoints keep their version.
func (j *journey) offer(c cache.SnapshotCache, version string, m *mesh.Mesh) {
	j.t.Helper()
	resources := map[string][]types.Resource{}
	for _, r := range m.All() {
		resources[r.Key.Type.URL()] = append(resources[r.Key.Type.URL()], r.Message)
	}
	snapshot, err := cache.NewSnapshot(version, resources)
	if err != nil {
		j.t.Fatal(err)
	}
	snapshot.Resources[types.Endpoint].Version = "1"
	if err := c.SetSnapshot(context.Background(), j.id, snapshot); err != nil {
		j.t.Fatal(err)
	}
}

// warming is what the admin interface says of warming clusters; "" for none.
func (j *journey) warming() string {
	j.t.Helper()
	body := j.adminSays("/config_dump?resource=dynamic_warming_clusters&mask=cluster.name")
	if strings.TrimSpace(body) == "{}" {
		return ""
	}
	return body
}

// adminSays is the answer of the admin interface of a journey's Envoy.
func (j *journey) adminSays(path string) string {
	j.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(j.admin(), "unix:"))
	}}}
	req, err := http.NewRequestWithContext(j.t.Context(), http.MethodGet, "http://admin"+path, nil)
	if err != nil {
		j.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		j.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		j.t.Fatal(err)
	}
	return string(body)
}
