package nginx

import (
	"fmt"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
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
	introduced bool
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
		sites = append(sites, p.sites(c, pt)...)
	}
	pt.secure = len(sites) > 0
	for _, s := range sites {
		pt.secure = pt.secure && s.tls != nil && len(s.tls.files) > 0
	}
	for _, s := range sites {
		p.site(s)
	}
	p.fallback(sites, pt)
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
	if proxied(l) {
		text += " proxy_protocol"
	}
	pt.listens = append(pt.listens, listen{text: text, once: once, origin: o})
}

func proxied(l *listenerv3.Listener) bool {
	for _, f := range l.GetListenerFilters() {
		if strings.HasSuffix(f.GetTypedConfig().GetTypeUrl(), ".proxy_protocol.v3.ProxyProtocol") {
			return true
		}
	}
	return false
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
// proxies are kept for stream {}, and other filters are noted.
func (p *projection) sites(c chain, pt *port) []*site {
	var out []*site
	tls := p.downstreamTLS(c)
	for i, f := range c.GetFilters() {
		o := c.origin.at(fmt.Sprintf("filters[%d]", i))
		switch m := unpack(f.GetTypedConfig()).(type) {
		case *hcmv3.HttpConnectionManager:
			s := &site{port: pt, origin: o.at("typed_config"), manager: m, tls: tls, sni: c.GetFilterChainMatch().GetServerNames()}
			p.https = append(p.https, s.origin)
			if rc := m.GetRouteConfig(); rc != nil {
				p.gatherHashKeys(s.origin.at("route_config"), rc)
			}
			out = append(out, s)
		case *tcpv3.TcpProxy:
			p.tcp = append(p.tcp, stream{port: pt, origin: o.at("typed_config"), proxy: m})
		default:
			p.note(mark{from: o}.none(lessonNetwork), "network filter %s", f.GetName())
		}
	}
	return out
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
	r := p.routing(s)
	if len(s.port.listens) == 0 || r == nil && s.port.hasDefault {
		unmute := p.mute(None)
		defer unmute()
	}
	if r == nil {
		p.server(s, mark{from: s.origin}.approx(lessonNoRoutes), true, nil, func() {
			p.add(mark{from: s.origin}.approx(lessonNoRoutes), "return 404;")
		})
		return
	}
	p.virtualHosts(s, r)
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

// fallback answers the Hosts that no virtual host takes, as Envoy does.
func (p *projection) fallback(sites []*site, pt *port) {
	if len(sites) == 0 || pt.hasDefault || len(pt.listens) == 0 {
		if len(sites) == 0 {
			for i := range pt.listens {
				m := mark{from: pt.listens[i].origin, also: []Origin{{Key: pt.listens[i].origin.Key}}}
				p.note(m.none(lessonStream), "listen %s;  (not an HTTP listener)", pt.listens[i].text)
			}
		}
		return
	}
	s := sites[0]
	m := mark{kind: Exact, from: s.origin, lesson: lessonNoDefault}
	p.server(s, m, true, nil, func() { p.add(m, "return 404;") })
}

// listenLines writes a server's listen lines.
func (p *projection) listenLines(pt *port, isDefault bool) {
	for i := range pt.listens {
		l := &pt.listens[i]
		text := l.text
		if pt.secure {
			text += " ssl"
		}
		if isDefault {
			text += " default_server"
		}
		if !l.used {
			text, l.used = text+l.once, true
		}
		m := exact(l.origin).with(lessonListen)
		m.also = []Origin{{Key: l.origin.Key}}
		p.add(m, "listen %s;", text)
	}
}
