package tui

import (
	"sort"
	"strings"
	"unicode"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
)

// filtered are the rows of a pane that a filter lets through.
type filtered struct {
	text string
	rows []int // indexes into the outline's rows, ascending; nil without a filter
}

// rowCount is how many rows a pane shows.
func (a *App) rowCount(p outline.Pane) int {
	if a.filter[p].text != "" {
		return len(a.filter[p].rows)
	}
	return len(a.data.outline.Rows[p])
}

// row is the i-th row that a pane shows, or nil.
func (a *App) row(p outline.Pane, i int) *outline.Row {
	rows := a.data.outline.Rows[p]
	if a.filter[p].text != "" {
		if i < 0 || i >= len(a.filter[p].rows) {
			return nil
		}
		i = a.filter[p].rows[i]
	}
	if i < 0 || i >= len(rows) {
		return nil
	}
	return rows[i]
}

// shown is where the outline's i-th row stands in what the pane shows, or -1.
func (a *App) shown(p outline.Pane, i int) int {
	if i < 0 || a.filter[p].text == "" {
		return i
	}
	rows := a.filter[p].rows
	if j := sort.SearchInts(rows, i); j < len(rows) && rows[j] == i {
		return j
	}
	return -1
}

// refilter finds the rows whose words hold the filter's text: with case when
// the text has a capital, else without.
func (a *App) refilter(p outline.Pane) {
	f := &a.filter[p]
	f.rows = nil
	if f.text == "" {
		return
	}
	fold := !strings.ContainsFunc(f.text, unicode.IsUpper)
	for i, r := range a.data.outline.Rows[p] {
		words := r.Label + " " + r.Value + " " + r.Status
		if p == outline.EDS {
			words += " " + r.Cluster
			if e, ok := a.data.health[hostKey{r.Cluster, r.Address}]; ok {
				words += " " + a.healthWord(r.Cluster, e)
			}
		}
		if fold {
			words = strings.ToLower(words)
		}
		if strings.Contains(words, f.text) {
			f.rows = append(f.rows, i)
		}
	}
}

// current is the row under a pane's cursor, or nil.
func (a *App) current(p outline.Pane) *outline.Row { return a.row(p, a.lists[p].Cursor) }

// selected is the row under the cursor of the pane that last had the focus, or
// of the screen of those resources that have no pane.
func (a *App) selected() *outline.Row {
	if s, ok := a.screen.(*otherScreen); ok {
		return s.current(a)
	}
	if a.pane < PanelNginx {
		return a.current(outline.Pane(a.pane))
	}
	return nil
}

// remember notes what a pane's cursor is on.
func (a *App) remember(p outline.Pane) {
	if r := a.current(p); r != nil {
		a.sel[p] = identity{key: r.Key, path: r.Path, address: r.Address, index: a.lists[p].Cursor}
	}
}

// refind puts a pane's cursor back on what it was on before the rows changed.
func (a *App) refind(p outline.Pane) {
	id := a.sel[p]
	if id.key.IsZero() {
		return
	}
	same := func(r *outline.Row) bool {
		if r == nil || r.Key != id.key {
			return false
		}
		if id.address != "" {
			return r.Address == id.address
		}
		return r.Path == id.path
	}
	if same(a.row(p, id.index)) {
		a.lists[p].Select(id.index)
		return
	}
	from, to := a.data.outline.Span(p, id.key)
	for i := from; i < to; i++ {
		if same(a.data.outline.Rows[p][i]) {
			if at := a.shown(p, i); at >= 0 {
				a.lists[p].Select(at)
				a.sel[p].index = at
				return
			}
		}
	}
	a.lists[p].Select(id.index)
	a.remember(p)
}

// turn puts the cursor on what was just made, once it is there: whoever
// duplicates a listener goes on to edit the copy.
func (a *App) turn() {
	if a.made.IsZero() {
		return
	}
	for p := outline.Pane(0); p < outline.Panes; p++ {
		from, to := a.data.outline.Span(p, a.made)
		at := a.shown(p, from)
		if from >= to || at < 0 {
			continue
		}
		a.made = mesh.Key{}
		a.lists[p].Select(at)
		a.remember(p)
		if r := a.current(p); r != nil && a.pane == Panel(p) {
			a.origin = selection{r.Key, r.Path}
		}
		return
	}
}

// navigate moves the cursor of the panel that has the focus.
func (a *App) navigate(key string) {
	if !a.lists[a.focus].Key(key) {
		return
	}
	a.moved()
}

// moved draws the thread anew from where the cursor is now.
func (a *App) moved() {
	switch {
	case a.focus < PanelNginx:
		p := outline.Pane(a.focus)
		a.remember(p)
		if r := a.current(p); r != nil {
			a.origin = selection{r.Key, r.Path}
		}
	case a.focus == PanelNginx:
		i := a.lists[PanelNginx].Cursor
		if i >= len(a.data.nginx.lines) {
			return
		}
		from := a.data.nginx.lines[i].From
		if from.Key.IsZero() {
			return // a brace: the thread stays where it is
		}
		a.origin = selection{from.Key, from.Path}
	default:
		return
	}
	a.follow()
}

// follow draws the thread from the origin and moves the cursors of all other
// panels onto it.
func (a *App) follow() {
	if a.origin.key.IsZero() || a.data.resource(a.origin.key) == nil {
		a.restart()
	}
	a.thread = a.data.outline.Thread(a.origin.key, a.origin.path)
	for p := outline.Pane(0); p < outline.Panes; p++ {
		if Panel(p) != a.focus {
			a.attach(p)
		}
	}
	if a.focus != PanelNginx {
		if i := a.nginxLine(); i >= 0 {
			a.lists[PanelNginx].Select(i)
		}
	}
	if a.focus != PanelWire {
		a.lists[PanelWire].Select(len(a.data.wire) - 1)
	}
}

// restart begins the thread at the pane's cursor, after what it began at has
// gone.
func (a *App) restart() {
	a.origin = selection{}
	for _, p := range []outline.Pane{outline.Pane(min(a.pane, PanelEDS)), outline.LDS, outline.RDS, outline.CDS, outline.EDS} {
		if r := a.current(p); r != nil {
			a.origin = selection{r.Key, r.Path}
			return
		}
	}
}

// attach moves a pane's cursor onto the thread, unless it is on it already and
// says as much as the row that the thread leads to.
func (a *App) attach(p outline.Pane) {
	o := a.data.outline
	i := o.Find(p, a.origin.key, a.origin.path)
	if i < 0 {
		i = o.Row(p, a.thread)
	}
	at := a.shown(p, i)
	if at < 0 {
		return
	}
	if r := a.current(p); r != nil && r.Key != a.origin.key && a.thread.Has(r.Key, r.Path) && len(r.Path) >= len(o.Rows[p][i].Path) {
		return
	}
	a.lists[p].Select(at)
	a.remember(p)
}

// nginxLine is the line that says what is selected, else the first that is on
// the thread, else -1.
func (a *App) nginxLine() int {
	v := a.data.nginx
	if i := v.line(a.origin.key, a.origin.path); i >= 0 {
		return i
	}
	best := -1
	a.thread.Keys(func(k mesh.Key) {
		if i := v.line(k, ""); i >= 0 && (best < 0 || i < best) {
			best = i
		}
	})
	return best
}

// focusOn gives a panel the focus.
func (a *App) focusOn(p Panel) {
	a.focus = p
	if p < PanelNginx {
		a.pane = p
	}
	a.arrange()
	a.moved()
}

// cycle moves the focus to the next or previous panel that is shown.
func (a *App) cycle(step int) {
	for i := 1; i <= int(panels); i++ {
		p := Panel((int(a.focus) + step*i + int(panels)*i) % int(panels))
		shown := !a.lay.Panels[p].Empty() || p < PanelNginx
		if shown {
			a.focusOn(p)
			return
		}
	}
}
