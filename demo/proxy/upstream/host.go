package upstream

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
)

// locality is where an endpoint stands.
type locality struct{ region, zone, subZone string }

// spec is what an assignment says of one endpoint.
type spec struct {
	address  string // as mesh.Address
	hostname string
	locality locality
	weight   uint32 // at least 1
	priority uint32
	eds      corev3.HealthStatus
	check    checkTarget
}

// checkTarget says where and whether an endpoint is checked.
type checkTarget struct {
	address  string // that is dialled; the endpoint's own unless the configuration names another
	hostname string
	disabled bool
}

// host is one endpoint with its health, connections and counters. It lives as
// long as its address is a member of the cluster.
type host struct {
	address       string
	network, dial string // what net.Dial is given
	hostname      string

	// Guarded by Cluster.mu.
	spec           spec
	pendingRemoval bool
	health         checkState
	monitor        ejection
	stopCheck      func() // nil while it is not checked

	pools   [2]atomic.Pointer[pool] // by routing priority; each is made at its first use
	active  atomic.Int64            // requests under way
	stats   hostStats
	streaks streaks
}

// hostStats are one endpoint's counters.
type hostStats struct {
	requests, success, errors, timeouts atomic.Uint64
	connections, connectFailures        atomic.Uint64
	activeConnections, pending          atomic.Int64
}

func newHost(s spec) *host {
	h := &host{address: s.address, hostname: s.hostname, spec: s, network: "tcp", dial: s.address}
	if isPipe(s.address) {
		h.network = "unix"
	}
	return h
}

func isPipe(address string) bool {
	return strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@")
}

// specs lists the usable endpoints of an assignment. An address that is there
// twice counts once, as its first.
func specs(a *endpointv3.ClusterLoadAssignment) []spec {
	var out []spec
	seen := map[string]bool{}
	for _, group := range a.GetEndpoints() {
		l := group.GetLocality()
		for _, e := range group.GetLbEndpoints() {
			address := mesh.Address(e.GetEndpoint().GetAddress())
			if checkAddress(e.GetEndpoint().GetAddress()) != nil || seen[address] {
				continue
			}
			seen[address] = true
			s := specOf(e, address)
			s.locality = locality{l.GetRegion(), l.GetZone(), l.GetSubZone()}
			s.priority = group.GetPriority()
			out = append(out, s)
		}
	}
	return out
}

// specOf is the endpoint at an address, without what its group says.
func specOf(e *endpointv3.LbEndpoint, address string) spec {
	check := e.GetEndpoint().GetHealthCheckConfig()
	s := spec{
		address: address, hostname: e.GetEndpoint().GetHostname(), eds: e.GetHealthStatus(),
		weight: max(1, uint32Or(e.GetLoadBalancingWeight(), 1)),
		check:  checkTarget{address: address, hostname: check.GetHostname(), disabled: check.GetDisableActiveHealthCheck()},
	}
	if check.GetAddress() != nil {
		s.check.address = mesh.Address(check.GetAddress())
	}
	if port := check.GetPortValue(); port != 0 && !isPipe(s.check.address) {
		s.check.address = withPort(s.check.address, port)
	}
	return s
}

// withPort is a host and port with another port.
func withPort(address string, port uint32) string {
	return address[:strings.LastIndexByte(address, ':')+1] + strconv.FormatUint(uint64(port), 10)
}

// atAddress is the spec of a name at one of the addresses that it resolves to.
func (s spec) atAddress(name string, ip netip.Addr, port uint32) spec {
	if checkPort, same := strings.CutPrefix(s.check.address, name+":"); same {
		s.check.address = net.JoinHostPort(ip.String(), checkPort)
	}
	s.address = netip.AddrPortFrom(ip, uint16(port)).String()
	return s
}

// standing is how a host is seen when requests are balanced.
type standing uint8

const (
	healthy standing = iota
	degraded
	unhealthy
)

// standing sums up discovery, checks and ejection. It needs Cluster.mu.
func (h *host) standing() standing {
	switch {
	case h.health.failed, h.monitor.ejected:
		return unhealthy
	case h.spec.eds == corev3.HealthStatus_UNHEALTHY, h.spec.eds == corev3.HealthStatus_DRAINING, h.spec.eds == corev3.HealthStatus_TIMEOUT:
		return unhealthy
	case h.spec.eds == corev3.HealthStatus_DEGRADED, h.health.degraded:
		return degraded
	}
	return healthy
}

// excluded reports whether the host is left out when it is reckoned what share
// of the hosts is healthy. It needs Cluster.mu.
func (h *host) excluded() bool {
	return h.health.pending || h.spec.eds == corev3.HealthStatus_DRAINING
}

// snapshot is the host as /clusters tells it. It needs Cluster.mu.
func (h *host) snapshot() Host {
	s := &h.stats
	return Host{
		Address: h.address, Hostname: h.spec.hostname, Weight: h.spec.weight, Priority: h.spec.priority,
		Region: h.spec.locality.region, Zone: h.spec.locality.zone, SubZone: h.spec.locality.subZone,
		EDS: edsAsShown(h.spec.eds), FailedCheck: h.health.failed, CheckTimeout: h.health.timedOut,
		PendingCheck: h.health.pending, Ejected: h.monitor.ejected, PendingRemoval: h.pendingRemoval,
		DegradedCheck: h.health.degraded,
		Requests:      s.requests.Load(), Success: s.success.Load(), Errors: s.errors.Load(), Timeouts: s.timeouts.Load(),
		Connections: s.connections.Load(), ConnectFailures: s.connectFailures.Load(),
		ActiveConnections: gauge(&s.activeConnections), ActiveRequests: gauge(&h.active), PendingRequest: gauge(&s.pending),
	}
}

// edsAsShown is how Envoy's /clusters shows what EDS says: UNKNOWN as HEALTHY,
// TIMEOUT as UNHEALTHY.
func edsAsShown(s corev3.HealthStatus) corev3.HealthStatus {
	switch s {
	case corev3.HealthStatus_UNKNOWN:
		return corev3.HealthStatus_HEALTHY
	case corev3.HealthStatus_TIMEOUT:
		return corev3.HealthStatus_UNHEALTHY
	}
	return s
}

// gauge is the value of what goes up and down, never below zero.
func gauge(v *atomic.Int64) uint64 { return uint64(max(0, v.Load())) }

// tell writes the endpoint's counters under the names that Envoy gives them
// where a cluster tracks its endpoints.
func (h Host) tell(stats map[string]uint64, healthy bool) {
	prefix := "endpoint." + strings.ReplaceAll(h.Address, ":", "_") + "."
	well := uint64(0)
	if healthy {
		well = 1
	}
	for name, v := range map[string]uint64{
		"rq_total": h.Requests, "rq_success": h.Success, "rq_error": h.Errors, "rq_timeout": h.Timeouts,
		"rq_active": h.ActiveRequests, "cx_total": h.Connections, "cx_connect_fail": h.ConnectFailures,
		"cx_active": h.ActiveConnections, "healthy": well,
	} {
		stats[prefix+name] = v
	}
}
