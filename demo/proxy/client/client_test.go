package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

func cluster(name string) *clusterv3.Cluster { return &clusterv3.Cluster{Name: name} }

func endpoints(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name}
}

func mustSay(t *testing.T, s *server, want said) {
	t.Helper()
	if diff := cmp.Diff(want, s.next(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the client says (-want +got):\n%s", diff)
	}
}

// A whole conversation in the state of the world: who asks is told once, names
// follow the references, answers carry nonce, version and names.
func TestStateOfTheWorld(t *testing.T) {
	s := listen(t, "")
	var c *client.Client
	taker := newTaker(func(r *client.Response) client.Answer {
		if r.Type == mesh.Cluster {
			var names []string
			for _, res := range r.Resources {
				names = append(names, res.Name)
			}
			c.Subscribe(mesh.Endpoints, names...)
		}
		return client.Answer{}
	})
	c, _ = start(t, s, false, taker)
	c.Subscribe(mesh.Cluster)
	mustSay(t, s, said{Type: mesh.Cluster, Node: "builtin-1"})
	s.sotw(mesh.Cluster, "1", cluster("b"), cluster("a"))
	mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"a", "b"}}) // before the ACK that may wait for it
	mustSay(t, s, said{Type: mesh.Cluster, Nonce: "1", Version: "1"})
	s.sotw(mesh.Endpoints, "2", endpoints("a"), endpoints("b"))
	mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"a", "b"}, Nonce: "2", Version: "2"})
	s.sotw(mesh.Cluster, "3", cluster("b"))
	mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"b"}, Nonce: "2", Version: "2"})
	mustSay(t, s, said{Type: mesh.Cluster, Nonce: "3", Version: "3"})
}

// The same with delta.
func TestDelta(t *testing.T) {
	s := listen(t, "")
	var c *client.Client
	taker := newTaker(func(r *client.Response) client.Answer {
		if r.Type == mesh.Cluster {
			if len(r.Removed) > 0 {
				c.Subscribe(mesh.Endpoints, "b")
			} else {
				c.Subscribe(mesh.Endpoints, "a", "b")
			}
		}
		if r.Whole {
			t.Error("a delta response is taken for the whole world")
		}
		return client.Answer{}
	})
	c, _ = start(t, s, true, taker)
	c.Subscribe(mesh.Cluster)
	mustSay(t, s, said{Type: mesh.Cluster, Node: "builtin-1"})
	s.delta(mesh.Cluster, "1", nil, cluster("b"), cluster("a"))
	mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"a", "b"}})
	mustSay(t, s, said{Type: mesh.Cluster, Nonce: "1"})
	s.delta(mesh.Cluster, "2", []string{"a"})
	mustSay(t, s, said{Type: mesh.Endpoints, Gone: []string{"a"}})
	mustSay(t, s, said{Type: mesh.Cluster, Nonce: "2"})
}

// A response that is bad gets a NACK with the version that is held, once; one
// that follows gets its own answer.
func TestNACK(t *testing.T) {
	for name, delta := range map[string]bool{"SotW": false, "delta": true} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "")
			taker := newTaker(func(r *client.Response) client.Answer {
				for _, res := range r.Resources {
					if res.Name == "bad" {
						return client.Answer{Err: errors.New("bad: it is bad"), Took: []string{"good"}}
					}
				}
				return client.Answer{}
			})
			c, _ := start(t, s, delta, taker)
			c.Subscribe(mesh.Cluster)
			s.next()
			push := func(nonce string, names ...string) {
				for _, name := range names {
					if delta {
						s.delta(mesh.Cluster, nonce, nil, cluster(name))
						return
					}
					s.sotw(mesh.Cluster, nonce, cluster(name))
				}
			}
			version := func(v string) string {
				if delta {
					return ""
				}
				return v
			}
			push("1", "bad")
			mustSay(t, s, said{Type: mesh.Cluster, Nonce: "1", Err: "bad: it is bad"})
			push("2", "good")
			mustSay(t, s, said{Type: mesh.Cluster, Nonce: "2", Version: version("2")})
			push("3", "bad")
			mustSay(t, s, said{Type: mesh.Cluster, Nonce: "3", Version: version("2"), Err: "bad: it is bad"})
			push("4", "good")
			mustSay(t, s, said{Type: mesh.Cluster, Nonce: "4", Version: version("4")})
			s.quiet()
		})
	}
}

// An ACK that is held back comes when it may, holds back no other type, and is
// not mixed up with the answers that follow it: the error belongs to the
// response that was bad.
func TestHeldACK(t *testing.T) {
	for name, delta := range map[string]bool{"SotW": false, "delta": true} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "")
			warm := make(chan struct{})
			var c *client.Client
			taker := newTaker(func(r *client.Response) client.Answer {
				switch {
				case r.Type != mesh.Cluster:
					return client.Answer{}
				case r.Nonce == "1":
					c.Subscribe(mesh.Endpoints, "a")
					return client.Answer{Held: warm}
				case r.Nonce == "2":
					return client.Answer{Err: errors.New("bad")}
				}
				return client.Answer{}
			})
			c, _ = start(t, s, delta, taker)
			c.Subscribe(mesh.Cluster)
			s.next()
			say := func(typ mesh.Type, nonce string) {
				switch {
				case typ == mesh.Cluster && delta:
					s.delta(typ, nonce, nil, cluster("a"))
				case typ == mesh.Cluster:
					s.sotw(typ, nonce, cluster("a"))
				case delta:
					s.delta(typ, nonce, nil, endpoints("a"))
				default:
					s.sotw(typ, nonce, endpoints("a"))
				}
			}
			say(mesh.Cluster, "1")
			if q := s.next(); q.Type != mesh.Endpoints {
				t.Fatalf("said %+v", q)
			}
			say(mesh.Cluster, "2")
			say(mesh.Cluster, "3")
			say(mesh.Endpoints, "e")
			if q := s.next(); q.Type != mesh.Endpoints || q.Nonce != "e" {
				t.Fatalf("the clusters were answered though the first is not warm: %+v", q)
			}
			close(warm)
			for _, want := range []said{{Nonce: "1"}, {Nonce: "2", Err: "bad"}, {Nonce: "3"}} {
				if q := s.next(); q.Type != mesh.Cluster || q.Nonce != want.Nonce || q.Err != want.Err {
					t.Errorf("said %+v, want %+v", q, want)
				}
			}
		})
	}
}

// When the server is back, the client says what it holds, and asks for what it
// wants now.
func TestReconnect(t *testing.T) {
	for name, delta := range map[string]bool{"SotW": false, "delta": true} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "")
			taker := newTaker(func(r *client.Response) client.Answer {
				if r.Nonce == "bad" {
					return client.Answer{Err: errors.New("bad"), Took: []string{"a"}}
				}
				return client.Answer{}
			})
			c, _ := start(t, s, delta, taker)
			c.Subscribe(mesh.Cluster)
			c.Subscribe(mesh.Endpoints, "a", "b")
			s.next()
			s.next()
			if !<-taker.connected {
				t.Error("it does not say that it is connected")
			}
			if delta {
				s.delta(mesh.Cluster, "1", nil, cluster("a"), cluster("b"))
				s.delta(mesh.Cluster, "bad", nil, cluster("a"), cluster("c"))
				s.delta(mesh.Endpoints, "2", nil, endpoints("a"), endpoints("b"))
			} else {
				s.sotw(mesh.Cluster, "1", cluster("a"), cluster("b"))
				s.sotw(mesh.Cluster, "bad", cluster("a"))
				s.sotw(mesh.Endpoints, "2", endpoints("a"), endpoints("b"))
			}
			for range 3 {
				s.next()
			}
			s.stop()
			if <-taker.connected {
				t.Error("it does not notice the end of the stream")
			}
			c.Subscribe(mesh.Endpoints, "b", "c")
			s = listen(t, s.addr)
			if delta {
				mustSay(t, s, said{Type: mesh.Cluster, Node: "builtin-1", Held: map[string]string{"a": "bad", "b": "1"}})
				mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"b", "c"}, Held: map[string]string{"b": "2"}})
				return
			}
			mustSay(t, s, said{Type: mesh.Cluster, Node: "builtin-1", Version: "1"})
			mustSay(t, s, said{Type: mesh.Endpoints, Names: []string{"b", "c"}, Version: "2"})
		})
	}
}

// What cannot be read is refused as a whole, and the words say what it is.
func TestUnreadable(t *testing.T) {
	broken := &anypb.Any{TypeUrl: mesh.Cluster.URL(), Value: []byte{0xff}}
	for name, tc := range map[string]struct {
		packed *anypb.Any
		want   string
	}{
		"broken bytes": {broken, "Unable to unpack as envoy.config.cluster.v3.Cluster"},
		"another type": {&anypb.Any{TypeUrl: mesh.Listener.URL()}, "does not match the message-wide type URL"},
		"wrapped":      {pack(t, &discovery.Resource{Name: "a", Resource: broken}), "Unable to unpack as envoy.config.cluster.v3.Cluster"},
		"wrapped none": {pack(t, &discovery.Resource{Name: "a"}), "there is nothing in it"},
	} {
		for variant, delta := range map[string]bool{"SotW": false, "delta": true} {
			t.Run(name+" "+variant, func(t *testing.T) {
				s := listen(t, "")
				taker := newTaker(func(*client.Response) client.Answer {
					t.Error("it is taken")
					return client.Answer{}
				})
				c, _ := start(t, s, delta, taker)
				c.Subscribe(mesh.Cluster)
				s.next()
				good := pack(t, cluster("good"))
				if delta {
					s.say <- &discovery.DeltaDiscoveryResponse{TypeUrl: mesh.Cluster.URL(), Nonce: "1", Resources: []*discovery.Resource{
						{Name: "good", Resource: good}, {Name: "bad", Resource: tc.packed},
					}}
				} else {
					s.say <- &discovery.DiscoveryResponse{TypeUrl: mesh.Cluster.URL(), Nonce: "1", Resources: []*anypb.Any{good, tc.packed}}
				}
				if q := s.next(); q.Nonce != "1" || !strings.Contains(q.Err, tc.want) {
					t.Errorf("said %+v", q)
				}
				if err := <-taker.refused; !strings.Contains(err.Error(), tc.want) {
					t.Error(err)
				}
			})
		}
	}
}

// A server that sends what was rejected again and again is answered ten times a
// second after the first hundred, not as fast as it can.
func TestNACKsAreLimited(t *testing.T) {
	s := listen(t, "")
	taken := 0
	enough := make(chan struct{})
	const many = 400
	taker := newTaker(func(*client.Response) client.Answer {
		if taken++; taken == many {
			close(enough)
		}
		return client.Answer{Err: errors.New("bad")}
	})
	c, _ := start(t, s, false, taker)
	c.Subscribe(mesh.Cluster)
	s.next()
	for range many {
		s.sotw(mesh.Cluster, "1", cluster("bad"))
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Fatal("not all responses were taken")
	}
	if n := len(s.said); n > 150 {
		t.Errorf("%d answers to %d responses that came at once", n, many)
	}
}

func TestBadAddress(t *testing.T) {
	for _, address := range []string{"nonsense", "unix:", ""} {
		if _, err := client.New(client.Options{XDS: address}, newTaker(nil)); err == nil || !strings.Contains(err.Error(), "is neither unix:PATH nor HOST:PORT") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A panic in what applies a response comes back from Run.
func TestPanicComesBack(t *testing.T) {
	s := listen(t, "")
	c, err := client.New(client.Options{XDS: "unix:" + s.addr}, newTaker(func(*client.Response) client.Answer { panic("boom") }))
	if err != nil {
		t.Fatal(err)
	}
	c.Subscribe(mesh.Listener)
	group, ctx := task.New(context.Background())
	group.Go("client", func() error { return c.Run(ctx) })
	s.next()
	s.sotw(mesh.Listener, "1", &listenerv3.Listener{Name: "web"})
	var panicked *task.PanicError
	if err := group.Wait(); !errors.As(err, &panicked) || panicked.Value != "boom" {
		t.Errorf("Run returned %v", err)
	}
}
