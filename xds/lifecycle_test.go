package xds_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// A node that does not answer holds nobody else, and is said to be late; when
// it answers after all, it goes on.
func TestSlowNodeHoldsNoOther(t *testing.T) {
	s := serve(t, xds.Options{StepDeadline: 300 * time.Millisecond})
	s.Publish(revision(1, shop(t)))
	slow := scripted(t, s, false)
	e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-2"}, xdstest.EnvoyOptions{})
	s.through("envoy-2", 1, engine.Accepted)

	renamed := with(t, shop(t).Without(clusterKey("app")).Without(endpointKey("app")),
		cluster("new", time.Second), endpoints("new", 9009), route("local", "new"))
	s.Publish(revision(2, renamed))
	first := slow.Next()
	mustBe(t, first, mesh.Cluster, "app", "legacy", "new")
	s.through("envoy-2", 2, engine.Accepted)
	e.Await("have the new cluster alone", func(h map[mesh.Key]*anypb.Any) bool {
		return h[clusterKey("new")] != nil && h[clusterKey("app")] == nil
	})
	late := s.through("envoy-1", 2, engine.TimedOut)
	if !strings.Contains(late.Rollout.Detail, "CDS "+first.Version) || !strings.Contains(late.Rollout.Detail, "warm: new") {
		t.Errorf("detail %q does not say what stayed unanswered", late.Rollout.Detail)
	}
	if o := s.said(2, engine.TimedOut); !strings.Contains(o.Detail, "envoy-1") || o.Nodes != 2 {
		t.Errorf("outcome %+v", o)
	}
	slow.Ack(first)
	last := slow.Next()
	mustBe(t, last, mesh.Cluster, "legacy", "new")
	slow.Ack(last)
	s.through("envoy-1", 2, engine.Accepted)
	s.said(2, engine.Accepted)
}

// A burst of revisions becomes few responses, and the newest wins.
func TestBurstCoalesces(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Endpoints, "app")
		st.Ack(st.Next())
		const last = 500
		for i := 2; i <= last; i++ {
			s.Publish(revision(i, with(t, shop(t), endpoints("app", 10000+i))))
		}
		want := endpoints("app", 10000+last)
		for n := 1; ; n++ {
			r := st.Next()
			got, err := r.Resources["app"].UnmarshalNew()
			if err != nil {
				t.Fatal(err)
			}
			st.Ack(r)
			if proto.Equal(got, want) {
				break
			}
			if n > last/5 {
				t.Fatalf("%d responses for %d revisions, and not yet the newest", n, last)
			}
		}
		s.through("envoy-1", last, engine.Accepted)
		mustBeQuiet(t, st)
	})
}

// While an answer is out, newer revisions are held back, and become one response
// when it comes. The clock stands still, so that the patience does not run out.
func TestNewerWaitsForAnswer(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		now := time.Unix(1_800_000_000, 0)
		s := serve(t, xds.Options{Now: func() time.Time { return now }})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Endpoints, "app")
		st.Ack(st.Next())
		s.Publish(revision(2, with(t, shop(t), endpoints("app", 10002))))
		first := st.Next()
		const last = 20
		for i := 3; i <= last; i++ {
			s.Publish(revision(i, with(t, shop(t), endpoints("app", 10000+i))))
			s.until("it is under way", func(st *xds.State) bool { return st.Node("envoy-1").Rollout.Revision == i })
		}
		mustBeQuiet(t, st)
		st.Ack(first)
		r := st.Next()
		if got, err := r.Resources["app"].UnmarshalNew(); err != nil || !proto.Equal(got, endpoints("app", 10000+last)) {
			t.Errorf("got %v (%v), want the newest", got, err)
		}
		st.Ack(r)
		mustBeQuiet(t, st)
	})
}

// A second response can go while the first is unanswered: it may be the cure.
func TestNewerGoesWhileAnswerIsWithheld(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		s.Publish(revision(2, with(t, shop(t), cluster("stuck", time.Second))))
		first := st.Next()
		s.Publish(revision(3, shop(t)))
		second := st.Next()
		if _, ok := second.Resources["stuck"]; ok || (delta && (len(second.Removed) != 1 || second.Removed[0] != "stuck")) {
			t.Fatalf("the second response does not take the stuck cluster away: %s", second)
		}
		if delta {
			st.Ack(first)
		}
		st.Ack(second)
		s.through("envoy-1", 3, engine.Accepted)
	})
}

func TestOutcomes(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	s.said(1, engine.NoNodes)
	e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1"}, xdstest.EnvoyOptions{})
	if o := s.said(1, engine.Accepted); o.Nodes != 1 || o.Took < 0 {
		t.Errorf("outcome %+v", o)
	}
	s.Publish(revision(2, with(t, shop(t), endpoints("app", 9009))))
	s.said(2, engine.Pending)
	s.said(2, engine.Accepted)
	s.Publish(revision(2, shop(t))) // not newer: nothing happens
	e.Stop()
	s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
	s.Publish(revision(3, shop(t)))
	s.said(3, engine.NoNodes)
}

// What a node says of itself is shown, and a node that left stays for a while.
func TestNodeFacts(t *testing.T) {
	s := serve(t, xds.Options{ForgetAfter: 50 * time.Millisecond})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{
		ID: "envoy-1", Cluster: "edge", Agent: "envoy", Metadata: map[string]string{"meshtui.admin": "127.0.0.1:9901"},
	}).Open()
	st.Subscribe(mesh.Cluster)
	st.Next()
	n := s.State().Node("envoy-1")
	if n.Cluster != "edge" || n.Agent != "envoy" || n.Admin != "127.0.0.1:9901" || n.Variant != xds.SotWADS || !n.Connected || n.Group != mesh.DefaultGroup {
		t.Errorf("node %+v", n)
	}
	if !n.Types[mesh.Cluster].Wildcard {
		t.Errorf("types %+v", n.Types)
	}
	st.Close()
	s.until("it is forgotten", func(st *xds.State) bool { return st.Node("envoy-1") == nil })
}

// Of two streams with one node id the newest counts; the older hangs.
func TestTwoStreamsOfOneNode(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		hung := scripted(t, s, delta)
		alive := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		alive.Subscribe(mesh.Cluster)
		alive.Ack(alive.Next())
		s.Publish(revision(2, with(t, shop(t), cluster("new", time.Second))))
		alive.Ack(alive.Next())
		n := s.through("envoy-1", 2, engine.Accepted)
		if n.Streams != 2 {
			t.Errorf("%d streams", n.Streams)
		}
		if _, ok := hung.Next().Resources["new"]; !ok {
			t.Error("the older stream is not told")
		}
	})
}

// A node that comes in the middle of a rollout goes on from where it stood.
func TestReconnectInTheMiddle(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, shop(t)))
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		st.Subscribe(mesh.Cluster)
		held := st.Next()
		st.Ack(held)
		s.through("envoy-1", 1, engine.Accepted)
		s.Publish(revision(2, with(t, shop(t).Without(clusterKey("app")), cluster("new", time.Second))))
		st.Next() // and the connection breaks before the answer
		st.Close()
		s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
		back := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
		back.Resume(mesh.Cluster, held.Version, xdstest.Held(held))
		r := back.Next()
		if _, ok := r.Resources["new"]; !ok || len(r.Removed) > 0 || (!delta && r.Resources["app"] == nil) {
			t.Fatalf("got %s, want the new cluster beside the old", r)
		}
		back.Ack(r)
		r = back.Next()
		if delta && (len(r.Removed) != 1 || r.Removed[0] != "app") || !delta && r.Resources["app"] != nil {
			t.Fatalf("got %s, want the old cluster gone", r)
		}
		back.Ack(r)
		s.through("envoy-1", 2, engine.Accepted)
	})
}

// A node that comes before anything was published waits, and then is served.
func TestConnectBeforePublish(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.until("it is here", func(st *xds.State) bool { return st.Node("envoy-1") != nil })
		s.Publish(revision(1, shop(t)))
		e.Await("hold everything", func(h map[mesh.Key]*anypb.Any) bool { return len(h) == 6 })
		s.through("envoy-1", 1, engine.Accepted)
	})
}

// The server ends while streams are open and one client reads nothing, twice.
func TestStopWithOpenStreams(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, meshOf(t, manyClusters(300)...)))
	for range 2 {
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
		st.Subscribe(mesh.Cluster)
		st.Next()
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-2"}, xdstest.EnvoyOptions{})
		s.until("both are here", func(st *xds.State) bool { return st.Node("envoy-2") != nil && st.Node("envoy-2").Connected })
		stopped := make(chan struct{})
		go func() { // not a task: the test must see that it hangs
			defer close(stopped)
			s.stop()
		}()
		select {
		case <-stopped:
		case <-time.After(xdstest.Patience):
			t.Fatal("the server does not stop")
		}
		if err := st.Err(); err == nil {
			t.Error("the stream outlives the server")
		}
		e.Stop()
		if st := s.State(); st.Address != "" || st.Node("envoy-1").Connected {
			t.Errorf("after the stop: %+v", st)
		}
		s.start()
	}
}

// Who watches and never reads holds up nobody.
func TestSlowWatcher(t *testing.T) {
	s := serve(t, xds.Options{})
	wake, done := s.Changed() // and never read
	defer done()
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false)
	st.Subscribe(mesh.Endpoints, "app")
	st.Ack(st.Next())
	for i := 2; i < 100; i++ {
		s.Publish(revision(i, with(t, shop(t), endpoints("app", 10000+i))))
		st.Ack(st.Next())
		s.through("envoy-1", i, engine.Accepted)
	}
	if len(wake) != 1 {
		t.Errorf("%d wake-ups lie on the channel", len(wake))
	}
}

// A panic in a handler ends that stream and is reported; others live on.
func TestPanicEndsOneStream(t *testing.T) {
	s := serve(t, xds.Options{Overlay: func(node string) xds.Overlay {
		if node != "envoy-1" {
			return nil
		}
		return func(mesh.Type, proto.Message) proto.Message { panic("overlay of envoy-1") }
	}})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
	st.Subscribe(mesh.Cluster)
	if err := st.Err(); status.Code(err) != codes.Internal {
		t.Errorf("the stream ended with %v", err)
	}
	s.awaits("the panic", func() bool {
		return len(s.panics) > 0 && strings.Contains(s.panics[0].Error(), "overlay of envoy-1")
	})
	xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-2"}, xdstest.EnvoyOptions{})
	s.through("envoy-2", 1, engine.Accepted)
}

// Whatever a client sends, it harms nobody and nothing grows without bound.
func TestBadRequests(t *testing.T) {
	s := serve(t, xds.Options{MaxNodes: 2})
	s.Publish(revision(1, shop(t)))
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("cluster-%d", i)
	}
	ask := func(id string, reqs ...*discovery.DiscoveryRequest) *xdstest.Stream {
		st := xdstest.Dial(t, s.addr, xdstest.Config{ID: id}).Open()
		for _, r := range reqs {
			st.SendSotW(r)
		}
		return st
	}
	for _, c := range []struct {
		name string
		id   string
		req  *discovery.DiscoveryRequest
		want codes.Code
	}{
		{"no node id", "", &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL()}, codes.InvalidArgument},
		{"a node id of 1 MB", strings.Repeat("x", 1<<20), &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL()}, codes.InvalidArgument},
		{"no type", "envoy-1", &discovery.DiscoveryRequest{}, codes.InvalidArgument},
	} {
		if err := ask(c.id, c.req).Err(); status.Code(err) != c.want {
			t.Errorf("%s: the stream ended with %.200v", c.name, err)
		}
	}
	var types []*discovery.DiscoveryRequest
	for i := range 40 {
		types = append(types, &discovery.DiscoveryRequest{TypeUrl: fmt.Sprintf("type.googleapis.com/no.such.Type%d", i)})
	}
	if err := ask("envoy-1", types...).Err(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("40 types: the stream ended with %v", err)
	}
	st := ask("envoy-1", types[0], &discovery.DiscoveryRequest{TypeUrl: mesh.Endpoints.URL(), ResourceNames: names})
	mustBe(t, st.Next(), mesh.Endpoints)
	ask("envoy-2", &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL()}).Next()
	if err := ask("envoy-3", &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL()}).Err(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a third node where two are taken: %v", err)
	}
	st.Close()
	s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
	ask("envoy-3", &discovery.DiscoveryRequest{TypeUrl: mesh.Cluster.URL()}).Next() // takes the place
	if got := s.State().Node("envoy-1"); got != nil {
		t.Errorf("envoy-1 is still remembered: %+v", got)
	}
}
