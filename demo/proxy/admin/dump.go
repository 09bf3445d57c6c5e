package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/meshtui/engine/mesh"
)

// configDump is all that is configured, or with ?resource= one field of it, flat.
func configDump(s *State, q query) (*reply, error) {
	out := &adminv3.ConfigDump{}
	parts := dumps(s, q)
	if q.resource != "" {
		elements, err := elementsOf(parts, q)
		if err != nil {
			return nil, err
		}
		parts = elements
	}
	trimmed := false
	for _, m := range parts {
		if len(q.mask) > 0 {
			kept := trim(m, q.mask)
			if kept == nil {
				continue
			}
			m, trimmed = kept, true
		}
		packed, err := anypb.New(m)
		if err != nil {
			return nil, fmt.Errorf("writing the answer: %w", err)
		}
		out.Configs = append(out.Configs, packed)
	}
	if len(q.mask) > 0 && q.resource == "" && !trimmed {
		return nil, &refusal{http.StatusBadRequest, "FieldMask " + strings.Join(q.mask, ",") + " could not be successfully used."}
	}
	return marshal(out)
}

// dumps are the parts of the whole answer, in Envoy's order.
func dumps(s *State, q query) []proto.Message {
	started := stamp(s.Started)
	out := []proto.Message{
		&adminv3.BootstrapConfigDump{
			Bootstrap:   &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: s.Node, UserAgentName: Name}},
			LastUpdated: started,
		},
		clustersDump(s, q),
	}
	if q.includeEDS {
		out = append(out, endpointsDump(s, q))
	}
	return append(out, listenersDump(s, q), &adminv3.ScopedRoutesConfigDump{}, routesDump(s, q), secretsDump(s, q))
}

// stamp is a time; one that is not known is left out.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// pack packs a resource with its secrets redacted; what cannot be packed or
// written as JSON, because an extension in it is not known here, is left out.
func pack(m proto.Message) *anypb.Any {
	if m == nil {
		return nil
	}
	packed, err := anypb.New(redact(m))
	if err != nil {
		return nil
	}
	if _, err := marshal(packed); err != nil {
		return nil
	}
	return packed
}

func clustersDump(s *State, q query) proto.Message {
	out := &adminv3.ClustersConfigDump{VersionInfo: s.Versions[mesh.Cluster.URL()]}
	for _, d := range s.Clusters {
		if d.Message == nil || !fits(q.names, d.Name) {
			continue
		}
		c := &adminv3.ClustersConfigDump_DynamicCluster{VersionInfo: d.Version, Cluster: pack(d.Message), LastUpdated: stamp(d.Updated)}
		if d.Warming {
			out.DynamicWarmingClusters = append(out.DynamicWarmingClusters, c)
		} else {
			out.DynamicActiveClusters = append(out.DynamicActiveClusters, c)
		}
	}
	return out
}

func endpointsDump(s *State, q query) proto.Message {
	out := &adminv3.EndpointsConfigDump{}
	for _, d := range s.Endpoints {
		if d.Message != nil && fits(q.names, d.Name) {
			out.DynamicEndpointConfigs = append(out.DynamicEndpointConfigs,
				&adminv3.EndpointsConfigDump_DynamicEndpointConfig{EndpointConfig: pack(d.Message)})
		}
	}
	return out
}

func routesDump(s *State, q query) proto.Message {
	out := &adminv3.RoutesConfigDump{}
	for _, d := range s.Routes {
		if d.Message != nil && fits(q.names, d.Name) {
			out.DynamicRouteConfigs = append(out.DynamicRouteConfigs, &adminv3.RoutesConfigDump_DynamicRouteConfig{
				VersionInfo: d.Version, RouteConfig: pack(d.Message), LastUpdated: stamp(d.Updated),
			})
		}
	}
	return out
}

func secretsDump(s *State, q query) proto.Message {
	out := &adminv3.SecretsConfigDump{}
	for _, d := range s.Secrets {
		if d.Message == nil || !fits(q.names, d.Name) {
			continue
		}
		e := &adminv3.SecretsConfigDump_DynamicSecret{
			Name: d.Name, VersionInfo: d.Version, LastUpdated: stamp(d.Updated), Secret: pack(d.Message),
		}
		if d.Warming {
			out.DynamicWarmingSecrets = append(out.DynamicWarmingSecrets, e)
		} else {
			out.DynamicActiveSecrets = append(out.DynamicActiveSecrets, e)
		}
	}
	return out
}

// listenersDump has one entry a name, with all that goes by it: what is active,
// what warms, what drains, and what was refused.
func listenersDump(s *State, q query) proto.Message {
	out := &adminv3.ListenersConfigDump{VersionInfo: s.Versions[mesh.Listener.URL()]}
	byName := map[string]*adminv3.ListenersConfigDump_DynamicListener{}
	for _, d := range s.Listeners {
		if !fits(q.names, d.Name) {
			continue
		}
		entry := byName[d.Name]
		if entry == nil {
			entry = &adminv3.ListenersConfigDump_DynamicListener{Name: d.Name}
			byName[d.Name] = entry
			out.DynamicListeners = append(out.DynamicListeners, entry)
		}
		if d.Message != nil {
			state := &adminv3.ListenersConfigDump_DynamicListenerState{
				VersionInfo: d.Version, Listener: pack(d.Message), LastUpdated: stamp(d.Updated),
			}
			switch {
			case d.Drains:
				entry.DrainingState = state
			case d.Warming:
				entry.WarmingState = state
			default:
				entry.ActiveState = state
			}
		}
		if f := d.Failure; f != nil {
			entry.ErrorState = &adminv3.UpdateFailureState{
				FailedConfiguration: pack(f.Message), LastUpdateAttempt: stamp(f.At), Details: f.Details,
			}
		}
	}
	return out
}

// listeners are those that are in use.
func listeners(s *State, q query) (*reply, error) {
	out := &adminv3.Listeners{}
	var text bytes.Buffer
	for i := range s.Listeners {
		d := &s.Listeners[i]
		if d.Message == nil || d.Warming || d.Drains {
			continue
		}
		at := listenAddress(d)
		out.ListenerStatuses = append(out.ListenerStatuses, &adminv3.ListenerStatus{Name: d.Name, LocalAddress: at})
		fmt.Fprintf(&text, "%s::%s\n", d.Name, mesh.Address(at))
	}
	if q.json {
		return marshal(out)
	}
	return &reply{body: text.Bytes()}, nil
}

// initDump names the listeners that warm, and the routes that they wait for.
func initDump(s *State, _ query) (*reply, error) {
	out := &adminv3.UnreadyTargetsDumps{}
	known := map[string]bool{}
	for _, d := range s.Routes {
		known[d.Name] = d.Message != nil
	}
	for i := range s.Listeners {
		d := &s.Listeners[i]
		if !d.Warming {
			continue
		}
		entry := &adminv3.UnreadyTargetsDumps_UnreadyTargetsDump{Name: "init manager Listener-local-init-manager " + d.Name}
		for _, wanted := range routesOf(d) {
			if !known[wanted] {
				entry.TargetNames = append(entry.TargetNames, "shared target RdsRouteConfigSubscription RDS init "+wanted)
			}
		}
		out.UnreadyTargetsDumps = append(out.UnreadyTargetsDumps, entry)
	}
	return marshal(out)
}
