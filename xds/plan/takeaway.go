package plan

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// endpointsMove reports what a changed assignment does: whether it brings
// endpoints, new ones or such as may be used again, and whether it takes some
// away, because they left or are no longer to be used. Both are false for what
// is no changed assignment.
func endpointsMove(c mesh.Change) (adds, takes bool) {
	before, after, ok := assignments(c)
	if !ok {
		return false, false
	}
	had, has := byAddress(before), byAddress(after)
	for address, e := range has {
		was := had[address]
		switch {
		case was == nil, usable(e) && !usable(was):
			adds = true
		case usable(was) && !usable(e):
			takes = true
		}
	}
	for address := range had {
		takes = takes || has[address] == nil
	}
	return adds, takes
}

// both is a changed assignment with all that it brings, and with what it takes
// away still as it was; nil where that cannot be put together, because endpoints
// are not all listed in it by address.
func both(c mesh.Change) *mesh.Resource {
	before, after, ok := assignments(c)
	if !ok || !listed(before) || !listed(after) {
		return nil
	}
	had, has := byAddress(before), byAddress(after)
	out := proto.CloneOf(after)
	for _, group := range out.GetEndpoints() {
		for i, e := range group.GetLbEndpoints() {
			if was := had[addressOf(e)]; was != nil && usable(was) && !usable(e) {
				group.LbEndpoints[i] = proto.CloneOf(was)
			}
		}
	}
	for _, group := range before.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			if has[addressOf(e)] == nil {
				into := groupLike(out, group)
				into.LbEndpoints = append(into.LbEndpoints, proto.CloneOf(e))
			}
		}
	}
	r, err := mesh.NewResource(out, c.New.Source)
	if err != nil {
		return nil
	}
	return r
}

// groupLike is the group of the same locality and priority, which is made if it
// is not there. Both assignments have their priorities without a gap, and so has
// what is put together from them.
func groupLike(cla *endpointv3.ClusterLoadAssignment, like *endpointv3.LocalityLbEndpoints) *endpointv3.LocalityLbEndpoints {
	for _, group := range cla.GetEndpoints() {
		if group.GetPriority() == like.GetPriority() && proto.Equal(group.GetLocality(), like.GetLocality()) {
			return group
		}
	}
	group := proto.CloneOf(like)
	group.LbEndpoints = nil
	cla.Endpoints = append(cla.Endpoints, group)
	return group
}

func assignments(c mesh.Change) (before, after *endpointv3.ClusterLoadAssignment, ok bool) {
	if c.Key.Type != mesh.Endpoints || c.Old == nil || c.New == nil {
		return nil, nil, false
	}
	before, ok = c.Old.Message.(*endpointv3.ClusterLoadAssignment)
	after, ok2 := c.New.Message.(*endpointv3.ClusterLoadAssignment)
	return before, after, ok && ok2
}

// listed reports whether an assignment says all its endpoints itself, by address.
func listed(cla *endpointv3.ClusterLoadAssignment) bool {
	for _, group := range cla.GetEndpoints() {
		if group.GetLbConfig() != nil {
			return false
		}
		for _, e := range group.GetLbEndpoints() {
			if addressOf(e) == "" {
				return false
			}
		}
	}
	return true
}

func byAddress(cla *endpointv3.ClusterLoadAssignment) map[string]*endpointv3.LbEndpoint {
	out := map[string]*endpointv3.LbEndpoint{}
	for _, group := range cla.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			out[addressOf(e)] = e
		}
	}
	return out
}

func addressOf(e *endpointv3.LbEndpoint) string { return addressText(e.GetEndpoint().GetAddress()) }

// usable reports whether EDS lets an endpoint take new requests.
func usable(e *endpointv3.LbEndpoint) bool {
	switch e.GetHealthStatus() {
	case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_DRAINING, corev3.HealthStatus_TIMEOUT:
		return false
	}
	return true
}
