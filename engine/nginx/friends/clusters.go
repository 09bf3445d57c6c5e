package friends

import (
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// pool is a cluster with its endpoints.
type pool struct {
	*look
	*clusterv3.Cluster
	resource *mesh.Resource
	load     *endpointv3.ClusterLoadAssignment // never nil
	loadAt   *mesh.Resource                    // nil where the endpoints stand in the cluster
	n        int
}

// cluster looks at a cluster.
func (l *look) cluster(r *mesh.Resource) {
	c, ok := r.Message.(*clusterv3.Cluster)
	if !ok {
		return
	}
	p := &pool{look: l, Cluster: c, resource: r}
	if p.load, p.loadAt = l.assignment(r.Key.Name); p.load == nil {
		p.load = c.GetLoadAssignment()
	}
	for _, loc := range p.load.GetEndpoints() {
		p.n += len(loc.GetLbEndpoints())
	}
	p.connect()
	p.outlier()
	p.backup()
	p.down()
	p.balance()
	p.names()
}

// add notes a friend at a field of the cluster.
func (p *pool) add(field, directive string, f Friend) {
	f.At, f.Places = nginx.Origin{Key: p.resource.Key, Path: field}, 1
	if f.Lines = p.endpointLines(func(*endpointv3.LocalityLbEndpoints) bool { return true }); directive != "server" || len(f.Lines) == 0 {
		f.Lines = p.lines.saying(f.At, directive)
	}
	p.found = append(p.found, f)
}

func (p *pool) connect() {
	if p.GetConnectTimeout() != nil {
		return
	}
	p.add("connect_timeout", "proxy_connect_timeout", Friend{
		Subject: "connect timeout", Kind: nginx.Approximate,
		Nginx:   "It waits 60.02 s for a connection unless told, and answers 504.",
		Envoy:   "It waits 5.00 s unless told, and answers 503.",
		Fix:     &Fix{Says: "connect_timeout: 60s", edits: []edit{set(p.resource, "connect_timeout", "60s")}},
		Without: "The status stays 503.",
	})
}

// outlier: who is left alone after failures.
func (p *pool) outlier() {
	o := p.GetOutlierDetection()
	switch {
	case o == nil && p.n > 1:
		p.add("outlier_detection", "server", Friend{
			Subject: "max_fails", Kind: nginx.Approximate,
			Nginx: "After one failed connection it leaves a server alone for 10 s, unless told.",
			Envoy: "It goes on asking: outlier_detection is off unless told.",
			Fix: &Fix{Says: "outlier_detection for failed connections, 1 in a row, for 10 s", edits: []edit{
				set(p.resource, "outlier_detection", yml("{split_external_local_origin_errors: true, consecutive_local_origin_failure: 1, enforcing_consecutive_local_origin_failure: 100, "+
					"enforcing_consecutive_5xx: 0, enforcing_consecutive_gateway_failure: 0, base_ejection_time: 10s, max_ejection_time: 10s, max_ejection_percent: 100}")),
				set(p.resource, "common_lb_config.update_merge_window", "0s")}},
			Without: "nginx counts any failures within fail_timeout, Envoy those in a row: one that fails every second time is never ejected.",
		})
	case o == nil:
	case p.n == 1 && !p.ejectsLast(o):
	case p.n == 1:
		p.add("outlier_detection", "server", Friend{
			Subject: "max_fails of a single server", Kind: nginx.Exact,
			Nginx: "It ignores max_fails where there is one server: there is nobody else to ask.",
			Envoy: "It ejects the only endpoint here, as all may be ejected and no panic_threshold keeps it in use: 503 for all then.",
			Fix:   &Fix{Says: "no outlier_detection", edits: []edit{unset(p.resource, "outlier_detection")}},
		})
	default:
		p.ejection(o)
	}
}

// ejectsLast reports whether the last endpoint can be ejected, and is then not
// asked: with the usual settings neither is so.
func (p *pool) ejectsLast(o *clusterv3.OutlierDetection) bool {
	panics := p.GetCommonLbConfig().GetHealthyPanicThreshold()
	return o.GetMaxEjectionPercent().GetValue() >= 100 && panics != nil && panics.GetValue() == 0
}

// ejection: whether anybody is ejected at all, and for how long.
func (p *pool) ejection(o *clusterv3.OutlierDetection) {
	share := 10
	if o.GetMaxEjectionPercent() != nil {
		share = int(o.GetMaxEjectionPercent().GetValue())
	}
	if p.n > 1 && p.n*share < 100 && !o.GetAlwaysEjectOneHost().GetValue() {
		p.add("outlier_detection.max_ejection_percent", "server", Friend{
			Subject: "who may be ejected", Kind: nginx.Exact,
			Nginx: "It leaves any server alone that failed, and asks again when none is left.",
			Envoy: fmt.Sprintf("max_ejection_percent is %d here: of %d endpoints none is ever ejected (ejections_overflow).", share, p.n),
			Fix:   &Fix{Says: "max_ejection_percent: 100", edits: []edit{set(p.resource, "outlier_detection.max_ejection_percent", 100)}},
		})
	}
	if p.GetCommonLbConfig().GetUpdateMergeWindow() == nil {
		p.add("common_lb_config.update_merge_window", "server", Friend{
			Subject: "an ejected endpoint that is asked", Kind: nginx.Approximate,
			Nginx:   "A server that failed gets one attempt in each fail_timeout.",
			Envoy:   "Health changes are merged for a second: in about half of the periods 19 to 20 of 20 requests still met the ejected endpoint; without merging, 1 attempt in 4 of 4.",
			Fix:     &Fix{Says: "update_merge_window: 0s", edits: []edit{set(p.resource, "common_lb_config.update_merge_window", "0s")}},
			Without: "Envoy counts failures in a row: one that fails every second time was not ejected in 60 requests.",
		})
	}
}

// factor keeps priority 0 alone in use until its last endpoint is gone.
const factor = 10000

// backup: when the second priority is used.
func (p *pool) backup() {
	lower := func(l *endpointv3.LocalityLbEndpoints) bool { return l.GetPriority() > 0 }
	if !slices.ContainsFunc(p.load.GetEndpoints(), lower) || p.load.GetPolicy().GetOverprovisioningFactor().GetValue() >= factor {
		return
	}
	in, path := p.resource, "load_assignment.policy.overprovisioning_factor"
	if p.loadAt != nil {
		in, path = p.loadAt, "policy.overprovisioning_factor"
	}
	f := Friend{
		Subject: "backup", Kind: nginx.Exact,
		Nginx: "A backup is asked when no primary is left: with 1 or 2 of 3 out it got 0 of 1000.",
		Envoy: "The next priority is used before: with 1 of 3 out it got 76 of 1000, with 2 of 3 out 563.",
		Fix:   &Fix{Says: fmt.Sprintf("overprovisioning_factor: %d", factor), edits: []edit{set(in, path, factor)}},
	}
	f.At, f.Places, f.Lines = nginx.Origin{Key: in.Key, Path: path}, 1, p.endpointLines(lower)
	p.found = append(p.found, f)
}

// endpointLines are the lines of the endpoints of some localities.
func (p *pool) endpointLines(of func(*endpointv3.LocalityLbEndpoints) bool) (out []int) {
	in, head := p.resource, "load_assignment."
	if p.loadAt != nil {
		in, head = p.loadAt, ""
	}
	for i, loc := range p.load.GetEndpoints() {
		for j := range loc.GetLbEndpoints() {
			if of(loc) {
				out = append(out, p.lines.of[nginx.Origin{Key: in.Key, Path: fmt.Sprintf("%sendpoints[%d].lb_endpoints[%d]", head, i, j)}]...)
			}
		}
	}
	return merged(out)
}

// down: an endpoint that is set aside.
func (p *pool) down() {
	in, head := p.resource, "load_assignment."
	if p.loadAt != nil {
		in, head = p.loadAt, ""
	}
	var edits []edit
	var lines []int
	first := ""
	for i, loc := range p.load.GetEndpoints() {
		for j, e := range loc.GetLbEndpoints() {
			if !unhealthy(e) {
				continue
			}
			path := fmt.Sprintf("%sendpoints[%d].lb_endpoints[%d]", head, i, j)
			if first == "" {
				first = path
			}
			edits = append(edits, set(in, path+".health_status", "DRAINING"))
			lines = append(lines, p.lines.of[nginx.Origin{Key: in.Key, Path: path}]...)
		}
	}
	if len(edits) == 0 {
		return
	}
	p.found = append(p.found, Friend{
		Subject: "down", Lines: merged(lines), At: nginx.Origin{Key: in.Key, Path: first + ".health_status"}, Places: len(edits), Kind: nginx.Exact,
		Nginx: "A server that is down is never asked.",
		Envoy: "UNHEALTHY counts in the panic threshold: with 2 of 3 so, each of the three got 100 of 300.",
		Here:  fmt.Sprintf("%d of %d endpoints of %s are UNHEALTHY.", len(edits), p.n, p.GetName()),
		Fix:   &Fix{Says: "health_status: DRAINING, which got 0 of 300", edits: edits[:min(len(edits), edited)]},
	})
}

// balance: how the next endpoint is chosen.
func (p *pool) balance() {
	if p.GetLoadBalancingPolicy() != nil {
		return
	}
	switch p.GetLbPolicy() {
	case clusterv3.Cluster_LEAST_REQUEST:
		f := Friend{
			Subject: "least_conn", Kind: nginx.Exact,
			Nginx: "With least_conn it looks at all servers: five requests at once on five servers went to one each, 5 times of 5.",
			Envoy: "LEAST_REQUEST compares two at random: some endpoint got two, 5 times of 5.",
			Fix: &Fix{Says: "LeastRequest with selection_method: FULL_SCAN", edits: []edit{set(p.resource, "load_balancing_policy", yml(
				`{policies: [{typed_extension_config: {name: envoy.load_balancing_policies.least_request, typed_config: {"@type": type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest, selection_method: FULL_SCAN}}}]}`))}},
		}
		if common := p.GetCommonLbConfig(); p.GetLbSubsetConfig() != nil || common.GetLocalityConfigSpecifier() != nil || common.GetConsistentHashingLbConfig() != nil {
			f.Kind, f.Fix = nginx.None, nil
			f.Without = "No setting here: Envoy takes load_balancing_policy, which has FULL_SCAN, not together with lb_subset_config or the locality and hashing settings of common_lb_config."
		}
		p.add("lb_policy", "random", f)
	case clusterv3.Cluster_RING_HASH:
		edits := []edit{set(p.resource, "lb_policy", "MAGLEV")}
		if p.GetRingHashLbConfig() != nil {
			edits = append(edits, unset(p.resource, "ring_hash_lb_config"))
		}
		p.add("lb_policy", "hash", Friend{
			Subject: "consistent hash", Kind: nginx.Exact,
			Nginx: "With `hash … consistent` and one of four servers gone, 0 of 2,152 keys of the others moved.",
			Envoy: "RING_HASH moved 331 of 2,278.",
			Fix:   &Fix{Says: "lb_policy: MAGLEV, which moved 1 of 2,240", edits: edits},
		})
	}
}

// names: when DNS is asked again.
func (p *pool) names() {
	if p.GetType() != clusterv3.Cluster_STRICT_DNS && p.GetType() != clusterv3.Cluster_LOGICAL_DNS {
		return
	}
	p.add("type", "server", Friend{
		Subject: "a name that changes", Kind: nginx.None,
		Nginx:   "An upstream's names are resolved when nginx starts, and again only at a reload.",
		Envoy:   "It asks again by itself: a change was followed after 4.0 s, with a TTL or dns_refresh_rate of 1 s after 1.0 s.",
		Without: "No setting makes Envoy keep the first answer, and you would not want it to.",
	})
}
