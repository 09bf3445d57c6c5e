package nginx

import (
	"fmt"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// mirror is an internal location that a request is copied to.
type mirror struct {
	path   string
	target target
}

// mirror writes the copies of a route's requests; their locations follow at the
// end of the server.
func (p *projection) mirror(sc *scope, o Origin, ra *routev3.RouteAction) {
	for i, mp := range ra.GetRequestMirrorPolicies() {
		at := o.at(fmt.Sprintf("request_mirror_policies[%d]", i))
		t := p.clusterTarget(at.at("cluster"), mp.GetCluster())
		if t.text == "" {
			p.note(t.mark.none(lessonNoCluster), "mirror to %s, which the mesh does not have", mp.GetCluster())
			continue
		}
		m := mark{kind: Exact, from: at, also: t.mark.also, lesson: lessonMirror}
		if mp.GetRuntimeFraction() != nil {
			m = m.approx(lessonMirrorPart)
		}
		path := fmt.Sprintf("/_mirror_%d", len(sc.mirrors)+1)
		for sc.exact[path] {
			path += "_"
		}
		p.add(m, "mirror %s;", path)
		if !p.muted {
			sc.exact[path] = true
			t.mark = m
			sc.mirrors = append(sc.mirrors, mirror{path, t})
		}
	}
}

// mirrorLocations writes the locations that mirrors go to.
func (p *projection) mirrorLocations(sc *scope) {
	for _, mi := range sc.mirrors {
		p.open(mi.target.mark, "location = %s", mi.path)
		p.add(mark{}, "internal;")
		p.add(mi.target.mark, "proxy_pass %s://%s$request_uri;", mi.target.scheme, mi.target.text)
		p.end()
	}
}

// forwardNotes says which parts of a route have no counterpart.
func (p *projection) forwardNotes(pl place, o Origin, ra *routev3.RouteAction) {
	for _, n := range []struct {
		is          bool
		field, what string
	}{
		{ra.GetHedgePolicy() != nil, "hedge_policy", "hedged requests"},
		{len(ra.GetRateLimits()) > 0, "rate_limits", "rate limits by descriptor"},
		{ra.GetMetadataMatch() != nil, "metadata_match", "a subset of the endpoints, by metadata"},
		{ra.GetInternalRedirectPolicy() != nil, "internal_redirect_policy", "redirects that are followed here"},
		{ra.GetMaxStreamDuration() != nil, "max_stream_duration", "a limit for the whole stream"},
	} {
		if n.is {
			p.note(mark{from: o.at(n.field)}.none(lessonPerRoute), "%s", n.what)
		}
	}
	for _, name := range sortedKeys(pl.route.GetTypedPerFilterConfig()) {
		p.note(mark{from: pl.origin}.none(lessonPerRoute), "typed_per_filter_config of %s", name)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// stream is a TCP proxy.
type stream struct {
	port   *port
	origin Origin
	proxy  *tcpv3.TcpProxy
}

// streams shows the TCP proxies as the stream {} that nginx would need.
func (p *projection) streams() {
	if len(p.tcp) == 0 {
		return
	}
	p.depth = 0
	unmute := p.mute(Approximate)
	defer unmute()
	p.open(mark{kind: Approximate, from: p.tcp[0].origin, lesson: lessonStream}, "stream")
	for _, s := range p.tcp {
		m := mark{from: s.origin}.approx(lessonStream)
		p.open(m, "server")
		for _, l := range s.port.listens {
			p.add(mark{from: l.origin}.approx(lessonStream), "listen %s;", l.text)
		}
		p.streamTargets(s, m)
		p.end()
	}
	p.end()
}

func (p *projection) streamTargets(s stream, m mark) {
	if name := s.proxy.GetCluster(); name != "" {
		t := p.clusterTarget(s.origin.at("cluster"), name)
		t.mark = t.mark.approx(lessonStream)
		p.add(t.mark, "proxy_pass %s;", token(p.names.upstream(name)))
	}
	clusters := s.proxy.GetWeightedClusters().GetClusters()
	total := uint64(0)
	for _, w := range clusters {
		total += uint64(w.GetWeight())
	}
	for i, w := range clusters {
		t := p.clusterTarget(s.origin.at(fmt.Sprintf("weighted_clusters.clusters[%d].name", i)), w.GetName())
		p.add(t.mark, "proxy_pass %s;  (%s)", token(p.names.upstream(w.GetName())), percent(uint64(w.GetWeight()), total))
	}
	if d := s.proxy.GetIdleTimeout(); d != nil {
		p.add(mark{from: s.origin.at("idle_timeout")}.approx(lessonStream), "proxy_timeout %s;", nginxTime(d))
	}
}
