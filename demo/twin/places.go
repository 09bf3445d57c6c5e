package twin

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Twins listen shift ports above what the mesh says, or further steps of it where
// that is taken: between the ports of two local Envoys.
const shift = 50

// places are where the twin listens in place of what the mesh says: on loopback,
// on ports of its own. What was given once is kept, so that a reload closes no
// port that goes on.
type places struct {
	dir   string            // holds unix sockets
	given map[string]string // from an address of the mesh to one here, both as "host:port" or a path
	free  func(address string) bool
}

func newPlaces(dir string) *places {
	return &places{dir: dir, given: map[string]string{}, free: free}
}

// free reports whether somebody could listen on the address now.
func free(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// move is the mesh with every listener's addresses moved to where the twin
// listens. It leaves m as it is.
func (p *places) move(m *mesh.Mesh) (*mesh.Mesh, error) {
	for _, r := range m.List(mesh.Listener) {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			continue
		}
		clone := proto.CloneOf(l)
		p.address(clone.GetAddress())
		for _, more := range clone.GetAdditionalAddresses() {
			p.address(more.GetAddress())
		}
		moved, err := mesh.NewResource(clone, mesh.Source{})
		if err != nil {
			return nil, fmt.Errorf("moving %s for nginx: %w", r.Key, err)
		}
		m = m.Replace(r.Key, moved)
	}
	return m, nil
}

// address moves one address in place. What cannot be moved stays; nginx says
// what is wrong with it.
func (p *places) address(a *corev3.Address) {
	if pipe := a.GetPipe(); pipe.GetPath() != "" {
		pipe.Path = p.of(bound(a))
		return
	}
	s := a.GetSocketAddress()
	if s.GetPortValue() == 0 || s.GetProtocol() != corev3.SocketAddress_TCP {
		return
	}
	host, port, err := net.SplitHostPort(p.of(bound(a)))
	if err != nil {
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		s.Address, s.PortSpecifier = host, &corev3.SocketAddress_PortValue{PortValue: uint32(n)}
	}
}

// of is where the twin listens in place of an address.
func (p *places) of(address string) string {
	if here, ok := p.given[address]; ok {
		return here
	}
	here := p.choose(address)
	p.given[address] = here
	return here
}

func (p *places) choose(address string) string {
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@") {
		return filepath.Join(p.dir, fmt.Sprintf("%d.sock", len(p.given)))
	}
	host, port, err := net.SplitHostPort(address)
	wished, perr := strconv.Atoi(port)
	if err != nil || perr != nil {
		return address // nginx says what is wrong with it
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		host = "127.0.0.1"
	}
	for n := wished + shift; n <= wished+10*shift && n < 1<<16; n += shift {
		if here := net.JoinHostPort(host, strconv.Itoa(n)); !p.taken(here) && p.free(here) {
			return here
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return net.JoinHostPort(host, strconv.Itoa(wished)) // nginx says what is wrong with this host
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *places) taken(here string) bool {
	for _, other := range p.given {
		if other == here {
			return true
		}
	}
	return false
}

// forget gives up the places that another program has taken, so that move
// chooses others. Those that nginx itself holds now, by their addresses in the
// mesh, are kept.
func (p *places) forget(held map[string]string) {
	for address, here := range p.given {
		if held[address] != here && !strings.HasPrefix(here, "/") && !p.free(here) {
			delete(p.given, address)
		}
	}
}

// listeners are the places that the mesh's listeners have now, by their addresses
// in the mesh.
func (p *places) listeners(m *mesh.Mesh) map[string]string {
	out := map[string]string{}
	for _, r := range m.List(mesh.Listener) {
		l, _ := r.Message.(*listenerv3.Listener)
		for _, a := range bindings(l) {
			if here, ok := p.given[bound(a)]; ok {
				out[bound(a)] = here
			}
		}
	}
	return out
}

// bindings are all the addresses of a listener.
func bindings(l *listenerv3.Listener) []*corev3.Address {
	out := []*corev3.Address{l.GetAddress()}
	for _, more := range l.GetAdditionalAddresses() {
		out = append(out, more.GetAddress())
	}
	return out
}

// bound is an address as "host:port", or the path of a unix socket.
func bound(a *corev3.Address) string {
	if path := a.GetPipe().GetPath(); path != "" {
		return path
	}
	s := a.GetSocketAddress()
	return net.JoinHostPort(s.GetAddress(), strconv.FormatUint(uint64(s.GetPortValue()), 10))
}
