package matchtest

import (
	"fmt"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/match"
)

// chainHeader is the response header in which a filter chain says its name.
const chainHeader = "x-chain"

// What filter chains and connections are made of.
var (
	serverNames = []string{"a.example.com", "b.example.com", "*.example.com", "*.com", "example.com", "x.b.example.com", "*.b.example.com", "other.org"}
	sentNames   = []string{"a.example.com", "b.example.com", "c.example.com", "A.Example.COM", "example.com", "x.b.example.com", "y.x.b.example.com", "other.org", "nobody.net", ""}
	protocols   = []string{"h2", "http/1.1", "http/1.0", "foo"}
	sourcePorts = []uint32{21001, 21002, 21003}
)

// NewChains makes the case of a seed whose listener has several filter chains,
// so that connections rather than requests tell them apart. Where Options has
// no Certificate, none of them is encrypted. The data plane has to bind Address
// and the two that Beside gives, and the client a connection's Source.
func NewChains(seed uint64, o Options) Case {
	if o.Requests == 0 {
		o.Requests = 40
	}
	m := newMaker(seed, o)
	l := &listenerv3.Listener{Name: ListenerName, Address: address(o.Address, o.Port)}
	for i := 1; i <= 2; i++ {
		l.AdditionalAddresses = append(l.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: address(Beside(o.Address, i), o.Port)})
	}
	if m.chance(60) {
		l.ListenerFilters = append(l.ListenerFilters, &listenerv3.ListenerFilter{Name: "envoy.filters.listener.tls_inspector",
			ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(&tlsinspectorv3.TlsInspector{})}})
	}
	if m.may("http inspector", 20) {
		l.ListenerFilters = append(l.ListenerFilters, &listenerv3.ListenerFilter{Name: "envoy.filters.listener.http_inspector",
			ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(&httpinspectorv3.HttpInspector{})}})
	}
	for range 2 + m.IntN(5) {
		if cm := m.chainMatch(); m.free(cm) {
			l.FilterChains = append(l.FilterChains, m.chain(fmt.Sprintf("chain-%d", len(l.FilterChains)), cm))
		}
	}
	if m.chance(30) {
		l.DefaultFilterChain = m.chain("default", nil)
	}
	c := Case{Seed: seed, Options: o, Mesh: meshOf(l)}
	for range o.Requests {
		c.Requests = append(c.Requests, m.connection(l))
	}
	return c
}

// Beside is the n-th address that goes with an IPv4 address: its second byte is
// n higher.
func Beside(ip string, n int) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || !a.Is4() {
		return ip
	}
	b := a.As4()
	b[1] += byte(n)
	return netip.AddrFrom4(b).String()
}

// chain answers every request with its own name.
func (m *maker) chain(name string, cm *listenerv3.FilterChainMatch) *listenerv3.FilterChain {
	hcm := m.plainManager()
	hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
		Name: name, ResponseHeadersToAdd: []*corev3.HeaderValueOption{put(chainHeader, name)},
		VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
		}}}},
	}}
	c := &listenerv3.FilterChain{Name: name, FilterChainMatch: cm, Filters: []*listenerv3.Filter{managerFilter(hcm)}}
	encrypt := len(cm.GetServerNames()) > 0 || cm.GetTransportProtocol() == "tls"
	if m.o.Certificate != "" && (encrypt && m.chance(92) || m.chance(25)) {
		c.TransportSocket = &corev3.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{
			TypedConfig: packed(&tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{{
				CertificateChain: inline(m.o.Certificate), PrivateKey: inline(m.o.PrivateKey),
			}}}}),
		}}
	}
	return c
}

func inline(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

func (m *maker) chainMatch() *listenerv3.FilterChainMatch {
	cm := &listenerv3.FilterChainMatch{}
	if m.chance(15) {
		cm.DestinationPort = wrapperspb.UInt32(pick(m, m.o.Port, m.o.Port, 1))
	}
	if m.chance(35) {
		cm.PrefixRanges = m.ranges(func() string { return Beside(m.o.Address, m.IntN(4)) })
	}
	if m.chance(35) {
		cm.ServerNames = m.distinct(serverNames)
	}
	if m.chance(35) {
		cm.TransportProtocol = pick(m, "tls", "raw_buffer", "tls")
	}
	if m.chance(20) {
		cm.ApplicationProtocols = m.distinct(protocols)
	}
	if m.chance(20) {
		cm.SourceType = listenerv3.FilterChainMatch_ConnectionSourceType(m.IntN(3))
	}
	if m.chance(15) {
		cm.DirectSourcePrefixRanges = m.ranges(m.source)
	}
	if m.chance(25) {
		cm.SourcePrefixRanges = m.ranges(m.source)
	}
	if m.chance(15) {
		cm.SourcePorts = []uint32{pick(m, sourcePorts...)}
	}
	return cm
}

// ranges never has a prefix of length 0: beside a chain without ranges, Envoy
// leaves open which of the two it takes.
func (m *maker) ranges(ip func() string) []*corev3.CidrRange {
	var out []*corev3.CidrRange
	for range 1 + m.IntN(2) {
		out = append(out, &corev3.CidrRange{AddressPrefix: ip(), PrefixLen: wrapperspb.UInt32(pick[uint32](m, 8, 12, 16, 24, 31, 32))})
	}
	return out
}

func (m *maker) distinct(from []string) []string {
	one, other := pick(m, from...), pick(m, from...)
	if one == other || m.chance(50) {
		return []string{one}
	}
	return []string{one, other}
}

// source is a client's address: 127.0.0.1 or another on loopback, which Envoy
// takes for an external one.
func (m *maker) source() string {
	if m.chance(25) {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.30.%d.%d", m.IntN(2), 1+m.IntN(250))
}

// free takes the places of a match in the listener's tree: Envoy refuses two
// chains that share one.
func (m *maker) free(cm *listenerv3.FilterChainMatch) bool {
	places := []string{fmt.Sprint(cm.GetDestinationPort().GetValue(), cm.GetTransportProtocol(), cm.GetSourceType())}
	for _, list := range [][]string{masked(cm.GetPrefixRanges()), cm.GetServerNames(), cm.GetApplicationProtocols(),
		masked(cm.GetDirectSourcePrefixRanges()), masked(cm.GetSourcePrefixRanges()), {fmt.Sprint(cm.GetSourcePorts())}} {
		if len(list) == 0 {
			list = []string{""}
		}
		var next []string
		for _, p := range places {
			for _, item := range list {
				next = append(next, p+"|"+item)
			}
		}
		places = next
	}
	seen := map[string]bool{}
	for _, p := range places {
		if m.taken[p] || seen[p] {
			return false
		}
		seen[p] = true
	}
	for _, p := range places {
		m.taken[p] = true
	}
	return true
}

func masked(ranges []*corev3.CidrRange) []string {
	var out []string
	for _, r := range ranges {
		if p, err := netip.ParsePrefix(fmt.Sprintf("%s/%d", r.GetAddressPrefix(), r.GetPrefixLen().GetValue())); err == nil {
			out = append(out, p.Masked().String())
		}
	}
	return out
}

// connection is a plain request over a connection of some kind; half of them
// are made for one of the chains.
func (m *maker) connection(l *listenerv3.Listener) Request {
	q := match.Request{Method: "GET", Host: "a.com", Path: "/", Port: m.o.Port, TLS: m.o.Certificate != "" && m.chance(55)}
	to, from := Beside(m.o.Address, m.IntN(3)), netip.AddrPortFrom(netip.MustParseAddr(m.source()), 0)
	if m.chance(15) {
		from = netip.AddrPortFrom(from.Addr(), uint16(pick(m, sourcePorts...)))
	}
	q.SNI, q.ALPN = pick(m, sentNames...), m.offers()
	if m.chance(60) && len(l.FilterChains) > 0 {
		cm := pick(m, l.FilterChains...).GetFilterChainMatch()
		if n := cm.GetServerNames(); len(n) > 0 {
			q.SNI, q.TLS = strings.Replace(pick(m, n...), "*", "w", 1), m.o.Certificate != ""
		}
		if t := cm.GetTransportProtocol(); t != "" {
			q.TLS = t == "tls" && m.o.Certificate != ""
		}
		if p := cm.GetApplicationProtocols(); len(p) > 0 {
			q.ALPN = p[:1]
		}
		for _, r := range append(cm.GetSourcePrefixRanges(), cm.GetDirectSourcePrefixRanges()...) {
			from = netip.AddrPortFrom(netip.MustParseAddr(r.GetAddressPrefix()), from.Port())
		}
		if p := cm.GetSourcePorts(); len(p) > 0 {
			from = netip.AddrPortFrom(from.Addr(), uint16(p[0]))
		}
	}
	if !q.TLS {
		q.SNI, q.ALPN = "", nil
	}
	q.Address, q.Source = netip.MustParseAddr(to), from
	return Request{Raw: Raw(&q), Ask: q, Classes: connectionClasses(q)}
}

func (m *maker) offers() []string {
	switch m.IntN(4) {
	case 0:
		return m.distinct(protocols)
	case 1:
		return []string{"h2", "http/1.1"}
	}
	return nil
}

func connectionClasses(q match.Request) []string {
	out := []string{"plain text"}
	if q.TLS {
		out[0] = "TLS"
		if q.SNI != "" {
			out = append(out, "SNI")
		}
		if len(q.ALPN) > 0 {
			out = append(out, "ALPN")
		}
	}
	if q.Source.Port() != 0 {
		out = append(out, "source port")
	}
	return out
}

// moved is a listener on another IP address, with those beside it.
func moved(l *listenerv3.Listener, ip string, port uint32) *listenerv3.Listener {
	l = proto.CloneOf(l)
	l.Address = address(ip, port)
	for i, a := range l.GetAdditionalAddresses() {
		a.Address = address(Beside(ip, i+1), port)
	}
	return l
}
