package upstream

import (
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Envoy's defaults.
const (
	defaultConnectTimeout = 5 * time.Second
	defaultFetchTimeout   = 15 * time.Second
	defaultRefresh        = 5 * time.Second
	defaultIdleTimeout    = time.Hour
	defaultBufferLimit    = 1 << 20
	defaultPanicPercent   = 50
	defaultOverprovision  = 140
)

// httpOptions is the name under which a cluster has its HTTP options.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// settings are what a Cluster resource comes to, with Envoy's defaults. They
// are read-only once made.
type settings struct {
	name    string
	service string // for EDS; "" when it is name
	kind    clusterv3.Cluster_DiscoveryType
	inline  *endpointv3.ClusterLoadAssignment // of a cluster that is not EDS

	connect       time.Duration
	fetch         time.Duration // how long EDS is waited for; 0 is for ever
	http2         bool
	trailers      bool          // pass, in either direction: always in HTTP/2
	idle          time.Duration // of a pooled connection; 0 is for ever
	trackHosts    bool          // counters for each endpoint
	ignoreRemoval bool          // a host that is removed goes at once, though its checks pass
	closeOnFail   bool          // a host that becomes unhealthy loses its connections
	excludeNew    bool          // a host not yet checked counts in no percentage
	refresh       time.Duration // of DNS
	failRefresh   refreshRate   // of DNS, while it fails
	family        clusterv3.Cluster_DnsLookupFamily

	panicPercent    float64
	failOnPanic     bool
	localityWeights bool
	balancer        balancerSettings
	limits          [2]limits // by routing priority
	check           *checkSettings
	outlier         *outlierSettings
}

// refreshRate is a back-off between failures; the zero one is none.
type refreshRate struct{ base, limit time.Duration }

// limits are the circuit breakers of one routing priority.
type limits struct {
	connections, pending, requests, retries uint64
	track                                   bool // how much remains is told too
}

// read takes a Cluster resource apart. It fails for what Check refuses.
//
//nolint:staticcheck // Envoy still takes the fields that have moved elsewhere
func read(c *clusterv3.Cluster) (*settings, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	common := c.GetCommonLbConfig()
	s := &settings{
		name: c.GetName(), service: c.GetEdsClusterConfig().GetServiceName(), kind: c.GetType(),
		inline:     c.GetLoadAssignment(),
		connect:    durationOr(c.GetConnectTimeout(), defaultConnectTimeout),
		fetch:      durationOr(c.GetEdsClusterConfig().GetEdsConfig().GetInitialFetchTimeout(), defaultFetchTimeout),
		trackHosts: c.GetTrackClusterStats().GetPerEndpointStats(),

		ignoreRemoval: c.GetIgnoreHealthOnHostRemoval(),
		closeOnFail:   c.GetCloseConnectionsOnHostHealthFailure(),
		excludeNew:    common.GetIgnoreNewHostsUntilFirstHc(),
		refresh:       durationOr(c.GetDnsRefreshRate(), defaultRefresh),
		failRefresh:   failRefresh(c.GetDnsFailureRefreshRate()),
		family:        c.GetDnsLookupFamily(),

		panicPercent:    defaultPanicPercent,
		failOnPanic:     common.GetZoneAwareLbConfig().GetFailTrafficOnPanic(),
		localityWeights: common.GetLocalityWeightedLbConfig() != nil,
		balancer:        readBalancer(c),
		limits:          readLimits(c.GetCircuitBreakers()),
	}
	if p := common.GetHealthyPanicThreshold(); p != nil {
		s.panicPercent = p.GetValue()
	}
	s.localityWeights = s.localityWeights || s.balancer.localityWeights
	if checks := c.GetHealthChecks(); len(checks) > 0 {
		s.check = readCheck(checks[0], s.name)
	}
	if c.GetOutlierDetection() != nil {
		s.outlier = readOutlier(c.GetOutlierDetection())
	}
	return s, s.readProtocol(c)
}

// readProtocol reads which HTTP is spoken and how long connections are kept.
//
//nolint:staticcheck // Envoy still takes the fields that have moved elsewhere
func (s *settings) readProtocol(c *clusterv3.Cluster) error {
	s.http2 = c.GetHttp2ProtocolOptions() != nil
	s.trailers = c.GetHttpProtocolOptions().GetEnableTrailers()
	idle := c.GetCommonHttpProtocolOptions().GetIdleTimeout()
	if packed, ok := c.GetTypedExtensionProtocolOptions()[httpOptions]; ok {
		var o httpv3.HttpProtocolOptions
		if err := packed.UnmarshalTo(&o); err != nil {
			return fmt.Errorf("cluster %s: typed_extension_protocol_options[%s] cannot be read: %w", s.name, httpOptions, err)
		}
		s.http2 = o.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil
		s.trailers = o.GetExplicitHttpConfig().GetHttpProtocolOptions().GetEnableTrailers()
		idle = o.GetCommonHttpProtocolOptions().GetIdleTimeout()
	}
	s.trailers = s.trailers || s.http2
	s.idle = durationOr(idle, defaultIdleTimeout)
	return nil
}

func failRefresh(r *clusterv3.Cluster_RefreshRate) refreshRate {
	if r == nil {
		return refreshRate{}
	}
	base := r.GetBaseInterval().AsDuration()
	return refreshRate{base: base, limit: durationOr(r.GetMaxInterval(), 10*base)}
}

func readLimits(b *clusterv3.CircuitBreakers) [2]limits {
	var out [2]limits
	for i := range out {
		out[i] = limits{connections: 1024, pending: 1024, requests: 1024, retries: 3}
	}
	for _, t := range b.GetThresholds() {
		l := &out[priorityIndex(t.GetPriority())]
		l.connections = uint64(uint32Or(t.GetMaxConnections(), 1024))
		l.pending = uint64(uint32Or(t.GetMaxPendingRequests(), 1024))
		l.requests = uint64(uint32Or(t.GetMaxRequests(), 1024))
		l.retries = uint64(uint32Or(t.GetMaxRetries(), 3))
		l.track = t.GetTrackRemaining()
	}
	return out
}

// priorityIndex is 0 for DEFAULT and 1 for HIGH.
func priorityIndex(p corev3.RoutingPriority) int {
	if p == corev3.RoutingPriority_HIGH {
		return 1
	}
	return 0
}

func durationOr(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}

func uint32Or(v *wrapperspb.UInt32Value, fallback uint32) uint32 {
	if v == nil {
		return fallback
	}
	return v.GetValue()
}
