package importer

import (
	xdscore "github.com/cncf/xds/go/xds/core/v3"
	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	udpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/udp/udp_proxy/v3"
)

// udp makes the listener of a server that takes datagrams.
func (im *importer) udp(p *port, name string) {
	pass := first(p.server, "proxy_pass")
	switch {
	case pass == nil:
		return
	case p.listen.Flag("ssl"):
		im.none(p.listen, "Envoy has no DTLS", "")
		return
	case len(pass.Args) > 0 && pass.Args[0] != "" && pass.Args[0][0] == '$':
		im.none(pass, "Envoy's UDP proxy is given one upstream here", "name one, or write a matcher on the source address by hand")
		return
	}
	if p.listeners[name] != nil {
		im.none(p.server, "an earlier server has this address", "")
		return
	}
	cluster, ok := im.streamCluster(p, pass, pass.Arg(0))
	if !ok {
		return
	}
	u := &udpv3.UdpProxyConfig{StatPrefix: name, IdleTimeout: p.proxy(name).GetIdleTimeout()}
	u.AccessLog = p.logs(u)
	to := &udpv3.Route{Cluster: cluster}
	u.RouteSpecifier = &udpv3.UdpProxyConfig_Matcher{Matcher: &matcherv3.Matcher{OnNoMatch: &matcherv3.Matcher_OnMatch{
		OnMatch: &matcherv3.Matcher_OnMatch_Action{Action: &xdscore.TypedExtensionConfig{Name: "route", TypedConfig: packed(to)}}}}}
	a := p.spot.address()
	if s := a.GetSocketAddress(); s != nil {
		s.Protocol = corev3.SocketAddress_UDP
	}
	l := &listenerv3.Listener{Name: name, Address: a, UdpListenerConfig: &listenerv3.UdpListenerConfig{},
		ListenerFilters: []*listenerv3.ListenerFilter{{Name: nameUDP, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(u)}}}}
	p.listeners[name] = l
	im.put(p.server, l)
	im.packed[u] = at(l, "listener_filters[0].typed_config")
	im.exact(p.listen, at(l, "address"))
	im.exact(pass, at(u, "matcher.on_no_match.action"))
	if d := p.of("proxy_timeout"); d != nil {
		im.exact(d, at(u, "idle_timeout"))
	}
	for _, name := range []string{"proxy_responses", "proxy_requests"} {
		if d := p.of(name); d != nil {
			im.approx(d, at(u, "idle_timeout"), "nginx ends a session after so many datagrams, Envoy when it was silent for idle_timeout", "set proxy_timeout, that is idle_timeout, to a few seconds")
		}
	}
	for _, d := range im.accessRules(p.server) {
		im.none(d, "Envoy's UDP proxy has no list of clients", "let the firewall say who may ask")
	}
}
