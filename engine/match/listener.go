package match

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// The types of the listener filters that bear on what is known of a connection.
const (
	originalDestinationType = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
	tlsInspectorType        = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
	httpInspectorType       = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"
	proxyProtocolType       = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
)

// listener is one listener with its addresses; what is behind them is compiled
// when a request asks for it.
type listener struct {
	key   mesh.Key
	proto *listenerv3.Listener
	bound []netip.AddrPort // TCP sockets, its own address first
	binds bool             // accepts connections itself, not only from another listener

	once   sync.Once
	chains chains
}

func newListener(key mesh.Key, l *listenerv3.Listener) *listener {
	if l == nil {
		l = &listenerv3.Listener{}
	}
	n := &listener{key: key, proto: l, binds: l.GetBindToPort() == nil || l.GetBindToPort().GetValue()}
	if v1 := l.GetDeprecatedV1().GetBindToPort(); v1 != nil && !v1.GetValue() {
		n.binds = false
	}
	n.bind(l.GetAddress())
	for _, a := range l.GetAdditionalAddresses() {
		n.bind(a.GetAddress())
	}
	return n
}

func (l *listener) bind(a *corev3.Address) {
	s := a.GetSocketAddress()
	if s == nil || s.GetProtocol() == corev3.SocketAddress_UDP {
		return
	}
	if ip, err := netip.ParseAddr(s.GetAddress()); err == nil && s.GetPortValue() <= 65535 {
		port := uint16(s.GetPortValue())
		l.bound = append(l.bound, netip.AddrPortFrom(ip.Unmap(), port))
		if ip == netip.IPv6Unspecified() && s.GetIpv4Compat() {
			l.bound = append(l.bound, netip.AddrPortFrom(netip.IPv4Unspecified(), port))
		}
	}
}

// port is that of its own address, 0 without one.
func (l *listener) port() uint32 { return l.proto.GetAddress().GetSocketAddress().GetPortValue() }

func (l *listener) compiled() *chains {
	l.once.Do(func() { l.chains = newChains(l.key, l.proto) })
	return &l.chains
}

// http reports whether a filter chain ends in an HTTP connection manager. It
// looks at types alone, so that a list of listeners compiles nothing.
func (l *listener) http() bool {
	if l.proto.GetApiListener() != nil {
		return typeIn(l.proto.GetApiListener().GetApiListener()) == managerType
	}
	return slices.ContainsFunc(l.proto.GetFilterChains(), speaksHTTP) || speaksHTTP(l.proto.GetDefaultFilterChain())
}

func speaksHTTP(c *listenerv3.FilterChain) bool {
	return slices.ContainsFunc(c.GetFilters(), func(f *listenerv3.Filter) bool { return typeIn(f.GetTypedConfig()) == managerType })
}

// redirects reports whether it hands a connection to the listener of the
// address that the connection was meant for.
func (l *listener) redirects() bool { return l.proto.GetUseOriginalDst().GetValue() }

// restores reports whether it knows the address that a connection was meant for
// before iptables sent it here.
func (l *listener) restores() bool {
	return l.redirects() || l.filter(originalDestinationType) != nil
}

// filter is its listener filter of a type, nil without one.
func (l *listener) filter(kind string) *listenerv3.ListenerFilter {
	for _, f := range l.proto.GetListenerFilters() {
		if typeIn(f.GetTypedConfig()) == kind {
			return f
		}
	}
	return nil
}

// runs reports whether a listener filter looks at connections to a port.
func runs(f *listenerv3.ListenerFilter, port uint32) bool {
	return f != nil && (f.GetFilterDisabled() == nil || !holds(f.GetFilterDisabled(), port))
}

// holds evaluates the predicate that disables a listener filter. It knows no
// other rules than Envoy does: ports, any, and their combinations.
func holds(p *listenerv3.ListenerFilterChainMatchPredicate, port uint32) bool {
	switch rule := p.GetRule().(type) {
	case *listenerv3.ListenerFilterChainMatchPredicate_AnyMatch:
		return rule.AnyMatch
	case *listenerv3.ListenerFilterChainMatchPredicate_NotMatch:
		return !holds(rule.NotMatch, port)
	case *listenerv3.ListenerFilterChainMatchPredicate_DestinationPortRange:
		r := rule.DestinationPortRange
		return int64(port) >= int64(r.GetStart()) && int64(port) < int64(r.GetEnd())
	case *listenerv3.ListenerFilterChainMatchPredicate_OrMatch:
		for _, each := range rule.OrMatch.GetRules() {
			if holds(each, port) {
				return true
			}
		}
		return false
	case *listenerv3.ListenerFilterChainMatchPredicate_AndMatch:
		for _, each := range rule.AndMatch.GetRules() {
			if !holds(each, port) {
				return false
			}
		}
		return true
	}
	return false
}

// typeIn is the name of the message packed in an Any. For a configuration that
// was carried as it came it is the type that the operator wrote.
func typeIn(a *anypb.Any) string {
	url := a.GetTypeUrl()
	if strings.HasSuffix(url, "/xds.type.v3.TypedStruct") || strings.HasSuffix(url, "/udpa.type.v1.TypedStruct") {
		if m, err := a.UnmarshalNew(); err == nil {
			if typed, ok := m.(interface{ GetTypeUrl() string }); ok {
				url = typed.GetTypeUrl()
			}
		}
	}
	return url[strings.LastIndexByte(url, '/')+1:]
}
