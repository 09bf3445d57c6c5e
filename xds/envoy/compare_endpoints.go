package envoy

import (
	"fmt"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// endpoints compares a ClusterLoadAssignment with the hosts of its cluster:
// addresses, priorities, weights, localities and EDS health, which is all of it
// that Envoy shows.
func (o observed) endpoints(name string, cla *endpointv3.ClusterLoadAssignment, asked func() map[mesh.Key]bool) Active {
	if o.clusters == nil {
		return Active{State: NotObservable}
	}
	status, ok := o.clusters[name]
	if !ok {
		if o.dumps[mesh.Cluster].warmsFor(name) || o.warming.warmsFor(name) {
			return Active{State: Warming, Detail: "its cluster is warming"}
		}
		detail := ""
		if !asked()[mesh.Key{Type: mesh.Endpoints, Name: name}] {
			detail = unasked(mesh.Endpoints)
		}
		return Active{State: Absent, Detail: detail}
	}
	if detail := endpointDifference(wantedHosts(cla), runningHosts(status)); detail != "" {
		return Active{State: ActiveOther, Detail: detail, Instead: shownEndpoints(name, status)}
	}
	return Active{State: ActiveSame}
}

// warmsFor reports whether a warming cluster takes the endpoints of that name.
func (d *dump) warmsFor(service string) bool {
	if d == nil {
		return false
	}
	for name, w := range d.warming {
		if w.Message == nil {
			continue
		}
		if asked, ok := mesh.EndpointsOf(w.Message); name == service || (ok && asked == service) {
			return true
		}
	}
	return false
}

// host is what Envoy shows of an endpoint that came from EDS.
type host struct {
	priority, weight uint32
	locality, health string
	written          string // the address as the operator wrote it; not compared
}

// wantedHosts are the hosts of a ClusterLoadAssignment by address; of two with
// one address Envoy takes the first.
func wantedHosts(cla *endpointv3.ClusterLoadAssignment) map[string]host {
	out := map[string]host{}
	for _, group := range cla.GetEndpoints() {
		l := group.GetLocality()
		for _, e := range group.GetLbEndpoints() {
			written := mesh.Address(e.GetEndpoint().GetAddress())
			addr := canonicalAddress(written)
			if _, dup := out[addr]; dup || addr == "" {
				continue
			}
			out[addr] = host{
				priority: group.GetPriority(), weight: max(1, e.GetLoadBalancingWeight().GetValue()),
				locality: localityText(l.GetRegion(), l.GetZone(), l.GetSubZone()), health: shownHealth(e.GetHealthStatus()),
				written: written,
			}
		}
	}
	return out
}

// runningHosts are the hosts that Envoy has; those that EDS took away already
// and that only wait for their check to fail do not count.
func runningHosts(c clusterStatus) map[string]host {
	out := map[string]host{}
	for _, h := range c.Hosts {
		if h.Health.PendingRemoval {
			continue
		}
		l := h.Locality
		out[canonicalAddress(h.Address.String())] = host{
			priority: h.Priority, weight: max(1, h.Weight),
			locality: localityText(l.Region, l.Zone, l.SubZone), health: h.Health.EDS,
		}
	}
	return out
}

// shownHealth is how /clusters shows an EDS health.
func shownHealth(s corev3.HealthStatus) string {
	switch s {
	case corev3.HealthStatus_UNKNOWN:
		return "HEALTHY"
	case corev3.HealthStatus_TIMEOUT:
		return "UNHEALTHY"
	}
	return s.String()
}

func localityText(parts ...string) string { return strings.Join(parts, "/") }

// canonicalAddress writes an IP address in its shortest form, as Envoy does.
func canonicalAddress(s string) string {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String()
	}
	return s
}

// endpointDifference names the first difference between the two sets, "" when
// there is none.
func endpointDifference(want, have map[string]host) string {
	for _, addr := range sortedKeys(want) {
		w := want[addr]
		h, ok := have[addr]
		switch {
		case !ok:
			return addr + " is not there"
		case w.health != h.health:
			return fmt.Sprintf("%s is %s instead of %s", addr, h.health, w.health)
		case w.weight != h.weight:
			return fmt.Sprintf("%s has weight %d instead of %d", addr, h.weight, w.weight)
		case w.priority != h.priority:
			return fmt.Sprintf("%s has priority %d instead of %d", addr, h.priority, w.priority)
		case w.locality != h.locality:
			return fmt.Sprintf("%s is in locality %q instead of %q", addr, h.locality, w.locality)
		}
	}
	for _, addr := range sortedKeys(have) {
		if _, ok := want[addr]; !ok {
			return addr + " is still there"
		}
	}
	return ""
}

// shownEndpoints is a cluster's hosts as EDS would say them.
func shownEndpoints(name string, c clusterStatus) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	groups := map[string]*endpointv3.LocalityLbEndpoints{}
	for _, h := range c.Hosts {
		if h.Health.PendingRemoval {
			continue
		}
		l := h.Locality
		at := fmt.Sprint(h.Priority, localityText(l.Region, l.Zone, l.SubZone))
		g := groups[at]
		if g == nil {
			g = &endpointv3.LocalityLbEndpoints{Priority: h.Priority}
			if l.Region+l.Zone+l.SubZone != "" {
				g.Locality = &corev3.Locality{Region: l.Region, Zone: l.Zone, SubZone: l.SubZone}
			}
			groups[at] = g
			out.Endpoints = append(out.Endpoints, g)
		}
		e := &endpointv3.LbEndpoint{
			HealthStatus:   corev3.HealthStatus(corev3.HealthStatus_value[h.Health.EDS]),
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: h.Address.proto()}},
		}
		if h.Weight > 1 {
			e.LoadBalancingWeight = wrapperspb.UInt32(h.Weight)
		}
		g.LbEndpoints = append(g.LbEndpoints, e)
	}
	return out
}
