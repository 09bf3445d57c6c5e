package xds_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// stops ends the server, and fails the test when it does not end.
func (s *served) stops() {
	s.t.Helper()
	stopped := make(chan struct{})
	go func() { // not a task: the test must see that it hangs
		defer close(stopped)
		s.stop()
	}()
	select {
	case <-stopped:
	case <-time.After(xdstest.Patience):
		s.t.Fatal("the server does not stop")
	}
}

// The server ends in the middle of pushes to many nodes, twice; what is
// published while it is down goes out when it is back, all of it.
func TestStopDuringPush(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		var number atomic.Int64
		publish := func() *mesh.Mesh {
			i := int(number.Add(1))
			m := with(t, shop(t), cluster("app", time.Duration(i)*time.Second), endpoints("app", i))
			s.Publish(revision(i, m))
			return m
		}
		publish()
		for range 2 {
			var envoys []*xdstest.Envoy
			for i := range 10 {
				envoys = append(envoys, xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: fmt.Sprint("envoy-", i), Delta: delta}, xdstest.EnvoyOptions{}))
			}
			s.through("envoy-9", int(number.Load()), engine.Accepted)
			pushing := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range 200 {
					publish()
					if i == 50 {
						close(pushing)
					}
				}
			})
			<-pushing
			s.stops()
			wg.Wait()
			for _, e := range envoys {
				e.Stop()
			}
			s.start()
		}
		last := publish()
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-0", Delta: delta}, xdstest.EnvoyOptions{})
		e.Await("hold what was published last", func(h map[mesh.Key]*anypb.Any) bool { return sameAs(h, last) })
		s.through("envoy-0", int(number.Load()), engine.Accepted)
	})
}

// Revisions that are published by many at once, a thousand of them: the newest
// number wins, nobody is ever taken back to an older one, and few are sent.
func TestThousandPublishes(t *testing.T) {
	const publishers, each = 4, 250
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{})
		s.Publish(revision(1, with(t, shop(t), endpoints("app", 1))))
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		var number atomic.Int64
		number.Store(1)
		var wg sync.WaitGroup
		for range publishers {
			wg.Go(func() {
				for range each {
					i := int(number.Add(1))
					s.Publish(revision(i, with(t, shop(t), cluster("app", time.Duration(i)*time.Second), endpoints("app", i))))
				}
			})
		}
		wg.Wait()
		s.through("envoy-1", publishers*each+1, engine.Accepted)
		seen, sent := 0, 0
		for _, r := range e.Took() {
			if r.Type != mesh.Endpoints || r.Resources["app"] == nil {
				continue
			}
			sent++
			i := firstPort(t, r.Resources["app"])
			if i < seen {
				t.Errorf("endpoints of revision %d came after those of %d", i, seen)
			}
			seen = i
		}
		if seen != publishers*each+1 {
			t.Errorf("the last endpoints are those of revision %d", seen)
		}
		t.Logf("%d of %d revisions were sent", sent, publishers*each)
	})
}

// firstPort is the port of the first endpoint in a load assignment.
func firstPort(t *testing.T, a *anypb.Any) int {
	t.Helper()
	var cla endpointv3.ClusterLoadAssignment
	if err := a.UnmarshalTo(&cla); err != nil {
		t.Fatal(err)
	}
	return int(cla.GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().GetAddress().GetSocketAddress().GetPortValue())
}

// The clock jumps, forward over every deadline and back by a day: rollouts go
// on, nobody is forgotten, and what is held back for an answer is not held back
// for a day.
func TestClockJumps(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		var jump atomic.Int64
		s := serve(t, xds.Options{Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		number := 1
		for _, by := range []time.Duration{24 * time.Hour, -48 * time.Hour, 24 * time.Hour} {
			number++
			s.Publish(revision(number, with(t, shop(t), cluster("app", time.Duration(number)*time.Second))))
			first := st.Next() // and it is not answered
			jump.Add(int64(by))
			number++
			s.Publish(revision(number, with(t, shop(t), cluster("app", time.Duration(number)*time.Second))))
			second := st.Next()
			if delta {
				st.Ack(first)
			}
			st.Ack(second)
			s.through("envoy-1", number, engine.Accepted)
			mustBeQuiet(t, st)
		}
	})
}

// What is published while nobody serves is served later: there is no publishing
// by half.
func TestPublishWithoutServing(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := &served{t: t, addr: "unix:" + shortDir(t) + "/xds.sock", heard: make(chan struct{}, 1), Server: xds.New(xds.Options{DrainWait: -1})}
		s.Publish(revision(1, shop(t)))
		s.start()
		e := xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		s.through("envoy-1", 1, engine.Accepted)
		e.Stop()
		s.stops()
		more := with(t, shop(t), cluster("new", time.Second), endpoints("new", 9009))
		s.Publish(revision(2, more))
		s.start()
		e = xdstest.StartEnvoy(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}, xdstest.EnvoyOptions{})
		e.Await("hold what was published meanwhile", func(h map[mesh.Key]*anypb.Any) bool { return sameAs(h, more) })
	})
}

// Thousands of streams of thousands of nodes that come and go leave nothing
// behind but the wire, which is bounded.
func TestStreamCyclesLeaveNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 streams")
	}
	s := serve(t, xds.Options{ForgetAfter: time.Millisecond})
	s.Publish(revision(1, shop(t)))
	ads := discovery.NewAggregatedDiscoveryServiceClient(dialRaw(t, s.addr))
	cycles := func(n int) {
		for i := range n {
			if i%2 == 0 {
				cycleSotW(t, ads, fmt.Sprint("envoy-", i))
			} else {
				cycleDelta(t, ads, fmt.Sprint("envoy-", i))
			}
		}
		s.until("all are forgotten", func(st *xds.State) bool { return len(st.Nodes) == 0 })
	}
	cycles(2500) // the wire is full
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	cycles(2500)
	if now := runtime.NumGoroutine(); now > goroutines+5 {
		t.Errorf("%d goroutines have become %d", goroutines, now)
	}
	if now := heapInUse(); now > heap+heap/4+2<<20 {
		t.Errorf("a heap of %d KiB has become one of %d", heap>>10, now>>10)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cycleSotW is the life of a stream: it asks, is answered, ACKs, and ends.
func cycleSotW(t *testing.T, ads discovery.AggregatedDiscoveryServiceClient, id string) {
	t.Helper()
	st, err := ads.StreamAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &discovery.DiscoveryRequest{Node: &corev3.Node{Id: id}, TypeUrl: mesh.Cluster.URL()}
	if err := st.Send(request); err != nil {
		t.Fatal(err)
	}
	r, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	request.Node, request.ResponseNonce, request.VersionInfo = nil, r.GetNonce(), r.GetVersionInfo()
	if err := errors.Join(st.Send(request), st.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("the stream ended with %v", err)
	}
}

// cycleDelta is cycleSotW for delta.
func cycleDelta(t *testing.T, ads discovery.AggregatedDiscoveryServiceClient, id string) {
	t.Helper()
	st, err := ads.DeltaAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&discovery.DeltaDiscoveryRequest{Node: &corev3.Node{Id: id}, TypeUrl: mesh.Cluster.URL()}); err != nil {
		t.Fatal(err)
	}
	r, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	answer := &discovery.DeltaDiscoveryRequest{TypeUrl: mesh.Cluster.URL(), ResponseNonce: r.GetNonce()}
	if err := errors.Join(st.Send(answer), st.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("the stream ended with %v", err)
	}
}
