package envoy

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/mesh"
)

// PortsTaken tries to bind each TCP address that the mesh's listeners would
// take in that many local Envoys, and returns an error finding for each that
// cannot be had now, with who holds it where that can be known. Ask it before
// the Envoys are started: it cannot tell them from others.
func PortsTaken(m *mesh.Mesh, nodes int) []mesh.Finding {
	var out []mesh.Finding
	for _, r := range m.List(mesh.Listener) {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			continue
		}
		out = append(out, portsOf(r.Key, "address", l.GetAddress(), nodes)...)
		for i, more := range l.GetAdditionalAddresses() {
			out = append(out, portsOf(r.Key, fmt.Sprintf("additional_addresses[%d].address", i), more.GetAddress(), nodes)...)
		}
	}
	return out
}

func portsOf(k mesh.Key, path string, a *corev3.Address, nodes int) []mesh.Finding {
	socket := a.GetSocketAddress()
	if socket == nil || socket.GetProtocol() != corev3.SocketAddress_TCP || socket.GetPortValue() == 0 {
		return nil
	}
	var out []mesh.Finding
	for i := range nodes {
		port := socket.GetPortValue() + uint32(PortStep*i)
		message, hint := bindable(socket.GetAddress(), port)
		if message == "" {
			continue
		}
		out = append(out, mesh.Finding{
			Severity: mesh.Error, Rule: "port-taken", Key: k, Path: path + ".socket_address.port_value",
			Message: message, Hint: hint,
		})
	}
	return out
}

// Holder names the process of this machine that listens on the TCP port, as "nginx
// (pid 12)"; "" when nobody does, or it cannot be seen, as for a process of another
// user. The address narrows nothing down: one that listens on all addresses holds
// each.
func Holder(port uint32) string { return holder(port) }

// by is " by nginx (pid 12)", "" when the holder cannot be seen.
func by(port uint32) string {
	if h := holder(port); h != "" {
		return " by " + h
	}
	return ""
}

// bindable says why the port cannot be had and what to do, "" when it can.
func bindable(host string, port uint32) (message, hint string) {
	if port > 65535 {
		return fmt.Sprintf("port %d, where a further local Envoy would listen, is beyond 65535", port),
			"take a lower port or start fewer Envoys"
	}
	network := "tcp4" // "tcp" would take 0.0.0.0 for all addresses of both kinds
	if ip := net.ParseIP(host); ip == nil {
		return "", "" // a name: what it stands for is Envoy's business
	} else if ip.To4() == nil {
		network = "tcp6"
	}
	l, err := net.Listen(network, joinHostPort(host, port))
	switch {
	case err == nil:
		l.Close()
		return "", ""
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d is already taken on %s%s", port, host, by(port)), "end what holds it, or take another port"
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("port %d on %s is for root", port, host), "take a port above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("%s is no address of this machine", host), "use 127.0.0.1 or 0.0.0.0"
	}
	return fmt.Sprintf("port %d on %s cannot be had: %s", port, host, err), "take another address"
}
