package xds_test

import (
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A changed cluster is followed by its endpoints, unasked, though they did not
// change: Envoy counts only those that come after it. Others stay away.
func TestEndpointsFollowChangedCluster(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Endpoints, "app", "legacy")
		st.Ack(st.Next())
		s.Publish(revision(2, with(t, shop(t), cluster("app", 5*time.Second))))
		c := st.Next()
		if c.Type != mesh.Cluster {
			t.Fatalf("first came %s", c)
		}
		e := st.Next()
		mustBe(t, e, mesh.Endpoints, "app")
		st.Ack(e)
		if got := s.State().Node("envoy-1").Rollout; got.Waiting == "" || got.Result != engine.Pending {
			t.Errorf("rollout %+v, want it to wait for the clusters", got)
		}
		st.Ack(c)
		s.through("envoy-1", 2, engine.Accepted)
		mustBeQuiet(t, st)
	})
}

// Envoy's habit in SotW: after a changed cluster it repeats its last endpoint
// request word for word. The endpoints are on their way already; it gets them
// once.
func TestRepeatedEndpointRequest(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Subscribe(mesh.Endpoints, "app")
	st.Ack(st.Next())
	s.Publish(revision(2, with(t, shop(t), cluster("app", 5*time.Second))))
	c := st.Next()
	st.Subscribe(mesh.Endpoints, "app") // the repetition, with the nonce of the last ACK
	e := st.Next()
	mustBe(t, e, mesh.Endpoints, "app")
	st.Ack(e)
	st.Ack(c)
	s.through("envoy-1", 2, engine.Accepted)
	mustBeQuiet(t, st)
}

// Only endpoints changed: only EDS speaks, and only of what changed.
func TestEndpointOnlyChange(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		before := s.State().Node("envoy-1")
		took := len(e.Took())
		s.Publish(revision(2, with(t, shop(t), endpoints("legacy", 9009))))
		after := s.through("envoy-1", 2, engine.Accepted)
		news := e.Took()[took:]
		if len(news) != 1 {
			t.Fatalf("on the wire: %v", news)
		}
		mustBe(t, news[0], mesh.Endpoints, "legacy")
		for _, typ := range []mesh.Type{mesh.Cluster, mesh.Listener, mesh.Route} {
			if before.Types[typ].Sent != after.Types[typ].Sent {
				t.Errorf("%s was sent again: %+v", typ, after.Types[typ].Sent)
			}
		}
		if after.Types[mesh.Endpoints].Acked.Version != news[0].Version || news[0].Version == before.Types[mesh.Endpoints].Sent.Version {
			t.Errorf("endpoints: %+v", after.Types[mesh.Endpoints])
		}
	})
}

// A request with a stale nonce says nothing about names.
func TestStaleNonce(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Subscribe(mesh.Endpoints, "app")
	first := st.Next()
	st.Ack(first)
	s.through("envoy-1", 1, engine.Accepted)
	s.Publish(revision(2, with(t, shop(t), endpoints("app", 9009))))
	second := st.Next()
	st.SendSotW(&discovery.DiscoveryRequest{
		TypeUrl: mesh.Endpoints.URL(), ResourceNames: []string{"legacy"}, ResponseNonce: first.Nonce, VersionInfo: first.Version,
	})
	mustBeQuiet(t, st)
	if got := s.State().Node("envoy-1").Types[mesh.Endpoints].Subscribed; len(got) != 1 || got[0] != "app" {
		t.Errorf("subscribed to %v by a stale request", got)
	}
	if m := lastOf(s, xds.StaleACK); m.Nonce != first.Nonce {
		t.Errorf("the wire does not show the stale request: %+v", m)
	}
	st.Ack(second)
	s.through("envoy-1", 2, engine.Accepted)
	st.Subscribe(mesh.Endpoints, "app", "legacy")
	mustBe(t, st.Next(), mesh.Endpoints, "legacy")
}

// Delta: what does not exist is reported, what is asked for again is sent again,
// what is dropped stays away, and what comes to be is sent to who asked for it.
func TestDeltaSubscriptions(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, true)
	st.Subscribe(mesh.Endpoints, "app", "nosuch")
	r := st.Next()
	mustBe(t, r, mesh.Endpoints, "app")
	if len(r.Removed) != 1 || r.Removed[0] != "nosuch" {
		t.Errorf("removed %v, want the name that does not exist", r.Removed)
	}
	st.Ack(r)
	st.Subscribe(mesh.Endpoints, "app")
	r = st.Next()
	mustBe(t, r, mesh.Endpoints, "app")
	st.Ack(r)
	st.Unsubscribe(mesh.Endpoints, "app")
	mustBeQuiet(t, st)
	s.Publish(revision(2, with(t, shop(t), endpoints("app", 9009), endpoints("nosuch", 9010))))
	r = st.Next()
	mustBe(t, r, mesh.Endpoints, "nosuch")
	st.Ack(r)
	st.Subscribe(mesh.Endpoints, "app")
	mustBe(t, st.Next(), mesh.Endpoints, "app")
}

// Delta with a wildcard: a name dropped from it is told again, as it stands.
func TestDeltaUnsubscribeUnderWildcard(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: true}).Open()
	st.Subscribe(mesh.Cluster, "*", "app", "nosuch")
	st.Ack(st.Next())
	st.Unsubscribe(mesh.Cluster, "app", "nosuch")
	r := st.Next()
	mustBe(t, r, mesh.Cluster, "app")
	if len(r.Removed) != 1 || r.Removed[0] != "nosuch" {
		t.Errorf("removed %v", r.Removed)
	}
}

// SotW: a name that does not exist is left out, and comes when it comes to be.
func TestSotWMissingName(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Subscribe(mesh.Endpoints, "nosuch")
	r := st.Next() // at once, with nothing: no type may keep a node waiting
	mustBe(t, r, mesh.Endpoints)
	st.Ack(r)
	s.Publish(revision(2, with(t, shop(t), endpoints("nosuch", 9010))))
	mustBe(t, st.Next(), mesh.Endpoints, "nosuch")
}

// A node that comes back is answered in full (SotW), or told what it lacks
// (delta), whether what it holds is old, current, or of another server.
func TestReconnect(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Close()
	for _, version := range []string{s.State().Node("envoy-1").Types[mesh.Cluster].Acked.Version, "cafe-1", ""} {
		st = xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
		st.Resume(mesh.Cluster, version, nil)
		r := st.Next()
		mustBe(t, r, mesh.Cluster, "app", "legacy")
		st.Ack(r)
		mustBeQuiet(t, st)
		st.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
	}
}

func TestReconnectDelta(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: true}).Open()
	st.Subscribe(mesh.Cluster)
	all := st.Next()
	st.Close()
	current := xdstest.Held(all)
	old := map[string]string{"app": current["app"], "legacy": "0123", "gone": "4567"}
	for _, c := range []struct {
		held, want, removed []string
		versions            map[string]string
	}{
		{versions: current},
		{versions: old, want: []string{"legacy"}, removed: []string{"gone"}},
		{versions: nil, want: []string{"app", "legacy"}},
	} {
		st = xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: true}).Open()
		st.Resume(mesh.Cluster, "", c.versions)
		r := st.Next() // always answered, also with nothing
		mustBe(t, r, mesh.Cluster, c.want...)
		if len(r.Removed) != len(c.removed) {
			t.Errorf("removed %v, want %v", r.Removed, c.removed)
		}
		st.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
	}
}

// Another server process on the same address: other versions, and a node that
// holds those of the first is brought to what the second has.
func TestServerRestart(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		first := serve(t, xds.Options{})
		first.Publish(revision(1, shop(t)))
		st := scripted(t, first, delta)
		version := first.State().Node("envoy-1").Types[mesh.Cluster].Acked.Version
		first.stop()
		if err := st.Err(); err == nil {
			t.Fatal("the stream lives on without a server")
		}
		second := serveAt(t, first.addr, xds.Options{})
		second.Publish(revision(1, with(t, shop(t).Without(clusterKey("app")), cluster("app2", time.Second))))
		back := xdstest.Dial(t, second.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		back.Resume(mesh.Cluster, version, map[string]string{"app": "0", "legacy": shop(t).Get(clusterKey("legacy")).Hash()})
		r := back.Next()
		want := []string{"app2", "legacy"}
		if delta {
			want = []string{"app2"} // what it holds already stays where it is
		}
		mustBe(t, r, mesh.Cluster, want...)
		if r.Version == version {
			t.Errorf("both servers call it %s", version)
		}
		back.Ack(r)
		second.through("envoy-1", 1, engine.Accepted)
	})
}

// A node whose group changes is taken to that group's mesh, step by step.
func TestGroupChange(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		other := with(t, shop(t).Without(clusterKey("legacy")).Without(endpointKey("legacy")), cluster("other", time.Second), endpoints("other", 9005))
		r := &engine.Revision{Number: 1, Meshes: map[string]*mesh.Mesh{mesh.DefaultGroup: shop(t), "edge": other}}
		s.Publish(r)
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		s.Publish(&engine.Revision{Number: 2, Meshes: r.Meshes, Rules: []mesh.Rule{{Group: "edge", Node: "envoy-*"}}})
		n := s.through("envoy-1", 2, engine.Accepted)
		holds := e.Holds()
		if n.Group != "edge" || holds[clusterKey("other")] == nil || holds[clusterKey("legacy")] != nil || holds[clusterKey("app")] == nil {
			t.Errorf("group %q, holds %v", n.Group, holds)
		}
		if n.Rollout.Steps != 2 {
			t.Errorf("%d steps, want the new before the old goes", n.Rollout.Steps)
		}
	})
}

// The separate services: each type on a stream of its own.
func TestSeparateStreams(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		c := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta})
		clusters, apps, legacies := c.OpenType(mesh.Cluster), c.OpenType(mesh.Endpoints), c.OpenType(mesh.Endpoints)
		clusters.Subscribe(mesh.Cluster)
		clusters.Ack(clusters.Next())
		apps.Subscribe(mesh.Endpoints, "app")
		apps.Ack(apps.Next())
		legacies.Subscribe(mesh.Endpoints, "legacy")
		legacies.Ack(legacies.Next())
		s.through("envoy-1", 1, engine.Accepted)
		s.Publish(revision(2, with(t, shop(t), endpoints("legacy", 9009))))
		r := legacies.Next()
		mustBe(t, r, mesh.Endpoints, "legacy")
		if st := s.State().Node("envoy-1"); st.Rollout.Result != engine.Pending {
			t.Errorf("%v before the answer", st.Rollout.Result)
		}
		legacies.Ack(r)
		n := s.through("envoy-1", 2, engine.Accepted)
		if want := (map[bool]xds.Variant{false: xds.SotW, true: xds.Delta})[delta]; n.Variant != want || n.Streams != 3 {
			t.Errorf("variant %v with %d streams", n.Variant, n.Streams)
		}
	})
}

// What is put on top for one node is on the wire and in Served, and in nobody
// else's.
func TestOverlay(t *testing.T) {
	s := serve(t, xds.Options{Overlay: func(node string) xds.Overlay {
		if node != "envoy-1" {
			return nil
		}
		return func(typ mesh.Type, m proto.Message) proto.Message {
			if typ != mesh.Endpoints {
				return m
			}
			return endpoints(mesh.NameOf(m), 1)
		}
	}})
	s.Publish(revision(1, shop(t)))
	e1 := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1"}, xdstest.EnvoyOptions{})
	e2 := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-2"}, xdstest.EnvoyOptions{})
	n1 := s.through("envoy-1", 1, engine.Accepted)
	s.through("envoy-2", 1, engine.Accepted)
	k := endpointKey("app")
	got, err := e1.Holds()[k].UnmarshalNew()
	if err != nil || !proto.Equal(got, endpoints("app", 1)) || !proto.Equal(s.Served("envoy-1")[k], got) {
		t.Errorf("envoy-1 has %v (%v), Served says %v", got, err, s.Served("envoy-1")[k])
	}
	plain, err := e2.Holds()[k].UnmarshalNew()
	if err != nil || !proto.Equal(plain, endpoints("app", 9001, 9002)) {
		t.Errorf("envoy-2 has %v (%v)", plain, err)
	}
	if n1.Resources.Get(k).Hash != shop(t).Get(k).Hash() {
		t.Errorf("the state's hash is not that of the plain resource")
	}
}
