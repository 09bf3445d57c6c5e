package importer

import (
	"strconv"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// proxy is a TCP proxy that knows its times, and no upstream yet.
func (p *port) proxy(name string) *tcpv3.TcpProxy {
	t := &tcpv3.TcpProxy{StatPrefix: name, IdleTimeout: durationpb.New(10 * time.Minute)} // nginx's own
	if d := p.of("proxy_timeout"); d != nil {
		if v := seconds(d.Arg(0)); v != nil {
			t.IdleTimeout = v
		}
		p.im.exact(d, at(t, "idle_timeout"))
	}
	t.AccessLog = p.logs(t)
	return t
}

// logs are the access logs of the server; they go where those of http {} go.
func (p *port) logs(in proto.Message) (out []*accesslogv3.AccessLog) {
	for _, d := range p.im.inherited(p.server, "access_log") {
		log, _ := p.im.accessLog(p.server, d)
		if log == nil {
			continue
		}
		out = append(out, log)
		p.im.approx(d, at(in, "access_log"), "it goes to Envoy's standard output; a connection has no $status there",
			"%RESPONSE_FLAGS% says what went wrong; envoy.access_loggers.file writes files where Envoy may")
	}
	return out
}

// to sends a proxy's connections to what nginx calls by this name.
func (p *port) to(t *tcpv3.TcpProxy, d *conf.Directive, name string) bool {
	cluster, ok := p.im.streamCluster(p, d, name)
	if !ok {
		return false
	}
	t.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: cluster}
	p.im.exact(d, at(t, "cluster"))
	return true
}

// secure gives a chain TLS where the server's listen line says ssl.
// refused is true where it cannot, and the chain refuses the handshake.
func (p *port) secure(l *listenerv3.Listener, c *listenerv3.FilterChain, path string) (refused bool) {
	if !p.listen.Flag("ssl") {
		return false
	}
	v := &server{d: p.server, listen: p.listen, tls: true}
	h := p.im.handshake(&site{servers: []*server{v}, first: v}, v, nil)
	h.context.GetCommonTlsContext().AlpnProtocols = nil
	if d := p.of("ssl_alpn"); d != nil && h.context != nil {
		h.context.CommonTlsContext.AlpnProtocols = d.Args
		h.exact(d, "common_tls_context.alpn_protocols")
	}
	if len(h.context.GetCommonTlsContext().GetTlsCertificates()) == 0 {
		h.none(p.listen, "its server has no ssl_certificate that can be read, so that every handshake is refused", "name a certificate and its key")
		c.Filters = []*listenerv3.Filter{refusal()}
		p.im.settleNotes(h, at(l, path), true)
		return true
	}
	c.TransportSocket = &corev3.TransportSocket{Name: nameTLS, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(h.context)}}
	p.im.packed[h.context] = at(l, path+".transport_socket.typed_config")
	p.im.settleNotes(h, at(h.context, ""), false)
	if d := p.of("ssl_handshake_timeout"); d != nil {
		if c.TransportSocketConnectTimeout = seconds(d.Arg(0)); c.TransportSocketConnectTimeout != nil {
			p.im.exact(d, at(c, "transport_socket_connect_timeout"))
		}
	}
	return false
}

// guards are the filters before the proxy: who may connect, and how many.
func (p *port) guards(c *listenerv3.FilterChain) {
	if rules, from := p.im.access(p.server, directPeer); rules != nil {
		f := &netrbacv3.RBAC{StatPrefix: "access", Rules: rules}
		c.Filters = append(c.Filters, &listenerv3.Filter{Name: nameNetworkRBAC, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(f)}})
		for _, d := range from {
			p.im.exact(d, at(c, index("filters", len(c.Filters)-1)+".typed_config.rules"))
		}
	}
	d := p.of("limit_conn")
	if d == nil {
		return
	}
	n, err := strconv.ParseUint(d.Arg(1), 10, 32)
	if err != nil || n == 0 {
		p.im.none(d, "it is no number of connections", "")
		return
	}
	f := &limitv3.ConnectionLimit{StatPrefix: "limit", MaxConnections: wrapperspb.UInt64(n)}
	c.Filters = append(c.Filters, &listenerv3.Filter{Name: nameConnectionLimit, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(f)}})
	p.im.approx(d, at(c, index("filters", len(c.Filters)-1)+".typed_config.max_connections"), "nginx counts for each key, Envoy all connections of the filter chain together",
		"raise it to what all clients together may have")
	for _, zone := range p.server.Parent.Children("limit_conn_zone") {
		p.im.claimed[zone] = true
	}
}
