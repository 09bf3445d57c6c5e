package importer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// maxPorts is how many ports one range may name: each is a listener.
const maxPorts = 64

// sites gathers the servers of http {} by the addresses that they listen on, in
// the order in which the file first names them.
func (im *importer) sites(http *conf.Directive) []*site {
	var out []*site
	byAddress := map[string]*site{}
	add := func(d, listen *conf.Directive, sp spot) {
		key := sp.name()
		s := byAddress[key]
		if s == nil {
			s = &site{address: sp.address(), name: key, port: sp.port, pipe: sp.pipe != ""}
			byAddress[key] = s
			out = append(out, s)
		}
		if n := len(s.servers); n > 0 && s.servers[n-1].d == d {
			return // nginx refuses a second listen of the same address in one server
		}
		s.add(&server{d: d, listen: listen, names: serverNames(d), tls: encrypted(d, listen)})
	}
	for _, d := range http.Children("server") {
		im.claimed[d] = true
		listens := d.Children("listen")
		if len(listens) == 0 {
			add(d, nil, spot{port: 80})
		}
		for _, l := range listens {
			for _, sp := range im.spots(l) {
				add(d, l, sp)
			}
		}
	}
	return out
}

func (s *site) add(sv *server) {
	s.servers = append(s.servers, sv)
	if s.first == nil {
		s.first = sv
	}
	if asksDefault(sv.listen) && !asksDefault(s.first.listen) {
		s.first = sv
	}
}

func asksDefault(listen *conf.Directive) bool {
	return listen != nil && (listen.Flag("default_server") || listen.Flag("default"))
}

// encrypted reports whether nginx speaks TLS on this listen: its own flag, or
// the old directive `ssl on`.
func encrypted(d, listen *conf.Directive) bool {
	if listen != nil && listen.Flag("ssl") {
		return true
	}
	for _, s := range d.Children("ssl") {
		if s.Arg(0) == "on" {
			return true
		}
	}
	return false
}

// spot is where nginx binds: an IP address and port, or a unix socket. The zero
// IP is every IPv4 address.
type spot struct {
	ip   netip.Addr
	port uint32
	pipe string
	both bool // IPv6 that takes IPv4 too: ipv6only=off
}

// address is the spot in Envoy's words.
func (sp spot) address() *corev3.Address {
	if sp.pipe != "" {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: sp.pipe}}}
	}
	ip := "0.0.0.0"
	if sp.ip.IsValid() {
		ip = sp.ip.String()
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, Ipv4Compat: sp.both, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: sp.port}}}}
}

// name is the name of the listener there: "listen-8080" for every address,
// "listen-127.0.0.1-8080" for one.
func (sp spot) name() string {
	switch {
	case sp.pipe != "":
		return "listen-unix:" + sp.pipe
	case !sp.ip.IsValid():
		return fmt.Sprintf("listen-%d", sp.port)
	case sp.ip.Is6():
		return fmt.Sprintf("listen-[%s]-%d", sp.ip, sp.port)
	}
	return fmt.Sprintf("listen-%s-%d", sp.ip, sp.port)
}

// spots are what a listen directive binds, one for each port of a range. What
// Envoy cannot bind is reported.
func (im *importer) spots(l *conf.Directive) []spot {
	if l.Flag("quic") {
		im.none(l, "HTTP/3 over QUIC needs a UDP listener with a QUIC transport socket, which is not made", "keep the TCP listener; browsers fall back to HTTP/2")
		return nil
	}
	first, last, why := parseListen(l.Arg(0))
	if why != "" {
		im.none(l, why, "write an IP address and a port")
		return nil
	}
	if v, ok := l.Parameter("ipv6only"); ok && first.ip.Is6() {
		first.both = v == "off"
	}
	if last-first.port >= maxPorts {
		im.none(l, fmt.Sprintf("each port is a listener of its own, and %d are too many", last-first.port+1), "name the ports that are used")
		return nil
	}
	var out []spot
	for port := first.port; port <= last; port++ {
		sp := first
		sp.port = port
		out = append(out, sp)
		if sp.pipe != "" {
			break
		}
	}
	return out
}

// parseListen reads the address of a listen directive; last is the last port of
// a range, else the same port. why is empty where it can be bound.
func parseListen(s string) (first spot, last uint32, why string) {
	if s == "" {
		return spot{}, 0, "it names no address"
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return spot{}, 0, "the unix socket has no path"
		}
		return spot{pipe: path}, 0, ""
	}
	host, ports := "", s
	switch i := strings.LastIndexByte(s, ':'); {
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		host, ports = s, "80"
	case i >= 0:
		host, ports = s[:i], s[i+1:]
	case !allDigits(strings.Replace(s, "-", "", 1)):
		host, ports = s, "80"
	}
	from, to, isRange := strings.Cut(ports, "-")
	lo, err := strconv.ParseUint(from, 10, 16)
	hi := lo
	if err == nil && isRange {
		hi, err = strconv.ParseUint(to, 10, 16)
	}
	if err != nil || lo == 0 || hi < lo {
		return spot{}, 0, fmt.Sprintf("%q is no port from 1 to 65535", ports)
	}
	first.port, last = uint32(lo), uint32(hi)
	switch host {
	case "", "*", "0.0.0.0":
		return first, last, ""
	case "localhost":
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil {
		return spot{}, 0, fmt.Sprintf("Envoy binds an IP address, and %q is a name that nginx looks up when it starts", host)
	}
	first.ip = ip
	return first, last, ""
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// listening says of the site's listener what the parameters of its listen
// directives say.
func (im *importer) listening(s *site) {
	l := s.listener
	for _, sv := range s.servers {
		d := sv.listen
		if d == nil {
			continue
		}
		im.exact(d, at(l, "address"))
		for _, a := range d.Args[1:] {
			im.parameter(d, l, a)
		}
		if d.Arg(0) == "localhost" || strings.HasPrefix(d.Arg(0), "localhost:") {
			im.approx(d, at(l, "address"), "nginx binds every address of the name localhost, Envoy 127.0.0.1 alone", "add a listen on [::1] where it is needed")
		}
	}
}

func (im *importer) parameter(d *conf.Directive, l *listenerv3.Listener, param string) {
	name, value, _ := strings.Cut(param, "=")
	n, err := strconv.ParseUint(value, 10, 32)
	switch name {
	case "reuseport":
		l.EnableReusePort = wrapperspb.Bool(true)
		im.exact(d, at(l, "enable_reuse_port"))
	case "backlog":
		if err == nil {
			l.TcpBacklogSize = wrapperspb.UInt32(uint32(n))
			im.exact(d, at(l, "tcp_backlog_size"))
		}
	case "fastopen":
		if err == nil {
			l.TcpFastOpenQueueLength = wrapperspb.UInt32(uint32(n))
			im.exact(d, at(l, "tcp_fast_open_queue_length"))
		}
	case "setfib", "rcvbuf", "sndbuf", "accept_filter", "deferred", "so_keepalive":
		im.approx(d, at(l, "address"), name+" is not carried over", "set it as one of the listener's socket_options")
	}
}
