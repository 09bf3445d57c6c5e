package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/truth"
)

// nodesScreen is what each node was served, accepted and runs: a row for each
// node, each type and each resource, and below them all that is known of what
// the cursor is on. With all nodes shown, only the resources are listed that
// are not as they should be.
type nodesScreen struct {
	list widget.List
	at   nodeSpot // what the cursor is on, to find it again

	of      *data // that rows were made from
	rows    []nodeRow
	longest int // of the names in rows, in cells
}

// nodeSpot is a row by what it stands for.
type nodeSpot struct {
	node string
	t    mesh.Type // 0: the node itself
	key  mesh.Key  // zero: the type itself
}

// nodeRow is one line of the list.
type nodeRow struct {
	nodeSpot
	n    *xds.Node
	r    *truth.Resource // of a resource
	text string          // of a line that only says something about the row above it
	bad  bool            // of text
	sum  typeSum         // of a type
}

// remark reports whether the cursor passes over the row.
func (r *nodeRow) remark() bool { return r.text != "" || r.n == nil }

func (s *nodesScreen) context() Context { return InNodes }

func (s *nodesScreen) title(a *App) string {
	switch {
	case a.data.node != "":
		return "Nodes: " + widget.Clean(a.data.node)
	case len(a.data.members) > 1:
		return "Nodes: all " + itoa(len(a.data.members)) + ", what is amiss"
	}
	return "Nodes"
}

func (s *nodesScreen) note(a *App) string {
	if len(a.data.members) > 1 {
		return "[ ] another node   esc back"
	}
	return "esc back"
}

// current is the row under the cursor, or nil.
func (s *nodesScreen) current() *nodeRow {
	if s.list.Cursor < 0 || s.list.Cursor >= len(s.rows) {
		return nil
	}
	return &s.rows[s.list.Cursor]
}

// refresh makes the rows anew when the picture is another, and finds the
// cursor's row again.
func (s *nodesScreen) refresh(a *App) {
	if s.of == a.data {
		return
	}
	s.of, s.rows = a.data, a.nodeRows()
	i := slices.IndexFunc(s.rows, func(r nodeRow) bool { return !r.remark() && r.nodeSpot == s.at })
	if i < 0 {
		i = slices.IndexFunc(s.rows, func(r nodeRow) bool { return !r.remark() && r.node == s.at.node })
	}
	s.longest = 0
	for j := range s.rows {
		s.longest = max(s.longest, widget.Width(s.rows[j].key.Name))
	}
	s.list.Len = len(s.rows)
	s.list.Select(max(0, i))
	s.settle(1)
}

// settle moves the cursor off remarks, in the direction of step if it can.
func (s *nodesScreen) settle(step int) {
	for _, d := range []int{step, -step} {
		for i := s.list.Cursor; i >= 0 && i < len(s.rows); i += d {
			if !s.rows[i].remark() {
				s.list.Select(i)
				s.at = s.rows[i].nodeSpot
				return
			}
		}
	}
}

func (s *nodesScreen) key(a *App, key string) bool {
	s.refresh(a)
	was := s.list.Cursor
	if !s.list.Key(key) {
		return false
	}
	step := 1
	if s.list.Cursor < was {
		step = -1
	}
	s.settle(step)
	if s.list.Cursor == s.first() {
		s.list.Top = 0 // what stands above the first row is seen again
	}
	return true
}

// first is the first row that the cursor can be on.
func (s *nodesScreen) first() int {
	return slices.IndexFunc(s.rows, func(r nodeRow) bool { return !r.remark() })
}

// nodeRows are the rows of the nodes that are shown: one node in full, or all
// nodes of the group with what is amiss.
func (a *App) nodeRows() []nodeRow {
	var shown []*xds.Node
	for _, n := range a.data.members {
		if a.data.node == "" || n.ID == a.data.node {
			shown = append(shown, n)
		}
	}
	var out []nodeRow
	for i, n := range shown {
		if i > 0 {
			out = append(out, nodeRow{})
		}
		out = append(out, a.rowsOfNode(n, len(shown) == 1)...)
	}
	return out
}

// rowsOfNode are a node's own row with what is to be said of it, a row for each
// type, and below it its resources: all of them, or those that are amiss.
func (a *App) rowsOfNode(n *xds.Node, all bool) []nodeRow {
	out := []nodeRow{{nodeSpot: nodeSpot{node: n.ID}, n: n}}
	for _, text := range []string{rolloutText(n), a.adminText(n)} {
		out = append(out, nodeRow{nodeSpot: nodeSpot{node: n.ID}, text: text, bad: text != rolloutText(n) && a.blind(n)})
	}
	t := a.data.truths[n.ID]
	for _, ty := range mesh.Types() {
		spot := nodeSpot{node: n.ID, t: ty}
		_, spoken := n.Types[ty]
		var rows []nodeRow
		for i := range t.resources() {
			r := &t.Resources[i]
			if r.Key.Type != ty {
				continue
			}
			spoken = true
			fine := drawn(r).Good()
			if fine && !all {
				continue
			}
			rows = append(rows, nodeRow{nodeSpot: nodeSpot{n.ID, ty, r.Key}, n: n, r: r})
			if !fine && r.Says != "" {
				rows = append(rows, nodeRow{nodeSpot: spot, text: r.Says, bad: r.Verdict <= truth.Stuck})
			}
		}
		if spoken {
			out = append(append(out, nodeRow{nodeSpot: spot, n: n, sum: a.sumOf(n, ty)}), rows...)
		}
	}
	if t != nil && len(t.Foreign) > 0 {
		out = append(out, nodeRow{nodeSpot: nodeSpot{node: n.ID}, text: foreignText(t.Foreign, 3)})
	}
	return out
}

// foreignText names what a node runs that was not served from here, most at
// most.
func foreignText(all []truth.Foreign, most int) string {
	var names []string
	for _, f := range all[:min(most, len(all))] {
		names = append(names, fmt.Sprintf("%s (%s)", f.Key, f.Origin))
	}
	text := "runs besides, not of its revision: " + strings.Join(names, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// resources are a node's, none where nobody joins its truth.
func (t *nodeTruth) resources() []truth.Resource {
	if t == nil {
		return nil
	}
	return t.Resources
}

// openNodeRow shows what the cursor is on: of several nodes the one, of a type
// the conversation about it, of a resource everything.
func (a *App) openNodeRow() tea.Cmd {
	s, ok := a.screen.(*nodesScreen)
	if !ok {
		return nil
	}
	s.refresh(a)
	row := s.current()
	switch {
	case row == nil || row.n == nil:
		return nil
	case row.r != nil:
		return a.openOnNode(row)
	case row.t == 0 && a.data.node == "" && len(a.data.members) > 1:
		a.node = row.node
		return a.loadCmd()
	}
	spot := row.nodeSpot
	a.open(&pager{head: s.about(row), facts: func(w int) []string { return a.spotLines(spot, w) }})
	return nil
}

// about names what a row stands for.
func (s *nodesScreen) about(row *nodeRow) string {
	switch {
	case row.r != nil:
		return row.key.String() + " on " + row.node
	case row.t != 0:
		return row.t.Service() + " on " + row.node
	}
	return row.node
}
