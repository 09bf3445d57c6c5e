package check

import (
	"fmt"
	"net/netip"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// assignment is a ClusterLoadAssignment that Envoy uses: one that EDS serves,
// or that of a cluster which has its endpoints inline.
type assignment struct {
	node
	dns       bool // its host names are resolved
	endpoints []endpoint
	complete  bool // false where some endpoints are not in it but are looked up elsewhere
}

// endpoint is one endpoint of an assignment.
type endpoint struct {
	locality, index int
	priority        uint32
	lb              *endpointv3.LbEndpoint
}

// address is the endpoint's own address.
func (e endpoint) address() *corev3.Address { return e.lb.GetEndpoint().GetAddress() }

// pathOf is where an endpoint of the assignment stands.
func (a assignment) pathOf(e endpoint) string {
	return text.Item(text.Field(a.item("endpoints", e.locality), "lb_endpoints"), e.index)
}

// newAssignment lists the endpoints of an assignment.
func newAssignment(n node, cla *endpointv3.ClusterLoadAssignment, dns bool) assignment {
	a := assignment{node: n, dns: dns, complete: true}
	for i, l := range cla.GetEndpoints() {
		a.complete = a.complete && l.GetLedsClusterLocalityConfig() == nil && l.GetLoadBalancerEndpoints() == nil
		for j, lb := range l.GetLbEndpoints() {
			a.complete = a.complete && lb.GetEndpointName() == ""
			a.endpoints = append(a.endpoints, endpoint{locality: i, index: j, priority: l.GetPriority(), lb: lb})
		}
	}
	return a
}

// findAssignments collects every assignment in use.
func (c *checker) findAssignments() {
	each(c, func(n node, cla *endpointv3.ClusterLoadAssignment) {
		if n.key.Type == mesh.Endpoints {
			c.assignments = append(c.assignments, newAssignment(n, cla, false))
		}
	})
	each(c, func(n node, cl *clusterv3.Cluster) {
		if cl.GetClusterType() != nil {
			return
		}
		inline := node{key: n.key, path: n.at("load_assignment"), m: cl.GetLoadAssignment()}
		switch cl.GetType() {
		case clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_LOGICAL_DNS:
			c.assignments = append(c.assignments, newAssignment(inline, cl.GetLoadAssignment(), true))
		case clusterv3.Cluster_STATIC:
			c.assignments = append(c.assignments, newAssignment(inline, cl.GetLoadAssignment(), false))
		}
	})
}

// eachAssignment calls visit for every assignment in use.
func eachAssignment(c *checker, visit func(assignment)) {
	for _, a := range c.assignments {
		visit(a)
	}
}

// noEndpoints reports assignments that leave a cluster without hosts.
func noEndpoints(c *checker) {
	eachAssignment(c, func(a assignment) {
		if len(a.endpoints) == 0 && a.complete {
			at := a.path
			if a.key.Type == mesh.Endpoints {
				at = a.at("endpoints")
			}
			c.report(mesh.Warning, a.key, at,
				fmt.Sprintf("%s has no endpoint, and Envoy answers its requests with 503 UH (no healthy upstream)", a.called()),
				"add an endpoint")
		}
	})
}

// called is the assignment's cluster in words.
func (a assignment) called() string { return fmt.Sprintf("cluster %q", a.key.Name) }

// allUnhealthy reports assignments whose endpoints are all taken out by EDS
// health: Envoy then uses them all the same.
func allUnhealthy(c *checker) {
	eachAssignment(c, func(a assignment) {
		if len(a.endpoints) == 0 || !a.complete {
			return
		}
		for _, e := range a.endpoints {
			switch e.lb.GetHealthStatus() {
			case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_DRAINING, corev3.HealthStatus_TIMEOUT:
			default:
				return
			}
		}
		effect := "Envoy panics and sends requests to all of them, draining or not"
		if !c.panics(a) {
			effect = "Envoy answers its requests with 503 UH (no healthy upstream)"
		}
		c.report(mesh.Warning, a.key, a.at("endpoints"),
			fmt.Sprintf("no endpoint of %s is healthy: %s", a.called(), effect),
			"keep one endpoint healthy, or remove those that must get nothing")
	})
}

// panics reports whether Envoy, when no endpoint of the assignment is healthy,
// uses them all: it does unless a cluster has its panic threshold at 0.
func (c *checker) panics(a assignment) bool {
	panics := true
	each(c, func(n node, cl *clusterv3.Cluster) {
		name := cl.GetEdsClusterConfig().GetServiceName()
		if name == "" {
			name = cl.GetName()
		}
		threshold := cl.GetCommonLbConfig().GetHealthyPanicThreshold()
		uses := n.key == a.key || cl.GetType() == clusterv3.Cluster_EDS && name == a.key.Name
		if uses && threshold != nil && threshold.GetValue() == 0 {
			panics = false
		}
	})
	return panics
}

// hostName reports names where Envoy takes an IP address only.
func hostName(c *checker) {
	eachAssignment(c, func(a assignment) {
		if a.dns {
			return
		}
		for _, e := range a.endpoints {
			s := e.address().GetSocketAddress()
			if s == nil || s.GetResolverName() != "" || s.GetAddress() == "" {
				continue
			}
			if _, err := netip.ParseAddr(s.GetAddress()); err != nil {
				c.report(mesh.Error, a.key, a.pathOf(e)+".endpoint.address.socket_address.address",
					fmt.Sprintf("%q is no IP address, and Envoy resolves no names here", s.GetAddress()),
					"write the IP address, or make it a cluster of type STRICT_DNS with inline endpoints")
			}
		}
	})
}

// duplicateEndpoint reports addresses that stand twice in one assignment.
func duplicateEndpoint(c *checker) {
	eachAssignment(c, func(a assignment) {
		seen := map[string]bool{}
		for _, e := range a.endpoints {
			address := addressKey(e.address())
			if address != "" && seen[address] {
				c.report(mesh.Warning, a.key, a.pathOf(e),
					fmt.Sprintf("endpoint %s stands here twice", mesh.Address(e.address())),
					"remove one; to send it more, give it a higher load_balancing_weight")
			}
			seen[address] = true
		}
	})
}

// endpointPort reports endpoints that nothing can be connected to.
func endpointPort(c *checker) {
	eachAssignment(c, func(a assignment) {
		for _, e := range a.endpoints {
			s := e.address().GetSocketAddress()
			if _, numbered := s.GetPortSpecifier().(*corev3.SocketAddress_PortValue); numbered && s.GetPortValue() == 0 {
				c.report(mesh.Warning, a.key, a.pathOf(e)+".endpoint.address.socket_address.port_value",
					"this endpoint has port 0, to which nothing can connect", "write the port that the upstream listens on")
			}
		}
	})
}

// priorityGap reports priorities that do not follow each other from 0.
func priorityGap(c *checker) {
	eachAssignment(c, func(a assignment) {
		if !a.complete {
			return
		}
		var used []uint32
		for _, e := range a.endpoints {
			used = append(used, e.priority)
		}
		slices.Sort(used)
		for i, p := range slices.Compact(used) {
			if p != uint32(i) {
				c.report(mesh.Warning, a.key, a.at("endpoints"),
					fmt.Sprintf("priority %d has no endpoint, and priority %d has some", i, p),
					"number the priorities from 0 on without a gap: Envoy counts the empty ones as failed")
				return
			}
		}
	})
}
