package tui

import (
	"fmt"
	"net/http"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// nginxWay is what is foretold of nginx for what is in the form; nil when nothing
// is.
func (s *tryScreen) nginxWay() *foretold {
	if s.seen == nil {
		return nil
	}
	return s.seen.nginx
}

func canCompare(a *App) (bool, string) {
	if a.try == nil || a.try.seen == nil {
		return false, "nothing is predicted yet"
	}
	return a.try.seen.nginx != nil, "nothing can be said of nginx: " + orText(a.try.seen.noNginx, "there is no nginx.conf")
}

// turnWorld shows nginx's way and its reasons, or Envoy's.
func (a *App) turnWorld() tea.Cmd {
	s := a.try
	s.byNginx = !s.byNginx
	s.window = tryWindow{}
	return nil
}

// nginxBrief says in a line or two what nginx would do, for where its way is not
// shown.
func (s *tryScreen) nginxBrief(a *App, w int) []string {
	f := s.nginxWay()
	if f == nil {
		return nil
	}
	key := a.keyOf("world") + " shows its way"
	if len(f.parts) == 0 {
		same := "the same: " + f.end()
		if f.answer.Action == predict.Unknown {
			return a.factLines("nginx would", "cannot be said", key, a.th.Warn, w)
		}
		return a.factLines("nginx would", same, key, a.th.Good, w)
	}
	return a.factLines("nginx would", a.th.Glyph.Friend+" "+f.parts[0].says, key, a.th.Warn, w)
}

// envoyBrief says the same of Envoy.
func (s *tryScreen) envoyBrief(a *App, w int) []string {
	return a.factLines("Envoy", envoyEnd(&s.seen.Way), a.keyOf("world")+" shows its way", theme.Style{}, w)
}

// nginxWayLines are the way that the request takes in nginx, and where it parts
// from Envoy's.
func (s *tryScreen) nginxWayLines(a *App, w int) []string {
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: "nginx would"}, {Style: a.th.Dim, Text: "  by the nginx.conf beside the panes"}}, nil)}
	f := s.nginxWay()
	if f == nil {
		return append(out, paragraph("Nothing can be said: "+orText(s.seen.noNginx, "…"), w, a.th.Dim)...)
	}
	for i := range f.answer.Steps {
		step := &f.answer.Steps[i]
		why := step.Why
		if n := f.by.line(step.At); n >= 0 {
			why = strings.TrimSpace(fmt.Sprintf("%s (line %d)", why, n+1))
		}
		name := strings.TrimPrefix(step.Name, step.Kind+" ")
		if step.Kind == "action" { // what comes of it stands below
			name, why = why, ""
		}
		out = append(out, a.factLines(step.Kind, name, why, a.th.Strong, w)...)
	}
	out = append(out, s.nginxEndLines(a, f, w)...)
	for _, c := range f.answer.Caveats {
		out = append(out, a.factLines(a.th.Glyph.Warning+" caveat", c, "", a.th.Warn, w)...)
	}
	return append(out, s.partingLines(a, f, w)...)
}

// nginxEndLines say what becomes of the request.
func (s *tryScreen) nginxEndLines(a *App, f *foretold, w int) []string {
	if f.answer.Action != predict.Proxy {
		why := ""
		if f.answer.Body != "" {
			why = quoted(f.answer.Body)
		}
		return a.factLines("answer", f.end(), why, a.th.Info, w)
	}
	out := a.factLines("upstream", f.target(), "", a.th.Strong, w)
	return append(out, a.factLines("sent upstream", strings.TrimSpace(f.answer.Host+" "+f.answer.Sent), "", a.th.Strong, w)...)
}

// partingLines are what the two differ in, each with its line.
func (s *tryScreen) partingLines(a *App, f *foretold, w int) []string {
	if len(f.parts) == 0 && f.answer.Action != predict.Unknown {
		return paragraph(a.th.Glyph.Exact+" the same as Envoy", w, a.th.Good)
	}
	var out []string
	for _, p := range f.parts {
		text := "here they part: " + p.says
		switch {
		case p.line < 0:
		case s.byNginx:
			text += fmt.Sprintf(" (line %d, %s goes there)", p.line+1, a.keyOf("route-show"))
		default:
			text += fmt.Sprintf(" (line %d)", p.line+1)
		}
		out = append(out, indented(text, a.th.Glyph.Friend+" ", w, a.th.Warn)...)
	}
	return out
}

// nginxVerdict says at the top what came of sending to nginx.
func (s *tryScreen) nginxVerdict(a *App, w int) []string {
	t := s.nginxShot
	if t == nil {
		return nil
	}
	g := a.th.Glyph
	if !t.done {
		return []string{a.th.Info.Render(widget.Fit(g.Warming+" sending to nginx", w))}
	}
	says := outcomeText(&t.tried)
	if t.tried.unsent() {
		return paragraph(g.Warning+" not sent to nginx: "+orText(t.tried.Err, "it does not run"), w, a.th.Warn)
	}
	var out []string
	switch wrong := t.differs(); {
	case wrong != "":
		out = paragraph(fmt.Sprintf("%s nginx, not as predicted: %s; %s", g.Rejected, says, wrong), w, a.th.Bad)
	case t.foretold == nil || t.foretold.answer.Action == predict.Unknown || t.foretold.answer.Action == predict.Static:
		out = paragraph(fmt.Sprintf("%s nginx: %s", g.Note, says), w, a.th.Info)
	default:
		out = paragraph(fmt.Sprintf("%s nginx, as predicted: %s", g.Acked, says), w, a.th.Good)
	}
	if e := s.shot; e != nil && e.done && e.tried.Status != 0 && t.tried.Status != 0 && (e.tried.Status != t.tried.Status || e.tried.Location != t.tried.Location) {
		return append(out, paragraph(fmt.Sprintf("%s here they part: nginx answers %s, Envoy %s", g.Friend, answerText(&t.tried), answerText(&e.tried)), w, a.th.Warn)...)
	}
	if t.foretold != nil && len(t.foretold.parts) > 0 {
		out = append(out, paragraph(g.Friend+" here they part: "+t.foretold.parts[0].says, w, a.th.Warn)...)
	}
	return out
}

// answerText is an answer's status, and where it leads to.
func answerText(t *Tried) string {
	if t.Location != "" {
		return statusText(t.Status) + " to " + t.Location
	}
	return statusText(t.Status)
}

// nginxObserved are what came back from nginx.
func (s *tryScreen) nginxObserved(a *App, w int) []string {
	t := s.nginxShot
	if t == nil || !t.done {
		out := []string{a.th.Strong.Render(widget.Fit("observed on nginx", w))}
		text := "…"
		if t == nil {
			text = a.notAskedOfNginx()
		}
		return append(out, paragraph(text, w, a.th.Dim)...)
	}
	title := "observed on " + orText(a.data.server.Program, "nginx")
	if t.tried.Address != "" {
		title += ", " + t.tried.Address
	}
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: title}, {Style: a.th.Dim, Text: "  " + age(a.at, t.ended) + " ago"}}, nil)}
	r := &t.tried
	if r.Status == 0 {
		return append(out, a.factLines("answer", "none", r.Err, a.th.Bad, w)...)
	}
	out = append(out, a.factLines("answer", statusText(r.Status), strings.TrimSpace(r.Proto+"  "+short(r.Took)), statusStyle(a.th, r.Status), w)...)
	if r.Location != "" {
		out = append(out, a.factLines("location", r.Location, "", a.th.Strong, w)...)
	}
	out = append(out, a.factLines("answered by", orText(r.Answered, "unknown"), "", a.th.Strong, w)...)
	return append(out, a.answerLines(r, w)...)
}

// notAskedOfNginx says why nothing was sent to nginx.
func (a *App) notAskedOfNginx() string {
	switch {
	case a.deps.Nginx == nil:
		return sentence("nothing can be sent: " + orText(a.deps.NoNginx, "no nginx runs beside the Envoys"))
	case a.data.server.Err != "":
		return sentence("not sent yet; " + a.data.server.Program + " says: " + a.data.server.Err)
	}
	return "Not sent yet: enter really sends it to " + orText(a.data.server.Program, "nginx") + " too."
}

// statusStyle is how good an answer is.
func statusStyle(th *theme.Theme, status int) theme.Style {
	switch {
	case status >= http.StatusInternalServerError:
		return th.Bad
	case status >= http.StatusBadRequest:
		return th.Warn
	}
	return th.Good
}
