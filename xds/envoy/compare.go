package envoy

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// observed is what was read of one Envoy for the comparison.
type observed struct {
	dumps    map[mesh.Type]*dump      // nil for a type: it was not asked or did not answer
	clusters map[string]clusterStatus // by the name that EDS uses; nil when not read
}

// compare says of each of the keys how what was served stands in Envoy.
func compare(served map[mesh.Key]proto.Message, keys []mesh.Key, o observed) map[mesh.Key]Active {
	// Only for what is absent, and then once: it walks all that was served.
	asked := sync.OnceValue(func() map[mesh.Key]bool { return askedFor(served) })
	out := make(map[mesh.Key]Active, len(keys))
	for _, k := range keys {
		if k.Type == mesh.Endpoints {
			out[k] = o.endpoints(k.Name, served[k], asked)
			continue
		}
		out[k] = o.resource(k, served[k], asked)
	}
	return out
}

// askedFor are the resources that others of the set name. An Envoy asks for
// routes, endpoints and secrets only when something names them.
func askedFor(served map[mesh.Key]proto.Message) map[mesh.Key]bool {
	out := map[mesh.Key]bool{}
	for _, m := range served {
		r, err := mesh.NewResource(m, mesh.Source{})
		if err != nil {
			continue
		}
		for _, ref := range mesh.References(r) {
			out[ref.To] = true
		}
	}
	return out
}

// unasked says why an Envoy does not have a resource that nothing names.
func unasked(t mesh.Type) string {
	switch t {
	case mesh.Route:
		return "no listener asks for it"
	case mesh.Endpoints:
		return "no cluster asks for it"
	case mesh.Secret:
		return "nothing asks for it"
	}
	return ""
}

// resource compares one resource with /config_dump.
func (o observed) resource(k mesh.Key, served proto.Message, asked func() map[mesh.Key]bool) Active {
	d := o.dumps[k.Type]
	if d == nil {
		return Active{State: NotObservable}
	}
	active, isActive := d.active[k.Name]
	warming, isWarming := d.warming[k.Name]
	detail := d.errors[k.Name]
	if isActive && active.Message != nil && difference(served, active.Message) == "" {
		return Active{State: ActiveSame, Since: active.Since, Detail: detail}
	}
	if isWarming && (warming.Message == nil || difference(served, warming.Message) == "") {
		return Active{State: Warming, Since: warming.Since, Detail: detail}
	}
	switch {
	case isActive && active.Message == nil:
		return Active{State: NotObservable, Since: active.Since, Detail: "what Envoy shows of it cannot be read"}
	case isActive:
		if detail == "" {
			detail = "differs in " + difference(served, active.Message)
		}
		return Active{State: ActiveOther, Since: active.Since, Detail: detail}
	case isWarming:
		return Active{State: Warming, Since: warming.Since, Detail: "differs in " + difference(served, warming.Message)}
	case detail == "" && !asked()[k]:
		detail = unasked(k.Type)
	}
	return Active{State: Absent, Detail: detail}
}

// endpoints compares a ClusterLoadAssignment with the hosts of its cluster:
// addresses, priorities, weights, localities and EDS health, which is all of it
// that Envoy shows.
func (o observed) endpoints(name string, served proto.Message, asked func() map[mesh.Key]bool) Active {
	if o.clusters == nil {
		return Active{State: NotObservable}
	}
	cla, ok := served.(*endpointv3.ClusterLoadAssignment)
	if !ok {
		return Active{State: NotObservable}
	}
	status, ok := o.clusters[name]
	if !ok {
		if d := o.dumps[mesh.Cluster]; d != nil && d.warmsFor(name) {
			return Active{State: Warming, Detail: "its cluster is warming"}
		}
		detail := ""
		if !asked()[mesh.Key{Type: mesh.Endpoints, Name: name}] {
			detail = unasked(mesh.Endpoints)
		}
		return Active{State: Absent, Detail: detail}
	}
	if detail := endpointDifference(wantedHosts(cla), runningHosts(status)); detail != "" {
		return Active{State: ActiveOther, Detail: detail}
	}
	return Active{State: ActiveSame}
}

// warmsFor reports whether a warming cluster takes the endpoints of that name.
func (d *dump) warmsFor(service string) bool {
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

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
