package tui

import (
	"fmt"
	"reflect"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/sample"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/outline"
)

// tryScreen is the tester: a request that is typed, the way that it takes, and
// what came of really sending it. There is one, which keeps all of that while
// it is closed.
type tryScreen struct {
	form   form
	filled int       // the form's version when it was last filled from elsewhere
	from   selection // what it was filled from
	live   bool      // the live mesh is asked, not the draft

	asking bool      // a forecast is being made
	seen   *forecast // the newest; nil before the first

	shot      *shot      // what was sent last; nil before anything was
	nginxShot *nginxShot // the same request to nginx; nil where none is there
	shots     int
	byNginx   bool            // nginx's reasons are shown, and where there is little room its way
	volley    *volley         // all kept requests, sent; nil before that
	recent    []match.Request // what was in the form before, newest first

	window  tryWindow
	reasons int // how many rows the newest drawing had below its head
	head    int // and how many lines above them
}

func (s *tryScreen) context() Context { return InTry }
func (s *tryScreen) title(a *App) string {
	if s.live || a.data.draftWays == a.data.liveWays {
		return "Try a request on the live mesh"
	}
	return "Try a request on the draft"
}

// note says how much of what stands below the form is seen.
func (s *tryScreen) note(*App) string { return s.window.note(s.head + s.reasons) }

// openTry shows the tester, filled from the route under the cursor, or from that
// on the thread of what is under it. What was typed for that very route stays.
func (a *App) openTry() tea.Cmd {
	s := a.tester()
	r := a.selected()
	if a.focus != PanelRDS {
		r = a.routeOnThread()
	}
	if r != nil && (r.Kind == outline.RouteRow || r.Kind == outline.WeightRow || r.Kind == outline.VirtualHostRow) {
		if at := (selection{r.Key, r.Path}); at != s.from || s.form.version == s.filled {
			if req, ok := a.sampleAt(r); ok {
				s.fill(req, at)
			}
		}
	}
	s.form.focus = fieldPath
	s.form.refocus()
	a.show(s)
	return nil
}

// routeOnThread is the route that belongs to what is selected: the row of the
// thread, or below it the first route that takes requests of every day, else the
// first route; nil when there is none.
func (a *App) routeOnThread() *outline.Row {
	on := a.current(outline.RDS)
	if on == nil {
		return nil
	}
	rows := a.data.outline.Rows[outline.RDS]
	rows = rows[max(0, slices.Index(rows, on)):]
	if i := slices.IndexFunc(rows, func(r *outline.Row) bool { return r.Key != on.Key }); i >= 0 {
		rows = rows[:i]
	}
	if r := firstRoute(rows); r != nil {
		return r
	}
	return on
}

// firstRoute is the row to begin with: the first one, where that is a route, else
// the first route that takes requests of every day, else the first route; nil for
// none.
func firstRoute(rows []*outline.Row) *outline.Row {
	var first *outline.Row
	for i, r := range rows {
		switch {
		case r.Kind != outline.RouteRow && r.Kind != outline.WeightRow:
		case i == 0 || r.Plain:
			return r
		case first == nil:
			first = r
		}
	}
	return first
}

// tester is the one tryScreen. When it is made, it is filled from the route on
// the thread, else from the first that there is.
func (a *App) tester() *tryScreen {
	if a.try != nil {
		return a.try
	}
	a.try = &tryScreen{}
	for _, r := range []*outline.Row{a.routeOnThread(), firstRoute(a.data.outline.Rows[outline.RDS])} {
		if r == nil {
			continue
		}
		if req, ok := a.sampleAt(r); ok && r.Kind != outline.VirtualHostRow {
			a.try.fill(req, selection{r.Key, r.Path})
			return a.try
		}
	}
	a.try.fill(sample.New(nil, nil).VirtualHost(0), selection{})
	return a.try
}

// fill puts a request into the form. What was typed there before is kept.
func (s *tryScreen) fill(r match.Request, from selection) {
	s.remember()
	s.form.fill(r)
	s.filled, s.from = s.form.version, from
	s.window = tryWindow{}
}

// keptRecent is how many earlier requests are remembered.
const keptRecent = 20

// remember keeps what is in the form, if somebody typed it.
func (s *tryScreen) remember() {
	if s.form.version == s.filled {
		return
	}
	req, _ := s.form.request()
	s.recent = slices.DeleteFunc(s.recent, func(r match.Request) bool { return reflect.DeepEqual(r, req) })
	s.recent = append([]match.Request{req}, s.recent...)
	s.recent = s.recent[:min(len(s.recent), keptRecent)]
	s.filled = s.form.version
}

// key is for when no field has the keyboard: it moves among the reasons.
func (s *tryScreen) key(_ *App, key string) bool {
	return !s.form.typing() && s.window.key(key, s.head, s.reasons)
}

// typed takes the keys of a field, and scrolls what stands below it.
func (s *tryScreen) typed(a *App, msg tea.KeyMsg) bool {
	if !s.form.typing() {
		return false
	}
	switch k := keyName(msg); k {
	case "up", "down", "pgup", "pgdown":
		s.window.scroll(k, s.head+s.reasons)
		return true
	}
	return s.form.typed(msg, a.listenerNames())
}

// listenerNames are those that carry HTTP, as the draft has them.
func (a *App) listenerNames() []string {
	var out []string
	for _, r := range a.data.outline.Rows[outline.LDS] {
		if r.Kind == outline.ListenerRow && r.HTTP {
			out = append(out, r.Label)
		}
	}
	return out
}

// step gives the keyboard to another field, or to the reasons.
func (s *tryScreen) step(n int) {
	s.form.step(n)
	s.window.moved = !s.form.typing() && s.countReasons() > 0
}

// placeInConfig reads "virtual_hosts[2].routes[1]" at the end of a field path:
// 2 and 1; -1 where a number is missing.
func placeInConfig(path string) (host, route int) {
	return indexOf(path, "virtual_hosts["), indexOf(path, "routes[")
}

// showRoute closes the tester and puts the cursor on what the request meets:
// its route, or the last thing before it that has a row. While the keyboard is
// among the reasons, it goes to the route that lost.
func (a *App) showRoute() tea.Cmd {
	s := a.try
	if s == nil || s.seen == nil {
		return nil
	}
	if s.reasonsOfNginx() {
		return a.showNginxLine()
	}
	if l := s.picked(); l != nil && !s.form.typing() {
		if a.turnTo(outline.RDS, l.Key, l.Path) {
			return nil
		}
		a.shout("that route is not in the draft")
		return nil
	}
	for i := len(s.seen.Steps) - 1; i >= 0; i-- {
		step := &s.seen.Steps[i]
		pane := outline.RDS
		switch step.Kind {
		case "cluster", "endpoints":
			continue
		case "listener", "filter chain":
			pane = outline.LDS
		}
		if a.turnTo(pane, step.Key, step.Path) {
			return nil
		}
	}
	a.shout("the request meets nothing that has a row in the panes")
	return nil
}

// picked is the loser under the cursor, nil for the winner and for none.
func (s *tryScreen) picked() *match.Loser {
	i := s.window.pick
	switch {
	case s.seen == nil || i == s.seen.winner:
		return nil
	case s.seen.winner >= 0 && i > s.seen.winner:
		i--
	}
	if i < 0 || i >= len(s.seen.Losers) {
		return nil
	}
	return &s.seen.Losers[i]
}

// turnTo closes the screen and puts the cursor of a pane on a field, clearing a
// filter that hides it; false when the draft does not have it.
func (a *App) turnTo(p outline.Pane, k mesh.Key, path string) bool {
	i := a.data.outline.Find(p, k, path)
	if i < 0 || a.data.outline.Rows[p][i].Path == "" && path != "" {
		return false
	}
	a.screen = nil
	if a.shown(p, i) < 0 {
		a.setFilter(p, "")
	}
	a.arrange()
	a.lists[p].Select(a.shown(p, i))
	a.remember(p)
	a.focusOn(Panel(p))
	return true
}

// keepHint is where the kept requests stand, in a few words.
func (a *App) keepHint() string {
	n, bad := len(a.data.kept), 0
	if n == 0 {
		return "none kept; ctrl+s keeps this one"
	}
	for _, r := range a.keptResults() {
		if len(r.Differs) > 0 {
			bad++
		}
	}
	if bad == 0 {
		return fmt.Sprintf("%d kept, all as expected; ctrl+o lists them", n)
	}
	return fmt.Sprintf("%d kept, %d not as expected; ctrl+o lists them", n, bad)
}
