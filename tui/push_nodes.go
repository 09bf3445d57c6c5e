package tui

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
)

// nodeChoice is which nodes a push goes to first: all of them, or those that
// are ticked.
type nodeChoice struct {
	open   bool
	ticked map[string]bool // by id; nil for all
	list   widget.List
}

// chosenFrom are the connected nodes of all groups.
func chosenFrom(a *App) []*xds.Node {
	var out []*xds.Node
	for _, n := range a.data.xs.Nodes {
		if n.Connected {
			out = append(out, n)
		}
	}
	return out
}

// begin opens the list, with those ticked that a limited revision is on
// already, else none.
func (c *nodeChoice) begin(a *App) {
	c.open = true
	if c.ticked != nil {
		return
	}
	c.ticked = map[string]bool{}
	for _, n := range chosenFrom(a) {
		if r := a.data.ws.Limited; r != nil && r.For(n.ID) == r {
			c.ticked[n.ID] = true
		}
	}
}

// none reports whether the operator chose, and chose nobody.
func (c *nodeChoice) none(a *App) bool {
	return c.ticked != nil && len(c.ids(a)) == 0 && c.ids(a) != nil
}

// ids are the nodes that are ticked and connected, in order; nil for all, empty
// for none.
func (c *nodeChoice) ids(a *App) []string {
	if c.ticked == nil {
		return nil
	}
	nodes := chosenFrom(a)
	out := []string{}
	for _, n := range nodes {
		if c.ticked[n.ID] {
			out = append(out, n.ID)
		}
	}
	if len(out) == len(nodes) {
		return nil
	}
	return out
}

// only are the ticked nodes as a push takes them; nil for all.
func (c *nodeChoice) only(a *App) []string {
	ids := c.ids(a)
	for i, id := range ids {
		ids[i] = literally(id)
	}
	return ids
}

// literally is a glob that matches a text and nothing else.
func literally(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// goesTo says where the push goes, and what the others keep.
func (c *nodeChoice) goesTo(a *App) string {
	n := len(chosenFrom(a))
	ids := c.ids(a)
	if ids != nil && len(ids) == 0 {
		return "nobody: no node is ticked; o chooses, and esc there means all"
	}
	if len(ids) > 0 {
		rest := "the others wait"
		if h := a.data.head; h != nil {
			keeps := h.Number
			if h.Rest != nil {
				keeps = h.Rest.Number
			}
			rest = fmt.Sprintf("the others keep revision %d", keeps)
		}
		return fmt.Sprintf("%d of %s first: %s; %s%s", len(ids), a.nodes(n), widget.Clean(listed(ids)), c.setBack(a, ids), rest)
	}
	if n == 0 {
		return "no " + a.product().one + ": none is connected; the next one that connects gets it"
	}
	return a.nodes(n)
}

// setBack names those that a limited revision is on and that a push to others
// takes it from.
func (c *nodeChoice) setBack(a *App, ids []string) string {
	r := a.data.ws.Limited
	if r == nil {
		return ""
	}
	var back []string
	for _, n := range chosenFrom(a) {
		if r.For(n.ID) == r && !slices.Contains(ids, n.ID) {
			back = append(back, n.ID)
		}
	}
	if len(back) == 0 {
		return ""
	}
	to := "to nothing"
	if r.Rest != nil {
		to = fmt.Sprintf("to revision %d", r.Rest.Number)
	}
	return fmt.Sprintf("%s back from revision %d %s; ", widget.Clean(listed(back)), r.Number, to)
}

// keys are those that open the list, where there is something to choose.
func (c *nodeChoice) keys(a *App) []string {
	switch {
	case len(chosenFrom(a)) < 2:
		return nil
	case c.ids(a) == nil:
		return []string{"o", "only some nodes"}
	}
	return []string{"o", "other nodes"}
}

func (c *nodeChoice) lines(a *App, w, h int) []string {
	nodes := chosenFrom(a)
	c.list.Resize(len(nodes), max(1, min(len(nodes), h-3)))
	var out []string
	for i := c.list.Top; i < c.list.End(); i++ {
		n := nodes[i]
		box := "[ ] "
		if c.ticked[n.ID] {
			box = "[x] "
		}
		left := []widget.Span{{Style: a.th.Key, Text: box}, {Text: n.ID}, {Style: a.th.Dim, Text: "  " + agentOf(n) + "  group " + n.Group}}
		right := []widget.Span{{Style: a.th.Dim, Text: fmt.Sprintf("has revision %d", n.Rollout.Revision)}}
		if i == c.list.Cursor {
			out = append(out, widget.Row(w, &a.th.Selected, left, right))
		} else {
			out = append(out, widget.Row(w, nil, left, right))
		}
	}
	return append(out, widget.Spaces(w), a.keysLine(w, "space", "tick", "a", "all or none", "enter", "to those", "esc", "to all"))
}

func (c *nodeChoice) key(a *App, k string) {
	nodes := chosenFrom(a)
	switch k {
	case "space", "x":
		if i := c.list.Cursor; i >= 0 && i < len(nodes) {
			c.ticked[nodes[i].ID] = !c.ticked[nodes[i].ID]
		}
	case "a":
		all := !slices.ContainsFunc(nodes, func(n *xds.Node) bool { return !c.ticked[n.ID] })
		for _, n := range nodes {
			c.ticked[n.ID] = !all
		}
	case "enter":
		c.open = false
		if c.ids(a) == nil {
			c.ticked = nil // all are ticked: to all, those too that connect later
		}
	case "esc", "q":
		c.open, c.ticked = false, nil
	default:
		c.list.Key(k)
	}
}
