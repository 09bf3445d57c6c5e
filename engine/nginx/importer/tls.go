package importer

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	proxiedv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	directv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/direct_response/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// Names of Envoy's extensions, as its documentation writes them.
const (
	nameDirect    = "envoy.filters.network.direct_response"
	nameTLS       = "envoy.transport_sockets.tls"
	nameProxied   = "envoy.filters.listener.proxy_protocol"
	nameInspector = "envoy.filters.listener.tls_inspector"
)

// secure reports whether the site's address speaks TLS: nginx takes it for the
// whole address when one of its servers says so.
func (s *site) secure() bool {
	return slices.ContainsFunc(s.servers, func(v *server) bool { return v.tls })
}

// flagged is the first listen line of the site with that word, which nginx
// takes for the whole address; nil where there is none.
func (s *site) flagged(word string) *conf.Directive {
	for _, v := range s.servers {
		if v.listen != nil && v.listen.Flag(word) {
			return v.listen
		}
	}
	return nil
}

// chains gives the site's listener its filter chains, with TLS where its servers
// have it. The connection manager is done then.
func (im *importer) chains(s *site, l *listenerv3.Listener) {
	im.proxyProtocol(s.flagged("proxy_protocol"), l)
	manager := &listenerv3.Filter{Name: managerFilter, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(s.manager)}}
	for _, v := range s.servers {
		im.idle(v.d)
	}
	im.idle(s.first.d.Parent)
	if s.secure() {
		im.secureSite(s, l, manager)
		return
	}
	l.FilterChains = append(l.FilterChains, &listenerv3.FilterChain{Filters: []*listenerv3.Filter{manager}})
	im.packed[s.manager] = at(l, "filter_chains[0].filters[0].typed_config")
}

// proxyProtocol reads the PROXY protocol's header, before anything else of the
// connection.
func (im *importer) proxyProtocol(listen *conf.Directive, l *listenerv3.Listener) {
	if listen == nil {
		return
	}
	im.exact(listen, at(l, index("listener_filters", len(l.ListenerFilters))))
	l.ListenerFilters = append(l.ListenerFilters, &listenerv3.ListenerFilter{Name: nameProxied,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: packed(&proxiedv3.ProxyProtocol{})}})
}

// secureSite makes the filter chains of an address that speaks TLS: one for each
// way in which its servers shake hands, chosen by the name in the handshake. All
// lead to one route configuration, as nginx picks the certificate by that name
// but the server by Host.
func (im *importer) secureSite(s *site, l *listenerv3.Listener, manager *listenerv3.Filter) {
	groups, asked := im.handshakes(s)
	first := groups[0] // of the default server
	shares(first, asked)
	tell, own := apart(groups), "filters[0].typed_config"
	if tell {
		own = "filters[1].typed_config"
	}
	chain := func(i int, path string) *listenerv3.FilterChain {
		c := im.chain(l, groups[i], manager, path)
		if tell && groups[i].context != nil {
			c.Filters = slices.Insert(c.Filters, 0, tells(i))
		}
		return c
	}
	for i, g := range groups {
		switch {
		case g != first && len(g.names) > 0:
			l.FilterChains = append(l.FilterChains, chain(i, fmt.Sprintf("filter_chains[%d]", len(l.FilterChains))))
		case g != first: // no handshake tells it: the default server's holds
			im.settleNotes(g, at(l, ""), true)
		}
	}
	if len(l.FilterChains) == 0 {
		c := chain(0, "filter_chains[0]")
		l.FilterChains, c.FilterChainMatch = append(l.FilterChains, c), nil
		im.packed[s.manager] = at(l, "filter_chains[0]."+own)
		im.guardClients(s, groups)
		return
	}
	if len(first.names) > 0 {
		l.FilterChains = append(l.FilterChains, chain(0, fmt.Sprintf("filter_chains[%d]", len(l.FilterChains))))
	}
	im.packed[s.manager] = at(l, "filter_chains[0]."+own)
	if first.context != nil { // one that refuses all names needs no chain: Envoy hangs up
		l.DefaultFilterChain = chain(0, "default_filter_chain")
		l.DefaultFilterChain.FilterChainMatch = nil
		im.packed[s.manager] = at(l, "default_filter_chain."+own)
	}
	inspect(l)
	im.guardClients(s, groups)
}

// shares settles which names of the handshake each chain takes: the first server
// of the file has a name. One of the default server's is only needed where
// another chain's wildcard would take it.
func shares(first *handshake, asked []asks) {
	taken := map[string]*handshake{}
	for _, a := range asked {
		if taken[a.name] == nil {
			taken[a.name] = a.by
		}
	}
	given := map[string]bool{}
	for _, a := range asked {
		if !given[a.name] && taken[a.name] == a.by && (a.by != first || contested(a.name, first, taken)) {
			a.by.names = append(a.by.names, a.name)
			given[a.name] = true
		}
	}
}

// contested reports whether a wildcard of another group would take the name.
func contested(name string, g *handshake, taken map[string]*handshake) bool {
	for rest := strings.TrimPrefix(name, "*."); ; {
		var found bool
		if _, rest, found = strings.Cut(rest, "."); !found {
			return false
		}
		if by := taken["*."+rest]; by != nil && by != g {
			return true
		}
	}
}

// chain is the filter chain of servers that shake hands alike.
func (im *importer) chain(l *listenerv3.Listener, g *handshake, manager *listenerv3.Filter, path string) *listenerv3.FilterChain {
	c := &listenerv3.FilterChain{Filters: []*listenerv3.Filter{manager}}
	if len(g.names) > 0 {
		c.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: g.names}
	}
	if g.context == nil {
		c.Filters = []*listenerv3.Filter{refusal()}
		im.settleNotes(g, at(l, path), true)
		return c
	}
	c.TransportSocket = &corev3.TransportSocket{Name: nameTLS, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(g.context)}}
	im.packed[g.context] = at(l, path+".transport_socket.typed_config")
	im.settleNotes(g, at(g.context, ""), false)
	return c
}

// refusal answers a handshake as ssl_reject_handshake does: with the alert
// "unrecognized_name" (RFC 6066, 3).
func refusal() *listenerv3.Filter {
	alert := &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte{21, 3, 1, 0, 2, 2, 112}}}
	return &listenerv3.Filter{Name: nameDirect, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(&directv3.Config{Response: alert})}}
}

// settleNotes accounts for the directives that made the handshake.
func (im *importer) settleNotes(g *handshake, root place, whole bool) {
	for _, n := range g.notes {
		to := at(root.in, join(root.path, n.path))
		if whole {
			to = root
		}
		switch n.kind {
		case nginx.Exact:
			im.exact(n.d, to)
		case nginx.Approximate:
			im.approx(n.d, to, n.reason, n.instead)
		case nginx.None:
			im.none(n.d, n.reason, n.instead)
		}
	}
}
