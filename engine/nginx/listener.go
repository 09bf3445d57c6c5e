package nginx

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	xdstype "github.com/cncf/xds/go/xds/type/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// port is one listener's servers: their listen lines, and which names and
// whether the default are already given away.
type port struct {
	listens    []listen
	names      map[string]bool
	hasDefault bool
	secure     bool // the listen lines carry ssl
	http2      mark // of the listen lines where they carry http2, Structure otherwise
	differ     bool // its chains want different versions of TLS
	proxied    bool // clients speak the PROXY protocol
	sni        []string
	refused    []string // names of chains that serve nothing
}

// listen is one address that nginx can listen on.
type listen struct {
	text   string
	once   string // options that nginx wants on one of the servers only
	origin Origin
	used   bool
}

// site is one filter chain with an HTTP connection manager.
type site struct {
	port       *port
	origin     Origin // of the connection manager
	manager    *hcmv3.HttpConnectionManager
	sni        []string
	tls        *tlsContext // nil for a plain chain
	routing    *routing    // nil when the mesh does not have it
	introduced bool
	guards     []guard // what a connection has passed before
}

// routing is a route configuration and where it stands: its own resource, or
// within a listener.
type routing struct {
	origin Origin
	config *routev3.RouteConfiguration
}

// chain is a filter chain and its place.
type chain struct {
	origin Origin
	*listenerv3.FilterChain
}

func (p *projection) listener(r *mesh.Resource) {
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return
	}
	o := Origin{Key: r.Key}
	pt := &port{names: map[string]bool{}}
	p.addresses(o, l, pt)
	var chains []chain
	for i, c := range l.GetFilterChains() {
		chains = append(chains, chain{o.at(fmt.Sprintf("filter_chains[%d]", i)), c})
	}
	if c := l.GetDefaultFilterChain(); c != nil {
		chains = append(chains, chain{o.at("default_filter_chain"), c})
	}
	var sites []*site
	for _, c := range chains {
		sites = append(sites, p.sites(c, pt, c.narrower(chains))...)
	}
	refused := p.refusedNames(chains, pt)
	p.survey(sites, pt)
	for _, s := range sites {
		p.site(s)
	}
	p.refuse(refused, pt)
	p.fallback(sites, pt)
	p.listenerRest(o, l, chains, pt)
}

// survey decides what holds for all servers of the port.
func (p *projection) survey(sites []*site, pt *port) {
	pt.secure = len(sites) > 0
	versions := map[string]bool{}
	for _, s := range sites {
		pt.secure = pt.secure && s.tls != nil
		pt.sni = append(pt.sni, s.sni...)
		if s.tls != nil {
			versions[versionsOf(s.tls.config.GetCommonTlsContext().GetTlsParams(), tlsv3.TlsParameters_TLSv1_3)] = true
		}
		s.routing = p.routing(s)
	}
	pt.differ = len(versions) > 1
	pt.http2 = p.http2(sites, pt)
}

// listenerRest names what else the listener says, above all how it chooses a
// chain.
func (p *projection) listenerRest(o Origin, l *listenerv3.Listener, chains []chain, pt *port) {
	for i, f := range l.GetListenerFilters() {
		kind := typeOf(f.GetTypedConfig())
		if strings.Contains(kind, ".tls_inspector.") || strings.Contains(kind, ".http_inspector.") || proxied(f) {
			continue
		}
		p.note(mark{from: o.at(fmt.Sprintf("listener_filters[%d]", i))}.none(lessonNetwork), "listener filter %s", f.GetName())
	}
	for i, a := range l.GetAccessLog() {
		p.note(mark{from: o.at(fmt.Sprintf("access_log[%d]", i))}.none(lessonFilter), "access_log: %s", a.GetName())
	}
	p.rest(o, l, "address", "additional_addresses", "filter_chains", "default_filter_chain", "listener_filters", "access_log", "tcp_backlog_size", "traffic_direction")
	for _, c := range chains {
		p.rest(c.origin.at("filter_chain_match"), c.GetFilterChainMatch(), "server_names", "transport_protocol")
		p.rest(c.origin, c, "filter_chain_match", "filters", "transport_socket")
		if pt.secure || c.GetTransportSocket() == nil {
			continue
		}
		for _, f := range c.GetFilters() {
			if _, ok := unpack(f.GetTypedConfig()).(*hcmv3.HttpConnectionManager); ok {
				p.note(mark{from: c.origin.at("transport_socket")}.none(lessonMixed), "TLS beside plain text: not on one port")
			}
		}
	}
}

// addresses finds out where nginx would listen, and says where it cannot.
func (p *projection) addresses(o Origin, l *listenerv3.Listener, pt *port) {
	p.address(o.at("address"), l.GetAddress(), l, pt)
	for i, a := range l.GetAdditionalAddresses() {
		p.address(o.at(fmt.Sprintf("additional_addresses[%d].address", i)), a.GetAddress(), l, pt)
	}
}

func (p *projection) address(o Origin, a *corev3.Address, l *listenerv3.Listener, pt *port) {
	text, ok := listenAddress(a)
	if !ok || p.taken[text] {
		p.note(mark{from: o, also: []Origin{{Key: o.Key}}}.none(lessonListenGone), "listener %s on %s", o.Key.Name, mesh.Address(a))
		return
	}
	p.taken[text] = true
	once := ""
	if strings.HasPrefix(text, "[") && a.GetSocketAddress().GetIpv4Compat() {
		once += " ipv6only=off"
	}
	if n := l.GetTcpBacklogSize().GetValue(); n > 0 && n < 1<<31 {
		once += fmt.Sprintf(" backlog=%d", n)
	}
	if slices.ContainsFunc(l.GetListenerFilters(), proxied) {
		text, pt.proxied = text+" proxy_protocol", true
	}
	pt.listens = append(pt.listens, listen{text: text, once: once, origin: o})
}

func proxied(f *listenerv3.ListenerFilter) bool {
	return strings.HasSuffix(f.GetTypedConfig().GetTypeUrl(), ".proxy_protocol.v3.ProxyProtocol")
}

// listenAddress is the address as `listen` takes it.
func listenAddress(a *corev3.Address) (string, bool) {
	if path := a.GetPipe().GetPath(); path != "" {
		return token("unix:" + path), strings.HasPrefix(path, "/") && len(path) <= 107 && literal(path)
	}
	s := a.GetSocketAddress()
	if s == nil || s.GetProtocol() != corev3.SocketAddress_TCP {
		return "", false
	}
	return ipPort(s)
}

// ipPort is an address and port as nginx writes them; ok is false unless both
// are numbers that can be used.
func ipPort(s *corev3.SocketAddress) (string, bool) {
	ip, err := netip.ParseAddr(s.GetAddress())
	if err != nil || ip.Zone() != "" || s.GetPortValue() < 1 || s.GetPortValue() > 65535 {
		return "", false
	}
	return netip.AddrPortFrom(ip, uint16(s.GetPortValue())).String(), true
}

// sites goes through a filter chain. HTTP connection managers come back, TCP
// proxies are kept for stream {}, and other filters are noted. taken are the clients
// that other chains take.
func (p *projection) sites(c chain, pt *port, taken []guard) []*site {
	var out []*site
	tls := p.downstreamTLS(c)
	before := append(c.sources(), taken...)
	for i, f := range c.GetFilters() {
		o := c.origin.at(fmt.Sprintf("filters[%d]", i))
		switch m := unpack(f.GetTypedConfig()).(type) {
		case *hcmv3.HttpConnectionManager:
			s := &site{port: pt, origin: o.at("typed_config"), manager: m, tls: tls, sni: c.GetFilterChainMatch().GetServerNames()}
			p.https = append(p.https, s.origin)
			if rc := m.GetRouteConfig(); rc != nil {
				p.gatherHashKeys(s.origin.at("route_config"), rc)
				p.usedBy(rc)
			}
			s.behind(before)
			out = append(out, s)
		case *tcpv3.TcpProxy:
			p.tcp = append(p.tcp, stream{port: pt, origin: o.at("typed_config"), proxy: m, sni: c.GetFilterChainMatch().GetServerNames(), tls: tls, guards: before})
		default:
			if g, ok := networkGuard(o, typeOf(f.GetTypedConfig()), m); ok {
				before = append(before[:len(before):len(before)], g)
			}
			p.note(mark{from: o}.none(lessonNetwork), "network filter %s", strings.TrimPrefix(f.GetName(), "envoy.filters.network."))
		}
	}
	return out
}

// typeOf is the type of an extension's configuration, also of one that is not
// linked in and is carried as a struct.
func typeOf(a *anypb.Any) string {
	url := a.GetTypeUrl()
	if !strings.HasSuffix(url, ".TypedStruct") {
		return url
	}
	if carried, ok := unpack(a).(*xdstype.TypedStruct); ok {
		return carried.GetTypeUrl()
	}
	return url
}

// unpack is the message in an Any, nil when its type is not known here.
func unpack(a *anypb.Any) proto.Message {
	if a == nil {
		return nil
	}
	m, err := a.UnmarshalNew()
	if err != nil {
		return nil
	}
	return m
}

// site writes the servers of one connection manager.
func (p *projection) site(s *site) {
	if len(s.port.listens) == 0 || s.routing == nil && s.port.hasDefault || s.tls != nil && !s.port.secure {
		unmute := p.mute(None)
		defer unmute()
	}
	if s.routing == nil {
		m := mark{from: s.origin}.approx(lessonNoRoutes)
		var names []named
		if len(s.sni) > 0 {
			if names = p.sniNames(s, m); len(names) == 0 {
				defer p.mute(None)()
			}
		}
		p.server(s, m, len(s.sni) == 0, names, func() { p.add(m, "return 404;") })
		return
	}
	p.virtualHosts(s, s.routing)
	p.sniServer(s)
}

// sniServer answers the names of the handshake that no server has: nginx looks
// for the certificate by server_name.
func (p *projection) sniServer(s *site) {
	names := p.sniNames(s, exact(s.origin))
	if len(names) == 0 {
		return
	}
	m := mark{kind: Exact, from: s.origin, lesson: lessonSNIOnly}
	p.server(s, m, false, names, func() { p.add(m.with(lessonNoDefault), "return 404;") })
}

// routing is the connection manager's route configuration, or nil when the
// mesh does not have it.
func (p *projection) routing(s *site) *routing {
	switch {
	case s.manager.GetRouteConfig() != nil:
		return &routing{origin: s.origin.at("route_config"), config: s.manager.GetRouteConfig()}
	case s.manager.GetRds() != nil:
		k := mesh.Key{Type: mesh.Route, Name: s.manager.GetRds().GetRouteConfigName()}
		if r := p.mesh.Get(k); r != nil {
			if rc, ok := r.Message.(*routev3.RouteConfiguration); ok {
				p.attached[k] = true
				return &routing{origin: Origin{Key: k}, config: rc}
			}
		}
		p.note(mark{from: s.origin.at("rds.route_config_name")}.none(lessonNoRoutes), "route configuration %s is not in the mesh", k.Name)
	default:
		p.note(mark{from: s.origin}.none(lessonMatcher), "routes that are chosen by scope")
	}
	return nil
}

// fallback answers what no virtual host takes, as Envoy does: a Host by 404, a
// name in the handshake that no chain has by hanging up.
func (p *projection) fallback(sites []*site, pt *port) {
	if len(pt.listens) == 0 || pt.hasDefault {
		return
	}
	overTCP := slices.ContainsFunc(p.tcp, func(s stream) bool { return s.port == pt })
	for i := range pt.listens {
		if len(sites) == 0 && !overTCP {
			m := mark{from: pt.listens[i].origin, also: []Origin{{Key: pt.listens[i].origin.Key}}}
			p.note(m.none(lessonNetwork), "listen %s;  (serves nothing)", pt.listens[i].text)
		}
	}
	for _, s := range sites {
		if len(s.sni) > 0 || s.tls != nil && !pt.secure {
			continue
		}
		m := mark{kind: Exact, from: s.origin, lesson: lessonNoDefault}
		p.server(s, m, true, nil, func() { p.add(m, "return 404;") })
		return
	}
	if !pt.secure {
		return
	}
	m := mark{kind: Exact, from: sites[0].origin, lesson: lessonUnknownSNI}
	p.open(m, "server")
	p.listenLines(pt, true)
	p.add(m, "ssl_reject_handshake on;")
	p.protocols(pt, sites[0].tls)
	p.add(m.with(lessonNoDefault), "return 404;")
	p.end()
}

// listenLines writes a server's listen lines.
func (p *projection) listenLines(pt *port, isDefault bool) {
	for i := range pt.listens {
		l := &pt.listens[i]
		text := l.text
		if pt.secure {
			text += " ssl"
		}
		if pt.http2.kind != Structure {
			text += " http2"
		}
		if isDefault {
			text += " default_server"
		}
		if !l.used {
			text, l.used = text+l.once, true
		}
		m := exact(l.origin).with(lessonListen)
		if pt.http2.kind != Structure {
			m.kind, m.lesson = pt.http2.kind, pt.http2.lesson
		}
		m.also = append([]Origin{{Key: l.origin.Key}}, pt.http2.also...)
		p.add(m, "listen %s;", text)
	}
}
