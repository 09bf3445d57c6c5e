package importer

import (
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// common is the settings that hold whatever the policy.
func common(c *clusterv3.Cluster) *clusterv3.Cluster_CommonLbConfig {
	if c.CommonLbConfig == nil {
		c.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{}
	}
	return c.CommonLbConfig
}

func percent(v float64) *typev3.Percent { return &typev3.Percent{Value: v} }

// balance says how a server is chosen. Round robin is what both do by themselves.
func (im *importer) balance(d *conf.Directive, p *pool, members []member) {
	for _, in := range d.Block {
		switch in.Name {
		case "least_conn":
			im.fullScan(in, p)
		case "random":
			im.random(in, p)
		case "ip_hash":
			p.cluster.LbPolicy = clusterv3.Cluster_MAGLEV
			p.hash = []*routev3.RouteAction_HashPolicy{hashAddress()}
			for _, m := range members {
				if m.backup {
					im.say(nginx.None, m.d, "nginx refuses a backup beside ip_hash", "remove one of the two", place{})
				}
			}
			im.approx(in, at(p.cluster, "lb_policy"), "nginx puts a whole /24 on one server, Envoy hashes the whole address", "")
		case "hash":
			im.hash(in, p)
		case "least_time":
			im.fullScan(in, p)
			im.approx(in, at(p.cluster, "load_balancing_policy"), "nginx Plus looks at the latency; Envoy's nearest counts requests in flight", "")
		case "sticky":
			im.sticky(in, p)
		}
	}
	im.slowStart(p, members)
}

func (im *importer) fullScan(d *conf.Directive, p *pool) {
	config, err := anypb.New(&leastv3.LeastRequest{SelectionMethod: leastv3.LeastRequest_FULL_SCAN})
	if err != nil {
		im.none(d, err.Error(), "") // cannot be: the message is ours
		return
	}
	p.cluster.LoadBalancingPolicy = &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{{
		TypedExtensionConfig: &corev3.TypedExtensionConfig{Name: "envoy.load_balancing_policies.least_request", TypedConfig: config}}}}
	im.exact(d, at(p.cluster, "load_balancing_policy"))
}

func (im *importer) random(d *conf.Directive, p *pool) {
	switch {
	case d.Arg(0) == "":
		p.cluster.LbPolicy = clusterv3.Cluster_RANDOM
		im.exact(d, at(p.cluster, "lb_policy"))
	case d.Arg(1) == "" || d.Arg(1) == "least_conn":
		p.cluster.LbPolicy = clusterv3.Cluster_LEAST_REQUEST // of two, by itself
		im.exact(d, at(p.cluster, "lb_policy"))
	default:
		p.cluster.LbPolicy = clusterv3.Cluster_LEAST_REQUEST
		im.approx(d, at(p.cluster, "lb_policy"), "Envoy draws two as well, and takes the one with fewer requests in flight; it does not look at the latency", "")
	}
}

// hash says what the requests are spread by. The routes have to say it again.
func (im *importer) hash(d *conf.Directive, p *pool) {
	policies, note, ok := im.hashPolicies(d, d.Arg(0))
	if !ok {
		p.cluster.LbPolicy = clusterv3.Cluster_RANDOM
		im.none(d, note, "add the hash_policy to the routes by hand, and lb_policy: MAGLEV to the cluster; it is RANDOM until then")
		return
	}
	p.cluster.LbPolicy, p.hash = clusterv3.Cluster_MAGLEV, policies
	switch {
	case note != "":
		im.approx(d, at(p.cluster, "lb_policy"), note, "")
	case d.Arg(1) == "consistent":
		im.exact(d, at(p.cluster, "lb_policy"))
	default:
		im.approx(d, at(p.cluster, "lb_policy"), "the keys lie on other servers than nginx's; when a server goes, Envoy moves only its keys, where nginx moves most of them", "")
	}
}

func hashAddress() *routev3.RouteAction_HashPolicy {
	return &routev3.RouteAction_HashPolicy{PolicySpecifier: &routev3.RouteAction_HashPolicy_ConnectionProperties_{
		ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true}}}
}

func hashHeader(name string) *routev3.RouteAction_HashPolicy {
	return &routev3.RouteAction_HashPolicy{PolicySpecifier: &routev3.RouteAction_HashPolicy_Header_{
		Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: name}}}
}

// hashPolicies are what a key of nginx's says: one for each variable of it. note
// says where the two part, or why it cannot be said.
func (im *importer) hashPolicies(d *conf.Directive, key string) (out []*routev3.RouteAction_HashPolicy, note string, ok bool) {
	for _, part := range pieces(key) {
		if part.variable == "" {
			continue // the same for every request
		}
		hp, say, ok := hashPolicy(part.variable)
		if !ok {
			return nil, "Envoy cannot hash $" + part.variable, false
		}
		if say != "" {
			note = say
		}
		out = append(out, hp)
	}
	if len(out) == 0 {
		return nil, "the key is the same for every request", false
	}
	return out, note, true
}

func hashPolicy(variable string) (hp *routev3.RouteAction_HashPolicy, note string, ok bool) {
	switch variable {
	case "remote_addr", "binary_remote_addr":
		return hashAddress(), "", true
	case "host", "http_host":
		return hashHeader(":authority"), "", true
	case "request_uri":
		return hashHeader(":path"), "", true
	case "uri", "document_uri":
		return hashHeader(":path"), "Envoy hashes the path with its query", true
	case "request_method":
		return hashHeader(":method"), "", true
	case "scheme":
		return hashHeader(":scheme"), "", true
	case "content_type":
		return hashHeader("content-type"), "", true
	}
	if name, found := strings.CutPrefix(variable, "http_"); found {
		return hashHeader(strings.ReplaceAll(name, "_", "-")), "", true
	}
	if name, found := strings.CutPrefix(variable, "cookie_"); found {
		return &routev3.RouteAction_HashPolicy{PolicySpecifier: &routev3.RouteAction_HashPolicy_Cookie_{
			Cookie: &routev3.RouteAction_HashPolicy_Cookie{Name: name}}}, "", true
	}
	if name, found := strings.CutPrefix(variable, "arg_"); found {
		return &routev3.RouteAction_HashPolicy{PolicySpecifier: &routev3.RouteAction_HashPolicy_QueryParameter_{
			QueryParameter: &routev3.RouteAction_HashPolicy_QueryParameter{Name: name}}}, "", true
	}
	return nil, "", false
}

// sticky keeps a client on its server. Envoy makes a cookie of its own where the
// client has none, and hashes it.
func (im *importer) sticky(d *conf.Directive, p *pool) {
	if d.Arg(0) != "cookie" {
		im.none(d, "it keeps a client on its server by what the server says, which Envoy does with the stateful_session filter alone", "add envoy.filters.http.stateful_session with a header or cookie of your servers'")
		return
	}
	cookie := &routev3.RouteAction_HashPolicy_Cookie{Name: d.Arg(1), Ttl: lasting(0)}
	if t, ok := d.Parameter("expires"); ok {
		if v, ok := duration(t); ok {
			cookie.Ttl = lasting(v)
		}
	}
	if path, ok := d.Parameter("path"); ok {
		cookie.Path = path
	}
	p.cluster.LbPolicy = clusterv3.Cluster_MAGLEV
	p.hash = []*routev3.RouteAction_HashPolicy{{PolicySpecifier: &routev3.RouteAction_HashPolicy_Cookie_{Cookie: cookie}}}
	im.approx(d, at(p.cluster, "lb_policy"), "nginx's cookie names the server; Envoy's holds a random key, and the hash of it chooses the server", "")
}

// slowStart lets a server that comes back take its traffic up gradually.
func (im *importer) slowStart(p *pool, members []member) {
	var longest time.Duration
	var by *conf.Directive
	for _, m := range members {
		if m.slow > longest {
			longest, by = m.slow, m.d
		}
	}
	if by == nil {
		return
	}
	if p.cluster.GetLoadBalancingPolicy() != nil || p.cluster.GetLbPolicy() != clusterv3.Cluster_ROUND_ROBIN {
		im.none(by, "slow_start goes with round robin alone here", "set slow_start_config in the cluster's policy")
		return
	}
	p.cluster.LbConfig = &clusterv3.Cluster_RoundRobinLbConfig_{RoundRobinLbConfig: &clusterv3.Cluster_RoundRobinLbConfig{
		SlowStartConfig: &clusterv3.Cluster_SlowStartConfig{SlowStartWindow: lasting(longest)}}}
	im.approx(by, at(p.cluster, "round_robin_lb_config.slow_start_config"), "slow_start (nginx Plus) is for one server, Envoy's window for all of the cluster", "")
}
