package xds_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A cluster stands rejected. What comes after goes through in all its steps, and
// the cluster is not sent again; the outcome still tells of it.
func TestStandingRejectionStopsNothingElse(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Route, "local")
		st.Ack(st.Next())
		bad := with(t, shop(t), cluster("bad", time.Second))
		s.Publish(revision(2, bad))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)

		s.Publish(revision(3, with(t, bad, cluster("good", time.Second), route("local", "good"))))
		r := st.Next()
		if r.Type != mesh.Cluster || r.Resources["good"] == nil || r.Resources["bad"] != nil || !delta && r.Resources["app"] == nil {
			t.Fatalf("got %s", r)
		}
		st.Ack(r)
		r = st.Next()
		mustBe(t, r, mesh.Route, "local")
		st.Ack(r)
		n := s.through("envoy-1", 3, engine.Rejected)
		if n.Rollout.Step != 0 || n.Rollout.Detail != reason || n.Resources.Get(clusterKey("bad")).Rejected == nil || n.Resources.Get(clusterKey("good")).Rejected != nil {
			t.Errorf("rollout %+v, bad %+v", n.Rollout, n.Resources.Get(clusterKey("bad")))
		}
		mustBeQuiet(t, st)

		s.Publish(revision(4, with(t, bad, cluster("bad", 2*time.Second), cluster("good", time.Second), route("local", "good"))))
		r = st.Next()
		if r.Resources["bad"] == nil {
			t.Fatalf("the correction does not come: %s", r)
		}
		st.Ack(r)
		s.through("envoy-1", 4, engine.Accepted)
	})
}

// In the place of a change that stands rejected, a full response has what was
// accepted before it.
func TestStandingRejectionKeepsTheAccepted(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	bad := with(t, shop(t), cluster("app", -time.Second))
	s.Publish(revision(2, bad))
	rejected := st.Next()
	st.Nack(rejected, "Error adding/updating cluster(s) app: no")
	s.through("envoy-1", 2, engine.Rejected)
	s.Publish(revision(3, with(t, bad, cluster("more", time.Second))))
	r := st.Next()
	mustBe(t, r, mesh.Cluster, "app", "legacy", "more")
	if got, err := r.Resources["app"].UnmarshalNew(); err != nil || !proto.Equal(got, cluster("app", time.Second)) {
		t.Errorf("app came as %v (%v)", got, err)
	}
	if r.Version == rejected.Version {
		t.Errorf("other content under the rejected version %s", r.Version)
	}
	st.Ack(r)
	if n := s.through("envoy-1", 3, engine.Rejected); n.Resources.Get(clusterKey("app")).Rejected == nil {
		t.Error("app no longer counts as rejected")
	}
}

// A rejection that names nothing may be about anything that was new, and all of
// it is kept back until a part of it changes.
func TestRejectionWithoutNames(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	two := with(t, shop(t), cluster("one", time.Second), cluster("two", time.Second))
	s.Publish(revision(2, two))
	st.Nack(st.Next(), "Invalid duration: Expected positive duration")
	s.through("envoy-1", 2, engine.Rejected)
	s.Publish(revision(3, with(t, two, cluster("three", time.Second))))
	r := st.Next()
	mustBe(t, r, mesh.Cluster, "app", "legacy", "three")
	st.Ack(r)
	s.through("envoy-1", 3, engine.Rejected)
	s.Publish(revision(4, with(t, two, cluster("three", time.Second), cluster("two", 2*time.Second))))
	r = st.Next()
	mustBe(t, r, mesh.Cluster, "app", "legacy", "one", "three", "two")
	st.Ack(r)
	s.through("envoy-1", 4, engine.Accepted)
}

// Traffic is not led to a cluster that the node does not have.
func TestNoRouteLeadsToWhatWasRejected(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Route, "local")
		st.Ack(st.Next())
		bad := with(t, shop(t), cluster("bad", time.Second))
		s.Publish(revision(2, bad))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)
		s.Publish(revision(3, with(t, bad, route("local", "bad"))))
		n := s.through("envoy-1", 3, engine.Rejected)
		if n.Rollout.Detail != reason {
			t.Errorf("rollout %+v", n.Rollout)
		}
		mustBeQuiet(t, st)
	})
}

// A real Envoy under load: a cluster stands rejected, and traffic moves on.
func TestEnvoyGoesOnBesideARejection(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		l := startLoad(t, urlOf(j.front))
		broken := cluster("broken", time.Second)
		broken.EdsClusterConfig = nil
		blue := j.mesh("blue", cluster("blue", time.Second), broken)
		l.flow(t, 50)
		j.push(blue)
		j.through("envoy-1", j.revision, engine.Rejected)
		j.push(meshOf(t, broken, listener(t, "web", j.front, "local"), route("local", "green"), cluster("green", time.Second), endpoints("green", j.v2)))
		j.through("envoy-1", j.revision, engine.Rejected)
		answers(t, urlOf(j.front), "v2")
		j.accepted(meshOf(t, listener(t, "web", j.front, "local"), route("local", "green"), cluster("green", time.Second), endpoints("green", j.v2)))
		l.flow(t, 50)
		if bad := l.bad.Load(); bad > 0 {
			t.Errorf("%d of %d requests failed: %v", bad, l.sent.Load(), l.failures)
		}
		nacks := 0
		msgs, _ := j.Wire().Since(0, 1<<20)
		for _, m := range msgs {
			if m.Kind == xds.NACK {
				nacks++
			}
		}
		if nacks != 1 {
			t.Errorf("%d NACKs, want the one", nacks)
		}
	})
}

// A node that comes back and rejects the first that it is told is understood,
// though it says what it held before.
func TestRejectionAfterReconnect(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
	st.Subscribe(mesh.Endpoints, "app")
	held := st.Next()
	st.Ack(held)
	st.Subscribe(mesh.Endpoints, "app", "legacy")
	st.Next() // and the connection breaks before the answer
	st.Close()
	s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
	back := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
	back.Resume(mesh.Endpoints, held.Version, nil, "app", "legacy")
	back.Nack(back.Next(), "malformed IP address: example.test")
	back.Barrier()
	n := s.State().Node("envoy-1")
	if n.Types[mesh.Endpoints].Rejected == nil || n.Resources.Get(endpointKey("legacy")).Rejected == nil {
		t.Errorf("a NACK was read as an ACK: %+v; the wire says %+v", n.Types[mesh.Endpoints], lastOf(s, xds.ACK))
	}
}
