package match

import (
	"strconv"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
)

// normalHost is the Host after the connection manager has taken off a trailing
// dot and a port, as far as it is told to. port is the listener's.
func normalHost(host string, m *hcmv3.HttpConnectionManager, port uint32) string {
	if m.GetStripTrailingHostDot() {
		host = withoutDot(host)
	}
	switch {
	case m.GetStripAnyHostPort():
		return withoutPort(host, 0)
	case m.GetStripMatchingHostPort():
		return withoutPort(host, port)
	}
	return host
}

// withoutDot takes off the dot that ends the name, also before a port.
func withoutDot(host string) string {
	dot := strings.LastIndexByte(host, '.')
	switch {
	case dot < 0:
		return host
	case dot == len(host)-1:
		return host[:dot]
	case host[dot+1] == ':':
		return host[:dot] + host[dot+1:]
	}
	return host
}

// withoutPort takes a port off; only that one unless it is 0.
func withoutPort(host string, only uint32) string {
	at := routes.PortStart(host)
	if at < 0 {
		return host
	}
	port, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(host[at+1:]), "+"), 10, 32)
	if err != nil || only != 0 && uint32(port) != only {
		return host
	}
	return host[:at]
}
