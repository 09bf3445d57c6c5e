package importer

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// guardClients keeps a server that wants certificates from being asked by a
// client that shook hands with another one, which nginx answers with 421: all
// chains lead to the same virtual hosts.
func (im *importer) guardClients(s *site, groups []*handshake) {
	var strict []*handshake
	for _, g := range groups {
		if g.context.GetRequireClientCertificate().GetValue() {
			strict = append(strict, g)
		}
	}
	for _, g := range strict {
		guarded := false
		for _, vh := range s.routes.GetVirtualHosts() {
			if slices.ContainsFunc(g.servers, func(v *server) bool { return v.owns(vh, s) }) {
				vh.Routes = slices.Insert(vh.Routes, 0, noCertificate())
				guarded = true
			}
		}
		for _, v := range g.servers {
			guarded = im.guardRegex(s, v) || guarded
		}
		verify := g.of("ssl_verify_client")
		if verify == nil {
			continue
		}
		if guarded {
			im.exact(verify, at(s.routes, ""))
		}
		if slices.ContainsFunc(strict, func(o *handshake) bool {
			return !proto.Equal(o.context.CommonTlsContext.GetValidationContext().GetTrustedCa(), g.context.CommonTlsContext.GetValidationContext().GetTrustedCa())
		}) {
			im.approx(verify, at(g.context, ""), "a client that shook hands with another server of this address may ask here by its Host, with a certificate that was good there; nginx answers 421",
				"give servers of different authorities addresses of their own")
		}
	}
}

// guardRegex is the guard of a server that is found by expressions. Its routes
// are in the last virtual host, among those of others.
func (im *importer) guardRegex(s *site, v *server) bool {
	var es []*expression
	for _, name := range v.names {
		if re, ok := strings.CutPrefix(name, "~"); ok {
			if e, why := compile(re, true); why == "" {
				es = append(es, e)
			}
		}
	}
	n := len(s.routes.GetVirtualHosts())
	if len(es) == 0 || n == 0 || v == s.first {
		return false
	}
	last, guard := s.routes.GetVirtualHosts()[n-1], noCertificate()
	guard.Match.Headers = []*routev3.HeaderMatcher{header(":authority", safeRegex(authority(es)))}
	last.Routes = slices.Insert(last.Routes, 0, guard)
	return true
}

// owns reports whether the virtual host is one of the server's.
func (v *server) owns(vh *routev3.VirtualHost, s *site) bool {
	for _, d := range vh.GetDomains() {
		if d == "*" && v == s.first {
			return true
		}
		for _, name := range v.names {
			if d == name || strings.HasPrefix(name, ".") && (d == name[1:] || d == "*"+name) {
				return true
			}
		}
	}
	return false
}

// noCertificate answers who has no certificate as nginx answers who comes by
// another name.
func noCertificate() *routev3.Route {
	return &routev3.Route{Name: "nginx: no certificate",
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"},
			TlsContext: &routev3.RouteMatch_TlsContextMatchOptions{Validated: wrapperspb.Bool(false)}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 421}}}
}
