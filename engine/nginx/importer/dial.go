package importer

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	announcev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// dial is how a location connects to an upstream. In nginx that is the
// location's business, in Envoy the cluster's: two locations that differ in it
// need two clusters of the same endpoints.
type dial struct {
	connect  time.Duration
	http2    bool
	tls      string // the TLS context, as bytes; "" for plain text
	source   string // the address to connect from
	proxied  bool   // the PROXY protocol's header goes before everything else
	failures string // the answers that max_fails counts: "", "gateway" or "5xx"
}

// protocolOptions is the key of a cluster's HttpProtocolOptions.
const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// reach is the cluster for a location's way to a pool.
func (im *importer) reach(loc, pass *conf.Directive, p *pool) *clusterv3.Cluster {
	way := dial{connect: 60 * time.Second, http2: pass.Name == "grpc_pass"}
	family := familyOf(pass)
	connect := im.one(loc, family+"_connect_timeout")
	way.connect = max(im.period(connect, way.connect), time.Millisecond)
	context := im.upstreamTLS(loc, pass, p)
	if context != nil {
		if b, err := (proto.MarshalOptions{Deterministic: true}).Marshal(context); err == nil {
			way.tls = "tls" + string(b)
		}
	}
	proxied := im.one(loc, "proxy_protocol") // of stream {}
	way.proxied = proxied.Arg(0) == "on"
	bind := im.bind(loc, family)
	way.source = bind.Arg(0)
	way.failures = failuresOf(im.one(loc, family+"_next_upstream"), p)
	c, ok := p.ways[way]
	if !ok {
		c = im.another(p)
		p.ways[way] = c
		im.connect(c, p, way, context)
	}
	if connect != nil {
		im.exact(connect, at(c, "connect_timeout"))
	}
	if proxied != nil {
		im.exact(proxied, at(c, "transport_socket"))
	}
	if bind != nil {
		im.exact(bind, at(c, "upstream_bind_config.source_address"))
	}
	im.tlsLinks(loc, c, context)
	return c
}

// another is a cluster of the pool that nobody uses yet: the first one itself,
// then copies of it that ask for the same endpoints.
func (im *importer) another(p *pool) *clusterv3.Cluster {
	if len(p.ways) == 0 {
		return p.cluster
	}
	c := proto.CloneOf(p.plain)
	im.spendOn(c)
	im.put(p.from, c)
	if c.GetType() == clusterv3.Cluster_EDS && c.GetEdsClusterConfig().GetServiceName() == "" {
		c.EdsClusterConfig.ServiceName = p.endpoints.GetClusterName()
	}
	if la := c.GetLoadAssignment(); la != nil {
		la.ClusterName = c.GetName()
	}
	return c
}

// connect says in a cluster how it connects.
func (im *importer) connect(c *clusterv3.Cluster, p *pool, way dial, context proto.Message) {
	c.ConnectTimeout = lasting(way.connect)
	if context != nil {
		if config, err := anypb.New(context); err == nil {
			c.TransportSocket = &corev3.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}
			im.packed[context] = at(c, "transport_socket.typed_config")
		}
	}
	if way.proxied {
		im.announce(c, context)
	}
	if way.source != "" {
		if source, _, ok := serverAddress(way.source, 0); ok {
			c.UpstreamBindConfig = &corev3.BindConfig{SourceAddress: source.GetSocketAddress()}
		}
	}
	if o := c.GetOutlierDetection(); o != nil {
		switch way.failures {
		case "5xx":
			o.Consecutive_5Xx, o.EnforcingConsecutive_5Xx = wrapperspb.UInt32(p.fails), wrapperspb.UInt32(100)
		case "gateway":
			o.ConsecutiveGatewayFailure, o.EnforcingConsecutiveGatewayFailure = wrapperspb.UInt32(p.fails), wrapperspb.UInt32(100)
		}
	}
	im.protocol(c, p, way)
}

// announce has the cluster say by the PROXY protocol who connects, as nginx does
// in its first version. What the connection speaks then comes after that.
func (im *importer) announce(c *clusterv3.Cluster, context proto.Message) {
	inner := c.TransportSocket
	if inner == nil {
		inner = &corev3.TransportSocket{Name: "envoy.transport_sockets.raw_buffer", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(&rawv3.RawBuffer{})}}
	}
	outer := &announcev3.ProxyProtocolUpstreamTransport{Config: &corev3.ProxyProtocolConfig{Version: corev3.ProxyProtocolConfig_V1}, TransportSocket: inner}
	c.TransportSocket = &corev3.TransportSocket{Name: "envoy.transport_sockets.upstream_proxy_protocol", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(outer)}}
	if context != nil {
		im.packed[context] = at(c, "transport_socket.typed_config.transport_socket.typed_config")
	}
}

// protocol says which HTTP the cluster speaks and how long it keeps connections,
// where that is not what Envoy does anyway.
func (im *importer) protocol(c *clusterv3.Cluster, p *pool, way dial) {
	if !way.http2 && p.keep.idleAt == nil && p.keep.countAt == nil {
		return
	}
	o := &httpv3.HttpProtocolOptions{}
	key := `typed_extension_protocol_options["` + protocolOptions + `"]`
	im.packed[o] = at(c, key)
	common := &corev3.HttpProtocolOptions{}
	if p.keep.idleAt != nil {
		common.IdleTimeout = lasting(p.keep.idle)
		im.exact(p.keep.idleAt, at(o, "common_http_protocol_options.idle_timeout"))
	}
	if p.keep.countAt != nil {
		common.MaxRequestsPerConnection = wrapperspb.UInt32(p.keep.requests)
		im.exact(p.keep.countAt, at(o, "common_http_protocol_options.max_requests_per_connection"))
	}
	if p.keep.idleAt != nil || p.keep.countAt != nil {
		o.CommonHttpProtocolOptions = common
	}
	explicit := &httpv3.HttpProtocolOptions_ExplicitHttpConfig{}
	if way.http2 {
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}}
	} else {
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}}
	}
	o.UpstreamProtocolOptions = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit}
	if config, err := anypb.New(o); err == nil {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{protocolOptions: config}
	}
}

// bind is the proxy_bind that holds, nil for none or one that cannot be said.
func (im *importer) bind(loc *conf.Directive, family string) *conf.Directive {
	d := im.one(loc, family+"_bind")
	switch _, named, ok := serverAddress(d.Arg(0), 0); {
	case d == nil:
	case d.Arg(0) == "off":
		im.moot(d)
	case d.Flag("transparent"):
		im.none(d, "Envoy takes the client's address over by another way", "use the original_src filter")
	case !ok || named:
		im.none(d, "the address to connect from is not fixed, and a cluster of Envoy's has one", "")
	default:
		return d
	}
	return nil
}

// familyOf is the prefix of the directives that go with a pass: "proxy", "grpc".
func familyOf(pass *conf.Directive) string {
	if pass != nil && pass.Name == "grpc_pass" {
		return "grpc"
	}
	return "proxy"
}

// failuresOf are the answers that nginx counts as failures of a server.
func failuresOf(next *conf.Directive, p *pool) string {
	switch {
	case next == nil || p.fails == 0:
		return ""
	case next.Flag("http_500"):
		return "5xx"
	case next.Flag("http_502") || next.Flag("http_503") || next.Flag("http_504"):
		return "gateway"
	}
	return ""
}
