package nginx

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"example.com/meshtui/engine/mesh"
)

// members is a cluster's load assignment and its place.
type members struct {
	origin Origin
	*endpointv3.ClusterLoadAssignment
}

// server is one endpoint on its way to a server line.
type server struct {
	origin   Origin
	address  *corev3.Address
	text     string // as nginx takes it, "" when it does not
	name     bool   // to be resolved by DNS
	priority uint32
	weight   uint32
	health   corev3.HealthStatus
	late     bool // a lower priority takes over when this one's last endpoint is gone
}

// upstream writes a cluster's upstream block. One that the resolver is needed
// for stands there as a comment: what uses it names the endpoints itself.
func (p *projection) upstream(r *mesh.Resource) {
	c, ok := r.Message.(*clusterv3.Cluster)
	if !ok {
		return
	}
	o := Origin{Key: r.Key}
	m := exact(o).with(lessonUpstream)
	mem, missing := p.members(o, c)
	if mem.ClusterLoadAssignment != nil && mem.origin.Key != r.Key {
		m.also = []Origin{{Key: mem.origin.Key}}
		p.shown[mem.origin.Key] = true
	}
	servers := serversOf(mem, resolves(c))
	for i := range servers {
		if servers[i].name && p.inStream && p.options.Stream {
			servers[i].text = ""
		}
	}
	if _, ok := p.named[c.GetName()]; ok && !p.inStream {
		p.note(mark{from: o}.none(lessonResolver), "%s: asks DNS in proxy_pass, as a block:", c.GetName())
		defer p.mute(Approximate)()
	}
	p.open(m, "upstream %s", token(p.names.upstream(r.Key.Name)))
	if c.GetType() == clusterv3.Cluster_EDS && c.GetClusterType() == nil {
		from := mark{from: o.at("eds_cluster_config"), also: m.also}
		p.note(from.none(lessonEDS), "EDS: the servers come by %s", quoteOr(missing, "a push"))
	}
	b := p.policy(o, c, hasBackups(servers))
	p.servers(o, c, servers, b)
	if !p.inStream {
		p.pooled(o, c)
	}
	p.unsaid(o, c)
	p.localities(mem)
	p.end()
}

// localities names what else the endpoints say.
func (p *projection) localities(m members) {
	p.rest(m.origin, m.ClusterLoadAssignment, "cluster_name", "endpoints", "policy")
	policy := []string{}
	if m.GetPolicy().GetOverprovisioningFactor().GetValue() >= 10_000 {
		policy = append(policy, "overprovisioning_factor")
	}
	p.rest(m.origin.at("policy"), m.GetPolicy(), policy...)
	for i, l := range m.GetEndpoints() {
		at := m.origin.at(fmt.Sprintf("endpoints[%d]", i))
		p.rest(at, l, "lb_endpoints", "priority")
		for j, e := range l.GetLbEndpoints() {
			one := at.at(fmt.Sprintf("lb_endpoints[%d]", j))
			p.rest(one, e, "endpoint", "health_status", "load_balancing_weight")
			p.rest(one.at("endpoint"), e.GetEndpoint(), "address", "hostname")
		}
	}
}

func quoteOr(missing, otherwise string) string {
	if missing != "" {
		return fmt.Sprintf("%s, which the mesh does not have", missing)
	}
	return otherwise
}

// members finds the cluster's endpoints: in its own load_assignment, or what EDS
// has for it. missing names the EDS resource that is not there.
func (p *projection) members(o Origin, c *clusterv3.Cluster) (m members, missing string) {
	if c.GetType() != clusterv3.Cluster_EDS {
		return members{o.at("load_assignment"), c.GetLoadAssignment()}, ""
	}
	name := c.GetEdsClusterConfig().GetServiceName()
	if name == "" {
		name = c.GetName()
	}
	r := p.mesh.Get(mesh.Key{Type: mesh.Endpoints, Name: name})
	if r == nil {
		return members{}, "endpoints " + name
	}
	cla, _ := r.Message.(*endpointv3.ClusterLoadAssignment)
	return members{Origin{Key: r.Key}, cla}, ""
}

func serversOf(m members, names bool) []server {
	var out []server
	late := m.GetPolicy().GetOverprovisioningFactor().GetValue() >= 10_000
	for i, l := range m.GetEndpoints() {
		for j, e := range l.GetLbEndpoints() {
			s := server{
				origin:   m.origin.at(fmt.Sprintf("endpoints[%d].lb_endpoints[%d]", i, j)),
				address:  e.GetEndpoint().GetAddress(),
				priority: l.GetPriority(),
				weight:   max(1, e.GetLoadBalancingWeight().GetValue()),
				health:   e.GetHealthStatus(),
				late:     late,
			}
			if s.text = serverAddress(s.address); s.text == "" && names {
				s.text, s.name = nameAddress(s.address)
			}
			out = append(out, s)
		}
	}
	return out
}

// serverAddress is the address as `server` takes it, "" when it does not or it
// is a name.
func serverAddress(a *corev3.Address) string {
	if path := a.GetPipe().GetPath(); path != "" {
		if strings.HasPrefix(path, "/") && len(path) <= 107 && writable(path) {
			return token("unix:" + path)
		}
		return ""
	}
	if a.GetSocketAddress() == nil {
		return ""
	}
	text, ok := ipPort(a.GetSocketAddress())
	if !ok {
		return ""
	}
	return text
}

// nameAddress is a name and port. localhost needs no DNS, so that nginx can
// have it like an address.
func nameAddress(a *corev3.Address) (text string, byDNS bool) {
	s := a.GetSocketAddress()
	if name := s.GetAddress(); len(name) > 250 || !hostName.MatchString(name) || s.GetPortValue() < 1 || s.GetPortValue() > 65535 {
		return "", false
	}
	return fmt.Sprintf("%s:%d", s.GetAddress(), s.GetPortValue()), s.GetAddress() != "localhost"
}

// lowestPriority is that of the servers that nginx takes, which are its primary
// ones.
func lowestPriority(all []server) (lowest uint32, found bool) {
	for _, s := range all {
		if s.text != "" && (!found || s.priority < lowest) {
			lowest, found = s.priority, true
		}
	}
	return lowest, found
}

func hasBackups(all []server) bool {
	lowest, _ := lowestPriority(all)
	for _, s := range all {
		if s.text != "" && s.priority > lowest {
			return true
		}
	}
	return false
}

// servers writes the server lines.
func (p *projection) servers(o Origin, c *clusterv3.Cluster, all []server, b balancing) {
	lowest, found := lowestPriority(all)
	options, om := failOptions(o, c, several(all))
	scale := weightScale(all, b)
	for _, s := range all {
		p.serverLine(s, s.priority > lowest, b, options, om, scale)
	}
	if !found {
		p.add(mark{from: o}.approx(lessonNoServers), "server 127.0.0.1:1 down;")
	}
}

func (p *projection) serverLine(s server, backup bool, b balancing, options string, om mark, scale float64) {
	m := exact(s.origin).with(lessonServers)
	m.also = om.also
	if om.kind == Approximate {
		m = m.approx(om.lesson)
	} else if s.name {
		m = m.approx(lessonDNS)
	}
	if s.text == "" {
		lesson := lessonAddress
		switch {
		case s.name:
			lesson = lessonStreamName
		case s.address.GetSocketAddress() != nil:
			lesson = lessonNoName
		}
		p.note(m.none(lesson), "server %s;", mesh.Address(s.address))
		return
	}
	text := s.text
	weight := s.weight
	if scale < 1 {
		weight = max(1, uint32(float64(weight)*scale))
		m = m.approx(lessonWeight)
	}
	if weight != 1 {
		text += fmt.Sprintf(" weight=%d", weight)
	}
	text += options
	switch s.health {
	case corev3.HealthStatus_DRAINING:
		text, m = text+" down", m.with(lessonDown)
	case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_TIMEOUT:
		text, m = text+" down", m.approx(lessonUnhealthy)
	case corev3.HealthStatus_DEGRADED:
		m = m.approx(lessonDegraded)
	}
	if !backup {
		p.add(m, "server %s;", text)
		return
	}
	if !b.takesBackup {
		p.note(m.none(lessonNoBackup), "refused beside %s: server %s backup;", b.directive, text)
		return
	}
	if s.late {
		m = m.with(lessonBackupLate)
	} else {
		m = m.approx(lessonBackup)
	}
	p.add(m, "server %s backup;", text)
}

// unsaid notes what nginx has no word for.
func (p *projection) unsaid(o Origin, c *clusterv3.Cluster) {
	for i, h := range c.GetHealthChecks() {
		what := "TCP"
		switch {
		case h.GetHttpHealthCheck() != nil:
			what = "GET " + h.GetHttpHealthCheck().GetPath()
		case h.GetGrpcHealthCheck() != nil:
			what = "gRPC"
		case h.GetCustomHealthCheck() != nil:
			what = h.GetCustomHealthCheck().GetName()
		}
		every := ""
		if h.GetInterval() != nil {
			every = " every " + nginxTime(h.GetInterval())
		}
		p.note(mark{from: o.at(fmt.Sprintf("health_checks[%d]", i))}.none(lessonHealth), "health check: %s%s", what, every)
	}
	switch od := c.GetOutlierDetection(); {
	case od == nil:
	case countsOwn(od):
		// What keeps Envoy from doing more than nginx does goes without saying.
		p.rest(o.at("outlier_detection"), od, "split_external_local_origin_errors", "consecutive_local_origin_failure", "enforcing_consecutive_local_origin_failure",
			"enforcing_consecutive_5xx", "enforcing_success_rate", "enforcing_local_origin_success_rate", "interval", "base_ejection_time", "max_ejection_time",
			"max_ejection_percent", "consecutive_gateway_failure", "enforcing_consecutive_gateway_failure")
	default:
		p.note(mark{from: o.at("outlier_detection")}.none(lessonEjection), "outlier detection: max_fails only")
		p.rest(o.at("outlier_detection"), od, "consecutive_5xx", "base_ejection_time")
	}
	p.calm(o, c)
	for _, list := range []struct {
		field string
		all   []*clusterv3.CircuitBreakers_Thresholds
	}{{"thresholds", c.GetCircuitBreakers().GetThresholds()}, {"per_host_thresholds", c.GetCircuitBreakers().GetPerHostThresholds()}} {
		for i, t := range list.all {
			what := "breaker"
			if t.GetPriority() != corev3.RoutingPriority_DEFAULT {
				what += " " + strings.ToLower(t.GetPriority().String())
			}
			p.note(mark{from: o.at(fmt.Sprintf("circuit_breakers.%s[%d]", list.field, i))}.none(lessonBreaker), "%s: %s", what, breaker(t))
		}
	}
	p.upstreamTLSRest(o, c)
	if speaksHTTP2(c) {
		p.note(mark{from: o.at("typed_extension_protocol_options")}.none(lessonHTTP2), "HTTP/2: grpc_pass where it is used")
	}
	if resolves(c) {
		what := c.GetType().String()
		if c.GetClusterType() != nil {
			what = c.GetClusterType().GetName()
		}
		p.note(mark{from: o.at("type")}.none(lessonDNS), "found by %s", what)
	} else if t := c.GetType(); t != clusterv3.Cluster_EDS && t != clusterv3.Cluster_STATIC {
		p.note(mark{from: o.at("type")}.none(lessonRest), "found by %s", t)
	}
	p.clusterRest(o, c)
}

// calm says what of the common settings nginx does by itself.
func (p *projection) calm(o Origin, c *clusterv3.Cluster) {
	common, at := c.GetCommonLbConfig(), o.at("common_lb_config")
	said := []string{}
	if t := common.GetHealthyPanicThreshold(); t != nil && t.GetValue() == 0 {
		said = append(said, "healthy_panic_threshold")
		m := exact(at.at("healthy_panic_threshold")).with(lessonNoPanic)
		p.note(m, "no panic: nginx by itself")
	}
	if w := common.GetUpdateMergeWindow(); w != nil && w.AsDuration() == 0 {
		said = append(said, "update_merge_window")
	}
	p.rest(at, common, said...)
}

// clusterRest names what else the cluster says.
func (p *projection) clusterRest(o Origin, c *clusterv3.Cluster) {
	p.rest(o, c, "type", "cluster_type", "eds_cluster_config", "connect_timeout", "lb_policy", "load_assignment", "health_checks", "circuit_breakers",
		"outlier_detection", "transport_socket", "typed_extension_protocol_options", "load_balancing_policy", "dns_refresh_rate", "dns_lookup_family",
		"common_lb_config", "http2_protocol_options", "alt_stat_name", "http_protocol_options")
	for _, name := range sortedKeys(c.GetTypedExtensionProtocolOptions()) {
		at := o.at("typed_extension_protocol_options")
		options, ok := unpack(c.GetTypedExtensionProtocolOptions()[name]).(*httpv3.HttpProtocolOptions)
		if !ok {
			p.note(mark{from: at}.none(lessonRest), "protocol options %s", name)
			continue
		}
		p.rest(at, options, "explicit_http_config", "common_http_protocol_options")
		p.rest(at, options.GetCommonHttpProtocolOptions(), "idle_timeout", "max_requests_per_connection")
	}
}

// pooled is how long a connection to an upstream is kept.
func (p *projection) pooled(o Origin, c *clusterv3.Cluster) {
	p.add(mark{from: o}.approx(lessonKeepalive), "keepalive 32;")
	options, _ := unpack(c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]).(*httpv3.HttpProtocolOptions)
	common, m := options.GetCommonHttpProtocolOptions(), exact(o.at("typed_extension_protocol_options")).with(lessonPooled)
	if d := common.GetIdleTimeout(); d != nil {
		p.add(m, "keepalive_timeout %s;", idleTime(d))
	}
	if n := common.GetMaxRequestsPerConnection().GetValue(); n > 0 {
		p.add(m, "keepalive_requests %d;", n)
	}
}

// orphanEndpoints shows endpoints that no cluster asks for.
func (p *projection) orphanEndpoints(r *mesh.Resource) {
	cla, ok := r.Message.(*endpointv3.ClusterLoadAssignment)
	if !ok {
		return
	}
	o := Origin{Key: r.Key}
	p.note(mark{from: o}.none(lessonUnused), "endpoints %s: no cluster asks for them", r.Key.Name)
	for _, s := range serversOf(members{o, cla}, true) {
		p.note(mark{from: s.origin}.none(lessonUnused), "server %s;", mesh.Address(s.address))
	}
}
