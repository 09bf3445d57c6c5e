package nginx

import (
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// refusedNames are the chains that take names in the handshake and pass nothing
// on: what is asked under those names no other chain may answer.
func (p *projection) refusedNames(chains []chain, pt *port) (out []chain) {
	for _, c := range chains {
		serves := slices.ContainsFunc(c.GetFilters(), isProxy)
		if names := c.GetFilterChainMatch().GetServerNames(); len(names) > 0 && !serves {
			pt.refused = append(pt.refused, names...)
			out = append(out, c)
		}
	}
	return out
}

func isProxy(f *listenerv3.Filter) bool {
	switch unpack(f.GetTypedConfig()).(type) {
	case *hcmv3.HttpConnectionManager, *tcpv3.TcpProxy:
		return true
	}
	return false
}

// refuse writes a server for each of them that refuses the handshake.
func (p *projection) refuse(chains []chain, pt *port) {
	for _, c := range chains {
		if len(pt.listens) == 0 || !pt.secure {
			return
		}
		m := exact(c.origin.at("filter_chain_match.server_names")).with(lessonRefusedName)
		names := p.sniNames(&site{port: pt, sni: c.GetFilterChainMatch().GetServerNames()}, m)
		if len(names) == 0 {
			continue
		}
		p.open(m, "server")
		p.listenLines(pt, false)
		for _, n := range names {
			p.add(n.mark, "server_name %s;", n.text)
		}
		p.add(m, "ssl_reject_handshake on;")
		p.add(m, "return 421;") // for a Host that comes under another name in the handshake
		p.end()
	}
}
