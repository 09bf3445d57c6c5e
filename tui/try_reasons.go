package tui

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// countReasons is how many rows there are: every loser, and the winner. Where
// no route table was asked there is none.
func (s *tryScreen) countReasons() int {
	switch {
	case s.reasonsOfNginx():
		return len(s.nginxReasons())
	case s.seen == nil || s.seen.Config == nil:
		return 0
	case s.seen.winner >= 0:
		return len(s.seen.Losers) + 1
	}
	return len(s.seen.Losers)
}

// reasonHeading counts what did not take the request.
func (s *tryScreen) reasonHeading(a *App, w int) string {
	if s.reasonsOfNginx() {
		return s.nginxReasonHeading(a, w)
	}
	text, note := "why not another", fmt.Sprintf("%d, in the order of the configuration", len(s.seen.Losers))
	switch {
	case s.seen.question != a.question():
		note = "…"
	case len(s.seen.Losers) == 0:
		text, note = "nothing else could have taken it", ""
	case !s.seen.Matched:
		text = "why none takes it"
	}
	return widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: text}, {Style: a.th.Dim, Text: "  " + note}}, nil)
}

// reason is one row of the reasons, as it is drawn.
type reason struct {
	glyph, where, text string
	style              theme.Style
}

// reason is the i-th row: a loser, or among them the winner.
func (s *tryScreen) reason(a *App, i int) reason {
	f := s.seen
	if s.reasonsOfNginx() {
		return s.nginxReason(a, i)
	}
	if i == f.winner {
		return reason{a.th.Glyph.Active, a.routeText(f, f.VirtualHost, f.Route, winnerPath(f)), "takes it: " + winnerWhy(f), a.th.Good}
	}
	if f.winner >= 0 && i > f.winner {
		i--
	}
	l := &f.Losers[i]
	r := reason{" ", l.VirtualHost, l.Reason, theme.Style{}}
	if l.HasRoute {
		r.where = a.routeText(f, l.VirtualHost, l.Route, l.Path)
	}
	if l.Next {
		r.glyph, r.style = a.th.Glyph.Arrow, a.th.Info
		r.text = "next in line: " + r.text
	}
	return r
}

// winnerPath is the field path of the route that takes the request.
func winnerPath(f *forecast) string {
	for i := range f.Steps {
		if f.Steps[i].Kind == "route" {
			return f.Steps[i].Path
		}
	}
	return ""
}

func winnerWhy(f *forecast) string {
	for i := range f.Steps {
		if f.Steps[i].Kind == "route" {
			return f.Steps[i].Why
		}
	}
	return ""
}

// routeText names a route: its virtual host, its place there, and its name or
// what it matches.
func (a *App) routeText(f *forecast, host string, id match.RouteID, path string) string {
	name := id.Name
	if h, r := placeInConfig(path); name == "" && h >= 0 && r >= 0 && h < len(f.Config.GetVirtualHosts()) {
		if list := f.Config.GetVirtualHosts()[h].GetRoutes(); r < len(list) {
			name = outline.Match(list[r].GetMatch())
		}
	}
	return fmt.Sprintf("%s %s %d %s", host, a.th.Glyph.Cursor, id.Index, name)
}

// whereWidth is the room for a route's name in w cells.
func whereWidth(w int) int { return min(max(w*32/100, 18), 44) }

// reasonLine draws a row on one line; what does not fit is seen when the
// cursor is on it.
func (s *tryScreen) reasonLine(a *App, i, w int) string {
	r := s.reason(a, i)
	n := whereWidth(w)
	return widget.Row(w, nil, []widget.Span{{Style: r.style, Text: r.glyph + " "}, {Style: r.style, Text: widget.Fit(widget.Clean(r.where), n) + "  "},
		{Style: r.style, Text: r.text}}, nil)
}

// reasonLines draws the row under the cursor whole.
func (s *tryScreen) reasonLines(a *App, i, w int) []string {
	if s.reasons == 0 {
		return nil
	}
	r := s.reason(a, min(i, s.reasons-1))
	n := whereWidth(w)
	if widget.Width(r.where) <= n && widget.Width(r.text) <= w-n-4 {
		text := r.glyph + " " + widget.Fit(widget.Clean(r.where), n) + "  " + widget.Clean(r.text)
		return []string{a.th.Selected.Render(widget.Fit(text, w))}
	}
	lines := widget.Wrap(r.where, w-2)
	lines = append(lines, widget.Wrap(r.text, w-4)...)
	where := len(widget.Wrap(r.where, w-2))
	for j, l := range lines {
		head := "  "
		switch {
		case j == 0:
			head = r.glyph + " "
		case j >= where:
			head = "    "
		}
		lines[j] = a.th.Selected.Render(widget.Fit(head+l, w))
	}
	return lines
}

// indexOf reads the number behind the last occurrence of a word that ends in
// "[": -1 when there is none.
func indexOf(path, word string) int {
	i := strings.LastIndex(path, word)
	if i < 0 {
		return -1
	}
	digits, _, _ := strings.Cut(path[i+len(word):], "]")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
