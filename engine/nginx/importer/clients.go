package importer

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// All filter chains of an address lead to the same virtual hosts, so that a client
// could shake hands with one server and ask another. nginx answers 421 where that
// one looks at clients' certificates: so does a route at the head of its virtual
// host here. A chain tells by filter state which handshake it is of.
const (
	nameState = "envoy.filters.network.set_filter_state"
	stateKey  = "nginx.handshake"
)

// guardClients puts those routes before the others.
func (im *importer) guardClients(s *site, groups []*handshake) {
	for _, g := range groups {
		for _, v := range g.servers {
			if v.own == nil || v.own.GetCommonTlsContext().GetValidationContext() == nil {
				continue
			}
			guards := guardsOf(v, groups)
			if len(guards) == 0 {
				continue
			}
			guarded := im.guardRegex(s, v, guards)
			for _, vh := range s.routes.GetVirtualHosts() {
				if s.of[vh] == v {
					vh.Routes = slices.Insert(vh.Routes, 0, guards...)
					guarded = true
				}
			}
			verify := (&handshake{block: v.d, im: im}).of("ssl_verify_client")
			if verify != nil && guarded && im.looksAtClients(v, groups[0]) && v != s.first {
				im.approx(verify, at(s.routes, ""), "who asks for the server by its Host alone, without its name in the handshake, is answered with 421, where nginx takes the certificate that was good for the default server", "let clients send the server's name (SNI)")
			} else if verify != nil && guarded {
				im.exact(verify, at(s.routes, ""))
			}
		}
	}
}

// looksAtClients reports whether a handshake has clients show certificates in
// another way than the server wants.
func (im *importer) looksAtClients(v *server, g *handshake) bool {
	return g.context.GetCommonTlsContext().GetValidationContext() != nil && !alike(v.own, g.context)
}

// guardsOf are the routes that turn away who came by a handshake that is not good
// for the server. The default server's is good where it asks for no certificate and
// the server can do without: nginx has clients without SNI come in that way.
func guardsOf(v *server, groups []*handshake) (out []*routev3.Route) {
	must := v.own.GetRequireClientCertificate().GetValue()
	var others []string
	for i, g := range groups {
		lax := i == 0 && !must && g.context.GetCommonTlsContext().GetValidationContext() == nil
		reached := i == 0 || len(g.names) > 0
		if reached && g.context != nil && !lax && !alike(v.own, g.context) {
			others = append(others, stateOf(i))
		}
	}
	if must && len(groups) > 1 {
		out = append(out, misdirected("nginx: no certificate"))
		out[0].Match.TlsContext = &routev3.RouteMatch_TlsContextMatchOptions{Validated: wrapperspb.Bool(false)}
	}
	if len(others) > 0 {
		r := misdirected("nginx: another handshake")
		r.Match.FilterState = []*matcherv3.FilterStateMatcher{{Key: stateKey, Matcher: &matcherv3.FilterStateMatcher_StringMatch{StringMatch: safeRegex(strings.Join(others, "|"))}}}
		out = append(out, r)
	}
	return out
}

// alike reports whether two handshakes take the same clients.
func alike(a, b *tlsv3.DownstreamTlsContext) bool {
	return a.GetRequireClientCertificate().GetValue() == b.GetRequireClientCertificate().GetValue() &&
		proto.Equal(a.GetCommonTlsContext().GetValidationContext(), b.GetCommonTlsContext().GetValidationContext())
}

// apart reports whether the chains have to say which handshake they are of.
func apart(groups []*handshake) bool {
	return slices.ContainsFunc(groups, func(g *handshake) bool {
		return slices.ContainsFunc(g.servers, func(v *server) bool {
			return v.own.GetCommonTlsContext().GetValidationContext() != nil &&
				slices.ContainsFunc(guardsOf(v, groups), func(r *routev3.Route) bool { return len(r.GetMatch().GetFilterState()) > 0 })
		})
	})
}

func stateOf(group int) string { return fmt.Sprintf("handshake %d", group) }

// tells is the filter that says so.
func tells(group int) *listenerv3.Filter {
	m := &statev3.Config{OnNewConnection: []*commonstatev3.FilterStateValue{{
		Key:        &commonstatev3.FilterStateValue_ObjectKey{ObjectKey: stateKey},
		FactoryKey: "envoy.string",
		Value: &commonstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: stateOf(group)}}}}},
	}}}
	return &listenerv3.Filter{Name: nameState, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(m)}}
}

// guardRegex guards a server that is found by expressions. Its routes are in the
// last virtual host, among those of others.
func (im *importer) guardRegex(s *site, v *server, guards []*routev3.Route) bool {
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
	last := s.routes.GetVirtualHosts()[n-1]
	for i, guard := range guards {
		guard = proto.CloneOf(guard)
		guard.Match.Headers = []*routev3.HeaderMatcher{header(":authority", safeRegex(authority(es)))}
		last.Routes = slices.Insert(last.Routes, i, guard)
	}
	return true
}

// misdirected answers as nginx answers who comes by another name.
func misdirected(name string) *routev3.Route {
	return &routev3.Route{Name: name,
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 421}}}
}
