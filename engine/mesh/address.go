package mesh

import (
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// Address is an address as people write it: "127.0.0.1:9001", "[::1]:9001",
// "/run/app.sock" or "@abstract" for a pipe, "internal:NAME" for an internal
// listener; "127.0.0.1:http" where the port is named; "" for no address.
func Address(a *corev3.Address) string {
	switch {
	case a.GetSocketAddress() != nil:
		s := a.GetSocketAddress()
		host := s.GetAddress()
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if s.GetNamedPort() != "" {
			return host + ":" + s.GetNamedPort()
		}
		return host + ":" + strconv.FormatUint(uint64(s.GetPortValue()), 10)
	case a.GetPipe() != nil:
		return a.GetPipe().GetPath()
	case a.GetEnvoyInternalAddress() != nil:
		return "internal:" + a.GetEnvoyInternalAddress().GetServerListenerName()
	}
	return ""
}

// ParseAddress is the reverse of Address for what an operator may type: a host
// and port, or a pipe that begins with "/" or "@". ok is false for anything
// else, such as a port above 65535 or an IPv6 address without its brackets.
func ParseAddress(s string) (a *corev3.Address, ok bool) {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "@") {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: s}}}, true
	}
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return nil, false
	}
	host, digits := s[:i], s[i+1:]
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return nil, false
	}
	if bare, isV6 := strings.CutPrefix(host, "["); isV6 {
		if host, isV6 = strings.CutSuffix(bare, "]"); !isV6 {
			return nil, false
		}
	} else if strings.Contains(host, ":") {
		return nil, false
	}
	if host == "" || strings.ContainsAny(host, "/ []") {
		return nil, false
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}, true
}
