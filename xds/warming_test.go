package xds_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// checked is a cluster with a health check whose answers take their time.
func checked(c *clusterv3.Cluster, timeout time.Duration) *clusterv3.Cluster {
	c.HealthChecks = []*corev3.HealthCheck{{
		Timeout: durationpb.New(timeout), Interval: durationpb.New(timeout),
		UnhealthyThreshold: wrapperspb.UInt32(1), HealthyThreshold: wrapperspb.UInt32(1),
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{Path: "/"}},
	}}
	return c
}

func named(c *clusterv3.Cluster, kind clusterv3.Cluster_DiscoveryType) *clusterv3.Cluster {
	c.ClusterDiscoveryType, c.EdsClusterConfig = &clusterv3.Cluster_Type{Type: kind}, nil
	return c
}

// A withheld answer names the clusters that hold it up, and what each lacks; not
// those that came with them and are warm.
func TestWithheldAnswerNamesClusters(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		for name, tc := range map[string]struct {
			comes []proto.Message
			want  string
		}{
			"endpoints that nobody serves": {[]proto.Message{cluster("new", time.Second)}, "warm: new (no endpoints are served for it)"},
			"the first health checks": {[]proto.Message{checked(cluster("legacy", time.Second), time.Hour), named(cluster("plain", time.Second), clusterv3.Cluster_STATIC)},
				"warm: legacy (its first health checks)"},
			"a host name":    {[]proto.Message{named(cluster("far", time.Second), clusterv3.Cluster_STRICT_DNS)}, "warm: far (its host names to be resolved)"},
			"nothing at all": {[]proto.Message{named(cluster("plain", time.Second), clusterv3.Cluster_STATIC)}, "CDS "},
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, xds.Options{})
				st := follower(t, s, delta)
				s.Publish(revision(2, with(t, shop(t), tc.comes...)))
				r := st.Next()
				if r.Type != mesh.Cluster {
					t.Fatalf("got %s", r)
				}
				for _, more := range st.Barrier() { // endpoints of what changed
					st.Ack(more)
				}
				s.until(tc.want, func(x *xds.State) bool {
					got := x.Node("envoy-1").Rollout
					return got.Revision == 2 && got.Result == engine.Pending && strings.HasPrefix(got.Waiting, tc.want)
				})
				got := s.State().Node("envoy-1").Rollout
				if rest, warm := strings.CutPrefix(got.Waiting, "warm: "); warm != (len(got.Warming) == 1) || warm && !strings.HasPrefix(rest, got.Warming[0]) {
					t.Errorf("%q, and warming are %v", got.Waiting, got.Warming)
				}
				st.Ack(r)
				if n := s.through("envoy-1", 2, engine.Accepted); len(n.Rollout.Warming) > 0 {
					t.Errorf("still warming: %v", n.Rollout.Warming)
				}
			})
		}
	})
}

// What the node says of itself is believed, as long as it was said since.
func TestNodeSaysWhatIsWarming(t *testing.T) {
	for _, old := range []bool{false, true} {
		variants(t, func(t *testing.T, delta bool) {
			s := serve(t, xds.Options{Warming: func(string) ([]string, time.Time, bool) {
				at := time.Now()
				if old {
					at = at.Add(-time.Second)
				}
				return []string{"two", "a stranger"}, at, true
			}})
			st := follower(t, s, delta)
			s.Publish(revision(2, with(t, shop(t), cluster("one", time.Second), cluster("two", time.Second))))
			st.Next()
			want := []string{"two"}
			if old {
				want = []string{"one", "two"}
			}
			s.until(strings.Join(want, ", "), func(x *xds.State) bool {
				return slices.Equal(x.Node("envoy-1").Rollout.Warming, want)
			})
		})
	}
}

// Out of patience, the outcome says which cluster never got warm.
func TestNeverWarmTimesOut(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		s := serve(t, xds.Options{StepDeadline: 50 * time.Millisecond})
		st := follower(t, s, delta)
		s.Publish(revision(2, with(t, shop(t), cluster("new", time.Second))))
		r := st.Next()
		if o := s.said(2, engine.TimedOut); !strings.Contains(o.Detail, "not warm: new") {
			t.Errorf("told was %q", o.Detail)
		}
		st.Ack(r)
		s.through("envoy-1", 2, engine.Accepted) // better late than never
	})
}
