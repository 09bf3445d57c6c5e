package xds_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A client that reads nothing, until nothing more fits between it and the
// server, holds up nobody: not the publisher, not others, not the end.
func TestClientThatNeverReads(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		s := serve(t, xds.Options{StepDeadline: 100 * time.Millisecond})
		big := meshOf(t, manyClusters(1500)...)
		s.Publish(revision(1, big))
		deaf := xdstest.Dial(t, s.addr, xdstest.Config{ID: "deaf", Delta: delta, Deaf: true}).Open()
		deaf.Subscribe(mesh.Cluster)
		s.through("deaf", 1, engine.TimedOut)
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Endpoints, "c0")
		st.Ack(st.Next())
		const last = 20
		for i := 2; i <= last; i++ {
			s.Publish(revision(i, with(t, big, cluster("c1", time.Duration(i)*time.Second), endpoints("c0", i))))
			r := st.Next()
			mustBe(t, r, mesh.Endpoints, "c0")
			st.Ack(r)
		}
		s.until("it is shown as it is", func(st *xds.State) bool { return st.Node("deaf").Rollout.Result == engine.TimedOut })
	})
}

// A client that takes everything and answers nothing: each revision is shown as
// unanswered, others are not kept waiting, and what it is sent stays bounded.
func TestClientThatNeverACKs(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{StepDeadline: 20 * time.Millisecond})
		s.Publish(revision(1, shop(t)))
		mute := xdstest.Dial(t, s.addr, xdstest.Config{ID: "mute", Delta: delta}).Open()
		mute.Subscribe(mesh.Cluster)
		first := mute.Next()
		s.through("mute", 1, engine.TimedOut)
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		for i := 2; i < 6; i++ {
			s.Publish(revision(i, with(t, shop(t), cluster("app", time.Duration(i)*time.Second))))
			s.through("envoy-1", i, engine.Accepted)
			n := s.through("mute", i, engine.TimedOut)
			if k := n.Resources.Get(clusterKey("app")); !k.Acked.At.IsZero() {
				t.Errorf("revision %d: taken as accepted without an answer: %+v", i, k)
			}
		}
		// The one answer that comes at last, to the newest, settles it in SotW; in
		// delta every response wants its own.
		answer := []xdstest.Response{first}
		for !holdsTimeout(t, answer[len(answer)-1], 5*time.Second) {
			answer = append(answer, mute.Next())
		}
		if !delta {
			answer = answer[len(answer)-1:]
		}
		for _, r := range answer {
			mute.Ack(r)
		}
		s.through("mute", 5, engine.Accepted)
		e.Stop()
	})
}

// holdsTimeout reports whether a response has the cluster app with that timeout.
func holdsTimeout(t *testing.T, r xdstest.Response, timeout time.Duration) bool {
	t.Helper()
	want := meshOf(t, cluster("app", timeout)).Get(clusterKey("app"))
	a := r.Resources["app"]
	return a != nil && string(a.GetValue()) == string(want.Any().GetValue())
}

// A client that ACKs a response with nothing in it has nothing.
func TestEmptyAnswerIsNotApplied(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Endpoints, "nosuch")
		empty := st.Next()
		mustBe(t, empty, mesh.Endpoints)
		st.Ack(empty)
		n := s.through("envoy-1", 1, engine.Accepted)
		if got := n.Resources; got.Len() != 0 {
			t.Errorf("the node is said to have %v", got)
		}
		if got := s.Served("envoy-1"); len(got) != 0 {
			t.Errorf("the node is said to have been served %v", got)
		}
	})
}

// Two Envoys under one id both get everything, and neither's end is the other's.
func TestTwoEnvoysOfOneID(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		both := func(what string, envoys []*xdstest.Envoy, m *mesh.Mesh) {
			t.Helper()
			for _, e := range envoys {
				e.Await(what, func(h map[mesh.Key]*anypb.Any) bool { return sameAs(h, m) })
			}
		}
		var envoys []*xdstest.Envoy
		for range 2 {
			envoys = append(envoys, xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "twin", Delta: delta}, xdstest.EnvoyOptions{}))
			both("hold the first mesh", envoys, shop(t))
		}
		for i := 2; i < 8; i++ {
			m := with(t, shop(t), cluster("new", time.Duration(i)*time.Second), endpoints("new", i), endpoints("app", i))
			s.Publish(revision(i, m))
			both(fmt.Sprint("hold revision ", i), envoys, m)
		}
		envoys[1].Stop()
		s.Publish(revision(8, shop(t)))
		both("hold the last mesh", envoys[:1], shop(t))
		s.through("twin", 8, engine.Accepted)
	})
}

// A thousand nodes that come at once, and all come back at once, are served.
func TestThousandReconnects(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 connections")
	}
	const nodes = 1000
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	for round := range 2 {
		streams := make([]*xdstest.Stream, nodes)
		for i := range streams {
			streams[i] = xdstest.Dial(t, s.addr, xdstest.Config{ID: fmt.Sprint("envoy-", i), Delta: i%2 == 0}).Open()
		}
		var asked sync.WaitGroup
		for _, st := range streams {
			asked.Go(func() { st.Subscribe(mesh.Cluster) })
		}
		asked.Wait()
		for _, st := range streams {
			r := st.Next()
			mustBe(t, r, mesh.Cluster, "app", "legacy")
			st.Ack(r)
		}
		s.until("all are through", func(st *xds.State) bool {
			return len(st.Nodes) == nodes && !slices.ContainsFunc(st.Nodes, func(n *xds.Node) bool { return n.Rollout.Result != engine.Accepted })
		})
		for _, st := range streams {
			st.CloseConn()
		}
		s.until(fmt.Sprint("all have left, round ", round), func(st *xds.State) bool {
			return !slices.ContainsFunc(st.Nodes, func(n *xds.Node) bool { return n.Connected })
		})
	}
}

// The same cluster comes, goes and comes again: each time it comes with its
// endpoints, answered or not in between.
func TestAddRemoveAdd(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		more := with(t, shop(t), cluster("new", time.Second), endpoints("new", 9009))
		number := 1
		for _, wait := range []bool{true, false} {
			for range 5 {
				for _, m := range []*mesh.Mesh{more, shop(t)} {
					number++
					s.Publish(revision(number, m))
					if wait {
						s.through("envoy-1", number, engine.Accepted)
						e.Await("hold what was published", func(h map[mesh.Key]*anypb.Any) bool { return sameAs(h, m) })
					}
				}
			}
		}
		s.Publish(revision(number+1, more))
		s.through("envoy-1", number+1, engine.Accepted)
		e.Await("hold the cluster and its endpoints", func(h map[mesh.Key]*anypb.Any) bool { return sameAs(h, more) })
	})
}
