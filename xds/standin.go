package xds

import (
	"strings"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// An Envoy that starts waits for everything that it asks for by name, and serves
// nothing until then. The state of the world has no word for "there is none": it
// waits out its 15 s. Delta has one, removed_resources, and an Envoy that hears it
// goes on at once, with two exceptions, which wait for ever: routes, and the
// configurations of filters. So an Envoy that starts gets in place of what does not exist
// what it would have in the end: routes that lead nowhere, no endpoints. An Envoy
// that runs gets nothing of the kind: while a listener or cluster of its waits,
// the old one serves.
//
// A layer of runtime values that does not exist is an empty one, at any time: that
// is all it can mean.

// standIn is the empty resource that a subscription gets for a name that does
// not exist; nil when there is none to give.
func (n *node) standIn(s *sub, name string) *mesh.Resource {
	if !n.isEnvoy() {
		return nil
	}
	var m proto.Message
	switch {
	case s.typ == mesh.Runtime && !s.stream.delta():
		m = &runtimev3.Runtime{Name: name}
	case s.typ == mesh.Endpoints && !s.stream.delta() && n.starts():
		m = &endpointv3.ClusterLoadAssignment{ClusterName: name}
	case s.typ == mesh.Route && n.starts():
		m = &routev3.RouteConfiguration{Name: name}
	default:
		return nil
	}
	r, err := mesh.NewResource(m, mesh.Source{})
	if err != nil {
		return nil // each of these is a resource
	}
	return r
}

// standIns are the empty resources of the next response.
func (n *node) standIns(s *sub) []*mesh.Resource {
	if s.typ == 0 || s.full() {
		return nil
	}
	names := s.dirty
	if s.whole {
		names = s.names.all()
	}
	var out []*mesh.Resource
	for _, name := range sortedNames(names) {
		if !s.names.has(name) || n.offered.mesh.Get(mesh.Key{Type: s.typ, Name: name}) != nil {
			continue
		}
		if r := n.standIn(s, name); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// unsayable reports whether "there is none" would make an Envoy wait for ever.
func (n *node) unsayable(t mesh.Type) bool {
	return (t == mesh.Extension || t == mesh.Route) && n.isEnvoy() && n.starts()
}

func (n *node) isEnvoy() bool { return strings.HasPrefix(n.agent, "envoy") }

// starts reports whether the node is a process that has just begun, and may not
// serve yet: what it asks for because of its first listeners comes a little later
// than its answer to them.
func (n *node) starts() bool {
	if !n.born.IsZero() && !n.run.ended.IsZero() && n.srv.o.Now().Sub(n.run.ended) > askGrace {
		n.born = time.Time{}
	}
	return !n.born.IsZero()
}
