package match

import (
	"strconv"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// Matcher answers which way requests take through one mesh. It is safe for
// concurrent use and holds the mesh's messages, which it never changes.
type Matcher struct {
	mesh      *mesh.Mesh
	listeners []*listener // in the order of the mesh
	byName    map[string]*listener
	compiled  map[*mesh.Resource]*listener
	runtime   map[string]float64        // that the mesh sets; never changed
	tables    map[*mesh.Resource]*table // of the RouteConfigurations served by RDS, and those that stand in scopes served by SRDS
}

// Listener is one listener of the mesh, for whoever offers a choice.
type Listener struct {
	Name    string
	Address string // as mesh.Address has it; "" when it has none
	Port    uint32 // 0 when it listens on no port
	Key     mesh.Key
	HTTP    bool // one of its filter chains ends in an HTTP connection manager
}

// New makes a matcher. It never fails: what cannot be understood is told by the
// answer to a request that meets it. A nil mesh is empty.
func New(m *mesh.Mesh) *Matcher { return (*Matcher)(nil).Renew(m) }

// Renew makes a matcher for another mesh that takes over what this one has
// compiled of the resources that both share. The matcher itself stays valid;
// a nil one has nothing to give.
func (m *Matcher) Renew(to *mesh.Mesh) *Matcher {
	if m == nil {
		m = &Matcher{}
	}
	n := &Matcher{
		mesh: to, runtime: runtimeOf(to), byName: map[string]*listener{},
		compiled: map[*mesh.Resource]*listener{}, tables: map[*mesh.Resource]*table{},
	}
	for _, r := range to.List(mesh.Route) {
		t := m.tables[r]
		if t == nil {
			config, _ := r.Message.(*routev3.RouteConfiguration)
			t = &table{config: config, key: r.Key}
		}
		n.tables[r] = t
	}
	for _, r := range to.List(mesh.ScopedRoute) {
		scope, _ := r.Message.(*routev3.ScopedRouteConfiguration)
		if t := m.tables[r]; t != nil {
			n.tables[r] = t
		} else if own := scope.GetRouteConfiguration(); own != nil {
			n.tables[r] = &table{config: own, key: r.Key, path: "route_configuration"}
		}
	}
	for _, r := range to.List(mesh.Listener) {
		l := m.compiled[r]
		if l == nil {
			proto, _ := r.Message.(*listenerv3.Listener)
			l = newListener(r.Key, proto)
		}
		n.compiled[r] = l
		n.listeners = append(n.listeners, l)
		n.byName[r.Key.Name] = l
	}
	return n
}

// Listeners lists the listeners in the order of the mesh.
func (m *Matcher) Listeners() []Listener {
	out := make([]Listener, 0, len(m.listeners))
	for _, l := range m.listeners {
		out = append(out, Listener{
			Name: l.key.Name, Address: mesh.Address(l.proto.GetAddress()),
			Port: l.port(), Key: l.key, HTTP: l.http(),
		})
	}
	return out
}

// routeTable is the table of a RouteConfiguration that RDS serves, nil where
// there is none of that name.
func (m *Matcher) routeTable(name string) *table {
	r := m.mesh.Get(mesh.Key{Type: mesh.Route, Name: name})
	if r == nil {
		return nil
	}
	return m.tables[r]
}

func (m *Matcher) cluster(name string) *clusterv3.Cluster {
	r := m.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name})
	if r == nil {
		return nil
	}
	c, _ := r.Message.(*clusterv3.Cluster)
	return c
}

func (m *Matcher) endpoints(name string) *endpointv3.ClusterLoadAssignment {
	r := m.mesh.Get(mesh.Key{Type: mesh.Endpoints, Name: name})
	if r == nil {
		return nil
	}
	a, _ := r.Message.(*endpointv3.ClusterLoadAssignment)
	return a
}

// table is one RouteConfiguration, compiled when it is first asked.
type table struct {
	config *routev3.RouteConfiguration
	key    mesh.Key // the resource that it stands in
	path   string   // where in it; "" when it is the resource

	once  sync.Once
	table *routes.Table
}

func (t *table) compiled() *routes.Table {
	t.once.Do(func() {
		config := t.config
		if config == nil {
			config = &routev3.RouteConfiguration{}
		}
		t.table, _ = routes.Compile(config) // what is wrong with it, engine/check reports
	})
	return t.table
}

// at is the path, in the resource, of a path in the RouteConfiguration.
func (t *table) at(path string) string {
	switch {
	case t.path == "":
		return path
	case path == "":
		return t.path
	}
	return t.path + "." + path
}

func (t *table) virtualHost(i int) string {
	return t.at("virtual_hosts[" + strconv.Itoa(i) + "]")
}

func (t *table) route(host, i int) string {
	return t.at("virtual_hosts[" + strconv.Itoa(host) + "].routes[" + strconv.Itoa(i) + "]")
}
