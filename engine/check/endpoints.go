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
	cla *endpointv3.ClusterLoadAssignment
	dns bool // its host names are resolved
}

// eachAssignment calls visit for every assignment in use.
func eachAssignment(c *checker, visit func(assignment)) {
	each(c, func(n node, cla *endpointv3.ClusterLoadAssignment) {
		if n.key.Type == mesh.Endpoints {
			visit(assignment{node: n, cla: cla})
		}
	})
	each(c, func(n node, cl *clusterv3.Cluster) {
		if cl.GetClusterType() != nil {
			return
		}
		inline := assignment{
			node: node{key: n.key, path: n.at("load_assignment"), m: cl.GetLoadAssignment()},
			cla:  cl.GetLoadAssignment(),
		}
		switch cl.GetType() {
		case clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_LOGICAL_DNS:
			inline.dns = true
			visit(inline)
		case clusterv3.Cluster_STATIC:
			visit(inline)
		}
	})
}

// endpoint is one endpoint of an assignment.
type endpoint struct {
	path     string
	priority uint32
	lb       *endpointv3.LbEndpoint
}

// address is the endpoint's own address.
func (e endpoint) address() *corev3.Address { return e.lb.GetEndpoint().GetAddress() }

// endpoints lists the endpoints of an assignment. complete is false where some
// are not in it but are looked up elsewhere.
func (a assignment) endpoints() (all []endpoint, complete bool) {
	complete = true
	for i, l := range a.cla.GetEndpoints() {
		complete = complete && l.GetLedsClusterLocalityConfig() == nil && l.GetLoadBalancerEndpoints() == nil
		for j, lb := range l.GetLbEndpoints() {
			complete = complete && lb.GetEndpointName() == ""
			path := text.Item(text.Field(a.item("endpoints", i), "lb_endpoints"), j)
			all = append(all, endpoint{path: path, priority: l.GetPriority(), lb: lb})
		}
	}
	return all, complete
}

// noEndpoints reports assignments that leave a cluster without hosts.
func noEndpoints(c *checker) {
	eachAssignment(c, func(a assignment) {
		if all, complete := a.endpoints(); len(all) == 0 && complete {
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
		all, complete := a.endpoints()
		if len(all) == 0 || !complete {
			return
		}
		for _, e := range all {
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
		all, _ := a.endpoints()
		for _, e := range all {
			s := e.address().GetSocketAddress()
			if s == nil || s.GetResolverName() != "" || s.GetAddress() == "" {
				continue
			}
			if _, err := netip.ParseAddr(s.GetAddress()); err != nil {
				c.report(mesh.Error, a.key, e.path+".endpoint.address.socket_address.address",
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
		all, _ := a.endpoints()
		for _, e := range all {
			address := addressKey(e.address())
			if address != "" && seen[address] {
				c.report(mesh.Warning, a.key, e.path,
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
		all, _ := a.endpoints()
		for _, e := range all {
			s := e.address().GetSocketAddress()
			if _, numbered := s.GetPortSpecifier().(*corev3.SocketAddress_PortValue); numbered && s.GetPortValue() == 0 {
				c.report(mesh.Warning, a.key, e.path+".endpoint.address.socket_address.port_value",
					"this endpoint has port 0, to which nothing can connect", "write the port that the upstream listens on")
			}
		}
	})
}

// priorityGap reports priorities that do not follow each other from 0.
func priorityGap(c *checker) {
	eachAssignment(c, func(a assignment) {
		all, complete := a.endpoints()
		if !complete {
			return
		}
		var used []uint32
		for _, e := range all {
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
