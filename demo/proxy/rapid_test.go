package proxy_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

// anyMesh is a random mesh that serves on the port with a listener of that name,
// its routes to one or two of four clusters, each with one or both of the
// backends. The clusters are always there: which of them a route that is not
// answered yet still needs is the control plane's business, not the node's.
func anyMesh(t *testing.T, r *rand.Rand, name string, port int, backends []int) *mesh.Mesh {
	t.Helper()
	var ms []proto.Message
	names := []string{"a", "b", "c", "d"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		ms = append(ms, cluster(name, time.Duration(1+r.IntN(3))*time.Second))
		at := endpoints(name, backends...)
		switch r.IntN(4) {
		case 0:
			at = endpoints(name, backends[r.IntN(2)])
		case 1:
			at = draining(at, r.IntN(2))
		}
		ms = append(ms, at)
	}
	rc := "r1"
	if r.IntN(6) == 0 {
		rc = "r2"
	}
	l := listener(t, name, port, rc)
	if r.IntN(8) == 0 { // rare: old connections are drained, which takes time
		l = buffered(l, 4096)
	}
	return meshOf(t, append(ms, l, route(rc, names[:1+r.IntN(2)]...))...)
}

// Revisions come faster than they can be rolled out, under load: no request
// fails, and in the end the newest is in use.
func TestRapidChanges(t *testing.T) {
	variants(t, func(t *testing.T, delta bool) {
		const seed, changes = 7, 40
		r := rand.New(rand.NewPCG(seed, 1))
		front, backends := freePort(t), []int{backend(t, "v1"), backend(t, "v2")}
		name := "web"
		l := startLab(t, labOptions{delta: delta, first: anyMesh(t, r, name, front, backends)})
		l.ends(engine.Accepted)
		traffic := startLoad(t, urlOf(front))
		traffic.flow(20)
		for i := range changes {
			rename := i%20 == 19
			if rename { // by itself: two names have the port while neither is answered for
				l.ends(engine.Accepted)
				name = map[string]string{"web": "door", "door": "web"}[name]
			}
			l.push(anyMesh(t, r, name, front, backends))
			if rename {
				l.ends(engine.Accepted)
			} else if i%3 > 0 {
				traffic.flow(1 + r.IntN(20))
			}
			traffic.flawless("a change")
		}
		l.ends(engine.Accepted)
		l.active()
		traffic.flow(50)
		traffic.flawless("the end")
		l.sane(0)
	})
}
