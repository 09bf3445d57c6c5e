package xds_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// takesRest accepts what comes until the rollout is through; what is in a
// response must not be what was refused.
func takesRest(t *testing.T, s *served, st *xdstest.Stream, number int, refused func(xdstest.Response) bool) {
	t.Helper()
	for {
		for _, r := range st.Barrier() {
			if refused(r) {
				t.Fatalf("what was refused comes again: %s", r)
			}
			st.Ack(r)
		}
		if n := s.State().Node("envoy-1"); n.Rollout.Revision == number && n.Rollout.Result != engine.Pending {
			break
		}
	}
	s.through("envoy-1", number, engine.Accepted)
}

func holds(name string) func(xdstest.Response) bool {
	return func(r xdstest.Response) bool { return slices.Contains(r.Names, name) }
}

// A listener is refused that the newest revision has no longer, and that was only
// kept until everything else had moved: the revision goes through all the same.
func TestRefusedOnItsWayOut(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		st := follower(t, s, delta)
		changed := with(t, shop(t), listener(t, "web", 10000, "other"), route("other", "app"))
		s.underWay(2, changed)
		web := st.Next()
		mustBe(t, web, mesh.Listener, "web")
		s.underWay(3, with(t, changed, listener(t, "door", 10001, "local"))) // waits for the answer before
		s.underWay(4, with(t, changed, cluster("new", time.Second), endpoints("new", 9004), route("other", "new")))
		door := st.Next()
		for ; !slices.Contains(door.Names, "door"); door = st.Next() {
			st.Ack(door)
		}
		if delta { // where each response has its own answer
			st.Ack(web)
		}
		st.Nack(door, "Error adding/updating listener(s) door: no")
		takesRest(t, s, st, 4, holds("door"))
	})
}

// What a full response holds in the place of a refused cluster is what the node
// has accepted, not what was offered since and never sent.
func TestNeverSentIsNotAccepted(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	other := with(t, shop(t), cluster("legacy", 2*time.Second))
	s.underWay(2, other)
	held := st.Next()
	s.underWay(3, with(t, other, cluster("app", 3*time.Second))) // waits for the answer before
	s.underWay(4, with(t, other, cluster("app", -time.Second)))
	st.Ack(held)
	refused := st.Next()
	st.Nack(refused, strings.ReplaceAll(reason, "bad", "app"))
	s.through("envoy-1", 4, engine.Rejected)
	s.Publish(revision(5, with(t, other, cluster("app", -time.Second), cluster("new", time.Second))))
	r := st.Next()
	got, err := r.Resources["app"].UnmarshalNew()
	if err != nil || !proto.Equal(got, cluster("app", time.Second)) {
		t.Errorf("app is %v (%v), want what was accepted", got, err)
	}
}

// What was refused stays away when something is corrected that came with it.
func TestRefusedStaysAwayFromACorrection(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		bad := with(t, shop(t), cluster("bad", time.Second))
		s.Publish(revision(2, with(t, bad, cluster("app", 7*time.Second))))
		st.Nack(st.Next(), reason)
		s.through("envoy-1", 2, engine.Rejected)
		s.Publish(revision(3, with(t, bad, cluster("app", 9*time.Second))))
		r := st.Next()
		if r.Resources["app"] == nil || r.Resources["bad"] != nil {
			t.Errorf("got %s", r)
		}
		st.Ack(r)
		mustBeQuiet(t, st)
		if n := s.through("envoy-1", 3, engine.Rejected); n.Resources.Get(clusterKey("app")).Acked == (xds.Fact{}) {
			t.Error("the correction is not known to be taken")
		}
	})
}

// A change that was refused is taken back: what the node accepted before is what
// it is said to have, though nothing of it is new.
func TestBackToWhatWasAccepted(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		changed := with(t, shop(t), cluster("app", -time.Second))
		s.Publish(revision(2, changed))
		st.Nack(st.Next(), strings.ReplaceAll(reason, "bad", "app"))
		s.through("envoy-1", 2, engine.Rejected)
		s.Publish(revision(3, with(t, changed, cluster("new", time.Second)))) // app as it was stands in this one
		st.Ack(st.Next())
		s.through("envoy-1", 3, engine.Rejected)
		s.Publish(revision(4, with(t, shop(t), cluster("new", time.Second))))
		st.Ack(st.Next())
		n := s.through("envoy-1", 4, engine.Accepted)
		want := shop(t).Get(clusterKey("app")).Hash()
		if got := n.Resources.Get(clusterKey("app")); got.Hash != want || got.Acked == (xds.Fact{}) || got.Rejected != nil {
			t.Errorf("app is said to be %+v, want %s accepted", got, want)
		}
	})
}

// Who asked for everything and now names some holds nothing else, refused or not.
func TestNamesInThePlaceOfTheWildcard(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	s.Publish(revision(2, with(t, shop(t), cluster("bad", time.Second))))
	st.Nack(st.Next(), reason)
	s.through("envoy-1", 2, engine.Rejected)
	st.Subscribe(mesh.Cluster, "app")
	s.Publish(revision(3, with(t, shop(t), cluster("bad", time.Second), cluster("new", time.Second))))
	takesRest(t, s, st, 3, holds("bad"))
	n := s.State().Node("envoy-1")
	if !n.Resources.Has(clusterKey("app")) || n.Resources.Has(clusterKey("legacy")) || n.Resources.Has(clusterKey("bad")) {
		t.Errorf("it is said to hold %v, want app alone", n.Resources)
	}
}
