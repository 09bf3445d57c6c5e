package nginx

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
)

// balancing is how nginx will choose a server.
type balancing struct {
	takesBackup bool
	directive   string // what refuses backup servers
	consistent  bool   // makes 160 points for each weight
}

// hashKey is what the routes to a cluster hash, as nginx writes it.
type hashKey struct {
	text   string
	origin Origin
	route  string // that it is of
}

// policy writes the balancing directive. backups says that there are backup
// servers, which some of them refuse.
func (p *projection) policy(o Origin, c *clusterv3.Cluster, backups bool) balancing {
	name, at, full := policyOf(o, c)
	m := exact(at)
	switch name {
	case "least_request":
		switch {
		case full:
			p.add(m.with(lessonFullScan), "least_conn;")
		case backups:
			p.add(m.approx(lessonLeastBackup), "least_conn;")
		default:
			p.add(m.with(lessonLeast), "random two least_conn;")
			return balancing{directive: "random"}
		}
	case "random":
		p.add(m.with(lessonRandom), "random;")
		return balancing{directive: "random"}
	case "ring_hash", "maglev":
		key, ok := p.hashKeys[c.GetName()]
		if p.inStream {
			key, ok = p.tcpKeys[c.GetName()]
		}
		if !ok {
			p.add(m.approx(lessonNoHash), "random;")
			return balancing{directive: "random"}
		}
		m.also = []Origin{key.origin}
		m.lesson = lessonHash
		if name == "ring_hash" {
			m = m.approx(lessonRingHash)
		}
		p.add(m, "hash %s consistent;", token(key.text))
		return balancing{consistent: true, directive: "hash"}
	case "round_robin":
	default:
		p.note(m.none(lessonPolicy), "balancing: %s", name)
	}
	return balancing{takesBackup: true}
}

// policyOf is the policy's name in lower case, the field that says it, and
// whether LEAST_REQUEST looks at all endpoints.
func policyOf(o Origin, c *clusterv3.Cluster) (name string, at Origin, full bool) {
	for i, lp := range c.GetLoadBalancingPolicy().GetPolicies() {
		config := lp.GetTypedExtensionConfig().GetTypedConfig()
		_, rest, ok := strings.Cut(config.GetTypeUrl(), ".load_balancing_policies.")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(rest, ".")
		if lr, ok := unpack(config).(*leastv3.LeastRequest); ok {
			full = lr.GetSelectionMethod() == leastv3.LeastRequest_FULL_SCAN
		}
		return name, o.at(fmt.Sprintf("load_balancing_policy.policies[%d]", i)), full
	}
	return strings.ToLower(c.GetLbPolicy().String()), o.at("lb_policy"), false
}

// weightScale is below 1 where the weights would make nginx's table of points
// too large.
func weightScale(all []server, b balancing) float64 {
	const most = 2_000 // of all weights together
	total := 0.0
	for _, s := range all {
		total += float64(s.weight)
	}
	if !b.consistent || total <= max(most, float64(len(all))) {
		return 1
	}
	return max(most, float64(len(all))) / total
}

// gatherHashKeys notes for each cluster the first hash policy of a route to it.
func (p *projection) gatherHashKeys(o Origin, rc *routev3.RouteConfiguration) {
	for i, vh := range rc.GetVirtualHosts() {
		for j, r := range vh.GetRoutes() {
			for k, hp := range r.GetRoute().GetHashPolicy() {
				text := hashText(hp)
				if text == "" {
					continue
				}
				at := o.at(fmt.Sprintf("virtual_hosts[%d].routes[%d].route.hash_policy[%d]", i, j, k))
				for _, cluster := range clustersOf(r.GetRoute()) {
					one := fmt.Sprintf("%d %d %s", i, j, at.Key)
					if was, ok := p.hashKeys[cluster]; !ok {
						p.hashKeys[cluster] = hashKey{text, at, one}
					} else if was.route == one && !hp.GetTerminal() {
						p.hashKeys[cluster] = hashKey{was.text + text, was.origin, one}
					}
				}
			}
		}
	}
}

func clustersOf(ra *routev3.RouteAction) []string {
	out := []string{ra.GetCluster()}
	for _, w := range ra.GetWeightedClusters().GetClusters() {
		out = append(out, w.GetName())
	}
	return out
}

// hashText is what the policy hashes, as an nginx variable; "" for none.
func hashText(hp *routev3.RouteAction_HashPolicy) string {
	switch {
	case hp.GetHeader() != nil:
		name := strings.ToLower(hp.GetHeader().GetHeaderName())
		if v := known[name]; v != "" || strings.HasPrefix(name, ":") {
			return v
		}
		return variable("http_", name)
	case hp.GetCookie() != nil:
		return variable("cookie_", hp.GetCookie().GetName())
	case hp.GetConnectionProperties().GetSourceIp():
		return "$remote_addr"
	case hp.GetQueryParameter() != nil:
		return variable("arg_", hp.GetQueryParameter().GetName())
	}
	return ""
}

// speaksHTTP2 reports whether Envoy speaks HTTP/2 to the cluster. The old field
// is read by its name, since it is deprecated.
func speaksHTTP2(c *clusterv3.Cluster) bool {
	r := c.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("http2_protocol_options"); f != nil && r.Has(f) {
		return true
	}
	config := c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
	o, _ := unpack(config).(*httpv3.HttpProtocolOptions)
	return o.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil
}
