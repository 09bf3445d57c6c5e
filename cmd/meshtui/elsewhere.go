package main

import (
	"fmt"
	"slices"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// elsewhere takes back what an answer says for certain although it rests on
// resources that are known to be somewhere else: routes of another control
// plane, or the endpoints that a config dump left out.
func elsewhere(e *match.Explanation, m *mesh.Mesh, known files.Known) {
	name := e.Manager.GetRds().GetRouteConfigName()
	if name != "" && e.Config == nil {
		if from, absent := known.Absent(mesh.Key{Type: mesh.Route, Name: name}); absent {
			e.Action, e.Status, e.Detail = match.Undecided, 0, ""
			e.Reason = fmt.Sprintf("the routes %s come from %s", name, notHere(from))
		}
		return
	}
	doomed := len(e.Fates)
	e.Fates = slices.DeleteFunc(e.Fates, func(f match.Fate) bool {
		what, from, absent := notThere(f, m, known)
		if absent {
			e.Caveats = append(e.Caveats, fmt.Sprintf("%s of %s comes from %s", what, f.Cluster, notHere(from)))
		}
		return absent
	})
	if e.Action == match.Forward && len(e.Fates) < doomed {
		e.Status, e.Detail, e.Reason = 0, "", ""
	}
}

// notThere is what of a cluster that cannot answer is known to be elsewhere:
// itself, or its endpoints.
func notThere(f match.Fate, m *mesh.Mesh, known files.Known) (what, from string, absent bool) {
	k := mesh.Key{Type: mesh.Cluster, Name: f.Cluster}
	cluster := m.Get(k)
	if cluster == nil {
		from, absent = known.Absent(k)
		return "what is known", from, absent
	}
	service, eds := mesh.EndpointsOf(cluster.Message)
	if !eds {
		return "", "", false
	}
	from, absent = known.Absent(mesh.Key{Type: mesh.Endpoints, Name: service})
	return "what is known of the endpoints", from, absent
}

// notHere names a source that was not read.
func notHere(from string) string {
	if from == "" {
		return "somewhere that was not read"
	}
	return from + ", which is not read here"
}
