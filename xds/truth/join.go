package truth

import (
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

func join(n *xds.Node, f *envoy.Facts, _ *mesh.Mesh, now time.Time) *Node {
	out := &Node{ID: n.ID, Connected: n.Connected, At: now}
	if f != nil {
		out.Seen, out.Why = f.At, f.Err
	}
	return out
}
