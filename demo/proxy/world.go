package proxy

import (
	"maps"
	"sync/atomic"

	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// world is what the handler of one version of a listener sees: the node's
// matcher while the version is the newest, and one of its own, which still knows
// it, while it drains.
type world struct {
	node *node
	own  atomic.Pointer[match.Matcher]
}

// Matcher is what decides on a request now.
func (w *world) Matcher() *match.Matcher {
	if m := w.own.Load(); m != nil {
		return m
	}
	return w.node.matcher.Load()
}

// Cluster is the version of a cluster that is in use, nil when there is none.
func (w *world) Cluster(name string) *upstream.Cluster {
	return (*w.node.inUse.Load())[name]
}

// freeze lets a listener that is about to leave keep what it knows.
func (n *node) freeze(g *generation) { g.front.world.own.Store(n.matcher.Load()) }

// rebuild makes the world of the active resources and puts it in the place of
// the one before, if anything has changed. Listeners that drain see the routes
// and clusters of now, and themselves.
func (n *node) rebuild() {
	if !n.stale {
		return
	}
	n.stale = false
	var base, listeners []*mesh.Resource
	inUse := make(map[string]*upstream.Cluster, len(n.clusters))
	maps.Copy(inUse, n.gone)
	for name, k := range n.clusters {
		if k.active != nil {
			inUse[name] = k.active.up
			base = append(base, k.active.resource)
		}
	}
	for _, r := range n.routes {
		base = append(base, r.resource)
	}
	for _, l := range n.listeners {
		if l.active != nil {
			listeners = append(listeners, l.active.resource)
		}
	}
	n.inUse.Store(&inUse)
	n.matcher.Store(n.matcher.Load().Renew(meshOf(base, listeners...)))
	for _, g := range append(append([]*generation(nil), n.removed...), n.draining...) {
		own := &g.front.world.own
		own.Store(own.Load().Renew(meshOf(base, g.resource)))
	}
}

// meshOf is a mesh of resources whose keys differ, being keys of maps.
func meshOf(base []*mesh.Resource, more ...*mesh.Resource) *mesh.Mesh {
	m, err := mesh.New(append(append([]*mesh.Resource(nil), base...), more...)...)
	if err != nil { // two of one key: impossible, and an empty world says so
		return &mesh.Mesh{}
	}
	return m
}
