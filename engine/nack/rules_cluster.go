package nack

import (
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func noEDSConfig(s suspect, _ []string) []place {
	c, ok := s.Message.(*clusterv3.Cluster)
	if !ok || c.GetType() != clusterv3.Cluster_EDS || fromADS(c.GetEdsClusterConfig().GetEdsConfig()) {
		return nil
	}
	const at = "eds_cluster_config.eds_config"
	path := at
	if !has(s.Resource, at) {
		path = "type"
	}
	p := place{path: path, plain: "The cluster is of type EDS and does not say where its endpoints come from.",
		why:  "EDS has no default: eds_config says whom to ask, and ads: {} is the stream that the cluster came by",
		mend: set("set eds_config to ads: {}", at, overADS)}
	if c.GetEdsClusterConfig().GetEdsConfig() != nil {
		p.plain = "The endpoints are to come from elsewhere than ADS."
		p.why = oneStream
	}
	p.hint = p.mend.says
	return []place{p}
}

// oneStream is why a gRPC client takes no other source.
const oneStream = "a gRPC client has one stream to its control plane and asks for everything there"

// outOfBounds is what gRPC says of a number, whose path it tells.
func outOfBounds(s suspect, m []string) []place {
	path := s.reason.path
	if path == "" {
		return nil
	}
	limit := atoi(m[2])
	if m[1] == ">" {
		limit++
	}
	says := fmt.Sprintf("set %s to %d", lastStep(path), limit)
	p := place{path: path, plain: fmt.Sprintf("%s is %s, and it must be %s %s.", lastStep(path), shown(s.values()[path]), m[1], m[2]), hint: says}
	if p.mend = s.putBack(path); p.mend == nil {
		p.mend = set(says, path, limit)
	}
	return []place{p}
}

func duplicateCluster(s suspect, m []string) []place {
	if s.Key.Name != m[1] {
		return nil
	}
	return []place{{path: "name", plain: fmt.Sprintf("The node was sent two clusters called %s.", m[1]),
		why:  "a name stands for one cluster; the node's bootstrap may have one of that name as well",
		hint: "give one of them another name, and the routes that mean it"}}
}

func duplicateEndpoint(s suspect, m []string) []place {
	var out []place
	seen := map[string]bool{}
	eachEndpoint(s, func(at string, e *endpointv3.LbEndpoint) {
		address := mesh.Address(e.GetEndpoint().GetAddress())
		if address == m[1] && seen[address] {
			out = append(out, place{path: at, plain: fmt.Sprintf("The endpoint %s is there twice.", address),
				why: "a gRPC client refuses it; an Envoy takes it and counts it once", hint: "delete the second entry",
				mend: remove("delete the second entry of "+address, at)})
		}
		seen[address] = true
	})
	return out
}

func eachEndpoint(s suspect, visit func(at string, e *endpointv3.LbEndpoint)) {
	each(s.Resource, visit)
}

func zeroWeight(s suspect, _ []string) []place {
	var out []place
	eachEndpoint(s, func(at string, e *endpointv3.LbEndpoint) {
		if w := e.GetLoadBalancingWeight(); w != nil && w.GetValue() == 0 {
			path := text.Field(at, "load_balancing_weight")
			out = append(out, place{path: path,
				plain: fmt.Sprintf("The endpoint %s has the weight 0.", mesh.Address(e.GetEndpoint().GetAddress())),
				why:   "a weight begins at 1; what is to get no requests is drained or left out",
				hint:  "set it to 1, or health_status to DRAINING", mend: set("set its weight to 1", path, 1)})
		}
	})
	return out
}

func noLocality(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, l *endpointv3.LocalityLbEndpoints) {
		if l.GetLocality() != nil {
			return
		}
		at := text.Field(path, "locality")
		out = append(out, place{path: at, plain: "These endpoints have no locality.",
			why:  "a gRPC client balances among localities and wants to know each; an Envoy does not need it",
			hint: "add a locality", mend: set("add locality: {region: local}", at, map[string]any{"region": "local"})})
	})
	return out
}

func priorityGap(s suspect, m []string) []place {
	c, ok := s.Message.(*endpointv3.ClusterLoadAssignment)
	if !ok {
		return nil
	}
	var used []uint32
	for _, l := range c.GetEndpoints() {
		used = append(used, l.GetPriority())
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(used)))
	for i, l := range c.GetEndpoints() {
		if int(l.GetPriority()) <= atoi(m[1]) {
			continue
		}
		at := text.Item("endpoints", i) + ".priority"
		says := "number the priorities from 0 on"
		return []place{{path: at, plain: fmt.Sprintf("There is priority %d and no priority %s.", l.GetPriority(), m[1]),
			why:  "priorities are steps of a stair: the next one is taken when those before it fail",
			hint: says,
			mend: &mending{says, func(in string) (string, error) {
				return edits(in, len(used), func(in string, i int) (string, error) {
					now := slices.Index(sorted, used[i])
					if now == int(used[i]) {
						return in, nil
					}
					return text.Set(in, text.Item("endpoints", i)+".priority", now)
				})
			}}}}
	}
	return nil
}

func lbPolicy(s suspect, _ []string) []place {
	c, ok := s.Message.(*clusterv3.Cluster)
	if !ok {
		return nil
	}
	p := place{path: "lb_policy", plain: fmt.Sprintf("This node has no load balancing policy %s.", c.GetLbPolicy()),
		why:  "an Envoy may know it; this node is another kind of xDS client",
		hint: "ROUND_ROBIN is known to all"}
	if p.mend = s.putBack(p.path); p.mend == nil {
		p.mend = set("set lb_policy to ROUND_ROBIN", p.path, "ROUND_ROBIN")
	}
	return []place{p}
}

func clusterType(s suspect, _ []string) []place {
	c, ok := s.Message.(*clusterv3.Cluster)
	if !ok {
		return nil
	}
	p := place{path: "type", plain: fmt.Sprintf("This node does not know clusters of type %s.", c.GetType()),
		why:  "a gRPC client knows EDS, LOGICAL_DNS and aggregate clusters alone",
		hint: "make it EDS and put its endpoints into a resource of their own"}
	if fromADS(c.GetEdsClusterConfig().GetEdsConfig()) {
		p.mend = set("set type to EDS", p.path, "EDS")
	}
	return []place{p}
}
