package check

import (
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

type messageName = protoreflect.FullName

// node is one message within a resource.
type node struct {
	key  mesh.Key
	path string
	m    proto.Message
	// root marks a resource and what was packed in an Any: generated
	// validation begins there and reaches everything below, to the next Any.
	root bool
}

// at is the path of a field of the node.
func (n node) at(field string) string { return text.Field(n.path, field) }

// below is the path of what stands at a path within the node.
func (n node) below(path string) string {
	if n.path == "" {
		return path
	}
	return n.path + "." + path
}

// item is the path of an item of a list field of the node.
func (n node) item(field string, i int) string { return text.Item(n.at(field), i) }

// newChecker visits every message of the mesh once, through every Any whose
// type is linked in.
func newChecker(m *mesh.Mesh) *checker {
	c := &checker{mesh: m, byName: map[messageName][]int{}, sources: map[place]source{}, waits: map[place]time.Duration{},

		tables: map[*routev3.RouteConfiguration]compiled{}}
	for _, r := range m.All() {
		c.visit(node{key: r.Key, m: r.Message, root: true}, r.Message.ProtoReflect())
		if vh, ok := r.Message.(*routev3.VirtualHost); ok {
			c.visitJoined(r.Key, vh)
		}
	}
	c.findSources()
	c.findAssignments()
	c.refs = m.References()
	return c
}

// joinedAt is where a virtual host stands in the route configuration that is made
// of it; report takes it off.
const joinedAt = "virtual_hosts[0]"

// visitJoined lets the rules for route configurations look at a virtual host that
// comes by VHDS: as one that has it alone.
func (c *checker) visitJoined(k mesh.Key, vh *routev3.VirtualHost) {
	rc := &routev3.RouteConfiguration{Name: vhdsRoute(k.Name), VirtualHosts: []*routev3.VirtualHost{vh}}
	if r := c.mesh.Get(mesh.Key{Type: mesh.Route, Name: rc.GetName()}); r != nil {
		rc.IgnorePortInHostMatching = r.Message.(*routev3.RouteConfiguration).GetIgnorePortInHostMatching()
	}
	name := rc.ProtoReflect().Descriptor().FullName()
	c.byName[name] = append(c.byName[name], len(c.nodes))
	c.nodes = append(c.nodes, node{key: k, m: rc})
}

// visit notes a message and all below it.
func (c *checker) visit(n node, m protoreflect.Message) {
	name := m.Descriptor().FullName()
	c.byName[name] = append(c.byName[name], len(c.nodes))
	c.nodes = append(c.nodes, n)
	if packed, ok := n.m.(*anypb.Any); ok {
		if inner, err := packed.UnmarshalNew(); err == nil {
			c.visit(node{key: n.key, path: n.path, m: inner, root: true}, inner.ProtoReflect())
		}
		return
	}
	if strings.HasPrefix(string(name), "google.protobuf.") {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Message() != nil && m.Has(fd) {
			c.visitField(n, fd, m.Get(fd))
		}
	}
}

func (c *checker) visitField(n node, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	below := func(path string, m protoreflect.Message) {
		c.visit(node{key: n.key, path: path, m: m.Interface()}, m)
	}
	at := n.at(string(fd.Name()))
	switch {
	case fd.IsMap():
		if fd.MapValue().Message() == nil {
			return
		}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			below(text.Field(at, k.String()), v.Message())
			return true
		})
	case fd.IsList():
		for i := range v.List().Len() {
			below(text.Item(at, i), v.List().Get(i).Message())
		}
	default:
		below(at, v.Message())
	}
}

// each calls visit for every message of one kind, in the order of the mesh.
func each[M proto.Message](c *checker, visit func(n node, m M)) {
	var kind M
	for _, i := range c.byName[kind.ProtoReflect().Descriptor().FullName()] {
		visit(c.nodes[i], c.nodes[i].m.(M))
	}
}
