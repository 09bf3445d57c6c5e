package importer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// pool is what an upstream block became, or an address that a proxy_pass names.
type pool struct {
	name      string                            // as nginx calls it
	from      *conf.Directive                   // the block, or the directive that names the address
	cluster   *clusterv3.Cluster                // the first way to reach it
	plain     *clusterv3.Cluster                // a copy of it from before anybody said how to connect
	ways      map[dial]*clusterv3.Cluster       // by how it is connected to
	endpoints *endpointv3.ClusterLoadAssignment // of EDS, or within cluster
	several   bool                              // nginx sees more than one server, or may
	servers   int                               // that it sees; 0 where DNS says
	fails     uint32                            // max_fails, 0 where failures are not counted
	hash      []*routev3.RouteAction_HashPolicy // that its routes need
	keep      keeping
}

// keeping is what an upstream says of the connections that it keeps.
type keeping struct {
	idle     time.Duration // 0 for Envoy's own
	requests uint32        // 0 for no limit
	idleAt   *conf.Directive
	countAt  *conf.Directive
}

// member is one server line.
type member struct {
	d       *conf.Directive
	address *corev3.Address
	named   bool // by a name that DNS has to resolve
	weight  uint32
	fails   uint32
	timeout time.Duration
	backup  bool
	down    bool
	conns   uint32
	slow    time.Duration
	asked   bool // nginx asks DNS for it while it runs
}

// upstreams makes a cluster, and its endpoints, of every upstream of http {}
// or stream {}, by its name in lower case.
func (im *importer) upstreams(in *conf.Directive) map[string]*pool {
	out := map[string]*pool{}
	for _, d := range in.Children("upstream") {
		if d.Arg(0) == "" {
			im.none(d, "it has no name", "")
			continue
		}
		im.claimed[d] = true
		out[strings.ToLower(d.Arg(0))] = im.upstream(d)
	}
	return out
}

// upstream makes one.
func (im *importer) upstream(d *conf.Directive) *pool {
	p := &pool{name: d.Arg(0), from: d, ways: map[dial]*clusterv3.Cluster{}}
	var members []member
	for _, s := range d.Children("server") {
		if m, ok := im.member(s); ok {
			members = append(members, m)
		}
	}
	im.gather(p, members)
	im.exact(d, at(p.cluster, ""))
	im.balance(d, p, members)
	im.passive(p, members)
	im.connections(d, p, members)
	im.plus(d, p)
	p.plain = proto.CloneOf(p.cluster)
	return p
}

// member reads a server line. ok is false for one that names nothing that Envoy
// could connect to.
func (im *importer) member(d *conf.Directive) (m member, ok bool) {
	m = member{d: d, weight: 1, fails: 1, timeout: 10 * time.Second}
	m.address, m.named, ok = serverAddress(d.Arg(0), 80)
	if !ok {
		im.none(d, "this is no address", "")
		return m, false
	}
	for _, a := range d.Args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "weight":
			m.weight = max(1, count(value, 1))
		case "max_fails":
			m.fails = count(value, 1)
		case "fail_timeout":
			if t, ok := duration(value); ok {
				m.timeout = t
			}
		case "max_conns":
			m.conns = count(value, 0)
		case "slow_start":
			m.slow, _ = duration(value)
		case "backup":
			m.backup = true
		case "down":
			m.down = true
		case "drain":
			m.down = true
		case "resolve":
			m.asked = true
		case "route", "service":
			im.none(d, name+"= is nginx Plus's, and Envoy has nothing like it on an endpoint", "")
		}
	}
	return m, true
}

// count is a number of a parameter, or otherwise.
func count(s string, otherwise uint32) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return otherwise
	}
	return uint32(n)
}

// serverAddress is an address as a server line or a proxy_pass has it: an IP
// address, a name or unix:/path; named says that DNS has to resolve it. ok is
// false for what is none.
func serverAddress(s string, port uint32) (a *corev3.Address, named, ok bool) {
	if path, unix := strings.CutPrefix(s, "unix:"); unix {
		path = strings.TrimSuffix(path, ":")
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}, false, path != "" && len(path) <= 107
	}
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		n, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || n == 0 {
			return nil, false, false
		}
		host, port = s[:i], uint32(n)
	}
	if v6, found := strings.CutPrefix(host, "["); found {
		host = strings.TrimSuffix(v6, "]")
	}
	_, err := netip.ParseAddr(host)
	if host == "" || strings.ContainsAny(host, "/[]: $") && err != nil {
		return nil, false, false
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}}}}, err != nil, true
}

// gather makes the cluster and the endpoints. Where all are addresses they come
// by EDS; names are resolved by Envoy all the time, which is a cluster's type.
func (im *importer) gather(p *pool, members []member) {
	p.endpoints = &endpointv3.ClusterLoadAssignment{ClusterName: p.name}
	p.cluster = &clusterv3.Cluster{Name: p.name}
	named := false
	for _, m := range members {
		named = named || m.named
	}
	p.several, p.servers = named || len(members) > 1, len(members)
	if named {
		p.servers = 0
	}
	im.endpoints(p, members, named)
	if named {
		im.put(p.from, p.cluster)
		p.cluster.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		p.cluster.DnsLookupFamily = clusterv3.Cluster_ALL
		p.endpoints.ClusterName = p.cluster.GetName()
		p.cluster.LoadAssignment = p.endpoints
		im.resolver(p)
		return
	}
	p.cluster.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	p.cluster.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: aggregated()}
	im.put(p.from, p.cluster)
	p.endpoints.ClusterName = p.cluster.GetName()
	if name := im.put(p.from, p.endpoints); name != p.cluster.GetName() {
		p.cluster.EdsClusterConfig.ServiceName = name
	}
}

// aggregated is the source of everything that this mesh asks for.
func aggregated() *corev3.ConfigSource {
	return &corev3.ConfigSource{ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

// endpoints fills in the servers: backups in the second priority, which takes
// over only when the last of the first is gone.
func (im *importer) endpoints(p *pool, members []member, named bool) {
	var groups [2]*endpointv3.LocalityLbEndpoints
	for _, m := range members {
		level := 0
		if m.backup {
			level = 1
		}
		if named && m.address.GetPipe() != nil {
			im.none(m.d, "a socket of this machine stands beside names that DNS resolves, which no cluster of Envoy's can hold together", "give it an upstream of its own, and split the traffic")
			continue
		}
		if groups[level] == nil {
			groups[level] = &endpointv3.LocalityLbEndpoints{Priority: uint32(level)}
		}
		e := &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: m.address}}}
		groups[level].LbEndpoints = append(groups[level].LbEndpoints, e)
		im.endpoint(m, e)
	}
	for _, g := range groups {
		if g != nil {
			p.endpoints.Endpoints = append(p.endpoints.Endpoints, g)
		}
	}
	switch {
	case groups[1] == nil:
	case groups[0] == nil:
		groups[1].Priority = 0
	default:
		p.endpoints.Policy = &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: wrapperspb.UInt32(10_000)}
		im.calm(p)
	}
}

// endpoint is one server. DRAINING is what down means: UNHEALTHY would count as a
// failure, and bring traffic back when half of them are.
func (im *importer) endpoint(m member, e *endpointv3.LbEndpoint) {
	if _, ok := m.d.Parameter("weight"); ok {
		e.LoadBalancingWeight = wrapperspb.UInt32(m.weight)
	}
	if m.down {
		e.HealthStatus = corev3.HealthStatus_DRAINING
	}
	switch {
	case m.named && !m.asked:
		im.approx(m.d, at(e, ""), "nginx resolves the name once, when it starts; Envoy asks DNS all the time, and every address is an endpoint", "")
	default:
		im.exact(m.d, at(e, ""))
	}
}

// calm keeps Envoy from sending to endpoints that it holds for ill: nginx never
// panics.
func (im *importer) calm(p *pool) {
	common(p.cluster).HealthyPanicThreshold = percent(0)
}

func (p *pool) String() string { return fmt.Sprintf("upstream %s", p.name) }
