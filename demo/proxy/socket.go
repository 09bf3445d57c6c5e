package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/mesh"
)

// place is an address that a listener listens on.
type place struct {
	key     string // the same for two listeners that want the same socket
	network string
	address string
	shown   string
}

// placesOf are the addresses of a listener. It refuses what is not TCP, and any
// address of this machine that others may reach but the one for all of them,
// which the operator can only have meant.
func placesOf(l *listenerv3.Listener) ([]place, error) {
	addresses := []*corev3.Address{l.GetAddress()}
	for _, more := range l.GetAdditionalAddresses() {
		addresses = append(addresses, more.GetAddress())
	}
	var out []place
	for _, a := range addresses {
		s := a.GetSocketAddress()
		switch {
		case a.GetAddress() == nil:
			return nil, fmt.Errorf("error adding listener named '%s': %w", l.GetName(), errNoAddress)
		case s == nil || s.GetProtocol() != corev3.SocketAddress_TCP:
			return nil, fmt.Errorf("address %s: the built-in proxy listens on TCP only", mesh.Address(a))
		}
		ip, err := netip.ParseAddr(s.GetAddress())
		if err != nil {
			return nil, fmt.Errorf("address %s: malformed IP address: %s", mesh.Address(a), s.GetAddress())
		}
		if !ip.IsLoopback() && !ip.IsUnspecified() {
			return nil, fmt.Errorf("address %s: the built-in proxy listens on loopback (127.0.0.1, ::1) or on all addresses (0.0.0.0, ::), on no other", mesh.Address(a))
		}
		p := place{network: "tcp4", address: netip.AddrPortFrom(ip, uint16(s.GetPortValue())).String(), shown: mesh.Address(a)}
		switch {
		case ip.Is6() && s.GetIpv4Compat():
			p.network = "tcp"
		case ip.Is6():
			p.network = "tcp6"
		}
		p.key = p.network + " " + p.address
		if s.GetPortValue() == 0 { // each listener has a port of its own, and keeps it
			p.key += " " + l.GetName()
		}
		out = append(out, p)
	}
	return out, nil
}

// socket is an open port. One listener after the other may own it; without an
// owner, who connects waits.
type socket struct {
	key   string
	l     net.Listener
	users int                        // listeners that hold it; guarded by the node
	owner atomic.Pointer[generation] // nil until the first is active
}

// bind opens a port. The error is in Envoy's words.
func bind(p place) (*socket, error) {
	l, err := net.Listen(p.network, p.address)
	var why syscall.Errno
	switch {
	case err == nil:
		return &socket{key: p.key, l: l}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot bind '%s': Address already in use", p.shown)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot bind '%s': Permission denied", p.shown)
	case errors.As(err, &why):
		return nil, fmt.Errorf("cannot bind '%s': %w", p.shown, why)
	}
	return nil, fmt.Errorf("cannot bind '%s': %w", p.shown, err)
}

func (s *socket) close() { _ = s.l.Close() } // it was open, and is no more

// give makes g the one that new connections go to.
func (s *socket) give(n *node, g *generation) {
	if s.owner.Swap(g) == nil {
		n.tasks.Go("port "+s.key, func() error { return s.accept() })
	}
}

// accept hands connections to the owner until the socket is closed.
func (s *socket) accept() error {
	for {
		c, err := s.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // out of descriptors, or the client is gone: others may do better
			time.Sleep(5 * time.Millisecond)
			continue
		}
		s.hand(c)
	}
}

// hand gives a connection to the owner. One that drains takes none any more: its
// follower was made the owner before that, unless the socket is being closed.
func (s *socket) hand(c net.Conn) {
	for to := s.owner.Load(); !to.front.take(c); {
		next := s.owner.Load()
		if next == to {
			_ = c.Close()
			return
		}
		to = next
	}
}
