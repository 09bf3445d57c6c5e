package proxy_test

import (
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Whatever a control plane sends as routes or endpoints ends in an ACK or a NACK,
// and the node goes on.
func FuzzTake(f *testing.F) {
	n := startTold(f)
	n.world(mesh.Cluster, cluster("blue", time.Second))
	n.world(mesh.Listener, listener(f, "web", freePort(f), "r"))
	for _, m := range []proto.Message{route("r", "blue"), route("r", "blue", "green"), endpoints("blue", 9001, 9002), draining(endpoints("blue", 1), 0)} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		_, isRoute := m.(*routev3.RouteConfiguration)
		f.Add(b, isRoute)
	}
	f.Fuzz(func(t *testing.T, b []byte, isRoute bool) {
		if isRoute {
			rc := &routev3.RouteConfiguration{}
			if proto.Unmarshal(b, rc) != nil {
				return
			}
			rc.Name = "r"
			n.world(mesh.Route, rc)
		} else {
			a := &endpointv3.ClusterLoadAssignment{}
			if proto.Unmarshal(b, a) != nil {
				return
			}
			a.ClusterName = "blue"
			n.world(mesh.Endpoints, a)
		}
		if s := n.State(); s.Node != "builtin-1" {
			t.Errorf("the node is %q", s.Node)
		}
	})
}
