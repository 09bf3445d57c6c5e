package nack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// What a mesh implies about a value that is missing or wrong.

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// durations are what Envoy takes, or its documentation proposes, where nothing is
// said; the others become a second.
var durations = map[string]time.Duration{
	"connect_timeout":  5 * time.Second,
	"interval":         5 * time.Second,
	"idle_timeout":     time.Hour,
	"base_interval":    25 * time.Millisecond,
	"max_interval":     250 * time.Millisecond,
	"drain_timeout":    5 * time.Second,
	"dns_refresh_rate": 5 * time.Second,
}

// positiveDuration sets a duration that is zero or less to what it was before,
// to its amount without the sign, or to a usual one.
func (s suspect) positiveDuration(path string) *mending {
	field := lastStep(path)
	was, now := time.Duration(0), time.Duration(0)
	if old, ok := s.changes.before(path); ok {
		was = parseDuration(old)
	}
	now = parseDuration(s.values()[path])
	switch usual := durations[field]; {
	case was > 0:
		now = was
	case now < 0:
		now = -now
	case usual > 0:
		now = usual
	default:
		now = time.Second
	}
	return set(fmt.Sprintf("set %s to %s", field, seconds(now)), path, now)
}

// seconds is a duration as protobuf's JSON has it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }

func parseDuration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}

// negative reports whether a duration is one that Envoy does not take.
func negative(d *durationpb.Duration) bool {
	return d.GetSeconds() < 0 || d.GetNanos() < 0 || d.CheckValid() != nil
}

// smallerPort is a port in place of one above 65535: that of before; a free one
// for a listener; else the number without its last digit, as if one was typed
// twice.
func (s suspect) smallerPort(path string) *mending {
	if m := s.putBack(path); m != nil {
		return m
	}
	if s.Key.Type == mesh.Listener {
		return s.otherPort(path, 10000)
	}
	digits := s.values()[path]
	for len(digits) > 4 && atoi(digits) > 65535 {
		digits = digits[:len(digits)-1]
	}
	if port := atoi(digits); port > 0 && port <= 65535 {
		return set(fmt.Sprintf("set port_value to %d, one digit less", port), path, port)
	}
	return nil
}

// maxNodes is for how many local Envoys a port is kept free: each listens
// portStep above the one before it.
const (
	maxNodes = 10
	portStep = 100
)

// otherPort is a port after from that no listener of the mesh has, on no local
// Envoy.
func (s suspect) otherPort(path string, from int) *mending {
	used := map[int]bool{}
	for _, l := range s.in.List(mesh.Listener) {
		each(l, func(path string, a *corev3.SocketAddress) {
			if strings.HasPrefix(path, "address.") || strings.HasPrefix(path, "additional_addresses[") {
				for i := -maxNodes; i <= maxNodes; i++ {
					used[int(a.GetPortValue())+i*portStep] = true
				}
			}
		})
	}
	for port := from + 1; port <= 65535; port++ {
		if !used[port] {
			return set(fmt.Sprintf("listen on port %d instead", port), path, port)
		}
	}
	return nil
}

// anyDomain makes a virtual host without domains the one for every host, when
// there is no such one.
func (s suspect) anyDomain(path string) *mending {
	taken := false
	each(s.Resource, func(_ string, vh *routev3.VirtualHost) {
		taken = taken || slices.Contains(vh.GetDomains(), "*")
	})
	if taken {
		return nil
	}
	return set(`let it take every host: domains ["*"]`, path, []string{"*"})
}

// hostName is a name for a virtual host: its first domain that is one.
func hostName(m proto.Message) string {
	vh, ok := m.(*routev3.VirtualHost)
	if !ok {
		return ""
	}
	for _, d := range vh.GetDomains() {
		if name := strings.Trim(d, "*."); name != "" {
			return name
		}
	}
	if len(vh.GetDomains()) > 0 {
		return "all"
	}
	return ""
}

// assignedName is the name of the endpoints that stand in a cluster without a
// name, or that EDS is asked for.
func (s suspect) assignedName() string {
	c, ok := s.Message.(*clusterv3.Cluster)
	if !ok {
		return ""
	}
	for _, name := range []string{c.GetLoadAssignment().GetClusterName(), c.GetEdsClusterConfig().GetServiceName(), s.onlyMissing(mesh.Cluster)} {
		if name != "" && s.in.Get(mesh.Key{Type: mesh.Cluster, Name: name}) == nil {
			return name
		}
	}
	return ""
}

// onlyMissing is the one name of a type that the mesh refers to and does not
// hold; "" when there are several or none.
func (s suspect) onlyMissing(t mesh.Type) string {
	only := ""
	for _, ref := range s.in.References() {
		if ref.To.Type != t || s.in.Get(ref.To) != nil || ref.To.Name == only {
			continue
		}
		if only != "" {
			return ""
		}
		only = ref.To.Name
	}
	return only
}

// lackingEndpoints is the one EDS cluster for which the mesh has no endpoints.
func (s suspect) lackingEndpoints() string { return s.onlyMissing(mesh.Endpoints) }

// onlyRoute is the mesh's one route configuration; "" when there are several.
func (s suspect) onlyRoute() string {
	if routes := s.in.List(mesh.Route); len(routes) == 1 {
		return routes[0].Key.Name
	}
	return ""
}

// similar is the one of the known names that a wrong one probably means, or "".
func similar(name string, known []string) string {
	rest, ok := strings.CutPrefix(text.Suggest(name, known...), "did you mean ")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(rest, "?")
}
