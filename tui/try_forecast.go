package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
)

// question is what a forecast answers; two equal ones have the same answer.
type question struct {
	version     int
	live        bool
	draft, past *routing
	disk        *engine.DiskChange // the operator's nginx.conf may be another by now
}

// forecast is where a request goes by the meshes that there were.
type forecast struct {
	question question
	request  match.Request
	wrong    []string // fields that could not be read
	match.Explanation
	other  match.Way // by the other mesh; only when differ
	differ bool      // draft and live mesh are not the same
	winner int       // where the route that takes the request stands among its losers; -1 for none
	missed string    // why the route that the form was filled from does not take it; "" when it does

	complete bool // what nginx would do was asked too

	nginx   *foretold // what nginx would do; nil where that cannot be said
	noNginx string    // why it cannot
	unread  string    // why the operator's own nginx.conf was not asked; "" where it was, or there is none
}

// forecastMsg hands in a forecast.
type forecastMsg struct{ *forecast }

// question is what the screen would like to know.
func (a *App) question() question {
	return question{version: a.try.form.version, live: a.try.live, draft: a.data.draftWays, past: a.data.liveWays, disk: a.data.ws.Disk}
}

// ask has a forecast made, outside the event loop, when the tester is shown
// and has none of what is typed; then what nginx would do, which takes longer on a
// large mesh. While one is being made, the next one waits.
func (a *App) ask() tea.Cmd {
	s := a.try
	if s == nil || a.screen != screen(s) || s.asking {
		return nil
	}
	q := a.question()
	asked, other := q.draft, q.past
	if q.live {
		asked, other = other, asked
	}
	if s.seen != nil && s.seen.question == q {
		if s.seen.complete {
			return nil
		}
		s.asking = true
		more, own := *s.seen, a.deps.Own
		return func() tea.Msg {
			more.askNginx(asked, own)
			more.complete = true
			return forecastMsg{&more}
		}
	}
	s.asking = true
	req, wrong := s.form.request()
	from := selection{}
	if s.form.version == s.filled {
		from = s.from
	}
	return func() tea.Msg {
		f := &forecast{question: q, request: req, wrong: wrong, differ: q.draft != q.past}
		f.Explanation = asked.get().Explain(&req)
		if f.differ {
			f.other = other.get().Match(&req)
		}
		f.winner, f.missed = winnerAmong(&f.Explanation), missedBy(&f.Explanation, from)
		return forecastMsg{f}
	}
}

func (a *App) forecast(msg forecastMsg) {
	if a.try == nil {
		return
	}
	s := a.try
	was := s.seen
	s.asking, s.seen = false, msg.forecast
	switch {
	case msg.complete && !s.byNginx:
		return // the reasons are those that were shown already
	case !msg.complete && was != nil: // until there is another, so that nothing jumps
		s.seen.nginx, s.seen.noNginx, s.seen.unread = was.nginx, was.noNginx, was.unread
	}
	if s.form.typing() { // who turns to the reasons begins at the route that takes it
		s.window.pick = 0
		if !s.reasonsOfNginx() {
			s.window.pick = max(0, s.seen.winner)
		}
	}
}

// winnerAmong is where the route that takes the request would stand among the
// losers, which are in the order of the configuration; -1 when none takes it.
func winnerAmong(e *match.Explanation) int {
	if !e.Matched {
		return -1
	}
	for _, s := range e.Steps {
		if s.Kind != "route" {
			continue
		}
		host, route := placeInConfig(s.Path)
		for i := range e.Losers {
			if h, r := placeInConfig(e.Losers[i].Path); h > host || h == host && r > route {
				return i
			}
		}
	}
	return len(e.Losers)
}

// missedBy is why the route that encloses a field lost; "" when it did not, or
// the field is in no route.
func missedBy(e *match.Explanation, from selection) string {
	if from.path == "" {
		return ""
	}
	for i := range e.Losers {
		l := &e.Losers[i]
		if l.HasRoute && l.Key == from.key && (l.Path == from.path || strings.HasPrefix(from.path, l.Path+".")) {
			return l.Reason
		}
	}
	return ""
}
