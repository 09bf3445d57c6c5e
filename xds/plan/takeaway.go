package plan

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"example.com/meshtui/engine/mesh"
)

// movesTraffic reports whether a change leads requests elsewhere: what they
// leave must stay as it is until they have.
func movesTraffic(c mesh.Change) bool {
	return c.Old != nil && (c.Key.Type == mesh.Route || c.Key.Type == mesh.Listener)
}

// takesAway reports whether a changed assignment has nothing that it had not
// before: endpoints left, or are no longer to be used.
func takesAway(c mesh.Change) bool {
	if c.Key.Type != mesh.Endpoints || c.Old == nil || c.New == nil {
		return false
	}
	before, ok := c.Old.Message.(*endpointv3.ClusterLoadAssignment)
	after, ok2 := c.New.Message.(*endpointv3.ClusterLoadAssignment)
	if !ok || !ok2 {
		return false
	}
	had := map[string]*endpointv3.LbEndpoint{}
	for _, group := range before.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			had[addressText(e.GetEndpoint().GetAddress())] = e
		}
	}
	left := len(had)
	ill := false
	for _, group := range after.GetEndpoints() {
		for _, e := range group.GetLbEndpoints() {
			was := had[addressText(e.GetEndpoint().GetAddress())]
			if was == nil || usable(e) && !usable(was) {
				return false
			}
			ill = ill || usable(was) && !usable(e)
			left--
		}
	}
	return left > 0 || ill
}

// usable reports whether EDS lets an endpoint take new requests.
func usable(e *endpointv3.LbEndpoint) bool {
	switch e.GetHealthStatus() {
	case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_DRAINING, corev3.HealthStatus_TIMEOUT:
		return false
	}
	return true
}
