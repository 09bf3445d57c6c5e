package importer

import (
	"fmt"
	"slices"
	"strconv"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx/conf"
)

// Names of Envoy's extensions, as its documentation writes them.
const (
	nameTCP             = "envoy.filters.network.tcp_proxy"
	nameUDP             = "envoy.filters.udp_listener.udp_proxy"
	nameNetworkRBAC     = "envoy.filters.network.rbac"
	nameConnectionLimit = "envoy.filters.network.connection_limit"
	nameUpstreamProxied = "envoy.transport_sockets.upstream_proxy_protocol"
	nameRaw             = "envoy.transport_sockets.raw_buffer"
)

// streams is one run over stream {}.
type streams struct {
	pools     map[string]*pool // by upstream, and by address
	listeners map[string]*listenerv3.Listener
	chosen    map[string]bool // of the filter chains that there are: the listener's name, and the match as bytes
}

// stream makes TCP and UDP listeners of stream {}, and their clusters.
func (im *importer) stream(d *conf.Directive) {
	st := &streams{listeners: map[string]*listenerv3.Listener{}, chosen: map[string]bool{}}
	st.pools = im.upstreams(d)
	im.tuning(d)
	for _, server := range d.Children("server") {
		im.claimed[server] = true
		im.tuning(server)
		for _, listen := range server.Children("listen") {
			for _, sp := range im.spots(listen) {
				im.streamListen(&port{im: im, streams: st, server: server, listen: listen, spot: sp})
			}
		}
	}
}

// tuning accounts for what changes no connection's way, and for TLS at addresses
// that do not speak it.
func (im *importer) tuning(block *conf.Directive) {
	for _, in := range block.Block {
		switch in.Name {
		case "tcp_nodelay", "variables_hash_bucket_size", "variables_hash_max_size", "map_hash_bucket_size", "map_hash_max_size",
			"server_names_hash_max_size", "server_names_hash_bucket_size", "preread_buffer_size", "proxy_buffer_size", "proxy_half_close",
			"log_format", "error_log":
			im.moot(in)
		}
	}
	im.idle(block)
}

// port is one address on which a server of stream {} listens.
type port struct {
	*streams
	im     *importer
	server *conf.Directive
	listen *conf.Directive
	spot   spot
}

// of is the directive of that name that holds for the server, nil where there is
// none.
func (p *port) of(name string) *conf.Directive { return p.im.one(p.server, name) }

// streamListen makes the listener of an address, or adds the server's filter
// chains to the one that is there: nginx 1.25.5 has several servers for one, told
// apart by server_name.
func (im *importer) streamListen(p *port) {
	name := p.spot.name()
	if p.listen.Flag("udp") {
		im.udp(p, name+"-udp")
		return
	}
	branches, ok := p.branches(name)
	if !ok { // which is in the report; nobody needs the address then
		p.idle()
		return
	}
	l := p.listeners[name]
	if l == nil {
		l = &listenerv3.Listener{Name: name, Address: p.spot.address()}
		p.listeners[name] = l
		im.put(p.server, l)
		if p.listen.Flag("proxy_protocol") {
			im.proxyProtocol(p.listen, l)
		}
		p.preread(l)
	}
	im.exact(p.listen, at(l, "address"))
	for _, a := range p.listen.Args[1:] {
		im.parameter(p.listen, l, a)
	}
	for _, b := range branches {
		p.add(l, b)
	}
}

// idle accounts for what a server says that is not made.
func (p *port) idle() {
	for _, d := range p.server.Block {
		if !p.im.claimed[d] {
			p.im.moot(d)
		}
	}
}

// preread is how long the first bytes may take by which a filter chain is chosen.
func (p *port) preread(l *listenerv3.Listener) {
	for _, name := range []string{"preread_timeout", "proxy_protocol_timeout"} {
		if d := p.of(name); d != nil {
			if t := seconds(d.Arg(0)); t != nil {
				l.ListenerFiltersTimeout = t
				p.im.exact(d, at(l, "listener_filters_timeout"))
			}
		}
	}
}

// add adds a filter chain for a branch.
func (p *port) add(l *listenerv3.Listener, b *branch) {
	match := p.named(b.match)
	key, _ := proto.MarshalOptions{Deterministic: true}.Marshal(match)
	if id := l.GetName() + " " + strconv.FormatBool(match == nil) + string(key); p.chosen[id] {
		p.im.none(p.server, "an earlier server has this address", "")
		return
	} else {
		p.chosen[id] = true
	}
	c, path := &listenerv3.FilterChain{FilterChainMatch: match}, index("filter_chains", len(l.FilterChains))
	if match == nil && len(l.FilterChains) > 0 {
		path = "default_filter_chain"
		l.DefaultFilterChain = c
	} else {
		l.FilterChains = append(l.FilterChains, c)
	}
	for _, d := range b.from {
		if match != nil {
			p.im.exact(d, at(match, ""))
		}
	}
	if p.secure(l, c, path) {
		return
	}
	p.guards(c)
	last := &listenerv3.Filter{Name: nameTCP}
	to := at(l, fmt.Sprintf("%s.filters[%d].typed_config", path, len(c.Filters)))
	if b.proxy != nil {
		last.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(b.proxy)}
		p.im.packed[b.proxy] = to
	} else {
		last.Name, last.ConfigType = nameDirect, &listenerv3.Filter_TypedConfig{TypedConfig: packed(b.reply)}
		p.im.packed[b.reply] = to
	}
	c.Filters = append(c.Filters, last)
	if m := match; len(m.GetServerNames())+len(m.GetApplicationProtocols())+len(m.GetTransportProtocol()) > 0 {
		inspect(l)
	}
}

// inspect has the listener look into the handshake, for the names in it.
func inspect(l *listenerv3.Listener) {
	if slices.ContainsFunc(l.ListenerFilters, func(f *listenerv3.ListenerFilter) bool { return f.Name == nameInspector }) {
		return
	}
	l.ListenerFilters = append(l.ListenerFilters, &listenerv3.ListenerFilter{Name: nameInspector,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(&inspectorv3.TlsInspector{})}})
}
