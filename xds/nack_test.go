package xds_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

const reason = "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config"

// scripted opens a stream that holds the clusters of the shop.
func scripted(t *testing.T, s *served, delta bool) *xdstest.Stream {
	t.Helper()
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
	st.Subscribe(mesh.Cluster)
	st.Ack(st.Next())
	s.through("envoy-1", 1, engine.Accepted)
	return st
}

func mustBe(t *testing.T, r xdstest.Response, typ mesh.Type, names ...string) {
	t.Helper()
	if r.Type != typ {
		t.Fatalf("got %s, want %s", r, typ.Service())
	}
	if diff := cmp.Diff(xdstest.Sorted(names), xdstest.Sorted(r.Names)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", typ.Service(), diff)
	}
}

func mustBeQuiet(t *testing.T, st *xdstest.Stream) {
	t.Helper()
	for range 2 { // the second also passes what the first may have roused
		if extra := st.Barrier(); len(extra) > 0 {
			t.Fatalf("unasked: %v", extra)
		}
	}
}

// A rejected version goes out once, is told in the node's words, and the
// correction follows at once.
func TestRejectedVersionIsParked(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)

		s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
		bad := st.Next()
		st.Nack(bad, "goo.gle/debugstr   \n"+reason+"\n")
		mustBeQuiet(t, st)
		n := s.through("envoy-1", 2, engine.Rejected)
		rej := n.Types[mesh.Cluster].Rejected
		if rej == nil || rej.Detail != reason || rej.Sent != 1 || rej.Version != bad.Version || !strings.Contains(rej.Raw, "goo.gle") {
			t.Fatalf("rejection %+v", rej)
		}
		if diff := cmp.Diff([]mesh.Key{clusterKey("bad")}, rej.Resources); diff != "" {
			t.Errorf("what was new in it (-want +got):\n%s", diff)
		}
		if n.Resources.Get(clusterKey("bad")).Rejected == nil || n.Resources.Get(clusterKey("app")).Rejected != nil {
			t.Errorf("the rejection is not at the cluster that it is about: %+v", n.Resources)
		}
		if o := s.said(2, engine.Rejected); !strings.Contains(o.Detail, reason) {
			t.Errorf("outcome %+v does not say why", o)
		}

		s.Publish(revision(3, with(t, shop(t), cluster("bad", 2*time.Second))))
		fixed := st.Next()
		if _, ok := fixed.Resources["bad"]; !ok || fixed.Version == bad.Version {
			t.Fatalf("correction %s in version %s after %s", fixed, fixed.Version, bad.Version)
		}
		st.Ack(fixed)
		n = s.through("envoy-1", 3, engine.Accepted)
		if n.Types[mesh.Cluster].Rejected != nil || n.Resources.Get(clusterKey("bad")).Rejected != nil {
			t.Errorf("still rejected after the correction: %+v", n.Types[mesh.Cluster])
		}
	})
}

// A node that rejects the very first thing it gets is not sent it again either.
func TestFirstEverIsRejected(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		st.Nack(st.Next(), reason)
		mustBeQuiet(t, st)
		s.through("envoy-1", 1, engine.Rejected)
		s.Publish(revision(2, with(t, shop(t), cluster("app", 3*time.Second))))
		r := st.Next()
		// In delta the cluster that did not change must come again as well: the
		// node may have dropped it along with the bad one.
		mustBe(t, r, mesh.Cluster, "app", "legacy")
		st.Ack(r)
		s.through("envoy-1", 2, engine.Accepted)
	})
}

// An endpoint change goes through while a cluster stands rejected.
func TestRejectionHarmsNoOtherType(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Endpoints, "app")
		st.Ack(st.Next())
		bad := with(t, shop(t), cluster("bad", time.Second))
		s.Publish(revision(2, bad))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)
		s.Publish(revision(3, with(t, bad, endpoints("app", 9009))))
		r := st.Next()
		mustBe(t, r, mesh.Endpoints, "app")
		st.Ack(r)
		n := s.through("envoy-1", 3, engine.Rejected) // the node still lacks the cluster
		if n.Resources.Get(endpointKey("app")).Acked.Version != r.Version {
			t.Errorf("endpoints are not acknowledged: %+v", n.Resources.Get(endpointKey("app")))
		}
		mustBeQuiet(t, st)
	})
}

// Envoy holds the answer to a bad response back, takes a good one, and answers
// both with one request: the error of the first, nonce and version of the
// second. The second is accepted.
func TestErrorOfEarlierResponse(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
	first := st.Next() // and no answer
	s.Publish(revision(3, shop(t)))
	second := st.Next()
	if first.Nonce == second.Nonce || first.Version == second.Version {
		t.Fatalf("no two responses: %+v %+v", first, second)
	}
	st.NackWrongly(second, reason)
	n := s.through("envoy-1", 3, engine.Accepted)
	if got := n.Types[mesh.Cluster]; got.Acked.Version != second.Version || got.Rejected != nil {
		t.Errorf("clusters %+v, want %s accepted", got, second.Version)
	}
	last := lastOf(s, xds.ACK)
	if last.Nonce != second.Nonce || !strings.Contains(last.Detail, "nonce "+first.Nonce) || !strings.Contains(last.Detail, reason) {
		t.Errorf("the wire says %+v, want the error at nonce %s", last, first.Nonce)
	}
	mustBeQuiet(t, st)
}

func lastOf(s *served, kind xds.MessageKind) xds.Message {
	msgs, _ := s.Wire().Since(0, 1<<20)
	var last xds.Message
	for _, m := range msgs {
		if m.Kind == kind {
			last = m
		}
	}
	return last
}

// SotW: responses that were superseded are never answered; one answer settles
// them all.
func TestSupersededResponsesAreSkipped(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	var last xdstest.Response
	for i := range 3 {
		s.Publish(revision(2+i, with(t, shop(t), cluster("new", time.Duration(i+1)*time.Second))))
		last = st.Next()
	}
	st.Ack(last)
	n := s.through("envoy-1", 4, engine.Accepted)
	if got := n.Resources.Get(clusterKey("new")).Acked; got.Version != last.Version {
		t.Errorf("acknowledged %+v, want %s", got, last.Version)
	}
	if o := s.said(2, engine.Superseded); o.Nodes != 1 {
		t.Errorf("outcome of the overtaken revision: %+v", o)
	}
}

// Delta: every response is answered, in order, however late. An answer to an
// old nonce tells the truth about that response and no other.
func TestDeltaAnswersLate(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, true)
	s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
	first := st.Next()
	mustBe(t, first, mesh.Cluster, "bad")
	s.Publish(revision(3, with(t, shop(t), cluster("good", time.Second))))
	second := st.Next()
	mustBe(t, second, mesh.Cluster, "good") // and bad goes, which was not accepted yet
	st.Nack(first, reason)
	st.Ack(second)
	st.Ack(st.Next()) // what the first held, as it stands now: it may have been dropped
	n := s.through("envoy-1", 3, engine.Accepted)
	if n.Resources.Get(clusterKey("good")).Acked.Version != second.Version {
		t.Errorf("good: %+v", n.Resources.Get(clusterKey("good")))
	}
	if m := lastOf(s, xds.NACK); m.Nonce != first.Nonce || m.Revision != 2 || m.Detail != reason {
		t.Errorf("the wire says %+v, want the NACK at nonce %s", m, first.Nonce)
	}
}

// A running node that comes back is not sent again what it rejected; a new
// process is.
func TestRejectedThenReconnect(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		held := st.Next()
		st.Ack(held)
		s.through("envoy-1", 1, engine.Accepted)
		s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
		rejected := st.Next()
		st.Nack(rejected, reason)
		s.through("envoy-1", 2, engine.Rejected)
		st.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })

		back := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		back.Resume(mesh.Cluster, held.Version, xdstest.Held(held))
		for _, r := range back.Barrier() {
			if _, ok := r.Resources["bad"]; ok {
				t.Errorf("it got again what it rejected: %s", r)
			}
			if r.Type == mesh.Cluster && r.Version == rejected.Version && !delta {
				t.Errorf("it got something else under the rejected version: %s", r)
			}
		}
		back.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })

		fresh := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		fresh.Subscribe(mesh.Cluster)
		r := fresh.Next()
		mustBe(t, r, mesh.Cluster, "app", "bad", "legacy")
		fresh.Ack(r)
		s.through("envoy-1", 2, engine.Accepted)
	})
}

// What was refused, or hangs, is not kept until everything else has moved: a
// revision that takes it out and changes something else goes through.
func TestRefusedGoesAtOnce(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second), cluster("app", 7*time.Second))))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)

		s.Publish(revision(3, with(t, shop(t), cluster("app", 9*time.Second))))
		r := st.Next()
		if _, ok := r.Resources["bad"]; ok || r.Resources["app"] == nil || (delta && (len(r.Removed) != 1 || r.Removed[0] != "bad")) {
			t.Fatalf("got %s", r)
		}
		st.Ack(r)
		s.through("envoy-1", 3, engine.Accepted)

		// A cluster that is refused in a new form and then removed goes last,
		// and in the form that was accepted until then.
		s.Publish(revision(4, with(t, shop(t), cluster("app", -time.Second))))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 4, engine.Rejected)
		s.Publish(revision(5, with(t, shop(t).Without(clusterKey("app")), cluster("new", time.Second))))
		r = st.Next()
		back, err := r.Resources["app"].UnmarshalNew()
		if err != nil || !proto.Equal(back, cluster("app", 9*time.Second)) || r.Resources["new"] == nil {
			t.Fatalf("got %s with %v (%v)", r, back, err)
		}
		st.Ack(r)
		r = st.Next()
		if _, ok := r.Resources["app"]; ok || (delta && (len(r.Removed) != 1 || r.Removed[0] != "app")) {
			t.Fatalf("got %s", r)
		}
		st.Ack(r)
		s.through("envoy-1", 5, engine.Accepted)
	})
}
