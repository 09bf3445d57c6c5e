package adapter

import (
	"maps"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// Server is what an Adapter drives; *xds.Server is one.
type Server interface {
	PublishTo(nodeID string, m *mesh.Mesh, versions map[mesh.Type]string)
	Clear(nodeID string)
}

// Adapter keeps what each node is to have, and publishes it anew at each change.
// Its errors carry a gRPC status. It may be used by many at a time.
type Adapter struct {
	server Server

	mu      sync.Mutex
	nodes   map[string]state
	edition int // tells the content of one resource from what it was before
}

// state is what one node is to have.
type state struct {
	mesh     *mesh.Mesh
	versions map[mesh.Type]string
}

// New makes an adapter for a server on which nothing was published yet.
func New(s Server) *Adapter { return &Adapter{server: s, nodes: map[string]state{}} }

// SetState gives a node these resources, and no other, under one version. Of a
// listener, route, cluster or load assignment only the name counts: the suite
// sends no more, and a resource that a client could use is made of it.
func (a *Adapter) SetState(node, version string, resources []*anypb.Any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := state{versions: map[mesh.Type]string{}}
	for _, t := range mesh.Types() {
		st.versions[t] = version
	}
	for _, packed := range resources {
		t, known := mesh.TypeOfURL(packed.GetTypeUrl())
		if !known {
			return status.Errorf(codes.InvalidArgument, "%s is no type of resource that this server has", packed.GetTypeUrl())
		}
		bare, err := packed.UnmarshalNew()
		if err != nil {
			return status.Errorf(codes.InvalidArgument, "a %s cannot be read: %v", t, err)
		}
		r, err := a.build(mesh.Key{Type: t, Name: mesh.NameOf(bare)})
		if err != nil {
			return err
		}
		st.mesh = st.mesh.With(r)
	}
	a.publish(node, st)
	return nil
}

// ClearState takes everything from a node: it is not answered until it has
// resources again.
func (a *Adapter) ClearState(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.nodes, node)
	a.server.Clear(node)
}

// UpdateResource changes what is in a resource that the node has, and gives its
// type that version.
func (a *Adapter) UpdateResource(node, typeURL, name, version string) error {
	return a.change(node, typeURL, name, version, func(m *mesh.Mesh, k mesh.Key) (*mesh.Mesh, error) {
		if m.Get(k) == nil {
			return nil, status.Errorf(codes.NotFound, "node %q has no %s", node, k)
		}
		r, err := a.build(k)
		if err != nil {
			return nil, err
		}
		return m.With(r), nil
	})
}

// AddResource adds a resource and gives its type that version.
func (a *Adapter) AddResource(node, typeURL, name, version string) error {
	return a.change(node, typeURL, name, version, func(m *mesh.Mesh, k mesh.Key) (*mesh.Mesh, error) {
		if m.Get(k) != nil {
			return nil, status.Errorf(codes.AlreadyExists, "node %q has %s already", node, k)
		}
		r, err := a.build(k)
		if err != nil {
			return nil, err
		}
		return m.With(r), nil
	})
}

// RemoveResource removes a resource and gives its type that version.
func (a *Adapter) RemoveResource(node, typeURL, name, version string) error {
	return a.change(node, typeURL, name, version, func(m *mesh.Mesh, k mesh.Key) (*mesh.Mesh, error) {
		if m.Get(k) == nil {
			return nil, status.Errorf(codes.NotFound, "node %q has no %s", node, k)
		}
		return m.Without(k), nil
	})
}

// change publishes a node's mesh as edit leaves it.
func (a *Adapter) change(node, typeURL, name, version string, edit func(*mesh.Mesh, mesh.Key) (*mesh.Mesh, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	st, ok := a.nodes[node]
	if !ok {
		return status.Errorf(codes.FailedPrecondition, "node %q has no state: SetState comes first", node)
	}
	t, known := mesh.TypeOfURL(typeURL)
	if !known {
		return status.Errorf(codes.InvalidArgument, "%s is no type of resource that this server has", typeURL)
	}
	m, err := edit(st.mesh, mesh.Key{Type: t, Name: name})
	if err != nil {
		return err
	}
	versions := maps.Clone(st.versions)
	versions[t] = version
	a.publish(node, state{mesh: m, versions: versions})
	return nil
}

// publish hands over what a node is to have; a.mu is held.
func (a *Adapter) publish(node string, st state) {
	a.nodes[node] = st
	a.server.PublishTo(node, st.mesh, st.versions)
}
