package xds_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// refused is a cluster that Envoy does not take: EDS without a source.
func refused() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: "bad", ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
	}
}

// patient is a cluster that waits for its endpoints for ever: what ends the wait
// is no timeout of Envoy's.
func patient(c *clusterv3.Cluster) *clusterv3.Cluster {
	c.EdsClusterConfig.EdsConfig.InitialFetchTimeout = durationpb.New(0)
	return c
}

// blackHole takes connections and never answers.
func blackHole(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nobody else closes it
	return l.Addr().(*net.TCPAddr).Port
}

// probed has its health checks go to another port.
func probed(cla *endpointv3.ClusterLoadAssignment, port int) *endpointv3.ClusterLoadAssignment {
	for _, e := range cla.GetEndpoints()[0].GetLbEndpoints() {
		e.GetEndpoint().HealthCheckConfig = &endpointv3.Endpoint_HealthCheckConfig{PortValue: uint32(port)}
	}
	return cla
}

// cold is a mesh with a cluster that never gets warm, and what is to be said of it.
type cold struct {
	name string
	m    *mesh.Mesh
	want string
}

// colds are clusters that never get warm. "blue" is there already, and would
// change. In delta a name without endpoints is answered, as the protocol has it,
// and Envoy takes the cluster into use without any.
func (j *journey) colds(delta bool) []cold {
	t, hole, second := j.t, blackHole(j.t), time.Second
	blue, elsewhere := patient(cluster("blue", second)), patient(cluster("blue", 2*second))
	elsewhere.EdsClusterConfig.ServiceName = "nowhere"
	slow := func(name string) proto.Message { return checked(patient(cluster(name, second)), time.Hour) }
	out := []cold{
		{"new, checks unanswered", j.mesh("blue", blue, slow("new"), endpoints("new", hole)), "warm: new (its first health checks)"},
		{
			"changed, checks unanswered",
			meshOf(t, listener(t, "web", j.front, "local"), route("local", "blue"), slow("blue"), probed(endpoints("blue", j.v1), hole)),
			"warm: blue (its first health checks)",
		},
	}
	if !delta {
		out = append(out,
			cold{"new, no endpoints", j.mesh("blue", blue, patient(cluster("new", second))), "warm: new (no endpoints are served for it)"},
			cold{"changed, no endpoints", j.mesh("blue", elsewhere), "warm: blue (no endpoints are served for it)"})
	}
	return out
}

// A cluster that never gets warm holds Envoy's answer back for ever. That is
// told, with its name; a newer revision without the cluster, or with it as it
// was, gets Envoy out of it at once, and no request is lost meanwhile.
func TestEnvoyWarmingIsCancelled(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		blue := patient(cluster("blue", time.Second))
		j.accepted(j.mesh("blue", blue))
		l := startLoad(t, urlOf(j.front))
		for _, tc := range j.colds(delta) {
			name := tc.name
			j.push(tc.m)
			j.until(name+": "+tc.want, func(st *xds.State) bool {
				r := st.Node("envoy-1").Rollout
				return r.Revision == j.revision && r.Result == engine.Pending && r.Waiting == tc.want && len(r.Warming) == 1
			})
			l.flow(t, 20)
			began := time.Now()
			j.accepted(j.mesh("blue", blue))
			t.Logf("%s: out of it after %d ms", name, time.Since(began).Milliseconds())
			l.flow(t, 20)
			l.lostNone(t, name)
		}
		j.accepted(j.mesh("blue", blue, cluster("fine", time.Second), endpoints("fine", j.v2)))
	})
}

// With its admin interface at hand, it is Envoy that says what is warming.
func TestEnvoySaysWhatIsWarming(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		var w *envoy.Watcher
		j := startJourney(t, delta, xds.Options{
			Warming: func(node string) ([]string, time.Time, bool) { return w.Warming(node) },
		}, func(j *journey) { w = watch(j) })
		blue, fine := cluster("blue", time.Second), cluster("fine", time.Second)
		// "empty" is to be checked too, but has nobody who could be: it is warm.
		j.push(j.mesh("blue", blue, fine, endpoints("fine", j.v2),
			checked(cluster("cold", time.Second), time.Hour), endpoints("cold", blackHole(t)),
			checked(cluster("empty", time.Second), time.Hour), endpoints("empty")))
		j.until("it waits for the cold cluster alone", func(st *xds.State) bool {
			return slices.Equal(st.Node("envoy-1").Rollout.Warming, []string{"cold"})
		})
		j.accepted(j.mesh("blue", blue))
	})
}

// While Envoy withholds its answer it is sent a bad version and then a good one.
// SotW: its one answer carries the error of the bad with the nonce of the good.
// Delta: it answers each, late. Either way the good one is accepted.
func TestEnvoyErrorOfEarlierResponse(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		blue, stuck := cluster("blue", time.Second), cluster("stuck", time.Second)
		sent := func(version string) string { // waits until clusters are on the wire in another version
			var now string
			j.until("clusters are sent", func(st *xds.State) bool {
				now = st.Node("envoy-1").Types[mesh.Cluster].Sent.Version
				return now != version
			})
			return now
		}
		first := j.State().Node("envoy-1").Types[mesh.Cluster].Sent.Version
		j.push(j.mesh("blue", blue, stuck))
		second := sent(first)
		j.push(j.mesh("blue", blue, stuck, refused()))
		third := sent(second)
		j.push(j.mesh("blue", cluster("blue", 2*time.Second)))
		sent(third)
		n := j.through("envoy-1", j.revision, engine.Accepted)
		if got := n.Types[mesh.Cluster]; got.Rejected != nil || got.Acked != (xds.Fact{Version: got.Sent.Version, Nonce: got.Sent.Nonce, At: got.Acked.At}) {
			t.Errorf("clusters: %+v", got)
		}
		want := xds.NACK // delta: of the bad response itself
		if !delta {
			want = xds.ACK // of the good one
		}
		msgs, _ := j.Wire().Since(0, 1<<20)
		if !slices.ContainsFunc(msgs, func(m xds.Message) bool {
			return m.Type == mesh.Cluster && m.Kind == want && strings.HasPrefix(m.Detail, "accepted;") != delta &&
				strings.Contains(m.Detail, "cannot create an EDS cluster without an EDS config")
		}) {
			t.Errorf("the wire lacks Envoy's words where they belong: %+v", msgs)
		}
		j.accepted(j.mesh("blue", blue))
		answers(t, urlOf(j.front), "v1")
	})
}
