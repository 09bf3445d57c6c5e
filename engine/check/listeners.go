package check

import (
	"fmt"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// maxPipePath is the longest path that a unix domain socket can have, in bytes.
const maxPipePath = 107

// firstUnprivileged is the first port that needs no privilege to bind.
const firstUnprivileged = 1024

// resourceName reports resources without a name. Generated validation asks for
// the names of clusters and endpoints; of the others it does not.
func resourceName(c *checker) {
	for _, r := range c.mesh.All() {
		if r.Key.Name != "" {
			continue
		}
		switch r.Key.Type {
		case mesh.Listener:
			c.report(mesh.Warning, r.Key, "", "this listener has no name, so Envoy calls it by a random one",
				"give it a name: without one it cannot be changed or removed by a later push")
		case mesh.Route, mesh.Secret:
			c.report(mesh.Error, r.Key, "", fmt.Sprintf("this %s has no name, and Envoy asks for it by name", r.Key.Type),
				"give it the name that is used where it is referred to")
		}
	}
}

// listenerAddress reports listeners that listen nowhere.
func listenerAddress(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		if l.GetAddress().GetAddress() == nil && l.GetApiListener() == nil && l.GetInternalListener() == nil {
			c.report(mesh.Error, n.key, n.at("address"), "this listener has no address, and Envoy rejects it",
				"add address: {socket_address: {address: 127.0.0.1, port_value: 10000}} or a pipe")
		}
	})
}

// listenerIP reports listeners whose address is a host name.
func listenerIP(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		for _, a := range addresses(l) {
			s := a.address.GetSocketAddress()
			if s == nil || s.GetResolverName() != "" || s.GetAddress() == "" {
				continue
			}
			if _, err := netip.ParseAddr(s.GetAddress()); err != nil {
				c.report(mesh.Error, n.key, a.path+".socket_address.address",
					fmt.Sprintf("a listener binds an IP address, and %q is none", s.GetAddress()),
					"write the address of an interface, 127.0.0.1 or 0.0.0.0")
			}
		}
	})
}

// filterChains reports listeners that Envoy rejects because nothing handles a
// connection.
func filterChains(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		udp := l.GetAddress().GetSocketAddress().GetProtocol() == corev3.SocketAddress_UDP
		if len(l.GetFilterChains()) == 0 && l.GetDefaultFilterChain() == nil && l.GetApiListener() == nil && !udp {
			c.report(mesh.Error, n.key, n.at("filter_chains"), "this listener has no filter chain, and Envoy rejects it",
				"add a filter chain with an HTTP connection manager or a TCP proxy")
		}
	})
}

// emptyFilterChain reports chains that close every connection.
func emptyFilterChain(c *checker) {
	each(c, func(n node, f *listenerv3.FilterChain) {
		if len(f.GetFilters()) == 0 {
			c.report(mesh.Error, n.key, n.path, "this filter chain has no filters: Envoy ACKs it and then closes its connections",
				"add an HTTP connection manager or a TCP proxy, or remove the chain")
		}
	})
}

// duplicateChainMatch reports filter chains that match the same connections.
func duplicateChainMatch(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		if l.GetFilterChainMatcher() != nil {
			return
		}
		for i, chain := range l.GetFilterChains() {
			for j, earlier := range l.GetFilterChains()[:i] {
				if sameMatch(chain, earlier) {
					c.report(mesh.Error, n.key, n.item("filter_chains", i),
						fmt.Sprintf("filter chain %d matches the same connections as filter chain %d, and Envoy rejects that", i, j),
						"give them different matches, or remove one")
					break
				}
			}
		}
	})
}

// The listener filters that look into the first bytes of a connection.
const (
	tlsInspector  = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
	httpInspector = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"
)

// missingInspector reports chains that wait for what only a listener filter
// reads: Envoy adds none by itself.
func missingInspector(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		seen, sure := inspectors(l)
		if !sure || seen[tlsInspector] {
			return
		}
		for i, chain := range l.GetFilterChains() {
			m := chain.GetFilterChainMatch()
			what := ""
			switch {
			case len(m.GetServerNames()) > 0:
				what = "server_names"
			case m.GetTransportProtocol() == "tls":
				what = "transport_protocol"
			case len(m.GetApplicationProtocols()) > 0 && !seen[httpInspector]:
				what = "application_protocols"
			default:
				continue
			}
			c.report(mesh.Warning, n.key, n.item("filter_chains", i)+".filter_chain_match."+what,
				fmt.Sprintf("no connection reaches filter chain %d: nothing on this listener reads a TLS hello, so %s is never known", i, what),
				"add the listener filter envoy.filters.listener.tls_inspector")
		}
	})
}

// inspectors are the types of a listener's filters. sure is false where one of
// them is not known here, and where connections are no TCP connections.
func inspectors(l *listenerv3.Listener) (seen map[string]bool, sure bool) {
	seen = map[string]bool{}
	if l.GetUdpListenerConfig() != nil || l.GetFilterChainMatcher() != nil {
		return seen, false
	}
	for _, f := range l.GetListenerFilters() {
		if f.GetTypedConfig() == nil {
			return seen, false
		}
		seen[string(f.GetTypedConfig().MessageName())] = true
	}
	return seen, true
}

func sameMatch(a, b *listenerv3.FilterChain) bool {
	none := &listenerv3.FilterChainMatch{}
	x, y := a.GetFilterChainMatch(), b.GetFilterChainMatch()
	if x == nil {
		x = none
	}
	if y == nil {
		y = none
	}
	return proto.Equal(x, y)
}

// duplicateAddress reports listeners that want the same address.
func duplicateAddress(c *checker) {
	first := map[string]mesh.Key{}
	each(c, func(n node, l *listenerv3.Listener) {
		if !binds(l) {
			return
		}
		for _, a := range addresses(l) {
			if a.address.GetSocketAddress() != nil && a.address.GetSocketAddress().GetPortValue() == 0 {
				continue // the kernel chooses a port for each
			}
			other, taken := first[a.text]
			if !taken {
				first[a.text] = n.key
				continue
			}
			c.report(mesh.Error, n.key, a.path,
				fmt.Sprintf("listener %q wants %s, which listener %q has already", n.key.Name, mesh.Address(a.address), other.Name),
				"give one of them another port: Envoy takes the first and rejects the other")
		}
	})
}

// privilegedPort notes ports that an ordinary user may not bind.
func privilegedPort(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		if !binds(l) {
			return
		}
		for _, a := range addresses(l) {
			if p := a.address.GetSocketAddress().GetPortValue(); p > 0 && p < firstUnprivileged {
				c.report(mesh.Note, n.key, a.path+".socket_address.port_value",
					fmt.Sprintf("port %d is privileged", p),
					"run Envoy with CAP_NET_BIND_SERVICE, or choose a port from 1024 on")
			}
		}
	})
}

// pipePath reports paths that no unix domain socket can have.
func pipePath(c *checker) {
	each(c, func(n node, p *corev3.Pipe) {
		if len(p.GetPath()) > maxPipePath {
			c.report(mesh.Error, n.key, n.at("path"),
				fmt.Sprintf("this path has %d bytes, and that of a unix domain socket has at most %d", len(p.GetPath()), maxPipePath),
				"choose a shorter one")
		}
	})
}

// apiListener reports listeners that are for gRPC clients and for Envoys at once.
func apiListener(c *checker) {
	each(c, func(n node, l *listenerv3.Listener) {
		if l.GetApiListener() != nil && (len(l.GetFilterChains()) > 0 || l.GetDefaultFilterChain() != nil) {
			c.report(mesh.Warning, n.key, n.at("api_listener"),
				"this listener is one for gRPC clients, which take its api_listener alone, and Envoy ACKs it without opening its address",
				"make two of it, each with a name of its own: one with api_listener, one with filter_chains")
		}
	})
}

// binds reports whether a listener opens a socket of its own: one with
// bind_to_port false gets its connections from another listener.
func binds(l *listenerv3.Listener) bool {
	return l.GetBindToPort() == nil || l.GetBindToPort().GetValue()
}

// bound is one address that a listener binds.
type bound struct {
	address *corev3.Address
	path    string
	text    string // equal for addresses that exclude each other
}

// addresses lists the addresses that a listener binds.
func addresses(l *listenerv3.Listener) []bound {
	var out []bound
	add := func(a *corev3.Address, path string) {
		if text := addressKey(a); text != "" {
			out = append(out, bound{a, path, text})
		}
	}
	add(l.GetAddress(), "address")
	for i, a := range l.GetAdditionalAddresses() {
		add(a.GetAddress(), fmt.Sprintf("additional_addresses[%d].address", i))
	}
	return out
}

// addressKey is equal for addresses that exclude each other, "" for none.
func addressKey(a *corev3.Address) string {
	text := mesh.Address(a)
	if text == "" || a.GetSocketAddress() == nil {
		return text
	}
	return a.GetSocketAddress().GetProtocol().String() + " " + text
}
