package tui

import (
	"fmt"
	"strings"

	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds/envoy"
)

// zoomWidth is what the columns of a pane that has the whole screen need.
const zoomWidth = 100

// columned reports whether a pane is drawn in columns, under a heading.
func (a *App) columned(p Panel) bool {
	return a.zoom && p == a.focus && p < PanelNginx && a.w >= zoomWidth
}

// column is one column of a pane on the whole screen.
type column struct {
	head  string
	width int
}

var (
	resourceColumns = []column{{"state", 26}, {"version", 14}, {"served", 10}, {"ACKed", 14}, {"active", 13}}
	endpointColumns = []column{{"health", 22}, {"since", 7}, {"weight", 8}, {"requests", 10}, {"errors", 8}, {"of the load", 11}}
)

// zoomed draws the rows of a pane that has the whole screen, in columns.
func (a *App) zoomed(p outline.Pane, w, h int) []string {
	l := &a.lists[p]
	cols := resourceColumns
	if p == outline.EDS {
		cols = endpointColumns
		if a.deps.Traffic == nil {
			cols = cols[:len(cols)-1]
		}
	}
	heads := make([]string, len(cols))
	for i, c := range cols {
		heads[i] = c.head
	}
	out := make([]string, 0, h)
	out = append(out, widget.Row(w, nil, []widget.Span{{Style: a.th.Dim, Text: "  name"}}, cells(cols, heads, a.th.Dim, a.th.Dim)))
	for i := l.Top; i < l.End(); i++ {
		r := a.row(p, i)
		left := a.rowLeft(p, r, i == l.Cursor)
		if r.Value != "" {
			left = append(left, widget.Span{Style: a.th.Dim, Text: " " + r.Value})
		}
		right := a.zoomCells(r, cols)
		if i == l.Cursor {
			out = append(out, widget.Row(w, &a.th.Selected, left, right))
		} else {
			out = append(out, widget.Row(w, nil, left, right))
		}
	}
	return out
}

// cells are a row's columns, each as wide as its heading says; first is the
// style of the first one.
func cells(cols []column, texts []string, first, rest theme.Style) []widget.Span {
	out := make([]widget.Span, len(cols))
	for i, c := range cols {
		out[i] = widget.Span{Style: rest, Text: " " + widget.Fit(widget.Clean(texts[i]), c.width)}
	}
	out[0].Style = first
	return out
}

// zoomCells are the columns of one row; of a row within a resource, what the
// narrow pane says too, in the first of them.
func (a *App) zoomCells(r *outline.Row, cols []column) []widget.Span {
	texts := make([]string, len(endpointColumns))
	var style theme.Style
	switch {
	case r.Kind == outline.EndpointRow:
		style = a.endpointCells(r, texts)
	case r.Kind == outline.WeightRow:
		texts[0] = fmt.Sprintf("weight %d, %s", r.Weight, percent(r.Share))
	case r.Path == "":
		style = a.resourceCells(r, texts)
	default:
		if found := a.findingMark(r, resourceColumns[0].width, nil); len(found) > 0 {
			texts[0], style = found[0].Text, found[0].Style
		}
	}
	if r.Kind == outline.AssignmentRow {
		clear(texts[1:]) // the other columns are those of its endpoints
	}
	return cells(cols, texts, style, a.th.Dim)
}

// resourceCells say how a resource stands on the node where it stands worst.
func (a *App) resourceCells(r *outline.Row, texts []string) theme.Style {
	state := a.findingMark(r, resourceColumns[0].width, a.resourceState(r.Key, resourceColumns[0].width))
	for _, s := range state {
		texts[0] += s.Text
	}
	style := state[0].Style
	var worst *mark.OnNode
	states := mark.Of(r.Key, a.data.hash(r.Key), a.data.nodes, a.data.look(), a.at)
	for i := range states {
		if worst == nil || states[i].State > worst.State {
			worst = &states[i]
		}
	}
	if worst == nil || !worst.Served {
		return style
	}
	st := &worst.Status
	texts[1] = st.Served.Version
	texts[2] = ago(age(a.at, st.Served.At))
	if d := st.Acked.At.Sub(st.Served.At); d > 0 && st.Acked.Version == st.Served.Version {
		texts[3] = "after " + short(d)
	} else if !st.Acked.At.IsZero() {
		texts[3] = st.Acked.Version
	}
	switch worst.Active.State {
	case envoy.ActiveSame:
		texts[4] = ago(age(a.at, worst.Active.Since))
	case envoy.ActiveOther:
		texts[4] = "other content"
	case envoy.Warming, envoy.Absent:
		texts[4] = worst.Active.State.String()
	case envoy.NotObservable:
	}
	return style
}

// endpointCells say how an endpoint does, over all nodes that are shown.
func (a *App) endpointCells(r *outline.Row, texts []string) theme.Style {
	e, known := a.data.health[hostKey{r.Cluster, r.Address}]
	state := a.endpointState(r, 0, columns{})
	texts[0] = state[0].Text
	texts[2] = "1"
	if r.Weight > 0 {
		texts[2] = fmt.Sprintf("%d", r.Weight)
	}
	if known {
		texts[1] = age(a.at, e.Since)
		texts[0] = strings.TrimSuffix(texts[0], " "+texts[1]) // it has its own column here
		texts[3], texts[4] = fmt.Sprintf("%d", e.Requests), fmt.Sprintf("%d", e.Errors)
	}
	texts[5] = a.shareOf(r)
	return state[0].Style
}

// ago is an age as a time in the past, "" for none.
func ago(age string) string {
	if age == "" {
		return ""
	}
	return age + " ago"
}
