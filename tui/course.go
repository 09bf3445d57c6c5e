package tui

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
)

// course is how nodes that have one and the same get to what they are to have.
type course struct {
	group    string
	nodes    []string // their ids; none for all of the group, those too that connect later
	from, to int      // revisions; 0 for none
	was, is  *mesh.Mesh

	// What plotted finds out.
	changes []mesh.Change
	moved   []kept.Move
	kept    int // how many requests were asked
	steps   []string
}

// courser is an overlay that sends nodes from one mesh to another.
type courser interface{ courses(*App) []course }

// courses are those that a push takes. While a limited revision stands they
// begin in two places: in it, and in what the others have.
func (p *pushDialog) courses(a *App) []course {
	ws, next := a.data.ws, a.nextRevision()
	var out []course
	if ws.Limited == nil || len(chosenFrom(a)) == 0 {
		for i := range ws.Groups {
			if g := &ws.Groups[i]; len(g.Changes) > 0 {
				out = append(out, course{group: g.Name, from: next - 1, to: next, was: orEmpty(g.Live), is: g.Draft})
			}
		}
		return out
	}
	goes := map[string]bool{}
	ids := p.choice.ids(a)
	for _, id := range ids {
		goes[id] = true
	}
	for _, n := range chosenFrom(a) {
		c := fromNow(a, n)
		if c.to, c.is = next, draftOf(ws, n); ids != nil && !goes[n.ID] {
			c.to, c.is = meshOn(a.data.head.Rest, n)
		}
		out = joined(out, c)
	}
	return out
}

// courses are those of the nodes that the limited revision is not on yet.
func (d *widenDialog) courses(a *App) []course {
	r := a.data.ws.Limited
	if r == nil {
		return nil
	}
	var out []course
	for _, n := range chosenFrom(a) {
		c := fromNow(a, n)
		if c.to = r.Number; r.For(n.ID) != r {
			_, m := r.MeshFor(n.ID, n.Cluster)
			c.is = orEmpty(m)
			out = joined(out, c)
		}
	}
	return out
}

func (a *App) nextRevision() int {
	if a.data.head == nil {
		return 1
	}
	return a.data.head.Number + 1
}

// fromNow is a course that begins with what a node is to have now.
func fromNow(a *App, n *xds.Node) course {
	c := course{group: n.Group, nodes: []string{n.ID}}
	c.from, c.was = meshOn(a.data.head.For(n.ID), n)
	return c
}

// meshOn is what a revision has for a node, and its number.
func meshOn(r *engine.Revision, n *xds.Node) (int, *mesh.Mesh) {
	if r = r.For(n.ID); r == nil {
		return 0, orEmpty(nil)
	}
	_, m := r.MeshFor(n.ID, n.Cluster)
	return r.Number, orEmpty(m)
}

func draftOf(ws *engine.State, n *xds.Node) *mesh.Mesh {
	for _, name := range []string{n.Group, mesh.DefaultGroup} {
		if g := ws.Group(name); g != nil {
			return orEmpty(g.Draft)
		}
	}
	return orEmpty(nil)
}

func orEmpty(m *mesh.Mesh) *mesh.Mesh {
	if m == nil {
		return &mesh.Mesh{}
	}
	return m
}

// joined puts a node's course with the one that is the same. A node that stays
// where it is has none.
func joined(all []course, c course) []course {
	if c.from == c.to {
		return all
	}
	for i := range all {
		if o := &all[i]; o.from == c.from && o.to == c.to && o.was == c.was && o.is == c.is {
			o.nodes = append(o.nodes, c.nodes...)
			return all
		}
	}
	return append(all, c)
}

// plotted is a course with what it changes, what it moves and how it is gone.
func (c course) plotted(requests []kept.Request, plan func(from, to *mesh.Mesh) []string) course {
	if plan != nil {
		c.steps = plan(c.was, c.is)
	}
	if len(c.nodes) == 0 {
		return c // the workspace itself says what changes and moves
	}
	c.changes = mesh.DiffText(c.was, c.is)
	var of []kept.Request
	for _, r := range requests {
		if r.Of(c.group) {
			of = append(of, r)
		}
	}
	if c.kept = len(of); len(of) > 0 {
		from := match.New(c.was)
		c.moved = kept.Compare(from, from.Renew(c.is), of)
	}
	return c
}

// way says who goes from where to where: "envoy-1: from revision 2 back to
// revision 1".
func (c *course) way() string {
	to := "to revision"
	if c.to < c.from {
		to = "back to revision"
	}
	who := widget.Clean(strings.Join(c.nodes, ", "))
	switch {
	case c.from == 0:
		return fmt.Sprintf("%s: from nothing to revision %d", who, c.to)
	case c.to == 0:
		return fmt.Sprintf("%s: from revision %d back to nothing", who, c.from)
	}
	return fmt.Sprintf("%s: from revision %d %s %d", who, c.from, to, c.to)
}

// courseLines say of each course what it changes, moves and sends.
func (a *App) courseLines(w int) []string {
	if !a.isPlotted() {
		return paragraph("… the plan is being made", w, a.th.Dim)
	}
	var out []string
	for i := range a.plan.courses {
		c := &a.plan.courses[i]
		if len(out) > 0 {
			out = append(out, widget.Spaces(w))
		}
		out = append(out, paragraph(c.way(), w, a.th.Strong)...)
		if c.kept > 0 {
			out = append(out, a.movedLines(c.moved, c.kept, w)...)
		}
		for _, ch := range c.changes {
			out = append(out, a.changeLine(ch, w))
		}
		out = append(out, a.stepLines(c.steps, w)...)
	}
	return out
}

// stepLines are a plan's steps.
func (a *App) stepLines(steps []string, w int) []string {
	if a.deps.Plan == nil {
		return nil
	}
	if len(steps) == 0 {
		return paragraph("Nothing is sent: what is there means the same.", w, a.th.Dim)
	}
	var out []string
	for i, s := range steps {
		out = append(out, indented(s, " "+itoa(i+1)+" ", w, theme.Style{})...)
	}
	return out
}
