package sample

import (
	"net/netip"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// connect gives a request the connection that the filter chain is chosen for:
// its security, its protocols and its ends. A chain that asks for nothing, and
// none, leaves it as it is.
func connect(req *match.Request, fc *listenerv3.FilterChain) {
	m := fc.GetFilterChainMatch()
	req.Port = m.GetDestinationPort().GetValue()
	if ranges := m.GetPrefixRanges(); len(ranges) > 0 {
		req.Address = within(ranges)
	}
	req.Source = source(m)
	protocols := m.GetApplicationProtocols()
	if req.TLS = secured(fc); req.TLS {
		req.ALPN = protocols
		return
	}
	// In plain text an HTTP inspector finds the protocol by the request itself.
	if len(protocols) > 0 && !slices.Contains(protocols, "http/1.1") {
		req.HTTP2 = slices.Contains(protocols, "h2c")
		req.HTTP10 = !req.HTTP2 && slices.Contains(protocols, "http/1.0")
	}
}

// secured reports whether clients of the chain speak TLS.
func secured(fc *listenerv3.FilterChain) bool {
	m := fc.GetFilterChainMatch()
	if fc.GetTransportSocket() != nil {
		return !strings.HasSuffix(fc.GetTransportSocket().GetTypedConfig().GetTypeUrl(), ".RawBuffer")
	}
	return m.GetTransportProtocol() == "tls" || len(m.GetServerNames()) > 0
}

// name says in the TLS handshake the name that the chain is chosen by: the
// Host's where that is one of them.
func name(req *match.Request, fc *listenerv3.FilterChain) {
	if fc == nil || !req.TLS {
		return
	}
	host := routes.WithoutPort(req.Host)
	req.SNI = host
	names := fc.GetFilterChainMatch().GetServerNames()
	for _, n := range names {
		if strings.EqualFold(n, host) || strings.HasPrefix(n, "*.") && len(host) > len(n)-1 && strings.HasSuffix(host, n[1:]) {
			return
		}
	}
	if len(names) > 0 {
		req.SNI = Host(names)
	}
}

// The clients that are tried: on this machine, and on none, for the second
// address is kept for documentation.
var (
	local    = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	external = netip.AddrFrom4([4]byte{192, 0, 2, 1})
)

// source is a client's end that the chain takes; invalid where any does, which
// is then one on this machine.
func source(m *listenerv3.FilterChainMatch) netip.AddrPort {
	direct, ranges, kind := m.GetDirectSourcePrefixRanges(), m.GetSourcePrefixRanges(), m.GetSourceType()
	if len(direct)+len(ranges)+len(m.GetSourcePorts()) == 0 && kind != listenerv3.FilterChainMatch_EXTERNAL {
		return netip.AddrPort{}
	}
	from := []netip.Addr{local, external}
	if kind == listenerv3.FilterChainMatch_EXTERNAL {
		from = from[1:]
	}
	for _, list := range [][]*corev3.CidrRange{ranges, direct} {
		for _, r := range list {
			from = append(from, within([]*corev3.CidrRange{r}))
		}
	}
	for _, a := range from {
		if a.IsValid() && hold(direct, a) && hold(ranges, a) {
			return netip.AddrPortFrom(a, firstPort(m.GetSourcePorts()))
		}
	}
	return netip.AddrPort{} // no client is in both
}

func firstPort(ports []uint32) uint16 {
	if len(ports) == 0 || ports[0] > 65535 {
		return 0
	}
	return uint16(ports[0])
}

// within is an address in one of the ranges, the range's own where it is one;
// invalid where none can be read.
func within(ranges []*corev3.CidrRange) netip.Addr {
	for _, r := range ranges {
		if p, ok := prefixOf(r); ok {
			if a := p.Addr(); !a.IsUnspecified() {
				return a
			}
			return p.Addr().Next()
		}
	}
	return netip.Addr{}
}

// hold reports whether one of the ranges holds an address; none hold all.
func hold(ranges []*corev3.CidrRange, a netip.Addr) bool {
	return len(ranges) == 0 || slices.ContainsFunc(ranges, func(r *corev3.CidrRange) bool {
		p, ok := prefixOf(r)
		return ok && p.Contains(a)
	})
}

func prefixOf(r *corev3.CidrRange) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(r.GetAddressPrefix())
	if err != nil {
		return netip.Prefix{}, false
	}
	p, err := a.Prefix(int(min(r.GetPrefixLen().GetValue(), 128)))
	return netip.PrefixFrom(a, p.Bits()), err == nil
}

// onAnyPath is a match of headers alone.
func onAnyPath(ms []*routev3.HeaderMatcher) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}, Headers: ms}
}
