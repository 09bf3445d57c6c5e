package main

import (
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/plan"
	"example.com/meshtui/xds/truth"
)

// truthOf joins what the stream and a node itself say about everything that the
// node is to have; nil for a node that is not known.
func (s *session) truthOf(node string) *truth.Node {
	n := s.server.State().Node(node)
	if n == nil {
		return nil
	}
	offered := &mesh.Mesh{}
	if head := s.workspace.State().Head(); head != nil {
		if r := head.For(n.ID); r != nil {
			_, offered = r.MeshFor(n.ID, n.Cluster)
		}
	}
	return truth.Of(n, s.watcher.Facts(node), offered, time.Now())
}

// planOf says step by step how a node that has the one mesh is led to the other.
func planOf(from, to *mesh.Mesh) []string {
	return plan.Describe(plan.Between(from, to, plan.Flight{}))
}
