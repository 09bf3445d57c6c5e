package admin

import (
	"bytes"
	"fmt"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/mesh"
)

// clusters is what stands in use: like Envoy, a cluster that still warms is not
// told of.
func clusters(s *State, q query) (*reply, error) {
	out := &adminv3.Clusters{}
	for _, u := range s.Upstreams {
		active, warming := clusterOf(s, u.Name)
		if !fits(q.filter, u.Name) || (active == nil && warming) {
			continue
		}
		out.ClusterStatuses = append(out.ClusterStatuses, clusterStatus(u, active))
	}
	if q.json {
		return marshal(out)
	}
	return &reply{body: clustersText(out)}, nil
}

// clusterOf is the active configuration of a cluster, nil when there is none.
func clusterOf(s *State, name string) (active *clusterv3.Cluster, warming bool) {
	for _, d := range s.Clusters {
		if d.Name != name {
			continue
		}
		if d.Warming {
			warming = true
			continue
		}
		active, _ = d.Message.(*clusterv3.Cluster)
	}
	return active, warming
}

func clusterStatus(u upstream.Snapshot, c *clusterv3.Cluster) *adminv3.ClusterStatus {
	observed := c.GetAltStatName()
	if observed == "" {
		observed = u.Name
	}
	out := &adminv3.ClusterStatus{
		Name: u.Name, AddedViaApi: true, ObservabilityName: observed, EdsServiceName: u.Service,
		CircuitBreakers: breakers(c),
	}
	for i := range u.Hosts {
		out.HostStatuses = append(out.HostStatuses, hostStatus(&u.Hosts[i]))
	}
	return out
}

// breakers are the limits of both priorities, with what goes without saying.
func breakers(c *clusterv3.Cluster) *clusterv3.CircuitBreakers {
	const limit, retries = 1024, 3 // Envoy's defaults
	out := &clusterv3.CircuitBreakers{}
	for _, p := range []corev3.RoutingPriority{corev3.RoutingPriority_DEFAULT, corev3.RoutingPriority_HIGH} {
		t := &clusterv3.CircuitBreakers_Thresholds{Priority: p}
		for _, set := range c.GetCircuitBreakers().GetThresholds() {
			if set.GetPriority() == p {
				t.MaxConnections, t.MaxPendingRequests = set.GetMaxConnections(), set.GetMaxPendingRequests()
				t.MaxRequests, t.MaxRetries = set.GetMaxRequests(), set.GetMaxRetries()
				break
			}
		}
		t.MaxConnections, t.MaxPendingRequests = either(t.GetMaxConnections(), limit), either(t.GetMaxPendingRequests(), limit)
		t.MaxRequests, t.MaxRetries = either(t.GetMaxRequests(), limit), either(t.GetMaxRetries(), retries)
		out.Thresholds = append(out.Thresholds, t)
	}
	return out
}

func hostStatus(h *upstream.Host) *adminv3.HostStatus {
	address, ok := mesh.ParseAddress(h.Address)
	if !ok {
		address = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: h.Address}}}
	}
	counter := func(name string, n uint64) *adminv3.SimpleMetric { return &adminv3.SimpleMetric{Name: name, Value: n} }
	gauge := func(name string, n uint64) *adminv3.SimpleMetric {
		return &adminv3.SimpleMetric{Type: adminv3.SimpleMetric_GAUGE, Name: name, Value: n}
	}
	return &adminv3.HostStatus{
		Address: address,
		Stats: []*adminv3.SimpleMetric{
			counter("cx_connect_fail", h.ConnectFailures), counter("cx_total", h.Connections),
			counter("rq_error", h.Errors), counter("rq_success", h.Success),
			counter("rq_timeout", h.Timeouts), counter("rq_total", h.Requests),
			gauge("cx_active", h.ActiveConnections), gauge("rq_active", h.ActiveRequests),
			gauge("rq_pending_active", h.PendingRequest),
		},
		HealthStatus: &adminv3.HostHealthStatus{
			FailedActiveHealthCheck: h.FailedCheck, ActiveHcTimeout: h.CheckTimeout, PendingActiveHc: h.PendingCheck,
			FailedOutlierCheck: h.Ejected, PendingDynamicRemoval: h.PendingRemoval, EdsHealthStatus: shown(h.EDS),
		},
		Weight: max(1, h.Weight), Hostname: h.Hostname, Priority: h.Priority,
		Locality: &corev3.Locality{Region: h.Region, Zone: h.Zone, SubZone: h.SubZone},
	}
}

// shown is how Envoy tells a health that EDS gave: what is unset counts as
// healthy, and a timeout as unhealthy.
func shown(s corev3.HealthStatus) corev3.HealthStatus {
	switch s {
	case corev3.HealthStatus_UNKNOWN:
		return corev3.HealthStatus_HEALTHY
	case corev3.HealthStatus_TIMEOUT:
		return corev3.HealthStatus_UNHEALTHY
	}
	return s
}

// clustersText is the form without ?format=json: one fact a line.
func clustersText(all *adminv3.Clusters) []byte {
	var b bytes.Buffer
	for _, c := range all.GetClusterStatuses() {
		line := func(parts ...any) {
			fmt.Fprintf(&b, "%s::%s\n", c.GetName(), strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintln(parts...), " ", "::"), "\n"))
		}
		line("observability_name", c.GetObservabilityName())
		for _, t := range c.GetCircuitBreakers().GetThresholds() {
			priority := strings.ToLower(t.GetPriority().String()) + "_priority"
			line(priority, "max_connections", t.GetMaxConnections().GetValue())
			line(priority, "max_pending_requests", t.GetMaxPendingRequests().GetValue())
			line(priority, "max_requests", t.GetMaxRequests().GetValue())
			line(priority, "max_retries", t.GetMaxRetries().GetValue())
		}
		line("added_via_api", c.GetAddedViaApi())
		if c.GetEdsServiceName() != "" {
			line("eds_service_name", c.GetEdsServiceName())
		}
		for _, h := range c.GetHostStatuses() {
			address := mesh.Address(h.GetAddress())
			for _, m := range h.GetStats() {
				line(address, m.GetName(), m.GetValue())
			}
			line(address, "hostname", h.GetHostname())
			line(address, "health_flags", healthFlags(h.GetHealthStatus()))
			line(address, "weight", h.GetWeight())
			line(address, "region", h.GetLocality().GetRegion())
			line(address, "zone", h.GetLocality().GetZone())
			line(address, "sub_zone", h.GetLocality().GetSubZone())
			line(address, "canary", false)
			line(address, "priority", h.GetPriority())
			line(address, "success_rate", -1) // never enough is counted for one
			line(address, "local_origin_success_rate", -1)
		}
	}
	return b.Bytes()
}

// healthFlags are the flags of the text form, "healthy" without any.
func healthFlags(h *adminv3.HostHealthStatus) string {
	var out strings.Builder
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"failed_active_hc", h.GetFailedActiveHealthCheck()},
		{"failed_outlier_check", h.GetFailedOutlierCheck()},
		{"failed_eds_health", h.GetEdsHealthStatus() == corev3.HealthStatus_UNHEALTHY},
		{"degraded_eds_health", h.GetEdsHealthStatus() == corev3.HealthStatus_DEGRADED},
		{"eds_status_draining", h.GetEdsHealthStatus() == corev3.HealthStatus_DRAINING},
		{"pending_dynamic_removal", h.GetPendingDynamicRemoval()},
		{"pending_active_hc", h.GetPendingActiveHc()},
		{"active_hc_timeout", h.GetActiveHcTimeout()},
	} {
		if f.set {
			out.WriteString("/" + f.name)
		}
	}
	if out.Len() == 0 {
		return "healthy"
	}
	return out.String()
}
