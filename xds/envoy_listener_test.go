package xds_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// serverName changes a field of the connection manager in a listener's only
// chain: Envoy updates such a listener in place.
func serverName(t testing.TB, l *listenerv3.Listener, name string) *listenerv3.Listener {
	t.Helper()
	filter := l.GetFilterChains()[0].GetFilters()[0]
	hcm := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(hcm); err != nil {
		t.Fatal(err)
	}
	hcm.ServerName = name
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, hcm)}
	return l
}

// moreChains has a chain for connections from elsewhere, which nobody uses.
func moreChains(t testing.TB, l *listenerv3.Listener) *listenerv3.Listener {
	t.Helper()
	other := listener(t, "other", 1, "local").GetFilterChains()[0]
	other.Name, other.FilterChainMatch = "other", &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(1)}
	l.FilterChains[0].Name = "first"
	l.FilterChains = append(l.FilterChains, other)
	return l
}

func limited(l *listenerv3.Listener, bytes uint32) *listenerv3.Listener {
	l.PerConnectionBufferLimitBytes = wrapperspb.UInt32(bytes)
	return l
}

// fresh asks over a new connection each time, beside the load on kept ones.
func (j *journey) fresh(times int) (failed int) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for range times {
		if _, err := get(context.Background(), client, urlOf(j.front)); err != nil {
			failed++
		}
	}
	return failed
}

// Whatever changes about a listener that keeps its port, no request is lost, on
// connections that are kept and on new ones.
func TestEnvoyChangesListener(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		j := startJourney(t, delta, xds.Options{})
		web := func() *listenerv3.Listener { return listener(t, "web", j.front, "local") }
		with := func(l *listenerv3.Listener) *mesh.Mesh {
			return meshOf(t, l, route("local", "blue"), cluster("blue", time.Second), endpoints("blue", j.v1))
		}
		l := startLoad(t, urlOf(j.front))
		for _, step := range []struct {
			name string
			m    *mesh.Mesh
		}{
			{"the same again", with(web())},
			{"a field of its filter", with(serverName(t, web(), "shop"))},
			{"another chain", with(moreChains(t, web()))},
			{"and without it", with(web())},
			{"a field of its own", with(limited(web(), 1<<15))},
			{"other routes", meshOf(t, listener(t, "web", j.front, "more"), route("more", "blue"), cluster("blue", time.Second), endpoints("blue", j.v1))},
			{"another name", meshOf(t, listener(t, "front", j.front, "more"), route("more", "blue"), cluster("blue", time.Second), endpoints("blue", j.v1))},
			{"its old name, other routes, a field", with(limited(web(), 1<<16))},
		} {
			l.flow(t, 30)
			j.push(step.m)
			if failed := j.fresh(20); failed > 0 {
				t.Errorf("%s: %d of 20 new connections failed", step.name, failed)
			}
			j.through(j.id, j.revision, engine.Accepted)
			l.flow(t, 30)
			l.lostNone(t, step.name)
		}
		t.Logf("%d requests, none failed", l.sent.Load())
	})
}

// The control runs: a listener that gets its new name in two pushes is away in
// between; one that moves to another port closes its old one at once, as the plan
// says.
func TestEnvoyLosesRequestsOfListener(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		without := j.mesh("blue", cluster("blue", time.Second)).Without(key(mesh.Listener, "web"))
		j.accepted(without)
		if failed := j.fresh(5); failed == 0 {
			t.Error("a listener that is away is there")
		}
		j.accepted(without.With(meshOf(t, listener(t, "front", j.front, "local")).All()[0]))
		answers(t, urlOf(j.front), "v1")
		old, moved := j.front, freePort(t)
		j.accepted(without.With(meshOf(t, listener(t, "front", moved, "local")).All()[0]))
		if failed := j.fresh(5); failed == 0 {
			t.Errorf("port %d is still open", old)
		}
		answers(t, urlOf(moved), "v1")
	})
}
