package outline

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
)

func (b *builder) cluster(c *clusterv3.Cluster) {
	b.add(CDS, Row{Kind: ClusterRow, Label: c.GetName(), Value: Policy(c.GetLbPolicy()) + discovery(c)})
	if la := c.GetLoadAssignment(); la != nil {
		b.assignment(la, "load_assignment", c.GetName())
	}
}

// Policy is a load balancing policy as abbreviated on screen; Detail spells it
// out.
func Policy(p clusterv3.Cluster_LbPolicy) string {
	switch p {
	case clusterv3.Cluster_ROUND_ROBIN:
		return "RR"
	case clusterv3.Cluster_LEAST_REQUEST:
		return "LR"
	case clusterv3.Cluster_RING_HASH:
		return "hash"
	case clusterv3.Cluster_RANDOM:
		return "random"
	case clusterv3.Cluster_MAGLEV:
		return "maglev"
	case clusterv3.Cluster_CLUSTER_PROVIDED:
		return "own"
	}
	return "LB"
}

// discovery says how the cluster learns its endpoints, where not by EDS.
func discovery(c *clusterv3.Cluster) string {
	if c.GetClusterType() != nil {
		return " " + shortExtension(c.GetClusterType().GetName())
	}
	switch c.GetType() {
	case clusterv3.Cluster_EDS:
		return ""
	case clusterv3.Cluster_STATIC:
		return " static"
	case clusterv3.Cluster_ORIGINAL_DST:
		return " orig-dst"
	}
	return " DNS"
}

// assignment adds the rows of a ClusterLoadAssignment that stands at path;
// inline is the cluster that holds it, "" when it is a resource of its own.
func (b *builder) assignment(la *endpointv3.ClusterLoadAssignment, path, inline string) {
	cluster := la.GetClusterName()
	if inline != "" {
		cluster = inline
	}
	head := Row{Kind: AssignmentRow, Path: path, Label: cluster, Cluster: cluster}
	b.add(EDS, head)
	top := len(b.panes[EDS]) - 1
	n, sums := 0, map[uint32]float64{}
	for _, loc := range la.GetEndpoints() {
		for _, e := range loc.GetLbEndpoints() {
			n++
			sums[loc.GetPriority()] += weighs(e)
		}
	}
	rows := make([]Row, 0, n)
	var least, most float64
	for i, loc := range la.GetEndpoints() {
		lp := item(path, "endpoints", i) + ".lb_endpoints"
		for j, e := range loc.GetLbEndpoints() {
			row := Row{Key: b.key, Kind: EndpointRow, Path: fmt.Sprintf("%s[%d]", lp, j), Depth: 1, Cluster: cluster,
				Address: mesh.Address(e.GetEndpoint().GetAddress()), Weight: e.GetLoadBalancingWeight().GetValue(), Priority: loc.GetPriority()}
			row.Label = row.Address
			if row.Label == "" {
				row.Label = e.GetEndpointName()
			}
			if e.GetHealthStatus() != corev3.HealthStatus_UNKNOWN {
				row.Status = e.GetHealthStatus().String()
			}
			if sum := sums[loc.GetPriority()]; sum > 0 && row.Status != "DRAINING" && row.Status != "UNHEALTHY" {
				row.Share = weighs(e) / sum
			}
			rows = append(rows, row)
			w := float64(max(row.Weight, 1))
			if len(rows) == 1 {
				least, most = w, w
			}
			least, most = min(least, w), max(most, w)
		}
	}
	for i := range rows {
		rows[i].Uneven = least < most
	}
	b.panes[EDS][top].Value = count(n, "endpoint")
	b.panes[EDS] = append(b.panes[EDS], rows...)
}

// weighs is an endpoint's part of the traffic while nothing is known of its
// health: what takes none by configuration weighs nothing.
func weighs(e *endpointv3.LbEndpoint) float64 {
	switch e.GetHealthStatus() {
	case corev3.HealthStatus_DRAINING, corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_TIMEOUT:
		return 0
	}
	if w := e.GetLoadBalancingWeight().GetValue(); w > 0 {
		return float64(w)
	}
	return 1
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Weights are the weighted clusters of the route that the one at path belongs
// to, in order; none when path is of no weighted cluster.
func Weights(r *mesh.Resource, path string) []Row {
	i := strings.LastIndexByte(path, '[')
	if i < 0 {
		return nil
	}
	var out []Row
	panes, _ := rowsOf(r)
	for _, row := range panes[RDS] {
		if row.Kind == WeightRow && strings.HasPrefix(row.Path, path[:i+1]) {
			out = append(out, row)
		}
	}
	return out
}

// Weight is the weight that stands at path in a resource, of an endpoint or a
// weighted cluster; 0 when none does.
func Weight(r *mesh.Resource, path string) uint32 {
	panes, _ := rowsOf(r)
	for _, rows := range panes {
		for i := range rows {
			if rows[i].Path == path {
				return rows[i].Weight
			}
		}
	}
	return 0
}
