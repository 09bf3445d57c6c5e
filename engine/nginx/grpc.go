package nginx

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
)

// The two families of directives that pass a request on: proxy_pass,
// proxy_set_header … and grpc_pass, grpc_set_header …, which is all that nginx
// has of HTTP/2 towards an upstream.
const (
	byProxy = "proxy"
	byGRPC  = "grpc"
)

// by is the family that passes requests on to the target.
func (t *target) by() string {
	if t.http2 {
		return byGRPC
	}
	return byProxy
}

// pass is the target's directive and URL, with the URI that replaces the path.
func (t *target) pass(uri string) string {
	scheme := "http"
	if t.http2 {
		scheme = "grpc"
	}
	if t.tls != nil {
		scheme += "s"
	}
	return t.by() + "_pass " + token(scheme+"://"+t.text+uri) + ";"
}

// families are those that the routes use.
func (p *projection) families(routes []*routev3.Route) []string {
	var out []string
	for _, r := range routes {
		by := byProxy
		if p.goesByHTTP2(r.GetRoute()) {
			by = byGRPC
		}
		if r.GetRoute() != nil && !slices.Contains(out, by) {
			out = append(out, by)
		}
	}
	return out
}

// goesByHTTP2 reports whether the first cluster of the route that the mesh has
// is spoken to in HTTP/2.
func (p *projection) goesByHTTP2(ra *routev3.RouteAction) bool {
	for _, name := range clustersOf(ra) {
		if r := p.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name}); r != nil && name != "" {
			c, ok := r.Message.(*clusterv3.Cluster)
			return ok && speaksHTTP2(c)
		}
	}
	return false
}

// http2 decides whether the port's listen lines carry http2, and what they say
// then. In plain text that shuts HTTP/1.1 out of the port.
func (p *projection) http2(sites []*site, pt *port) mark {
	m := mark{kind: Exact, lesson: lessonListenHTTP2}
	wants := 0
	for _, s := range sites {
		if from, ok := p.wantsHTTP2(s); ok {
			wants++
			m.also = append(m.also, from)
		}
	}
	switch {
	case wants == 0 || !pt.secure && wants < len(sites):
		return mark{}
	case !pt.secure:
		return m.approx(lessonCleartextOnly)
	case wants < len(sites):
		return m.approx(lessonHTTP2Shared)
	}
	return m
}

// wantsHTTP2 reports whether the chain's clients may speak HTTP/2, and what
// says so. In plain text Envoy would see which one they speak, and nginx cannot;
// there it is asked for only where nothing but gRPC is served.
func (p *projection) wantsHTTP2(s *site) (Origin, bool) {
	codec := s.manager.GetCodecType()
	at := s.origin.at("codec_type")
	if codec == hcmv3.HttpConnectionManager_HTTP2 {
		return at, true
	}
	if codec != hcmv3.HttpConnectionManager_AUTO {
		return at, false
	}
	if s.tls != nil {
		return s.tls.origin.at("common_tls_context.alpn_protocols"), slices.Contains(s.tls.config.GetCommonTlsContext().GetAlpnProtocols(), "h2")
	}
	routes := s.routes()
	only := len(routes) > 0
	for _, r := range routes {
		only = only && p.goesByHTTP2(r.GetRoute())
	}
	return s.origin, only
}

// routes are all that the site serves.
func (s *site) routes() []*routev3.Route {
	var out []*routev3.Route
	if s.routing != nil {
		for _, vh := range s.routing.config.GetVirtualHosts() {
			out = append(out, vh.GetRoutes()...)
		}
	}
	return out
}

// cleartextHTTP2 says that gRPC clients are shut out, where they are.
func (p *projection) cleartextHTTP2(s *site) {
	if s.tls != nil || s.port.http2.kind != Structure || s.manager.GetCodecType() == hcmv3.HttpConnectionManager_HTTP1 {
		return
	}
	if s.manager.GetCodecType() == hcmv3.HttpConnectionManager_HTTP2 || slices.Contains(p.families(s.routes()), byGRPC) {
		p.note(mark{from: s.origin}.none(lessonCleartextBoth), "no http2: HTTP/1.1 comes to this port too")
	}
}
