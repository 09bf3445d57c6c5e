package xdstest

import (
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Mesh is made of resources in YAML, each with the name of its type in the first
// line: "cluster\nname: app\n…". What cannot be read ends the test.
func Mesh(t testing.TB, texts ...string) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, yaml := range texts {
		all = append(all, parse(t, yaml))
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t testing.TB, yaml string) *mesh.Resource {
	t.Helper()
	first, rest, _ := strings.Cut(strings.TrimLeft(yaml, "\n"), "\n")
	i := slices.IndexFunc(mesh.Types(), func(kind mesh.Type) bool { return kind.String() == first })
	if i < 0 {
		t.Fatalf("%q is no type", first)
	}
	r, findings := text.Decode(mesh.Types()[i], mesh.Source{Text: rest})
	if r == nil {
		t.Fatalf("%v in\n%s", findings, yaml)
	}
	return r
}
