package nginx

import (
	"math/rand/v2"
	"testing"

	"example.com/meshtui/engine/mesh"
)

// RandomMesh is a mesh of what breaks quoting, tables and parsers, for the tests
// of packages that stand above this one.
func RandomMesh(t testing.TB, seed uint64) *mesh.Mesh {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 6))}
	return m.mesh(t)
}
