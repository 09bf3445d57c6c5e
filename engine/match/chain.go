package match

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/mesh"
)

// chain is one filter chain of a listener.
type chain struct {
	proto *listenerv3.FilterChain
	name  string // its name, else its index, "default" for the default one
	path  string // field path in the listener
	conn  connection
}

// chains are the filter chains of a listener, ready to be chosen from.
type chains struct {
	all      []*chain // in the order of the listener, without the default one
	fallback *chain
	matched  bool // any of all has a match that asks for something
	tree     bool // filter_chain_matcher decides, not the chains themselves
}

func newChains(key mesh.Key, l *listenerv3.Listener) chains {
	var cs chains
	for i, c := range l.GetFilterChains() {
		name := c.GetName()
		if name == "" {
			name = strconv.Itoa(i)
		}
		path := "filter_chains[" + strconv.Itoa(i) + "]"
		cs.all = append(cs.all, &chain{proto: c, name: name, path: path, conn: newConnection(key, path, c)})
		cs.matched = cs.matched || !unconditional(c.GetFilterChainMatch())
	}
	if c := l.GetDefaultFilterChain(); c != nil {
		path := "default_filter_chain"
		cs.fallback = &chain{proto: c, name: "default", path: path, conn: newConnection(key, path, c)}
	}
	if api := l.GetApiListener().GetApiListener(); api != nil {
		path := "api_listener.api_listener"
		cs.all = append(cs.all, &chain{proto: &listenerv3.FilterChain{}, name: "api_listener", path: path, conn: apiConnection(key, path, api)})
	}
	cs.tree = l.GetFilterChainMatcher() != nil
	return cs
}

func unconditional(m *listenerv3.FilterChainMatch) bool {
	return m.GetDestinationPort() == nil && len(m.GetPrefixRanges()) == 0 && len(m.GetServerNames()) == 0 &&
		m.GetTransportProtocol() == "" && len(m.GetApplicationProtocols()) == 0 &&
		len(m.GetDirectSourcePrefixRanges()) == 0 && m.GetSourceType() == listenerv3.FilterChainMatch_ANY &&
		len(m.GetSourcePrefixRanges()) == 0 && len(m.GetSourcePorts()) == 0
}

// client is what a listener knows of a connection when it chooses a chain.
type client struct {
	to, from  netip.AddrPort // to is invalid for a pipe
	sni       string         // lower case; "" when unknown
	transport string         // "tls" or "raw_buffer"
	alpn      []string
}

// localSource is the client of a request that names none.
var localSource = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// know tells what the listener filters find out about a connection: without
// them Envoy knows its addresses alone, and takes even TLS for plain bytes.
func (l *listener) know(r *Request, to netip.AddrPort) client {
	c := client{to: to, from: r.Source, transport: "raw_buffer"}
	if !c.from.IsValid() {
		c.from = localSource
	}
	c.from = netip.AddrPortFrom(c.from.Addr().Unmap(), c.from.Port())
	port := uint32(to.Port())
	switch {
	case r.TLS && runs(l.filter(tlsInspectorType), port):
		c.transport, c.sni, c.alpn = "tls", strings.ToLower(r.SNI), r.ALPN
	case !r.TLS && runs(l.filter(httpInspectorType), port):
		c.alpn = []string{httpVersion(r)}
	}
	return c
}

// httpVersion is the protocol that an HTTP inspector finds in plain text.
func httpVersion(r *Request) string {
	switch {
	case r.HTTP2:
		return "h2c"
	case r.HTTP10:
		return "http/1.0"
	}
	return "http/1.1"
}

// criterion is one question that Envoy asks of all chains that are left, in its
// fixed order. The chains with the best answer stay; the others are out for
// good, even where the best ones fail at a later question.
type criterion struct {
	name string
	// rank is how well a match answers: higher is better, 0 leaves the chain out.
	rank func(*listenerv3.FilterChainMatch, *client) int
	// says is what a chain asks for, for people.
	says func(*listenerv3.FilterChainMatch) string
	// got is what the connection has.
	got func(*client) string
}

// choose is the chain that takes a connection; nil when none does. asked is the
// criterion that left none, for the reason.
func (cs *chains) choose(c *client) (chosen *chain, asked *criterion) {
	left := cs.all
	if !cs.matched && len(left) > 0 {
		return left[0], nil
	}
	for i := range criteria {
		rest := best(left, &criteria[i], c)
		if len(rest) == 0 {
			return cs.fallback, &criteria[i]
		}
		left = rest
	}
	if len(left) == 0 {
		return cs.fallback, nil
	}
	return left[0], nil
}

func best(left []*chain, by *criterion, c *client) []*chain {
	top := 0
	var out []*chain
	for _, each := range left {
		rank := by.rank(each.proto.GetFilterChainMatch(), c)
		if rank > top {
			top, out = rank, out[:0]
		}
		if rank > 0 && rank == top {
			out = append(out, each)
		}
	}
	return out
}

// criteria are the questions in Envoy's order.
var criteria = []criterion{
	{name: "destination port", rank: destinationPort, says: saysPort, got: func(c *client) string { return strconv.Itoa(int(c.to.Port())) }},
	{name: "destination address", rank: destinationAddress, says: func(m *listenerv3.FilterChainMatch) string { return ranges(m.GetPrefixRanges()) }, got: func(c *client) string { return c.to.Addr().String() }},
	{name: "server name", rank: serverName, says: func(m *listenerv3.FilterChainMatch) string { return strings.Join(m.GetServerNames(), ", ") }, got: func(c *client) string { return c.sni }},
	{name: "transport protocol", rank: transportProtocol, says: (*listenerv3.FilterChainMatch).GetTransportProtocol, got: func(c *client) string { return c.transport }},
	{name: "application protocol", rank: applicationProtocol, says: func(m *listenerv3.FilterChainMatch) string { return strings.Join(m.GetApplicationProtocols(), ", ") }, got: func(c *client) string { return strings.Join(c.alpn, ", ") }},
	{name: "direct source address", rank: directSource, says: func(m *listenerv3.FilterChainMatch) string { return ranges(m.GetDirectSourcePrefixRanges()) }, got: func(c *client) string { return c.from.Addr().String() }},
	{name: "source type", rank: sourceType, says: saysSource, got: func(c *client) string { return sourceOf(c).String() }},
	{name: "source address", rank: sourceAddress, says: func(m *listenerv3.FilterChainMatch) string { return ranges(m.GetSourcePrefixRanges()) }, got: func(c *client) string { return c.from.Addr().String() }},
	{name: "source port", rank: sourcePort, says: saysSourcePorts, got: func(c *client) string { return strconv.Itoa(int(c.from.Port())) }},
}

func destinationPort(m *listenerv3.FilterChainMatch, c *client) int {
	switch wanted := m.GetDestinationPort(); {
	case wanted.GetValue() == 0:
		return 1
	case c.to.IsValid() && wanted.GetValue() == uint32(c.to.Port()):
		return 2
	}
	return 0
}

func destinationAddress(m *listenerv3.FilterChainMatch, c *client) int {
	return longest(m.GetPrefixRanges(), c.to.Addr())
}

func directSource(m *listenerv3.FilterChainMatch, c *client) int {
	return longest(m.GetDirectSourcePrefixRanges(), c.from.Addr())
}

func sourceAddress(m *listenerv3.FilterChainMatch, c *client) int {
	return longest(m.GetSourcePrefixRanges(), c.from.Addr())
}

// longest ranks an address by the longest of the ranges that holds it. No range
// at all holds everything, but less closely than any range does; an address
// that is none (a pipe) is held by nothing else.
func longest(rs []*corev3.CidrRange, addr netip.Addr) int {
	if len(rs) == 0 {
		return 1
	}
	top := 0
	for _, r := range rs {
		if p, ok := prefix(r); ok && addr.IsValid() && p.Contains(addr) {
			top = max(top, p.Bits()+2)
		}
	}
	return top
}

func prefix(r *corev3.CidrRange) (netip.Prefix, bool) {
	addr, err := netip.ParseAddr(r.GetAddressPrefix())
	if err != nil || r.GetPrefixLen().GetValue() > 128 {
		return netip.Prefix{}, false
	}
	p := netip.PrefixFrom(addr, int(r.GetPrefixLen().GetValue()))
	return p, p.IsValid()
}

// serverName ranks by the exact name, then by the longest wildcard that covers
// it. A wildcard covers whole labels, and never the last one alone.
func serverName(m *listenerv3.FilterChainMatch, c *client) int {
	if len(m.GetServerNames()) == 0 {
		return 1
	}
	top := 0
	for _, name := range m.GetServerNames() {
		name = strings.ToLower(name)
		switch suffix, wildcard := strings.CutPrefix(name, "*"); {
		case c.sni == "":
		case !wildcard && name == c.sni:
			return 1 << 20
		case wildcard && coversName(suffix, c.sni):
			top = max(top, len(suffix)+1)
		}
	}
	return top
}

// coversName reports whether ".example.com" covers a name, as Envoy looks it
// up: from each dot but a leading one, the last character excepted.
func coversName(suffix, name string) bool {
	at := len(name) - len(suffix)
	return at >= 1 && strings.HasPrefix(suffix, ".") && len(suffix) > 1 && name[at:] == suffix
}

func transportProtocol(m *listenerv3.FilterChainMatch, c *client) int {
	switch m.GetTransportProtocol() {
	case "":
		return 1
	case c.transport:
		return 2
	}
	return 0
}

// applicationProtocol ranks by the client's own order of preference.
func applicationProtocol(m *listenerv3.FilterChainMatch, c *client) int {
	if len(m.GetApplicationProtocols()) == 0 {
		return 1
	}
	for i, p := range c.alpn {
		if slices.Contains(m.GetApplicationProtocols(), p) {
			return 1 + len(c.alpn) - i
		}
	}
	return 0
}

// sourceOf tells clients on this machine from others. Of IPv4's loopback range
// Envoy takes 127.0.0.1 alone.
func sourceOf(c *client) listenerv3.FilterChainMatch_ConnectionSourceType {
	from := c.from.Addr()
	if from == localSource.Addr() || from == netip.IPv6Loopback() || from == c.to.Addr() {
		return listenerv3.FilterChainMatch_SAME_IP_OR_LOOPBACK
	}
	return listenerv3.FilterChainMatch_EXTERNAL
}

func sourceType(m *listenerv3.FilterChainMatch, c *client) int {
	switch m.GetSourceType() {
	case listenerv3.FilterChainMatch_ANY:
		return 1
	case sourceOf(c):
		return 2
	}
	return 0
}

func sourcePort(m *listenerv3.FilterChainMatch, c *client) int {
	switch {
	case len(m.GetSourcePorts()) == 0:
		return 1
	case slices.Contains(m.GetSourcePorts(), uint32(c.from.Port())):
		return 2
	}
	return 0
}

func ranges(rs []*corev3.CidrRange) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.GetAddressPrefix()+"/"+strconv.Itoa(int(r.GetPrefixLen().GetValue())))
	}
	return strings.Join(out, ", ")
}

func saysPort(m *listenerv3.FilterChainMatch) string {
	if m.GetDestinationPort() == nil {
		return ""
	}
	return strconv.Itoa(int(m.GetDestinationPort().GetValue()))
}

func saysSource(m *listenerv3.FilterChainMatch) string {
	if m.GetSourceType() == listenerv3.FilterChainMatch_ANY {
		return ""
	}
	return m.GetSourceType().String()
}

func saysSourcePorts(m *listenerv3.FilterChainMatch) string {
	var out []string
	for _, p := range m.GetSourcePorts() {
		out = append(out, strconv.Itoa(int(p)))
	}
	return strings.Join(out, ", ")
}
