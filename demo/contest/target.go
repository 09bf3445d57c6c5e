package contest

import (
	"fmt"
	"net"
	"net/http"
	"strconv"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// target is a request, where it is sent, and who answers it.
type target struct {
	request match.Request
	bound   string          // the listener's address in the mesh; "" when no listener takes it
	answers map[string]bool // who may answer: see Contest.identity; nil when that is not known
	before  map[string]bool // who answered before the change; with answers they tell old from new
}

// visible reports whether an answer tells whether it was made before or after
// the change.
func (t target) visible() bool {
	if len(t.answers) == 0 || len(t.before) == 0 {
		return false
	}
	for who := range t.answers {
		if t.before[who] {
			return false
		}
	}
	return true
}

// fails reports whether a client would call an answer a failure: a 5xx that the
// mesh does not ask for.
func (t target) fails(status int, who string) bool {
	return status >= http.StatusInternalServerError && !t.answers[who] && !t.before[who]
}

// shows is the request by which the step from one mesh to another is seen: the
// plain one where its answers change altogether, else one made for a route of
// which that is so, else the plain one, whose answers then tell nothing.
func shows(from, to *mesh.Mesh) target {
	old, now := match.New(from), match.New(to)
	asks := []match.Request{plainRequest()}
	for _, probe := range kept.Probe(from, to) {
		asks = append(asks, probe.Ask)
	}
	var first target
	for i, ask := range asks {
		if ask.TLS || ask.HTTP2 || ask.HTTP10 || ask.Random != nil {
			continue
		}
		was := targetOf(old, from, ask)
		t := targetOf(now, to, ask)
		t.before = was.answers
		if i == 0 {
			first = t
		}
		if t.visible() && t.bound != "" && t.bound == was.bound {
			return t
		}
	}
	return first
}

// targetOf asks the matcher of a mesh who answers a request.
func targetOf(ms *match.Matcher, m *mesh.Mesh, ask match.Request) target {
	way := ms.Match(&ask)
	t := target{request: ask}
	if r := m.Get(mesh.Key{Type: mesh.Listener, Name: way.Listener}); r != nil {
		if l, ok := r.Message.(*listenerv3.Listener); ok {
			t.bound = boundTo(l, ask.Port)
		}
	}
	switch way.Action {
	case match.Forward:
		t.answers = endpointsOf(m, &way)
	case match.Redirect, match.DirectResponse, match.NotFound:
		t.answers = map[string]bool{itself(way.Status): true}
	}
	return t
}

// itself is the identity of an answer that no backend gave.
func itself(status int) string { return fmt.Sprintf("status %d", status) }

// boundTo is the address of a listener that has the port, else its first one.
func boundTo(l *listenerv3.Listener, port uint32) string {
	for _, more := range l.GetAdditionalAddresses() {
		if port != 0 && more.GetAddress().GetSocketAddress().GetPortValue() == port {
			return hostPort(more.GetAddress())
		}
	}
	return hostPort(l.GetAddress())
}

// hostPort is a socket address as "host:port", "" for another.
func hostPort(a *corev3.Address) string {
	s := a.GetSocketAddress()
	if s == nil {
		return ""
	}
	return net.JoinHostPort(s.GetAddress(), strconv.FormatUint(uint64(s.GetPortValue()), 10))
}

// endpointsOf are the addresses of all endpoints of the clusters that a request
// may go to; nil where some are not known.
func endpointsOf(m *mesh.Mesh, way *match.Way) map[string]bool {
	var clusters []string
	for _, w := range way.Weighted {
		if w.Weight > 0 {
			clusters = append(clusters, w.Name)
		}
	}
	if way.Cluster != "" {
		clusters = []string{way.Cluster}
	}
	out := map[string]bool{}
	for _, name := range clusters {
		load := loadOf(m, name)
		if load == nil {
			return nil
		}
		for _, group := range load.GetEndpoints() {
			for _, e := range group.GetLbEndpoints() {
				out[hostPort(e.GetEndpoint().GetAddress())] = true
			}
		}
	}
	return out
}

// loadOf is what says where a cluster's endpoints are; nil without.
func loadOf(m *mesh.Mesh, cluster string) *endpointv3.ClusterLoadAssignment {
	r := m.Get(mesh.Key{Type: mesh.Cluster, Name: cluster})
	if r == nil {
		return nil
	}
	c, _ := r.Message.(*clusterv3.Cluster)
	if c.GetLoadAssignment() != nil {
		return c.GetLoadAssignment()
	}
	name := c.GetEdsClusterConfig().GetServiceName()
	if name == "" {
		name = cluster
	}
	e := m.Get(mesh.Key{Type: mesh.Endpoints, Name: name})
	if e == nil {
		return nil
	}
	load, _ := e.Message.(*endpointv3.ClusterLoadAssignment)
	return load
}
