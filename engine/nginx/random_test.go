package nginx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// What random meshes are made of: the usual, and what breaks quoting, tables
// and parsers.
var (
	oddNames = []string{"app", "App", "app-v2", "outbound|80||app.default.svc", "a b", "x;y", "{z}", "q\"uote", "back\\slash", "new\nline",
		"dollar$var", "ünï", "#hash", "a/b:80", "127.0.0.1:9001", "", "*", "-", "default", "unix:", strings.Repeat("n", 300), strings.Repeat("long|", 1200), "tab\there", "\x00"}
	oddDomains = []string{"*", "a.com", "A.com", "*.a.com", "a.*", "*-x.a.com", "a-*", "a.com:8080", "a.com:*", "[::1]", "[::1]:80", "::1", "1.2.3.4", "a..b", ".a.com", "a.com.",
		"~^re$", "$hostname", "a b", "a;b", "{", "\"", "\\", "'", "_", "x\ny", strings.Repeat("label.", 12) + "com", strings.Repeat("d", 60), strings.Repeat("long", 500), "ü.com", "**", "*.", ".*", "", "a/b"}
	oddPaths = []string{"", "/", "/foo", "/foo/", "/foo/bar", "/FOO", "/a b", "/a%20b", "/$x", "/{x}", "/;", "/\"q\"", "/'", "/\\", "/\\n", "/#", "/~", "/=", "foo", "@x", "/ü", "/x\n", "/a?b",
		"/" + strings.Repeat("p", 250), "/" + strings.Repeat("q", 3000), "//", "/_mirror_1"}
	oddRegexes = []string{"/a.*", "/(foo|bar)", "/x{3}", "/x{2,}", `/\d+/\w*`, `/\pL+`, "(?i)/ci", "(?P<host>.*)", "/(?P<uri>[^/]+)/(?P<args>.*)", "/[[:alpha:]]+", `/\Qa.b\E`, `/q"uote`, `/back\\slash`, "/sp ace",
		"/ü", "/[é-ü]", "(", "[", "", ".*", "/x*?", "(?U)/a+", `\z`, `/\x{41}`, `/\x{263a}`, "(?s:.)", `/\$`, "/a;b", "/{", "(a{100}){10}", "((abcdefgh){500}){2}", "/" + strings.Repeat("r", 1400), "^/anchored$", "/a|/b", `/\n`, `/\t`, `\C`, "/}", "/'", "(?m)^/x$"}
	oddValues  = []string{"v", "", "two words", "5$", "%REQ(x-a)%", "%PROTOCOL%", "100%%", "%UNKNOWN(x)%", "%broken", "\"", "\\", "a;b", "{}", "x\ny", "é", "#", strings.Repeat("v", 5000), "'", "%REQ(:path)%"}
	oddHeaders = []string{"x-a", "X-B", "host", ":path", "x a", "", "x;y", strings.Repeat("h", 100), strings.Repeat("h", 300), "x_u", "connection"}
	addresses  = []string{"localhost", "a.example.invalid", "127.0.0.1", "127.0.0.1", "127.0.0.1", "0.0.0.0", "db.example.invalid", "::1", "not an ip", "", "fe80::1%eth0", "::ffff:127.0.0.1"}
)

// maker makes random meshes, the same for the same seed.
type maker struct {
	*rand.Rand
	clusters []string
	routes   []string
}

func pick[T any](m *maker, from []T) T { return from[m.IntN(len(from))] }

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

func some[T any](m *maker, n int, one func() T) []T {
	var out []T
	for range m.IntN(n + 1) {
		out = append(out, one())
	}
	return out
}

func (m *maker) duration() *durationpb.Duration {
	return pick(m, []*durationpb.Duration{nil, {}, durationpb.New(15 * time.Second), durationpb.New(1500 * time.Millisecond), durationpb.New(time.Nanosecond),
		{Seconds: 315_576_000_000}, {Seconds: math.MaxInt64}, {Seconds: -5}, durationpb.New(90 * time.Minute)})
}

func (m *maker) weight() *wrapperspb.UInt32Value {
	return pick(m, []*wrapperspb.UInt32Value{nil, wrapperspb.UInt32(0), wrapperspb.UInt32(1), wrapperspb.UInt32(90), wrapperspb.UInt32(10), wrapperspb.UInt32(7), wrapperspb.UInt32(math.MaxUint32)})
}

func (m *maker) address() *corev3.Address {
	if m.chance(8) {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: pick(m, []string{"/run/x.sock", "@abstract", "/a b", "/" + strings.Repeat("x", 200), "rel", ""})}}}
	}
	if m.chance(4) {
		return nil
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: pick(m, addresses), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: pick(m, []uint32{9001, 9002, 80, 0, 65535, 70000})}}}}
}

// listenAddress is one that this machine can listen on, or that nginx must not
// be given at all.
func (m *maker) listenAddress() *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       pick(m, []string{"127.0.0.1", "127.0.0.1", "0.0.0.0", "localhost", ""}),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: pick(m, []uint32{18080, 18081, 18082, 18083, 0, 70000})}}}}
}

func (m *maker) headers() []*corev3.HeaderValueOption {
	return some(m, 2, func() *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: pick(m, oddHeaders), Value: pick(m, oddValues)},
			AppendAction: corev3.HeaderValueOption_HeaderAppendAction(m.IntN(4))}
	})
}

func (m *maker) names() []string { return some(m, 2, func() string { return pick(m, oddHeaders) }) }

func (m *maker) match() *routev3.RouteMatch {
	out := &routev3.RouteMatch{}
	switch m.IntN(12) {
	case 0, 1, 2, 3, 4:
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: pick(m, oddPaths)}
	case 5, 6:
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: pick(m, oddPaths)}
	case 7:
		out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: pick(m, oddPaths)}
	case 8, 9, 10:
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: pick(m, oddRegexes)}}
	case 11:
		out.PathSpecifier = &routev3.RouteMatch_ConnectMatcher_{}
	}
	if m.chance(15) {
		out.CaseSensitive = wrapperspb.Bool(false)
	}
	if m.chance(15) {
		out.Grpc = &routev3.RouteMatch_GrpcRouteMatchOptions{}
	}
	if m.chance(15) {
		out.Headers = []*routev3.HeaderMatcher{{Name: pick(m, oddNames)}}
	}
	return out
}

func (m *maker) cluster() string {
	if len(m.clusters) == 0 || m.chance(15) {
		return pick(m, oddNames)
	}
	return pick(m, m.clusters)
}

func (m *maker) regexRewrite() *matcherv3.RegexMatchAndSubstitute {
	if m.chance(70) {
		return nil
	}
	return &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pick(m, oddRegexes)},
		Substitution: pick(m, []string{"/x", `/x/\1`, "", `\0`, "/$1", "/a b", `/\9`, "http://evil/", `/\\`})}
}

func (m *maker) forward() *routev3.RouteAction {
	a := &routev3.RouteAction{Timeout: m.duration(), IdleTimeout: m.duration(), RegexRewrite: m.regexRewrite()}
	switch m.IntN(8) {
	case 0, 1, 2, 3:
		a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: m.cluster()}
	case 4, 5:
		a.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{Clusters: some(m, 4, func() *routev3.WeightedCluster_ClusterWeight {
			return &routev3.WeightedCluster_ClusterWeight{Name: m.cluster(), Weight: m.weight()}
		})}}
	case 6:
		a.ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: pick(m, oddHeaders)}
	}
	if m.chance(30) {
		a.PrefixRewrite = pick(m, oddPaths)
	}
	switch m.IntN(6) {
	case 0:
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: pick(m, oddValues)}
	case 1:
		a.HostRewriteSpecifier = &routev3.RouteAction_AutoHostRewrite{AutoHostRewrite: wrapperspb.Bool(true)}
	case 2:
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteHeader{HostRewriteHeader: pick(m, oddHeaders)}
	}
	a.RequestMirrorPolicies = some(m, 1, func() *routev3.RouteAction_RequestMirrorPolicy {
		return &routev3.RouteAction_RequestMirrorPolicy{Cluster: m.cluster()}
	})
	if m.chance(20) {
		a.RetryPolicy = m.retry()
	}
	if m.chance(30) {
		a.HashPolicy = []*routev3.RouteAction_HashPolicy{{PolicySpecifier: &routev3.RouteAction_HashPolicy_Header_{Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: pick(m, oddHeaders)}}}}
	}
	if m.chance(10) {
		a.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket"}}
	}
	return a
}

func (m *maker) retry() *routev3.RetryPolicy {
	return &routev3.RetryPolicy{RetryOn: pick(m, []string{"", "5xx", "gateway-error,retriable-4xx", "connect-failure", "retriable-status-codes", "no such thing;"}),
		NumRetries: m.weight(), RetriableStatusCodes: []uint32{418, 503}}
}

func (m *maker) route() *routev3.Route {
	r := &routev3.Route{Match: m.match(), RequestHeadersToAdd: m.headers(), ResponseHeadersToAdd: m.headers(), RequestHeadersToRemove: m.names(), ResponseHeadersToRemove: m.names()}
	switch m.IntN(10) {
	case 0:
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: pick(m, []uint32{200, 404, 301, 444, 0, 99, 599, 5000}),
			Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: pick(m, oddValues)}}}}
	case 1, 2:
		ra := &routev3.RedirectAction{HostRedirect: pick(m, []string{"", "b.com", "$x", "a b"}), PortRedirect: pick(m, []uint32{0, 8443}), StripQuery: m.chance(50), ResponseCode: routev3.RedirectAction_RedirectResponseCode(m.IntN(6))}
		switch m.IntN(4) {
		case 0:
			ra.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: pick(m, oddPaths)}
		case 1:
			ra.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: pick(m, oddPaths)}
		case 2:
			ra.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: m.regexRewrite()}
		}
		r.Action = &routev3.Route_Redirect{Redirect: ra}
	case 3:
	default:
		r.Action = &routev3.Route_Route{Route: m.forward()}
	}
	return r
}

func (m *maker) routeConfig(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: name, RequestHeadersToAdd: m.headers(), VirtualHosts: some(m, 4, func() *routev3.VirtualHost {
		vh := &routev3.VirtualHost{Name: pick(m, oddNames), Domains: some(m, 5, func() string { return pick(m, oddDomains) }),
			Routes: some(m, 12, m.route), RequireTls: routev3.VirtualHost_TlsRequirementType(m.IntN(3))}
		if m.chance(20) {
			vh.RetryPolicy = m.retry()
		}
		return vh
	})}
}

func packed(msg proto.Message) *anypb.Any {
	a, err := anypb.New(msg)
	if err != nil {
		return nil // a value that cannot be packed is an extension without a config
	}
	return a
}

func (m *maker) chain() *listenerv3.FilterChain {
	c := &listenerv3.FilterChain{}
	switch m.IntN(8) {
	case 0:
		c.Filters = []*listenerv3.Filter{{Name: pick(m, oddNames), ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(&tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: m.cluster()}})}}}
	case 1:
		c.Filters = []*listenerv3.Filter{{Name: pick(m, oddNames)}}
	default:
		h := &hcmv3.HttpConnectionManager{MergeSlashes: m.chance(30), RequestHeadersTimeout: m.duration(), CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: m.duration()},
			CodecType: hcmv3.HttpConnectionManager_CodecType(m.IntN(3)), UseRemoteAddress: pick(m, []*wrapperspb.BoolValue{nil, wrapperspb.Bool(true)}), NormalizePath: wrapperspb.Bool(true),
			HttpFilters: some(m, 2, func() *hcmv3.HttpFilter { return &hcmv3.HttpFilter{Name: pick(m, oddNames)} })}
		if m.chance(30) {
			h.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: m.routeConfig("inline")}
		} else {
			h.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: pick(m, append(m.routes, "missing"))}}
		}
		c.Filters = []*listenerv3.Filter{{Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(h)}}}
	}
	if m.chance(30) {
		c.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: some(m, 2, func() string { return pick(m, oddDomains) })}
		tls := &tlsv3.DownstreamTlsContext{CommonTlsContext: m.commonTLS()}
		if m.chance(50) {
			tls.RequireClientCertificate = wrapperspb.Bool(true)
		}
		tls.CommonTlsContext.TlsCertificates = some(m, 2, func() *tlsv3.TlsCertificate {
			return &tlsv3.TlsCertificate{CertificateChain: m.source(), PrivateKey: m.source()}
		})
		c.TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(tls)}}
	}
	return c
}

// source is a file, something inline, or nothing.
func (m *maker) source() *corev3.DataSource {
	if m.chance(20) {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "pem"}}
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: pick(m, []string{"/no/such/file.pem", "/a b;c", "/q\"x\\", "/$x", ""})}}
}

func (m *maker) commonTLS() *tlsv3.CommonTlsContext {
	c := &tlsv3.CommonTlsContext{AlpnProtocols: some(m, 2, func() string { return pick(m, []string{"h2", "http/1.1", ""}) })}
	if m.chance(60) {
		c.TlsParams = &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TlsProtocol(m.IntN(5)), TlsMaximumProtocolVersion: tlsv3.TlsParameters_TlsProtocol(m.IntN(5)),
			CipherSuites: some(m, 3, func() string {
				return pick(m, []string{"AES128-SHA", "[ECDHE-RSA-AES128-SHA|ECDHE-ECDSA-AES256-SHA]", "no;such", "", "[", "ALL:!aNULL"})
			}),
			EcdhCurves: some(m, 2, func() string { return pick(m, []string{"X25519", "P-256", "P-384", "P-521", "no such", ""}) })}
	}
	switch m.IntN(4) {
	case 0:
		c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: m.source()}}
	case 1:
		c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "ca"}}
	case 2:
		c.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: m.source()}}}
	}
	return c
}

// upstreamTLS is a client's side of it, with certificates of its own.
func (m *maker) upstreamTLS() *tlsv3.CommonTlsContext {
	c := m.commonTLS()
	c.AlpnProtocols = nil
	c.TlsCertificates = some(m, 2, func() *tlsv3.TlsCertificate {
		return &tlsv3.TlsCertificate{CertificateChain: m.source(), PrivateKey: m.source()}
	})
	return c
}

func (m *maker) assignment(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: some(m, 3, func() *endpointv3.LocalityLbEndpoints {
		return &endpointv3.LocalityLbEndpoints{Priority: uint32(m.IntN(3)), LbEndpoints: some(m, 4, func() *endpointv3.LbEndpoint {
			return &endpointv3.LbEndpoint{LoadBalancingWeight: m.weight(), HealthStatus: corev3.HealthStatus(m.IntN(6)),
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: m.address()}}}
		})}
	})}
}

func (m *maker) clusterOf(name string) *clusterv3.Cluster {
	c := &clusterv3.Cluster{Name: name, LbPolicy: clusterv3.Cluster_LbPolicy(m.IntN(8)), ConnectTimeout: m.duration(),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_DiscoveryType(m.IntN(5))}}
	if m.chance(50) {
		c.LoadAssignment = m.assignment(name)
	}
	if m.chance(30) {
		c.OutlierDetection = &clusterv3.OutlierDetection{Consecutive_5Xx: m.weight(), BaseEjectionTime: m.duration()}
	}
	if m.chance(20) {
		c.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: m.weight()}}, PerHostThresholds: []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: m.weight()}}}
	}
	if m.chance(20) {
		c.HealthChecks = []*corev3.HealthCheck{{Interval: m.duration(), HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{Path: pick(m, oddPaths)}}}}
	}
	if m.chance(25) {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(&httpv3.HttpProtocolOptions{
			UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}}}}})}
	}
	if m.chance(25) {
		c.TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(&tlsv3.UpstreamTlsContext{Sni: pick(m, oddDomains), CommonTlsContext: m.upstreamTLS()})}}
	}
	return c
}

// mesh makes one mesh. Keys that come twice are left out.
func (m *maker) mesh(t testing.TB) *mesh.Mesh {
	t.Helper()
	m.clusters = some(m, 8, func() string { return pick(m, oddNames) })
	m.routes = some(m, 3, func() string { return pick(m, oddNames) })
	out, _ := mesh.New()
	add := func(msg proto.Message) {
		r, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			t.Fatal(err)
		}
		if out.Get(r.Key) == nil {
			out = out.With(r)
		}
	}
	for i := range 1 + m.IntN(3) {
		l := &listenerv3.Listener{Name: fmt.Sprintf("%s%d", pick(m, oddNames), i), Address: m.listenAddress(), FilterChains: some(m, 3, m.chain)}
		if m.chance(20) {
			l.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: m.listenAddress()}}
		}
		add(l)
	}
	for _, n := range m.routes {
		add(m.routeConfig(n))
	}
	for _, n := range m.clusters {
		add(m.clusterOf(n))
		if m.chance(70) {
			add(m.assignment(n))
		}
	}
	add(m.assignment("orphan"))
	return out
}

// TestNginxTakesRandomMeshes asks a real nginx about meshes that nobody would
// write; what the source map promises must hold for them too.
func TestNginxTakesRandomMeshes(t *testing.T) {
	nginxtest.Need(t)
	for seed := range uint64(120) {
		m := (&maker{Rand: rand.New(rand.NewPCG(seed, 7))}).mesh(t)
		c := Project(m)
		held(t, m, c)
		nginxtest.Accepted(t, c.String())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestProjectIsPure holds that the same mesh gives the same text, and that no
// mesh, however odd, makes it panic.
func TestProjectIsPure(t *testing.T) {
	if got := Project(nil).String(); got != Project(&mesh.Mesh{}).String() || strings.Contains(got, "http {") || !strings.Contains(got, "events {}") {
		t.Errorf("nil and the empty mesh differ, or are no config:\n%s", got)
	}
	for seed := range uint64(100) {
		m := (&maker{Rand: rand.New(rand.NewPCG(seed, 11))}).mesh(t)
		c := Project(m)
		held(t, m, c)
		if c.String() != Project(m).String() {
			t.Fatalf("seed %d: two projections of one mesh differ", seed)
		}
	}
}
