package xds_test

import (
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// refused is a cluster that Envoy does not take: EDS without a source.
func refused() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: "bad", ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
	}
}

// A cluster without endpoints keeps Envoy warming, and its answer back. That is
// told, and a newer revision without the cluster gets Envoy out of it.
func TestEnvoyWarmingIsCancelled(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		j := startJourney(t, delta, xds.Options{})
		blue := cluster("blue", time.Second)
		j.push(j.mesh("blue", blue, cluster("stuck", time.Second)))
		j.until("it waits for the stuck cluster", func(st *xds.State) bool {
			r := st.Node("envoy-1").Rollout
			return r.Revision == j.revision && r.Result == engine.Pending && strings.Contains(r.Waiting, "warm: stuck")
		})
		j.accepted(j.mesh("blue", blue))
		j.accepted(j.mesh("blue", blue, cluster("fine", time.Second), endpoints("fine", j.v2)))
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
		said := ""
		msgs, _ := j.Wire().Since(0, 1<<20)
		for _, m := range msgs {
			if m.Type == mesh.Cluster && (m.Kind == xds.NACK || m.Kind == xds.ACK) {
				said += m.Detail
			}
		}
		if !strings.Contains(said, "cannot create an EDS cluster without an EDS config") {
			t.Errorf("the wire lacks Envoy's words; it has %q", said)
		}
		j.accepted(j.mesh("blue", blue))
		answers(t, urlOf(j.front), "v1")
	})
}
