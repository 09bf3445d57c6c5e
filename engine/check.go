package engine

import (
	"slices"
	"sort"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
)

// Check is everything there is to say about what was opened, without a workspace:
// first that it is a part only, then what could not be read, what the checks find
// group by group, what is wrong with the kept requests, and what was rewritten or
// not carried over. A Workspace judges its draft in the same way.
func Check(o *files.Opened) []mesh.Finding {
	var parts, rest []mesh.Finding
	for _, f := range o.Notices {
		if f.Rule == files.NotInDump {
			parts = append(parts, f)
		} else {
			rest = append(rest, f)
		}
	}
	var groups []string
	for g := range o.Meshes {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	out := slices.Concat(parts, o.Problems)
	for _, g := range groups {
		out = append(out, check.MeshWith(o.Meshes[g], o.Known(g))...)
	}
	return slices.Concat(out, o.KeptFindings(), rest)
}
