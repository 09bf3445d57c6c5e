package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/demo"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

// edited is the mesh with a clone of one resource changed.
func edited[M proto.Message](t testing.TB, m *mesh.Mesh, k mesh.Key, change func(M)) *mesh.Mesh {
	t.Helper()
	clone, ok := proto.Clone(m.Get(k).Message).(M)
	if !ok {
		t.Fatalf("%s is a %T", k, m.Get(k).Message)
	}
	change(clone)
	r, err := mesh.NewResource(clone, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return m.With(r)
}

// healthOf is the mesh with the health of one endpoint set.
func healthOf(t testing.TB, m *mesh.Mesh, cluster, address string, to corev3.HealthStatus) *mesh.Mesh {
	t.Helper()
	return edited(t, m, key(mesh.Endpoints, cluster), func(a *endpointv3.ClusterLoadAssignment) {
		for _, e := range a.GetEndpoints()[0].GetLbEndpoints() {
			if mesh.Address(e.GetEndpoint().GetAddress()) == address {
				e.HealthStatus = to
			}
		}
	})
}

// canary is the demo's mesh with its weights set.
func canary(t testing.TB, m *mesh.Mesh, v1, v2 uint32) *mesh.Mesh {
	t.Helper()
	return edited(t, m, key(mesh.Route, "local_route"), func(rc *routev3.RouteConfiguration) {
		for i, c := range rc.GetVirtualHosts()[0].GetRoutes()[0].GetRoute().GetWeightedClusters().GetClusters() {
			c.Weight = wrapperspb.UInt32([]uint32{v1, v2}[i])
		}
	})
}

// journey is the demo of the talk on built-in proxies: its backends, its load,
// its mesh.
type journey struct {
	*lab
	demo *demo.Demo
	mesh *mesh.Mesh
}

func startJourney(t *testing.T, delta bool) *journey {
	t.Helper()
	d, err := demo.New(context.Background(), demo.Options{Port: portPair(t), Nodes: 2, Rate: 500})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	meshes, err := d.Meshes()
	if err != nil {
		t.Fatal(err)
	}
	j := &journey{demo: d, mesh: meshes[mesh.DefaultGroup]}
	j.lab = startLab(t, labOptions{nodes: 2, delta: delta, first: j.mesh})
	j.ends(engine.Accepted)
	j.active()
	d.StartLoad()
	return j
}

func (j *journey) totals() map[string]uint64 {
	out := map[string]uint64{}
	for _, b := range j.demo.Snapshot().Backends {
		out[b.Name] = b.Total
	}
	return out
}

// share waits until so many more answers came, and returns how many of them each
// backend gave.
func (j *journey) share(n uint64) map[string]uint64 {
	j.t.Helper()
	before := j.totals()
	var out map[string]uint64
	eventually(j.t, fmt.Sprintf("%d more answers come", n), func() bool {
		out = map[string]uint64{}
		var sum uint64
		for name, total := range j.totals() {
			out[name] = total - before[name]
			sum += out[name]
		}
		return sum >= n
	})
	return out
}

// drained waits until the backend answers no more, while others do.
func (j *journey) drained(name string) {
	j.t.Helper()
	j.share(100) // what was under way, and what a node that is a little late still sends
	if got := j.share(150); got[name] > 0 {
		j.t.Errorf("%s still answers: %v", name, got)
	}
}

func (j *journey) flawless(when string) {
	j.t.Helper()
	if s := j.demo.Snapshot(); s.Failed > 0 {
		j.t.Fatalf("%s: %d of %d requests failed: %+v", when, s.Failed, s.Total, s.Failures)
	}
}

// health waits until the watcher knows the endpoint to be so.
func (j *journey) health(address string, want envoy.Health, why string) envoy.Endpoint {
	j.t.Helper()
	var found envoy.Endpoint
	j.facts(fmt.Sprintf("%s is %s", address, want), func(f *envoy.Facts) bool {
		for _, e := range f.Endpoints {
			if e.Address == address {
				found = e
				return e.Health == want && strings.Contains(e.Why, why)
			}
		}
		return false
	})
	return found
}

func (j *journey) backend(name string) demo.Backend {
	j.t.Helper()
	for _, b := range j.demo.Backends() {
		if b.Name == name {
			return b
		}
	}
	j.t.Fatalf("there is no backend %s", name)
	return demo.Backend{}
}

// The main job of the demo, with nothing installed: drain an endpoint, shift the
// canary, lose a backend and get it back, and see all of it, without a failed
// request.
func TestJourney(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta)
		a := j.backend("app-v1-a")
		got := j.share(300)
		for _, name := range []string{"app-v1-a", "app-v1-b", "app-v2-a", "legacy-a"} {
			if got[name] == 0 {
				t.Errorf("%s answers nothing: %v", name, got)
			}
		}
		j.health(a.Address, envoy.Healthy, "")

		j.accepted(healthOf(t, j.mesh, "app", a.Address, corev3.HealthStatus_DRAINING))
		j.drained("app-v1-a")
		j.health(a.Address, envoy.Draining, "EDS says DRAINING")
		j.flawless("an endpoint drained")

		j.accepted(canary(t, j.mesh, 0, 100))
		j.drained("app-v1-a")
		j.drained("app-v1-b")
		j.accepted(canary(t, j.mesh, 90, 10)) // the rollback
		if got := j.share(300); got["app-v1-a"] == 0 || got["app-v1-b"] == 0 {
			t.Errorf("after the rollback: %v", got)
		}
		j.flawless("the canary moved")

		if err := j.demo.Become("app-v1-a", demo.Down); err != nil {
			t.Fatal(err)
		}
		if e := j.health(a.Address, envoy.CheckFailed, "refused"); e.Since.IsZero() {
			t.Errorf("it is not known since when: %+v", e)
		}
		j.drained("app-v1-a")
		// The route retries, but a cluster lets no more than three retries run at
		// a time. Without them a hundred requests would have failed.
		dead := j.demo.Snapshot().Failed
		if dead >= 30 {
			t.Errorf("%d requests failed when a backend died", dead)
		}
		if err := j.demo.Become("app-v1-a", demo.Up); err != nil {
			t.Fatal(err)
		}
		j.health(a.Address, envoy.Healthy, "")
		eventually(t, "it answers again", func() bool { return j.share(100)["app-v1-a"] > 0 })
		if now := j.demo.Snapshot(); now.Failed > dead {
			t.Errorf("%d requests failed though all were well: %+v", now.Failed-dead, now.Failures)
		}
		j.active()
		j.sane(0)
	})
}

// A backend that fails is ejected, and the watcher says why.
func TestEjected(t *testing.T) {
	j := startJourney(t, false)
	b := j.backend("app-v1-b")
	j.share(100)
	if err := j.demo.Become("app-v1-b", demo.Failing); err != nil {
		t.Fatal(err)
	}
	j.health(b.Address, envoy.Ejected, "consecutive 5xx")
	if err := j.demo.Become("app-v1-b", demo.Up); err != nil {
		t.Fatal(err)
	}
	j.health(b.Address, envoy.Healthy, "")
}

// A backend that is slow fails its health check in time, not at once.
func TestSlow(t *testing.T) {
	j := startJourney(t, false)
	b := j.backend("app-v1-b")
	j.share(100)
	if err := j.demo.Become("app-v1-b", demo.Slow); err != nil {
		t.Fatal(err)
	}
	j.health(b.Address, envoy.CheckTimeout, "no answer within 500ms")
	j.flawless("a backend became slow")
}
