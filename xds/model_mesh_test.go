package xds_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// modelTypes are the types that the model's clients ask for.
var modelTypes = []mesh.Type{mesh.Cluster, mesh.Endpoints, mesh.Listener, mesh.Route}

const badMark = "bad-mark" // in whatever clients refuse

// modelMesh has some resources of few names and few contents; with bad, some
// that clients refuse.
func modelMesh(t testing.TB, rnd *rand.Rand, bad bool) *mesh.Mesh {
	t.Helper()
	mark := func() bool { return bad && rnd.IntN(8) == 0 }
	var all []proto.Message
	for i := range 4 {
		name := fmt.Sprint("c", i)
		if rnd.IntN(3) > 0 {
			c := cluster(name, time.Duration(1+rnd.IntN(3))*time.Second)
			if mark() {
				c.AltStatName = badMark
			}
			all = append(all, c)
		}
		if rnd.IntN(3) > 0 {
			e := endpoints(name, 9000+rnd.IntN(3))
			if mark() {
				e.GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().Hostname = badMark
			}
			all = append(all, e)
		}
	}
	for i := range 2 {
		if rnd.IntN(3) > 0 {
			l := listener(t, fmt.Sprint("l", i), 10000+i, fmt.Sprint("r", rnd.IntN(2)))
			if mark() {
				l.StatPrefix = badMark
			}
			all = append(all, l)
		}
		if rnd.IntN(3) > 0 {
			r := route(fmt.Sprint("r", i), fmt.Sprint("c", rnd.IntN(4)))
			if mark() {
				r.InternalOnlyHeaders = []string{badMark}
			}
			all = append(all, r)
		}
	}
	return meshOf(t, all...)
}

func modelNames(t mesh.Type) []string {
	switch t {
	case mesh.Cluster, mesh.Endpoints:
		return []string{"c0", "c1", "c2", "c3"}
	case mesh.Listener:
		return []string{"l0", "l1"}
	}
	return []string{"r0", "r1"}
}
