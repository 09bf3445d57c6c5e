package engine

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// SetHealth sets the health status of an endpoint, named by its address as
// mesh.Address writes it: "DRAINING" takes new requests off it, "HEALTHY" or
// "UNKNOWN" gives them back. The latter two mean the same to Envoy, so that the
// field then goes back to what it is in the revision that is served: away, where
// it was not there.
type SetHealth struct {
	Key      mesh.Key // a ClusterLoadAssignment
	Endpoint string   // its address
	Status   string   // a name of envoy.config.core.v3.HealthStatus
}

// Describe says it in the field's words: "drain 127.0.0.1:9001 of app".
func (e SetHealth) Describe() string {
	switch e.Status {
	case "DRAINING":
		return fmt.Sprintf("drain %s of %s", e.Endpoint, e.Key.Name)
	case "HEALTHY", "UNKNOWN":
		return fmt.Sprintf("give traffic back to %s of %s", e.Endpoint, e.Key.Name)
	}
	return fmt.Sprintf("mark %s of %s %s", e.Endpoint, e.Key.Name, e.Status)
}

func (e SetHealth) apply(draft, live *mesh.Mesh) (*mesh.Mesh, error) {
	status, ok := corev3.HealthStatus_value[e.Status]
	if !ok {
		return nil, fmt.Errorf("%q is no health status; use UNKNOWN, HEALTHY, UNHEALTHY, DRAINING, TIMEOUT or DEGRADED", e.Status)
	}
	restore := status == int32(corev3.HealthStatus_HEALTHY) || status == int32(corev3.HealthStatus_UNKNOWN)
	explicit := !restore || healthIn(live, e.Key, e.Endpoint) == corev3.HealthStatus_HEALTHY
	value := e.Status
	if restore {
		value = "HEALTHY"
	}
	return eachEndpoint(draft, e.Key, e.Endpoint, func(t, path string, ep *endpointv3.LbEndpoint) (string, error) {
		path += ".health_status"
		if explicit {
			if ep.GetHealthStatus().String() == value {
				return t, nil
			}
			return text.Set(t, path, value)
		}
		if _, _, written := text.Position(t, path); written {
			return text.Delete(t, path)
		}
		return t, nil
	})
}

// AddEndpoint adds an endpoint to the first locality of a ClusterLoadAssignment.
// It takes the shape (weight, metadata, health check port) of the last endpoint
// that is there.
type AddEndpoint struct {
	Key     mesh.Key
	Address string // host:port, or a pipe's path
}

// Describe names the address and the cluster.
func (e AddEndpoint) Describe() string { return fmt.Sprintf("add %s to %s", e.Address, e.Key.Name) }

func (e AddEndpoint) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	address, ok := mesh.ParseAddress(e.Address)
	if !ok {
		return nil, fmt.Errorf("%q is no endpoint address; write an IP address and a port from 1 to 65535 (127.0.0.1:9001, [::1]:9001) or the path of a unix socket", e.Address)
	}
	cla, err := assignment(draft, e.Key)
	if err != nil {
		return nil, err
	}
	if len(find(cla, e.Address)) > 0 {
		return nil, fmt.Errorf("%s already has the endpoint %s", e.Key, e.Address)
	}
	var siblings []*endpointv3.LbEndpoint
	if len(cla.GetEndpoints()) > 0 {
		siblings = cla.GetEndpoints()[0].GetLbEndpoints()
	}
	value := likeSibling(siblings, address)
	return rewrite(draft, e.Key, func(t string) (string, error) {
		return text.Insert(t, "endpoints[0].lb_endpoints", -1, value)
	})
}

// likeSibling is a new endpoint in the shape of the last one, healthy and with
// an address of its own.
func likeSibling(siblings []*endpointv3.LbEndpoint, a *corev3.Address) *endpointv3.LbEndpoint {
	ep := &endpointv3.LbEndpoint{}
	if n := len(siblings); n > 0 && siblings[n-1].GetEndpoint() != nil {
		ep = proto.Clone(siblings[n-1]).(*endpointv3.LbEndpoint)
		ep.HealthStatus = corev3.HealthStatus_UNKNOWN
	}
	if ep.GetEndpoint() == nil {
		ep.HostIdentifier = &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{}}
	}
	ep.GetEndpoint().Address = a
	ep.GetEndpoint().AdditionalAddresses = nil
	return ep
}

// RemoveEndpoint takes an endpoint out of a ClusterLoadAssignment at once.
// Requests that are on their way are finished; to let them go first, drain it.
type RemoveEndpoint struct {
	Key     mesh.Key
	Address string
}

// Describe names the address and the cluster.
func (e RemoveEndpoint) Describe() string {
	return fmt.Sprintf("remove %s of %s", e.Address, e.Key.Name)
}

func (e RemoveEndpoint) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	return eachEndpoint(draft, e.Key, e.Address, func(t, path string, _ *endpointv3.LbEndpoint) (string, error) {
		return text.Delete(t, path)
	})
}

// SetEndpointWeight sets load_balancing_weight. Envoy refuses 0: drain an
// endpoint that should get nothing.
type SetEndpointWeight struct {
	Key     mesh.Key
	Address string
	Weight  uint32
}

// Describe names the endpoint and the weight.
func (e SetEndpointWeight) Describe() string {
	return fmt.Sprintf("weight %d for %s of %s", e.Weight, e.Address, e.Key.Name)
}

func (e SetEndpointWeight) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	if e.Weight == 0 {
		return nil, fmt.Errorf("weight 0 for %s: Envoy takes weights from 1; drain the endpoint instead", e.Address)
	}
	return eachEndpoint(draft, e.Key, e.Address, func(t, path string, ep *endpointv3.LbEndpoint) (string, error) {
		if proto.Equal(ep.GetLoadBalancingWeight(), wrapperspb.UInt32(e.Weight)) {
			return t, nil
		}
		return text.Set(t, path+".load_balancing_weight", e.Weight)
	})
}

// eachEndpoint changes the text at every endpoint with that address, from the
// last to the first so that indexes hold while items go.
func eachEndpoint(draft *mesh.Mesh, k mesh.Key, address string,
	change func(t, path string, ep *endpointv3.LbEndpoint) (string, error)) (*mesh.Mesh, error) {
	cla, err := assignment(draft, k)
	if err != nil {
		return nil, err
	}
	places := find(cla, address)
	if len(places) == 0 {
		return nil, fmt.Errorf("%s has no endpoint %s", k, address)
	}
	return rewrite(draft, k, func(t string) (string, error) {
		for i := len(places) - 1; i >= 0; i-- {
			if t, err = change(t, places[i].path, places[i].endpoint); err != nil {
				return "", err
			}
		}
		return t, nil
	})
}

type place struct {
	path     string
	endpoint *endpointv3.LbEndpoint
}

// find lists where the endpoints with that address stand, in order.
func find(cla *endpointv3.ClusterLoadAssignment, address string) []place {
	var out []place
	for i, locality := range cla.GetEndpoints() {
		for j, ep := range locality.GetLbEndpoints() {
			if mesh.Address(ep.GetEndpoint().GetAddress()) == address {
				out = append(out, place{fmt.Sprintf("endpoints[%d].lb_endpoints[%d]", i, j), ep})
			}
		}
	}
	return out
}

func assignment(m *mesh.Mesh, k mesh.Key) (*endpointv3.ClusterLoadAssignment, error) {
	r := m.Get(k)
	if r == nil {
		return nil, missing(k)
	}
	cla, ok := r.Message.(*endpointv3.ClusterLoadAssignment)
	if !ok {
		return nil, fmt.Errorf("%s holds no endpoints", k)
	}
	return cla, nil
}

// healthIn is the status that an endpoint has in a mesh, UNKNOWN where it is
// not there.
func healthIn(m *mesh.Mesh, k mesh.Key, address string) corev3.HealthStatus {
	cla, err := assignment(m, k)
	if err != nil {
		return corev3.HealthStatus_UNKNOWN
	}
	for _, p := range find(cla, address) {
		return p.endpoint.GetHealthStatus()
	}
	return corev3.HealthStatus_UNKNOWN
}
