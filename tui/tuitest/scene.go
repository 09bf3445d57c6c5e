package tuitest

import (
	"time"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// Scene is everything that the screen shows, at one moment.
type Scene struct {
	Workspace *Workspace
	Nodes     *Nodes
	Evidence  *Evidence
	Said      map[string]*truth.Node // the truth about a node as a test wants it; nil joins it
}

// Truth joins what the scene's nodes and their admin interfaces say, as the
// program does.
func (s *Scene) Truth(node string) *truth.Node {
	if t := s.Said[node]; t != nil {
		return t
	}
	n := s.Nodes.State().Node(node)
	if n == nil {
		return nil
	}
	var offered *mesh.Mesh
	if h := s.Workspace.State().Head(); h != nil {
		_, offered = h.MeshFor(n.ID, n.Cluster)
	}
	return truth.Of(n, s.Evidence.Facts(node), offered, Now)
}

// Calm is a scene in which one Envoy runs all of the example, one endpoint is
// refused, and nothing is drafted.
func Calm() *Scene {
	m := Mesh()
	return &Scene{Workspace: NewWorkspace(m, m), Nodes: NodesFor(m, "envoy-1"), Evidence: EvidenceFor(m, "envoy-1")}
}

// Empty is a scene without resources and without Envoys.
func Empty() *Scene {
	w := NewWorkspace(&mesh.Mesh{}, &mesh.Mesh{})
	w.Set(func(s *engine.State) { s.Revisions = nil })
	return &Scene{Workspace: w, Nodes: &Nodes{state: &xds.State{Address: "unix:/run/user/1000/meshtui/xds.sock"}}, Evidence: &Evidence{}}
}

// Troubled is a scene with a draft that has an error, a rejected cluster in
// Envoy's own words, and two nodes of which one does not answer.
func Troubled() *Scene {
	live := Mesh()
	draft := live.With(Resource(mesh.Route, `name: local_route
virtual_hosts:
- name: shop
  domains: [www.example.com]
  routes:
  - match: { prefix: /new }
    route: { cluster: nowhere }
  - match: { prefix: / }
    route: { cluster: legacy }
`)).With(Resource(mesh.Cluster, cluster("app-v3", "MAGLEV"))).Without(mesh.Key{Type: mesh.Listener, Name: "raw"})
	key := mesh.Key{Type: mesh.Route, Name: "local_route"}
	s := &Scene{Nodes: NodesFor(live, "envoy-1", "envoy-2"), Evidence: EvidenceFor(live, "envoy-1", "envoy-2")}
	s.Workspace = NewWorkspace(live, draft,
		mesh.Finding{Severity: mesh.Error, Rule: "dangling-reference", Key: key, Path: "virtual_hosts[0].routes[0].route.cluster", Line: 7, Column: 14,
			Message: `the route leads to the cluster "nowhere", which does not exist`, Hint: "make it (n in the CDS pane), or name one of app, app-v2, legacy"},
		mesh.Finding{Severity: mesh.Warning, Rule: "unused", Key: mesh.Key{Type: mesh.Cluster, Name: "app"}, Line: 1,
			Message: "no route leads to this cluster", Hint: "delete it, or name it in a route"})
	k := mesh.Key{Type: mesh.Cluster, Name: "app-v2"}
	words := "Error adding/updating cluster(s) app-v2: cannot create an EDS cluster without an EDS config"
	sick := s.Nodes.state.Nodes[0]
	st := sick.Resources.Get(k)
	st.Rejected = &xds.Rejection{Fact: xds.Fact{Version: "v12-3", At: Now.Add(-9 * time.Second)}, Detail: words, Raw: words, Sent: 1}
	sick.Resources = sick.Resources.With(k, st)
	s.Workspace.state.Revisions[1].Outcome = engine.Outcome{Result: engine.Rejected, Nodes: 2, Detail: words}
	s.Evidence.facts["envoy-1"].Active[k] = envoy.Active{State: envoy.ActiveOther, Since: Now.Add(-time.Hour)}
	f := *s.Evidence.facts["envoy-2"]
	f.At, f.Err = Now.Add(-20*time.Second), "connection refused"
	s.Evidence.facts["envoy-2"] = &f
	return s
}

// NodesFor are nodes that were served a mesh and have ACKed all of it.
func NodesFor(m *mesh.Mesh, ids ...string) *Nodes {
	s := &xds.State{Address: "127.0.0.1:18000", Revision: 12, At: Now}
	n := &Nodes{state: s}
	for _, id := range ids {
		node := &xds.Node{ID: id, Cluster: "shop", Group: mesh.DefaultGroup, Agent: "envoy 1.40.0", Admin: "127.0.0.1:9901", Variant: xds.SotWADS,
			Connected: true, Since: Now.Add(-5 * time.Minute), Streams: 1, Types: map[mesh.Type]xds.TypeStatus{},
			Rollout: xds.Rollout{Revision: 12, Result: engine.Accepted, Started: Now.Add(-4 * time.Minute), Ended: Now.Add(-4*time.Minute + 12*time.Millisecond)}}
		for _, r := range m.All() {
			sent := xds.Fact{Version: "v12-1", Nonce: "7", At: Now.Add(-4 * time.Minute)}
			acked := sent
			acked.At = sent.At.Add(1200 * time.Microsecond)
			node.Resources = node.Resources.With(r.Key, xds.ResourceStatus{Hash: r.Hash(), Revision: 12, Served: sent, Acked: acked})
			node.Types[r.Key.Type] = xds.TypeStatus{Wildcard: true, Sent: sent, Acked: acked}
		}
		s.Nodes = append(s.Nodes, node)
		n.talk(id)
	}
	return n
}

// talk puts a short conversation on the wire.
func (n *Nodes) talk(id string) {
	at := Now.Add(-4 * time.Minute)
	add := func(m xds.Message) {
		at = at.Add(1300 * time.Microsecond)
		m.Seq, m.At, m.Node, m.Stream, m.Variant = uint64(len(n.Messages)+1), at, id, 1, xds.SotWADS
		n.Messages = append(n.Messages, m)
	}
	add(xds.Message{Kind: xds.Connected})
	for _, t := range []struct {
		t     mesh.Type
		names []string
	}{{mesh.Cluster, []string{"app", "app-v2", "legacy"}}, {mesh.Endpoints, []string{"app", "app-v2"}}, {mesh.Listener, []string{"web", "raw"}}, {mesh.Route, []string{"local_route"}}} {
		add(xds.Message{Kind: xds.Request, Type: t.t})
		add(xds.Message{Kind: xds.Response, Type: t.t, Version: "v12-1", Nonce: "7", Names: t.names, Changed: 1, Revision: 12, Bytes: 420})
		add(xds.Message{Kind: xds.ACK, Type: t.t, Version: "v12-1", Nonce: "7", RTT: 1200 * time.Microsecond, Revision: 12, Bytes: 60})
	}
	add(xds.Message{Kind: xds.NACK, Type: mesh.Cluster, Version: "v12-3", Nonce: "9", RTT: 900 * time.Microsecond,
		Detail: "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config"})
}

// EvidenceFor are admin interfaces that show all of a mesh as active, with the
// second endpoint of app refused and that of app-v2 ejected.
func EvidenceFor(m *mesh.Mesh, ids ...string) *Evidence {
	e := &Evidence{facts: map[string]*envoy.Facts{}}
	for _, id := range ids {
		f := &envoy.Facts{Node: id, Admin: "127.0.0.1:9901", At: Now.Add(-400 * time.Millisecond), Ready: "LIVE", Version: "1.40.0", Active: map[mesh.Key]envoy.Active{}}
		for _, r := range m.All() {
			f.Active[r.Key] = envoy.Active{State: envoy.ActiveSame, Since: Now.Add(-4 * time.Minute)}
		}
		f.Endpoints = []envoy.Endpoint{
			{Cluster: "app", Address: "127.0.0.1:9001", Health: envoy.Healthy, Since: Now.Add(-4 * time.Minute), Requests: 5120},
			{Cluster: "app", Address: "127.0.0.1:9002", Health: envoy.CheckFailed, Why: "connection refused", Since: Now.Add(-12 * time.Second), Requests: 4090, Errors: 31},
			{Cluster: "app-v2", Address: "127.0.0.1:9003", Health: envoy.Ejected, Why: "5 consecutive 5xx", Since: Now.Add(-3 * time.Second), Requests: 512, Errors: 5},
			{Cluster: "legacy", Address: "127.0.0.1:9009", Health: envoy.Healthy, Requests: 900},
		}
		e.facts[id] = f
	}
	return e
}
