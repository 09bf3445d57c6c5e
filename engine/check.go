package engine

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"time"

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
		out = append(out, check.MeshWith(o.Meshes[g], around(o, g, time.Now()))...)
	}
	return slices.Concat(out, o.KeptFindings(), rest)
}

// around is what is known around a group's mesh. The files that a config dump
// names are on the machine that it is of.
func around(o *files.Opened, group string, now time.Time) check.Around {
	a := check.Around{Known: o.Known(group), ReadFile: readSmall, Now: now}
	if o != nil && o.Kind == files.Dump {
		a.ReadFile = nil
	}
	return a
}

// mostOfFile is how large a file may be that a resource names, in bytes. Nothing
// that is looked into is larger.
const mostOfFile = 4 << 20

// readSmall reads a file of which a finding may speak.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostOfFile {
		return nil, fmt.Errorf("%s is no file of at most %d MiB", path, mostOfFile>>20)
	}
	return os.ReadFile(path)
}
