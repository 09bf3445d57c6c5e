package envoy

import (
	"fmt"
	"sort"
	"sync"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// observed is what was read of one Envoy for the comparison.
type observed struct {
	dumps    map[mesh.Type]*dump      // nil for a type: it was not asked or did not answer
	clusters map[string]clusterStatus // by the name that EDS uses; nil when not read
	static   map[mesh.Key]dumped      // what the bootstrap has under the names of what was served
	warming  *dump                    // of clusters, where dumps has none; nil when none is warming
	layers   map[string]string        // runtime layers by the name of their RTDS resource; nil when not read
	values   *runtimeDump             // nil when not read
}

// compare says of each of the keys how what was served stands in Envoy.
func compare(served map[mesh.Key]proto.Message, keys []mesh.Key, o observed) map[mesh.Key]Active {
	// Only for what is absent, and then once: it walks all that was served.
	asked := sync.OnceValue(func() map[mesh.Key]bool { return askedFor(served) })
	out := make(map[mesh.Key]Active, len(keys))
	for _, k := range keys {
		switch m := served[k].(type) {
		case *endpointv3.ClusterLoadAssignment:
			out[k] = o.endpoints(k.Name, m, asked)
		case *runtimev3.Runtime:
			out[k] = o.runtime(m)
		case *routev3.VirtualHost:
			out[k] = o.virtualHost(m)
		default:
			out[k] = o.resource(k, m, asked)
		}
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
	case mesh.Secret, mesh.Extension, mesh.ScopedRoute:
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
	static, isStatic := o.static[k]
	if active.Message != nil {
		active.Message = withoutVirtualHosts(served, active.Message)
	}
	detail := d.errors[k.Name]
	// What Envoy reads itself it shows as what it has read.
	unread, written := "", served
	if k.Type == mesh.Secret && active.Message != nil {
		served, unread = asRead(served, active.Message)
	}
	switch same := isActive && active.Message != nil && Difference(served, active.Message) == ""; {
	case same && unread != "":
		return Active{State: NotObservable, Since: active.Since, Detail: "it is in use; Envoy reads " + unread + " itself, and what it has read cannot be compared"}
	case same:
		return Active{State: ActiveSame, Since: active.Since, Detail: detail}
	}
	if k.Type == mesh.Secret && isWarming && warming.Message != nil {
		served, _ = asRead(written, warming.Message)
	}
	if isWarming && (warming.Message == nil || Difference(served, warming.Message) == "") {
		return Active{State: Warming, Since: warming.Since, Detail: detail}
	}
	switch {
	case isActive && active.Message == nil:
		return Active{State: NotObservable, Since: active.Since, Detail: "what Envoy shows of it cannot be read"}
	case isActive:
		if detail == "" {
			detail = "differs in " + Difference(served, active.Message)
		}
		return Active{State: ActiveOther, Since: active.Since, Detail: detail, Instead: mesh.Redacted(active.Message)}
	case isWarming:
		return Active{State: Warming, Since: warming.Since, Detail: "differs in " + Difference(served, warming.Message)}
	case isStatic:
		return overridden(k, served, static)
	case detail == "" && isAPI(served):
		return Active{State: PassedOver, Detail: "Envoy takes an api_listener from its bootstrap only"}
	case detail == "" && !asked()[k]:
		detail = unasked(k.Type)
	}
	return Active{State: Absent, Detail: detail}
}

// overridden is what stands in the place of a resource whose name the bootstrap
// has taken. Envoy accepts such a resource and does nothing with it.
func overridden(k mesh.Key, served proto.Message, static dumped) Active {
	a := Active{State: Overridden, Since: static.Since, Instead: mesh.Redacted(static.Message)}
	a.Detail = fmt.Sprintf("its bootstrap has a %s of this name, which xDS does not replace", k.Type)
	switch where := Difference(served, static.Message); {
	case static.Message == nil:
	case where == "":
		a.Detail += "; it says the same now"
	default:
		a.Detail += "; it differs in " + where
	}
	return a
}

func isAPI(m proto.Message) bool {
	l, ok := m.(*listenerv3.Listener)
	return ok && l.GetApiListener() != nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
