package tui

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/tuitest"
)

// twoPlaces is a scene in which revision 13 took web away from envoy-1 alone,
// and the draft takes app-v2's endpoints away besides.
func twoPlaces(t *testing.T) Deps {
	t.Helper()
	s := limited()
	s.Workspace.Set(func(st *engine.State) {
		r := *st.Limited
		live := r.Meshes[mesh.DefaultGroup].Without(mesh.Key{Type: mesh.Listener, Name: "web"})
		r.Meshes = map[string]*mesh.Mesh{mesh.DefaultGroup: live}
		st.Limited, st.Revisions[len(st.Revisions)-1] = &r, &r
		g := &st.Groups[0]
		g.Live, g.Draft = live, live.Without(mesh.Key{Type: mesh.Endpoints, Name: "app-v2"})
		g.Changes = mesh.DiffText(g.Live, g.Draft)
		st.Kept = []kept.Request{{Name: "front door", Ask: match.Request{Host: "www.example.com", Path: "/foo", Listener: "web"}}}
	})
	d := steady(s)
	d.Plan = func(from, to *mesh.Mesh) []string {
		var out []string
		for _, c := range mesh.DiffText(from, to) {
			out = append(out, fmt.Sprintf("sends %s", c.Key))
		}
		return out
	}
	return d
}

// A push beside a limited revision sets back who has that, and takes the others
// from where they are.
func TestAPushFromTwoPlacesSaysBoth(t *testing.T) {
	a := stage(t, twoPlaces(t), 120, 50)
	press(a, "p")
	shows(t, a, "Revision 14 to 3 Envoys", "envoy-1: from revision 13 to revision 14", "envoy-[2], envoy-3: from revision 12 to revision 14")
	if v := a.View(); strings.Count(v, "sends listener web") != 1 || strings.Count(v, "sends endpoints app-v2") != 2 {
		t.Errorf("not the plan of each:\n%s", v)
	}
	press(a, "o", "a", "a", "j", "space", "enter")
	shows(t, a, "1 of 3 Envoys first: envoy-[2]; envoy-1 back from revision 13 to", "revision 12; the others keep revision 12",
		"envoy-1: from revision 13 back to revision 12", "envoy-[2]: from revision 12 to revision 14", "1 of 1 kept request")
	if v := a.View(); strings.Contains(v, "envoy-3: from") || strings.Count(v, "sends listener web") != 2 || strings.Count(v, "sends endpoints app-v2") != 1 {
		t.Errorf("not the plan of each:\n%s", v)
	}
}

func TestWideningSaysWhatItSends(t *testing.T) {
	a := stage(t, twoPlaces(t), 120, 50)
	press(a, "W")
	shows(t, a, "Widen revision 13 to all?", "envoy-[2], envoy-3: from revision 12 to revision 13", "- listener web", "1 sends listener web")
}

// At 80×24 what does not fit is said to be there, and can be reached.
func TestASmallPushDialogScrolls(t *testing.T) {
	d := steady(tuitest.Troubled())
	d.Plan = func(_, _ *mesh.Mesh) []string { return []string{"one", "two", "the last step"} }
	a := stage(t, d, 80, 24)
	press(a, "p")
	shows(t, a, "j k scroll", "lines", "F push all the same")
	press(a, "G")
	shows(t, a, "3 the last step", "esc cancel")
}
