package match

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// arrival is a connection that reached a listener.
type arrival struct {
	listener *listener
	why      string
	// to is the address that the connection was made to. It is invalid for a
	// pipe or an internal listener; filter chains then see no IP address.
	to netip.AddrPort
}

// arrive finds the listener that takes the request's connection. Without one it
// says why not.
func (m *Matcher) arrive(r *Request) (a arrival, wrong string) {
	switch {
	case r.Listener != "":
		l := m.byName[r.Listener]
		if l == nil {
			return arrival{}, fmt.Sprintf("there is no listener %q; %s", r.Listener, m.choice())
		}
		return m.handOver(l, m.destination(l, r), "named by the request"), ""
	case r.Port != 0 || r.Address.IsValid():
		return m.byAddress(r.Address, r.Port)
	}
	return m.byDefault(r)
}

// destination is the address that a connection to a named listener has. The
// port that the request says counts where the listener restores it; elsewhere
// a connection has no other than the listener's own.
func (m *Matcher) destination(l *listener, r *Request) netip.AddrPort {
	if len(l.bound) == 0 {
		return netip.AddrPort{}
	}
	own := l.bound[0]
	for _, b := range l.bound {
		if uint32(b.Port()) == r.Port {
			own = b
		}
	}
	addr, port := reached(own.Addr()), own.Port()
	if r.Address.IsValid() {
		addr = r.Address.Unmap()
	}
	if r.Port != 0 && r.Port <= 65535 && l.restores() {
		port = uint16(r.Port)
	}
	return netip.AddrPortFrom(addr, port)
}

// reached is the address by which a client on this machine reaches a socket.
func reached(bound netip.Addr) netip.Addr {
	switch {
	case bound == netip.IPv4Unspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case bound == netip.IPv6Unspecified():
		return netip.IPv6Loopback()
	}
	return bound
}

// byAddress follows a connection to an address, where the zero address and port
// stand for any: to the listener that is bound to it, else through one that
// iptables redirects to, else to one that only others hand connections to (of a
// dump, the part that redirects may be missing).
func (m *Matcher) byAddress(addr netip.Addr, port uint32) (arrival, string) {
	if port > 65535 {
		return arrival{}, fmt.Sprintf("%d is no port; %s", port, m.choice())
	}
	addr = addr.Unmap()
	if l, to := m.bestBound(addr, port, func(l *listener) bool { return l.binds }); l != nil {
		return m.handOver(l, to, "port "+strconv.Itoa(int(to.Port()))), ""
	}
	if a, ok := m.redirected(addr, port); ok {
		return a, ""
	}
	if l, to := m.bestBound(addr, port, func(l *listener) bool { return !l.binds }); l != nil {
		return arrival{listener: l, to: to, why: fmt.Sprintf("port %d, which others hand over to it", to.Port())}, ""
	}
	where := "port " + strconv.Itoa(int(port))
	if port == 0 {
		where = addr.String()
	} else if addr.IsValid() {
		where = netip.AddrPortFrom(addr, uint16(port)).String()
	}
	return arrival{}, fmt.Sprintf("nothing listens on %s; %s", where, m.choice())
}

// elsewhere stands for a destination that the request does not tell. It is of
// the range kept for documentation, so that only catch-all ranges hold it.
var elsewhere = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// redirected is a connection that iptables sends to a listener that restores
// original destinations, as in an Istio sidecar.
func (m *Matcher) redirected(addr netip.Addr, port uint32) (arrival, bool) {
	if port == 0 {
		return arrival{}, false
	}
	for _, l := range m.listeners {
		if !l.binds || !l.redirects() || len(l.bound) == 0 {
			continue
		}
		if !addr.IsValid() {
			// One of that port, whatever its address.
			if next, to := m.bestBound(addr, port, func(other *listener) bool { return other != l }); next != nil {
				return m.handOver(l, to, ""), true
			}
			addr = elsewhere
		}
		a := m.handOver(l, netip.AddrPortFrom(addr, uint16(port)), "")
		if a.listener != l || len(l.proto.GetFilterChains()) > 0 || l.proto.GetDefaultFilterChain() != nil {
			return a, true
		}
	}
	return arrival{}, false
}

// bestBound is the listener on an address, nil without one: the exact one before
// the wildcard, and the wildcard first where the address is not said.
func (m *Matcher) bestBound(addr netip.Addr, port uint32, wants func(*listener) bool) (best *listener, to netip.AddrPort) {
	rank := 0
	for _, l := range m.listeners {
		if !wants(l) {
			continue
		}
		for _, b := range l.bound {
			if port != 0 && uint32(b.Port()) != port {
				continue
			}
			got := fits(b.Addr(), addr)
			if got > rank {
				at := addr
				if !at.IsValid() {
					at = reached(b.Addr())
				}
				best, rank, to = l, got, netip.AddrPortFrom(at, b.Port())
			}
		}
	}
	return best, to
}

// fits ranks a bound address for a wanted one; 0 when it does not take it.
func fits(bound, wanted netip.Addr) int {
	switch {
	case bound == wanted:
		return 3
	case !wanted.IsValid() && bound.IsUnspecified():
		return 2
	case !wanted.IsValid():
		return 1
	case bound.IsUnspecified() && bound.Is4() == wanted.Is4():
		return 2
	}
	return 0
}

// handOver passes a connection on to the listener of the address that it was
// meant for: the exact one, else the wildcard on its port, else it stays.
func (m *Matcher) handOver(l *listener, to netip.AddrPort, why string) arrival {
	here := arrival{listener: l, why: why, to: to}
	if !l.redirects() || !to.IsValid() {
		return here
	}
	var next *listener
	rank := 0
	for _, other := range m.listeners {
		for _, b := range other.bound {
			if got := fits(b.Addr(), to.Addr()); b.Port() == to.Port() && got > rank {
				next, rank = other, got
			}
		}
	}
	if next == nil || next == l {
		if why == "" {
			here.why = fmt.Sprintf("takes what is meant for port %d, for which no listener is there", to.Port())
		}
		return here
	}
	return arrival{listener: next, to: to, why: fmt.Sprintf("listener %s hands over what is meant for port %d", called(l), to.Port())}
}

// byDefault chooses a listener for a request that names none.
func (m *Matcher) byDefault(r *Request) (arrival, string) {
	if only, ok := one(m.listeners, func(*listener) bool { return true }); ok {
		return m.handOver(only, m.destination(only, r), "the only listener"), ""
	}
	if port := portOf(r.Host); port != 0 {
		if a, wrong := m.byAddress(netip.Addr{}, port); wrong == "" {
			return a, ""
		}
	}
	standard := uint32(80)
	if r.TLS {
		standard = 443
	}
	if a, wrong := m.byAddress(netip.Addr{}, standard); wrong == "" {
		return a, ""
	}
	speaks := func(l *listener) bool { return l.binds && l.http() }
	if only, ok := one(m.listeners, speaks); ok {
		return m.handOver(only, m.destination(only, r), "the only listener that speaks HTTP"), ""
	}
	return arrival{}, fmt.Sprintf("the request says neither listener nor port, and none listens on port %d; %s", standard, m.choice())
}

func one(ls []*listener, wants func(*listener) bool) (only *listener, ok bool) {
	for _, l := range ls {
		if !wants(l) {
			continue
		}
		if only != nil {
			return nil, false
		}
		only = l
	}
	return only, only != nil
}

// portOf is the port in a Host, 0 when it names none.
func portOf(host string) uint32 {
	at := routes.PortStart(host)
	if at < 0 {
		return 0
	}
	port, err := strconv.ParseUint(host[at+1:], 10, 16)
	if err != nil {
		return 0
	}
	return uint32(port)
}

// maxNamed is how many alternatives a sentence names before it counts the rest.
const maxNamed = 5

// choice says which listeners there are.
func (m *Matcher) choice() string {
	if len(m.listeners) == 0 {
		return "the mesh has no listener at all"
	}
	return "there " + areNamed(m.listeners)
}

func areNamed(ls []*listener) string {
	names := make([]string, 0, len(ls))
	for _, l := range ls {
		name := called(l)
		if a := mesh.Address(l.proto.GetAddress()); a != "" {
			name += " (" + a + ")"
		}
		names = append(names, name)
	}
	verb := "are "
	if len(names) == 1 {
		verb = "is "
	}
	return verb + list(names)
}

// list joins names with commas and counts those beyond the first few.
func list(names []string) string {
	if len(names) > maxNamed+1 {
		more := len(names) - maxNamed
		names = append(slices.Clone(names[:maxNamed]), strconv.Itoa(more)+" others")
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func called(l *listener) string {
	if l.key.Name == "" {
		return "without a name"
	}
	return l.key.Name
}
