package xds_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

func callersVersions(node string, t mesh.Type, revision int) string {
	if t == mesh.Route {
		return "" // ours
	}
	return fmt.Sprintf("%s/%s/%d", node, t.Service(), revision)
}

// Responses carry the caller's versions, on aggregated and on separate streams;
// where the caller has none, ours.
func TestVersionsOfTheCaller(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{Versions: callersVersions})
		s.Publish(revision(1, shop(t)))
		st := scripted(t, s, delta)
		st.Subscribe(mesh.Endpoints, "app")
		if r := st.Next(); r.Version != "envoy-1/EDS/1" {
			t.Errorf("version %q", r.Version)
		}
		st.Subscribe(mesh.Route, "local")
		if r := st.Next(); strings.Contains(r.Version, "/") {
			t.Errorf("version %q is not ours", r.Version)
		}
		alone := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-2", Delta: delta}).OpenType(mesh.Cluster)
		alone.Subscribe(mesh.Cluster)
		if r := alone.Next(); r.Version != "envoy-2/CDS/1" {
			t.Errorf("version %q", r.Version)
		}
	})
}

// A node that comes back with a version that the caller gave it is known: what it
// holds of other types is not forgotten. One with a version that nobody gave it
// here holds what a forerunner served.
func TestVersionsOfTheCallerAreKnownAgain(t *testing.T) {
	for version, known := range map[string]bool{"envoy-1/CDS/1": true, "envoy-1/CDS/9": false, "envoy-1/EDS/1": false} {
		t.Run(version, func(t *testing.T) {
			s := serve(t, xds.Options{Versions: callersVersions})
			s.Publish(revision(1, shop(t)))
			st := scripted(t, s, false)
			st.Subscribe(mesh.Endpoints, "app")
			st.Ack(st.Next())
			s.through("envoy-1", 1, engine.Accepted)
			st.Close()
			s.until("it left", func(st *xds.State) bool { return !st.Node("envoy-1").Connected })
			again := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1"}).Open()
			again.Resume(mesh.Cluster, version, nil)
			again.Next()
			if got := s.State().Node("envoy-1").Resources.Has(endpointKey("app")); got != known {
				t.Errorf("its endpoints are known: %v", got)
			}
		})
	}
}

// What is sent in the place of what was rejected is not the caller's version any
// more, and says so.
func TestVersionOfTheCallerAfterRejection(t *testing.T) {
	s := serve(t, xds.Options{Versions: callersVersions})
	s.Publish(revision(1, shop(t)))
	st := scripted(t, s, false) // which has its clusters
	s.Publish(revision(2, with(t, shop(t), cluster("app", 9*time.Second))))
	bad := st.Next()
	if bad.Version != "envoy-1/CDS/2" {
		t.Fatalf("version %q", bad.Version)
	}
	st.Nack(bad, "Error adding/updating cluster(s) app: no")
	s.until("it is rejected", func(st *xds.State) bool { return st.Node("envoy-1").Types[mesh.Cluster].Rejected != nil })
	st.Subscribe(mesh.Cluster, "*", "x") // an answer is due, for the names changed
	if r := st.Next(); !strings.HasPrefix(r.Version, "envoy-1/CDS/2+") {
		t.Errorf("version %q", r.Version)
	}
}

// Who is not allowed is told so, and leaves no trace.
func TestAllow(t *testing.T) {
	s := serve(t, xds.Options{Allow: func(p xds.Peer) error {
		if p.Remote == nil || p.NodeCluster != "edge" || p.Certificates != nil {
			return fmt.Errorf("it comes as %+v", p)
		}
		if p.NodeID != "envoy-1" {
			return errors.New("it is not on the list")
		}
		return nil
	}})
	s.Publish(revision(1, shop(t)))
	variants(t, func(t *testing.T, delta bool) {
		open := func(id string) *xdstest.Stream {
			st := xdstest.Dial(t, s.addr, xdstest.Config{ID: id, Cluster: "edge", Delta: delta}).Open()
			st.Subscribe(mesh.Cluster)
			return st
		}
		open("envoy-1").Next()
		err := open("envoy-2").Err()
		if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), `node "envoy-2" is refused: it is not on the list`) {
			t.Errorf("told: %v", err)
		}
		if s.State().Node("envoy-2") != nil {
			t.Error("it is remembered")
		}
	})
}

// A subscription with too many names, or a name that is too long, ends the
// stream and says why. In delta names add up.
func TestLimits(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, tc := range map[string]struct {
		first, second []string
		code          codes.Code
		words         string
	}{
		"names":             {[]string{"a", "b", "c", "d"}, nil, codes.ResourceExhausted, "EDS with 4 names; at most 3"},
		"a long name":       {[]string{"a", long}, nil, codes.InvalidArgument, "5000 bytes; at most 4096"},
		"names, one by one": {[]string{"a", "b"}, []string{"c", "d", "e", "f"}, codes.ResourceExhausted, "at most 3"},
	} {
		t.Run(name, func(t *testing.T) {
			variants(t, func(t *testing.T, delta bool) {
				s := serve(t, xds.Options{MaxNames: 3})
				s.Publish(revision(1, shop(t)))
				st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: delta}).Open()
				st.Subscribe(mesh.Endpoints, tc.first...)
				if tc.second != nil {
					st.Ack(st.Next())
					st.Subscribe(mesh.Endpoints, tc.second...)
				}
				err := st.Err()
				if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.words) {
					t.Errorf("told: %v", err)
				}
			})
		})
	}
}

// Whoever sends requests to an Envoy chooses the virtual hosts that it asks for
// on demand: no number and no length of these ends its stream, and none is kept.
func TestLimitsOfVirtualHosts(t *testing.T) {
	s := serve(t, xds.Options{MaxNames: 3})
	s.Publish(revision(1, shop(t)))
	st := xdstest.Dial(t, s.addr, xdstest.Config{ID: "envoy-1", Delta: true}).Open()
	st.Subscribe(mesh.VirtualHost)
	st.Ack(st.Next())
	for i := range 20 {
		name := fmt.Sprintf("local/%d%s", i, strings.Repeat("x", 5000))
		st.Subscribe(mesh.VirtualHost, name)
		r := st.Next()
		if len(r.Names) != 1 || r.Names[0] != name || r.Resources[name] != nil {
			t.Fatalf("answered with %s", r)
		}
		st.Ack(r)
	}
	if got := s.State().Node("envoy-1").Types[mesh.VirtualHost].Subscribed; len(got) > 0 {
		t.Errorf("%d names are kept", len(got))
	}
}

// What is filled in is served to all, and again when it changes; what is known of
// the resource stays what was published.
func TestRefill(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		var seconds atomic.Int64
		seconds.Store(7)
		s := serve(t, xds.Options{Fill: func(r *mesh.Resource) proto.Message {
			c, ok := r.Message.(*clusterv3.Cluster)
			if !ok || c.GetName() != "app" {
				return nil
			}
			c = proto.CloneOf(c)
			c.ConnectTimeout = durationpb.New(time.Duration(seconds.Load()) * time.Second)
			return c
		}})
		m := shop(t)
		s.Publish(revision(1, m))
		timeout := func(r xdstest.Response) time.Duration {
			var c clusterv3.Cluster
			if err := r.Resources["app"].UnmarshalTo(&c); err != nil {
				t.Fatalf("%s: %v", r, err)
			}
			return c.GetConnectTimeout().AsDuration()
		}
		var streams []*xdstest.Stream
		versions := map[string]bool{}
		for _, id := range []string{"envoy-1", "envoy-2"} {
			st := xdstest.Dial(t, s.addr, xdstest.Config{ID: id, Delta: delta}).Open()
			st.Subscribe(mesh.Cluster)
			r := st.Next()
			if got := timeout(r); got != 7*time.Second {
				t.Errorf("%s got %s", id, got)
			}
			st.Ack(r)
			s.through(id, 1, engine.Accepted)
			versions[id+r.Version] = true
			streams = append(streams, st)
		}
		seconds.Store(8)
		s.Refill(clusterKey("app"), clusterKey("nosuch"))
		for i, st := range streams {
			r := st.Next()
			if got := timeout(r); got != 8*time.Second || versions[fmt.Sprintf("envoy-%d%s", i+1, r.Version)] {
				t.Errorf("again: %s under version %s", got, r.Version)
			}
			st.Ack(r)
			n := s.through(fmt.Sprintf("envoy-%d", i+1), 1, engine.Accepted)
			if got := n.Resources.Get(clusterKey("app")).Hash; got != m.Get(clusterKey("app")).Hash() {
				t.Errorf("the state tells another content: %s", got)
			}
			mustBeQuiet(t, st)
		}
	})
}
