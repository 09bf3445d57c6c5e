package xds_test

import (
	"context"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// inline is a listener whose routes stand in it.
func inline(t testing.TB, name string, port int, to string) *listenerv3.Listener {
	t.Helper()
	l := listener(t, name, port, "")
	filter := l.GetFilterChains()[0].GetFilters()[0]
	hcm := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(hcm); err != nil {
		t.Fatal(err)
	}
	hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: route("inline", to)}
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, hcm)}
	return l
}

// drainSteps change a listener and take away, in the same push, what its old
// connections go on using until they are drained.
func (j *journey) drainSteps() []struct {
	name string
	m    *mesh.Mesh
} {
	t, second := j.t, time.Second
	return []struct {
		name string
		m    *mesh.Mesh
	}{
		{"other routes and cluster", meshOf(t, listener(t, "web", j.front, "local2"), route("local2", "green"), cluster("green", second), endpoints("green", j.v2))},
		{"listener renamed on its port, and cluster", meshOf(t, listener(t, "front", j.front, "local3"), route("local3", "blue"), cluster("blue", second), endpoints("blue", j.v1))},
		{"routes that stand in it", meshOf(t, inline(t, "front", j.front, "green"), cluster("green", second), endpoints("green", j.v2))},
		{"and others there", meshOf(t, inline(t, "front", j.front, "blue"), cluster("blue", second), endpoints("blue", j.v1))},
	}
}

func losesNothing(t *testing.T, j *journey) {
	l := startLoad(t, urlOf(j.front))
	for _, step := range j.drainSteps() {
		l.flow(t, 50)
		j.accepted(step.m)
		l.flow(t, 500)
		l.lostNone(t, step.name)
	}
	t.Logf("%d requests, none failed", l.sent.Load())
}

func TestEnvoyDrainsBeforeRemoval(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		losesNothing(t, startJourney(t, delta, xds.Options{}))
	})
}

// watch reads the admin interface of a journey's Envoy until the test ends.
func watch(j *journey) *envoy.Watcher {
	w := envoy.NewWatcher(envoy.WatcherOptions{
		Targets: func() []envoy.Target { return []envoy.Target{{Node: j.id, Admin: j.admin()}} },
		Served:  j.Served,
	})
	g, ctx := task.New(context.Background())
	g.Go("watcher", func() error { return w.Run(ctx) })
	j.t.Cleanup(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			j.t.Error(err)
		}
	})
	return w
}

// With its admin interface at hand an Envoy is not waited for longer than it
// drains.
func TestEnvoyTellsWhenItHasDrained(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		var w *envoy.Watcher
		j := startJourney(t, delta, xds.Options{
			DrainWait: time.Hour,
			Draining:  func(node string) (int, time.Time, bool) { return w.Draining(node) },
		}, func(j *journey) { w = watch(j) })
		losesNothing(t, j)
	})
}

// The control run: without the wait requests are lost.
func TestEnvoyLosesRequestsUndrained(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{DrainWait: -1})
		l := startLoad(t, urlOf(j.front))
		l.flow(t, 200)
		j.accepted(j.drainSteps()[0].m)
		l.flow(t, 500)
		if l.bad.Load() == 0 {
			t.Errorf("none of %d requests was lost", l.sent.Load())
		}
	})
}

// While connections drain the rollout says so, and a newer revision comes in; a
// listener that changes alone is waited for by nobody.
func TestNewerRevisionComesInWhileDraining(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{DrainWait: time.Hour})
		blue := func(l *listenerv3.Listener) *mesh.Mesh {
			return meshOf(t, l, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", j.v1))
		}
		j.accepted(blue(inline(t, "web", j.front, "blue")))
		j.push(meshOf(t, inline(t, "web", j.front, "green"), cluster("green", time.Second), endpoints("green", j.v2)))
		j.until("it waits", func(s *xds.State) bool {
			r := s.Node("envoy-1").Rollout
			return r.Result == engine.Pending && r.Waiting != "" && r.Step == r.Steps
		})
		if got := j.State().Node("envoy-1").Rollout.Waiting; !strings.HasPrefix(got, "old connections to drain (") {
			t.Errorf("it waits for %q", got)
		}
		j.accepted(blue(inline(t, "web", j.front, "blue")).With(meshOf(t, cluster("green", time.Second)).All()[0]).With(meshOf(t, endpoints("green", j.v2)).All()[0]))
		answers(t, urlOf(j.front), "v1")
	})
}
