package envoy

import (
	"sort"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// join makes one Endpoint of each host that /clusters shows, from that, the
// counters, what was served and what the event pipe told, and one of each
// endpoint that was served and is not there. The cluster of the bootstrap that is
// meshtui itself is left out. It is a pure function.
func join(clusters map[string]clusterStatus, served map[mesh.Key]proto.Message, stats map[string]uint64,
	told func(cluster, address string) history,
) ([]Endpoint, map[string]ClusterStats) {
	var out []Endpoint
	sums := make(map[string]ClusterStats, len(clusters))
	for name, c := range clusters {
		if name == ServerCluster { // ourselves
			continue
		}
		config, _ := served[mesh.Key{Type: mesh.Cluster, Name: name}].(*clusterv3.Cluster)
		written := servedHosts(served, config, c)
		e := evidence{cluster: config, stats: healthStatsOf(stats, name)}
		sum := ClusterStats{}
		for i := range c.Hosts {
			h := &c.Hosts[i]
			address := h.Address.String()
			e.status, e.told, e.served = h.Health, told(name, address), corev3.HealthStatus_UNKNOWN
			if w, ok := written[canonicalAddress(address)]; ok {
				address, e.served = w.address, w.health
			}
			v := judge(e)
			ep := Endpoint{
				Cluster: name, Address: address, Health: v.health, Why: v.why, Since: v.since,
				Weight: h.Weight, Priority: h.Priority,
				Requests: h.stat("rq_total"), Errors: h.stat("rq_error"),
				ConnectFailures: h.stat("cx_connect_fail"), ActiveRequests: h.stat("rq_active"),
			}
			sum.Requests += ep.Requests
			sum.Errors += ep.Errors
			sum.ConnectFailures += ep.ConnectFailures
			sum.ActiveRequests += ep.ActiveRequests
			out = append(out, ep)
		}
		sums[name] = sum
	}
	out = append(out, missing(clusters, served)...)
	sort.Slice(out, func(i, j int) bool {
		a, b := &out[i], &out[j]
		if a.Cluster != b.Cluster {
			return a.Cluster < b.Cluster
		}
		if a.Priority != b.Priority {
			return a.Priority < b.Priority
		}
		return a.Address < b.Address
	})
	return out, sums
}

// asServed is an endpoint as the operator wrote it.
type asServed struct {
	address string
	health  corev3.HealthStatus
}

// servedHosts are the endpoints that we served to a cluster, through EDS or
// within it, by their address in its shortest form.
func servedHosts(served map[mesh.Key]proto.Message, config *clusterv3.Cluster, c clusterStatus) map[string]asServed {
	cla, _ := served[mesh.Key{Type: mesh.Endpoints, Name: c.service()}].(*endpointv3.ClusterLoadAssignment)
	if config.GetLoadAssignment() != nil && config.GetType() != clusterv3.Cluster_EDS {
		cla = config.GetLoadAssignment()
	}
	out := map[string]asServed{}
	for _, group := range cla.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			written := mesh.Address(e.GetEndpoint().GetAddress())
			out[canonicalAddress(written)] = asServed{written, e.GetHealthStatus()}
		}
	}
	return out
}

// missing are the endpoints that were served to a cluster of ours and that
// Envoy does not show.
func missing(clusters map[string]clusterStatus, served map[mesh.Key]proto.Message) []Endpoint {
	var out []Endpoint
	for k, m := range served {
		if k.Type != mesh.Cluster {
			continue
		}
		service, ok := mesh.EndpointsOf(m)
		if !ok {
			continue
		}
		cla, _ := served[mesh.Key{Type: mesh.Endpoints, Name: service}].(*endpointv3.ClusterLoadAssignment)
		have := runningHosts(clusters[k.Name])
		for address, want := range wantedHosts(cla) {
			if _, ok := have[address]; !ok {
				out = append(out, Endpoint{
					Cluster: k.Name, Address: want.written, Weight: want.weight, Priority: want.priority,
					Why: "Envoy does not have it (yet)",
				})
			}
		}
	}
	return out
}

// ejectionKinds are the counters outlier_detection.ejections_enforced_* by the
// end of their name.
var ejectionKinds = map[string]string{
	"consecutive_5xx":                  consecutive5xx,
	"consecutive_gateway_failure":      consecutiveGateway,
	"consecutive_local_origin_failure": consecutiveLocal,
	"success_rate":                     "success rate too far below the cluster's",
	"local_origin_success_rate":        "success rate too far below the cluster's",
	"failure_percentage":               "failure percentage",
	"local_origin_failure_percentage":  "failure percentage",
}

func healthStatsOf(stats map[string]uint64, cluster string) healthStats {
	prefix := "cluster." + cluster + "."
	out := healthStats{
		Known: stats != nil, Failures: stats[prefix+"health_check.failure"],
		NetworkFailures: stats[prefix+"health_check.network_failure"],
	}
	kinds := 0
	for end, kind := range ejectionKinds {
		if stats[prefix+"outlier_detection.ejections_enforced_"+end] > 0 {
			out.Ejections = kind
			kinds++
		}
	}
	if kinds != 1 {
		out.Ejections = ""
	}
	return out
}

// rejected sums the update_rejected counters by type; types without one are
// left out.
func rejected(stats map[string]uint64) map[mesh.Type]uint64 {
	out := map[mesh.Type]uint64{}
	for name, n := range stats {
		if !strings.HasSuffix(name, ".update_rejected") || n == 0 {
			continue
		}
		switch {
		case name == "cluster_manager.cds.update_rejected":
			out[mesh.Cluster] += n
		case name == "listener_manager.lds.update_rejected":
			out[mesh.Listener] += n
		case strings.HasPrefix(name, "http.") && strings.Contains(name, ".rds."):
			out[mesh.Route] += n
		case strings.Contains(name, "sds."):
			out[mesh.Secret] += n
		case strings.HasPrefix(name, "cluster."):
			out[mesh.Endpoints] += n
		}
	}
	return out
}
