package tui

import (
	"cmp"
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// reasonsOfNginx reports whether nginx's locations are listed, not Envoy's
// routes.
func (s *tryScreen) reasonsOfNginx() bool { return s.byNginx && s.nginxWay() != nil }

// nginxReason is a server or a location, and why it takes the request or not.
type nginxReason struct {
	name, why string
	at        *conf.Directive
	takes     bool
}

// nginxReasons are the location that takes the request, and those that lost.
func (s *tryScreen) nginxReasons() []nginxReason {
	a := &s.nginxWay().answer
	var out []nginxReason
	if a.Location != nil {
		r := nginxReason{name: a.Location.String(), at: a.Location, takes: true}
		for i := range a.Steps {
			if a.Steps[i].Kind == "location" {
				r.why = a.Steps[i].Why
			}
		}
		out = append(out, r)
	}
	for i := range a.Losers {
		l := &a.Losers[i]
		out = append(out, nginxReason{name: l.Name, why: l.Reason, at: l.At})
	}
	return out
}

func (s *tryScreen) nginxReasonHeading(a *App, w int) string {
	text, note := "why not another, in nginx", fmt.Sprintf("%d; the best one is taken, wherever it stands", len(s.nginxWay().answer.Losers))
	switch {
	case s.seen.question != a.question():
		note = "…"
	case len(s.nginxWay().answer.Losers) == 0:
		text, note = "nothing else in nginx could have taken it", ""
	}
	return widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: text}, {Style: a.th.Dim, Text: "  " + note}}, nil)
}

// nginxReason is the i-th row as it is drawn.
func (s *tryScreen) nginxReason(a *App, i int) reason {
	f := s.nginxWay()
	r := s.nginxReasons()[i]
	where := r.name
	if at := f.by.text.place(r.at); at != "" {
		where = at + ": " + r.name
	}
	if r.takes {
		return reason{a.th.Glyph.Active, where, "takes it: " + r.why, a.th.Good}
	}
	return reason{" ", where, r.why, theme.Style{}}
}

// showNginxLine closes the tester and puts the cursor of the nginx panel on the
// location under the cursor; while a field has the keyboard, on the line where the
// two part, else on the location that takes the request.
func (a *App) showNginxLine() tea.Cmd {
	s := a.try
	f := s.nginxWay()
	at := cmp.Or(f.answer.Location, f.answer.Server)
	rows := s.nginxReasons()
	switch i := s.window.pick; {
	case !s.form.typing() && i < len(rows):
		at = rows[i].at
	case len(f.parts) > 0 && f.parts[0].at != nil:
		at = f.parts[0].at
	}
	line := f.by.text.line(at, a.data.nginx)
	if line < 0 {
		a.shout("no line of the draft's nginx.conf says that")
		return nil
	}
	a.gotoNginx(line)
	return nil
}
