package nginx

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

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
	priority uint32
	weight   uint32
	health   corev3.HealthStatus
}

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
	servers := serversOf(mem)
	backups := hasBackups(servers)
	p.open(m, "upstream %s", token(p.names.upstream(r.Key.Name)))
	if c.GetType() == clusterv3.Cluster_EDS {
		from := mark{from: o.at("eds_cluster_config"), also: m.also}
		p.note(from.none(lessonEDS), "EDS: the servers come by %s", quoteOr(missing, "a push"))
	}
	takesBackup := p.policy(o, c, backups)
	p.servers(o, c, servers, takesBackup)
	p.add(mark{from: o}.approx(lessonKeepalive), "keepalive 32;")
	p.unsaid(o, c)
	p.end()
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

func serversOf(m members) []server {
	var out []server
	for i, l := range m.GetEndpoints() {
		for j, e := range l.GetLbEndpoints() {
			s := server{
				origin:   m.origin.at(fmt.Sprintf("endpoints[%d].lb_endpoints[%d]", i, j)),
				address:  e.GetEndpoint().GetAddress(),
				priority: l.GetPriority(),
				weight:   max(1, e.GetLoadBalancingWeight().GetValue()),
				health:   e.GetHealthStatus(),
			}
			s.text = serverAddress(s.address)
			out = append(out, s)
		}
	}
	return out
}

// serverAddress is the address as `server` takes it, "" when it does not. Names
// are left out: nginx -t fails on one that does not resolve.
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
	options, om := failOptions(o, c, len(all))
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
	}
	if s.text == "" {
		lesson := lessonAddress
		if s.address.GetSocketAddress() != nil {
			lesson = lessonDNS
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
		p.note(m.none(lessonNoBackup), "server %s backup;", text)
		return
	}
	p.add(m.approx(lessonBackup), "server %s backup;", text)
}

// failOptions are the parameters that stand for outlier detection and the
// connection limit, and what they mirror.
func failOptions(o Origin, c *clusterv3.Cluster, endpoints int) (string, mark) {
	m, options := mark{}, " max_fails=0"
	if od := c.GetOutlierDetection(); od != nil && endpoints > 1 {
		fails, period := uint32(5), "30s"
		if od.GetConsecutive_5Xx() != nil {
			fails = od.GetConsecutive_5Xx().GetValue()
		}
		if d := od.GetBaseEjectionTime(); d != nil {
			period = nginxSeconds(d)
		}
		m = mark{kind: Approximate, lesson: lessonOutlier, also: []Origin{o.at("outlier_detection")}}
		options = fmt.Sprintf(" max_fails=%d fail_timeout=%s", fails, period)
	}
	if ph := c.GetCircuitBreakers().GetPerHostThresholds(); len(ph) > 0 && ph[0].GetMaxConnections() != nil {
		options += fmt.Sprintf(" max_conns=%d", ph[0].GetMaxConnections().GetValue())
		m.also = append(m.also, o.at("circuit_breakers.per_host_thresholds[0].max_connections"))
	}
	return options, m
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
		p.note(mark{from: o.at(fmt.Sprintf("health_checks[%d]", i))}.none(lessonHealth), "active health check: %s%s", what, every)
	}
	if c.GetOutlierDetection() != nil {
		p.note(mark{from: o.at("outlier_detection")}.none(lessonEjection), "outlier detection: max_fails is all that nginx has of it")
	}
	for i, t := range c.GetCircuitBreakers().GetThresholds() {
		p.note(mark{from: o.at(fmt.Sprintf("circuit_breakers.thresholds[%d]", i))}.none(lessonBreaker), "circuit breaker: %s priority", strings.ToLower(t.GetPriority().String()))
	}
	if strings.Contains(c.GetTransportSocket().GetTypedConfig().GetTypeUrl(), "UpstreamTlsContext") {
		p.note(mark{from: o.at("transport_socket")}.none(lessonUpstreamTLS), "TLS: proxy_pass https:// where this upstream is used")
	}
	if speaksHTTP2(c) {
		p.note(mark{from: o}.none(lessonHTTP2), "HTTP/2")
	}
	if c.GetType() != clusterv3.Cluster_EDS && c.GetType() != clusterv3.Cluster_STATIC || c.GetClusterType() != nil {
		what := c.GetType().String()
		if c.GetClusterType() != nil {
			what = c.GetClusterType().GetName()
		}
		p.note(mark{from: o.at("type")}.none(lessonDNS), "found by %s", what)
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
	for _, s := range serversOf(members{o, cla}) {
		p.note(mark{from: s.origin}.none(lessonUnused), "server %s;", mesh.Address(s.address))
	}
}
