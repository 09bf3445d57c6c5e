package nginx

import (
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"example.com/meshtui/engine/mesh"
)

// stream is a TCP proxy.
type stream struct {
	port   *port
	origin Origin
	proxy  *tcpv3.TcpProxy
	sni    []string
	tls    *tlsContext
	guards []guard
}

// clusters are the clusters that the proxy sends to.
func (s *stream) clusters() []string {
	var out []string
	if name := s.proxy.GetCluster(); name != "" {
		out = append(out, name)
	}
	for _, w := range s.proxy.GetWeightedClusters().GetClusters() {
		out = append(out, w.GetName())
	}
	return out
}

// clustersOverTCP are those that TCP proxies alone use: their upstreams stand
// in stream {}.
func (p *projection) clustersOverTCP() map[string]bool {
	out := map[string]bool{}
	for i := range p.tcp {
		for _, name := range p.tcp[i].clusters() {
			out[name] = true
		}
	}
	for _, name := range p.overHTTP {
		delete(out, name)
	}
	return out
}

// usedBy notes the clusters that a route configuration sends to.
func (p *projection) usedBy(rc *routev3.RouteConfiguration) {
	for _, vh := range rc.GetVirtualHosts() {
		for _, r := range vh.GetRoutes() {
			p.overHTTP = append(p.overHTTP, clustersOf(r.GetRoute())...)
			for _, m := range r.GetRoute().GetRequestMirrorPolicies() {
				p.overHTTP = append(p.overHTTP, m.GetCluster())
			}
		}
	}
}

// streams shows the TCP proxies as the stream {} that nginx would need. Unless
// the options say that it has one it is a comment, since stream is a module that
// many an nginx does not have; without the first "# " of its lines it is what such
// an nginx takes.
func (p *projection) streams(only map[string]bool) {
	if len(p.tcp) == 0 {
		return
	}
	m := mark{from: p.tcp[0].origin}.approx(lessonStream)
	p.inStream, p.splits = true, nil
	if !p.options.Stream {
		p.note(m.none(lessonStream), "TCP: needs nginx's stream module")
		defer p.mute(Approximate)()
	}
	p.open(m, "stream")
	var used []string
	for i := range p.tcp {
		s := &p.tcp[i]
		used = append(used, s.clusters()...)
		for j, hp := range s.proxy.GetHashPolicy() {
			for _, name := range s.clusters() {
				if hp.GetSourceIp() != nil {
					p.tcpKeys[name] = hashKey{text: "$remote_addr", origin: s.origin.at(fmt.Sprintf("hash_policy[%d]", j))}
				}
			}
		}
	}
	for _, r := range p.mesh.List(mesh.Cluster) {
		if only[r.Key.Name] || slices.Contains(used, r.Key.Name) {
			p.upstream(r)
		}
	}
	for i := 0; i < len(p.tcp); {
		n := i + 1
		for n < len(p.tcp) && p.tcp[n].port == p.tcp[i].port {
			n++
		}
		p.streamPort(p.tcp[i:n])
		i = n
	}
	p.end()
}

// streamPort writes the server of one listener's TCP proxies. nginx has one
// server for an address; what tells the chains apart there is the name in the
// handshake.
func (p *projection) streamPort(all []stream) {
	m := mark{from: all[0].origin}.approx(lessonStream)
	byName := slices.ContainsFunc(all, func(s stream) bool { return len(s.sni) > 0 }) &&
		!slices.ContainsFunc(all, func(s stream) bool { return s.tls != nil })
	targets := make([]string, len(all))
	for i := range all {
		targets[i] = p.streamTarget(&all[i])
	}
	variable := ""
	if byName {
		variable = p.streamMap(all, targets)
	}
	if len(all[0].port.listens) == 0 {
		p.note(m, "no address that nginx can listen on")
		return
	}
	p.open(m, "server")
	for _, l := range all[0].port.listens {
		text := l.text
		if all[0].tls != nil && len(all[0].tls.files) > 0 {
			text += " ssl"
		}
		p.add(mark{from: l.origin, also: []Origin{{Key: l.origin.Key}}}.approx(lessonStream), "listen %s;", text)
	}
	p.streamGuards(all)
	p.streamTLS(&all[0])
	switch {
	case byName:
		p.add(m.approx(lessonPreread), "ssl_preread on;")
		p.add(m.approx(lessonPreread), "proxy_pass $%s;", variable)
	case targets[0] == "":
		p.add(m.approx(lessonNoCluster), `return "";`)
	default:
		p.add(m, "proxy_pass %s;", targets[0])
	}
	p.streamUpstreamTLS(&all[0])
	if d := all[0].proxy.GetIdleTimeout(); d != nil {
		p.add(mark{from: all[0].origin.at("idle_timeout")}.approx(lessonStreamIdle), "proxy_timeout %s;", idleTime(d))
	}
	p.end()
	for i := range all {
		if i > 0 && !byName {
			p.note(mark{from: all[i].origin}.approx(lessonStreamOne), "another chain of this port, to %s", strings.Join(all[i].clusters(), ", "))
		}
		p.rest(all[i].origin, all[i].proxy, "cluster", "weighted_clusters", "idle_timeout", "hash_policy")
	}
}

// streamTarget is what proxy_pass names, "" for nothing. A weighted choice
// brings its split.
func (p *projection) streamTarget(s *stream) string {
	if name := s.proxy.GetCluster(); name != "" {
		t := p.clusterTarget(s.origin.at("cluster"), name)
		if t.text == "" {
			p.note(t.mark, "cluster %s is not in the mesh", name)
			return ""
		}
		return token(p.names.upstream(name))
	}
	one := split{origin: s.origin.at("weighted_clusters"), lesson: lessonStreamSplit}
	total := uint64(0)
	for i, w := range s.proxy.GetWeightedClusters().GetClusters() {
		at := s.origin.at(fmt.Sprintf("weighted_clusters.clusters[%d]", i))
		t := p.clusterTarget(at, w.GetName())
		if t.text == "" {
			p.note(t.mark, "cluster %s is not in the mesh", w.GetName())
			continue
		}
		one.parts = append(one.parts, part{t.mark, p.names.upstream(w.GetName()), uint64(w.GetWeight())})
		total += uint64(w.GetWeight())
	}
	if total == 0 {
		return ""
	}
	one.name = p.splitName("tcp_" + one.parts[0].name)
	p.split(&one)
	return "$" + one.name
}

// streamMap writes the choice by the name in the handshake, and returns its
// variable.
func (p *projection) streamMap(all []stream, targets []string) string {
	name := p.variableName("sni_" + identifier(all[0].origin.Key.Name, 24))
	p.open(mark{from: all[0].origin}.approx(lessonPreread), "map $ssl_preread_server_name $%s", name)
	p.add(mark{}, "hostnames;")
	seen := map[string]bool{}
	for i, s := range all {
		m := mark{from: s.origin}.approx(lessonPreread)
		keys := s.sni
		if len(keys) == 0 {
			keys = []string{"default"}
		}
		for _, key := range keys {
			if lower := strings.ToLower(key); targets[i] == "" || seen[lower] || !hostName.MatchString(strings.TrimPrefix(key, "*.")) {
				p.note(m, "%s", key)
				continue
			}
			seen[strings.ToLower(key)] = true
			p.add(m, "%s %s;", key, targets[i])
		}
	}
	p.end()
	return name
}

// streamTLS writes the certificates of a chain that ends TLS.
func (p *projection) streamTLS(s *stream) {
	if s.tls == nil {
		return
	}
	for _, o := range s.tls.others {
		p.note(mark{from: o}.approx(lessonNoCert), "no ssl_certificate: of %s, in no file", o.Key)
	}
	for _, c := range s.tls.files {
		m := mark{from: c.origin, also: c.also}.approx(lessonTLS)
		p.add(m, "ssl_certificate %s;", token(c.chain))
		p.add(m, "ssl_certificate_key %s;", token(c.key))
	}
	if len(s.tls.files) > 0 && s.tls.trust.file != "" {
		m := mark{from: s.tls.trust.origin, also: s.tls.trust.also}.approx(lessonVerifyClient)
		p.add(m, "ssl_client_certificate %s;", token(s.tls.trust.file))
		how := "optional"
		if s.tls.config.GetRequireClientCertificate().GetValue() {
			how = "on"
		}
		p.add(m, "ssl_verify_client %s;", how)
	}
	p.protocols(s.port, s.tls)
	if s.tls.config != nil {
		p.downstreamRest(s.tls)
	}
}

// streamUpstreamTLS writes the TLS to the first cluster of the proxy.
func (p *projection) streamUpstreamTLS(s *stream) {
	for _, name := range s.clusters() {
		r := p.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name})
		if r == nil {
			continue
		}
		if c, ok := r.Message.(*clusterv3.Cluster); ok {
			if u := p.upstreamTLS(Origin{Key: r.Key}, c); u != nil {
				p.add(mark{from: u.origin}.approx(lessonUpstreamTLS), "proxy_ssl on;")
				p.upstreamTLSLines(&target{tls: u})
			}
		}
		return
	}
}

// streamGuards writes whom the port of these chains lets in. Envoy tells the
// chains apart, nginx has one server for them, so that all of the checks count.
func (p *projection) streamGuards(all []stream) {
	var checks []check
	m := mark{}
	for _, s := range all {
		if s.unchecked() {
			p.add(mark{from: s.tls.origin}.approx(lessonStreamClosed), "deny all;")
			return
		}
		for _, g := range s.guards {
			if g.lesson != "" {
				p.add(mark{from: g.from}.approx(g.lesson), "deny all;")
				return
			}
			checks = append(checks, check{g.check.rules, peers{direct: true, remote: !s.port.proxied}})
			if m.from.Key.IsZero() {
				m.from = g.from
			} else {
				m.also = append(m.also, g.from)
			}
		}
	}
	if a := admit(checks); len(a.rules) > 0 {
		p.admission(m.approx(lessonAccess), a)
	}
}

// unchecked reports whether the chain ends TLS in a way that nginx cannot be
// told: without the certificate in a file, or without what the client's is
// checked against.
func (s *stream) unchecked() bool {
	return s.tls != nil && (len(s.tls.files) == 0 || s.tls.config.GetRequireClientCertificate().GetValue() && (s.tls.trust.file == "" || s.tls.trust.narrow()))
}
