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
	if a.try == nil || a.try.seen == nil || !a.try.seen.complete {
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
	switch {
	case s.seen != nil && !s.seen.complete:
		return a.factLines("nginx would", "…", "", a.th.Dim, w)
	case f == nil:
		return nil
	}
	key := a.keyOf("world") + " shows its way"
	switch says := f.otherwise(); {
	case s.seen.unread != "":
		key = "by the projection, for your own file has an error; " + key
	case f.also != nil && says == "":
		key = "by " + f.by.text.name() + "; " + key
	case says != "":
		key = "by " + f.by.text.name() + ", otherwise by the projection; " + a.keyOf("world") + " says how"
	}
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
	f := s.nginxWay()
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: "nginx would"}, {Style: a.th.Dim, Text: s.askedText(f)}}, nil)}
	if s.seen.unread != "" {
		out = append(out, paragraph(a.th.Glyph.Warning+" your own nginx.conf is not asked: "+s.seen.unread, w, a.th.Warn)...)
	}
	switch {
	case f == nil && !s.seen.complete:
		return out
	case f == nil:
		return append(out, paragraph("Nothing can be said: "+orText(s.seen.noNginx, "…"), w, a.th.Dim)...)
	}
	for i := range f.answer.Steps {
		step := &f.answer.Steps[i]
		why := step.Why
		if at := f.by.text.place(step.At); at != "" {
			why = strings.TrimSpace(why + " (" + lineText(at) + ")")
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
	return append(append(out, s.partingLines(a, f, w)...), a.otherwiseLines(f, w)...)
}

// askedText says which nginx.conf is asked.
func (s *tryScreen) askedText(f *foretold) string {
	switch {
	case !s.seen.complete:
		return "  …"
	case f == nil:
		return ""
	case f.also == nil:
		return "  by the projection in pane 5"
	}
	return "  by your own " + f.by.text.name()
}

// lineText is a place within an nginx.conf: "line 14", "blog.conf:3".
func lineText(place string) string {
	if strings.Contains(place, ":") {
		return place
	}
	return "line " + place
}

// otherwiseLines say what the projection of the mesh does with the request, where
// the operator's own file was asked.
func (a *App) otherwiseLines(f *foretold, w int) []string {
	if f.also == nil {
		return nil
	}
	name := f.by.text.name()
	says := f.otherwise()
	why := "The mesh was edited since it was made of " + name + "."
	if a.data.ws.Disk != nil {
		why = "The file has changed on disk: o in the panes takes it into the draft."
	}
	switch {
	case says != "" && f.stale:
		return indented("the projection in pane 5 says otherwise: "+says+". "+why, a.th.Glyph.Friend+" ", w, a.th.Warn)
	case says != "":
		return indented("the projection in pane 5 says otherwise: "+says, a.th.Glyph.Friend+" ", w, a.th.Warn)
	case f.stale:
		return paragraph("The projection in pane 5 says the same, although it and "+name+" are no longer alike.", w, a.th.Dim)
	}
	return paragraph("The projection in pane 5 says the same.", w, a.th.Dim)
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
		switch at := f.by.text.place(p.at); {
		case at == "":
		case s.byNginx:
			text += fmt.Sprintf(" (%s, %s shows it in pane 5)", lineText(at), a.keyOf("route-show"))
		default:
			text += " (" + lineText(at) + ")"
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
	who := "nginx"
	if a.deps.Own != nil { // that is predicted by the operator's own file
		who = "nginx, running the projection"
	}
	var out []string
	switch wrong := t.differs(); {
	case wrong != "":
		out = paragraph(fmt.Sprintf("%s %s, not as predicted: %s; %s", g.Rejected, who, says, wrong), w, a.th.Bad)
	case t.foretold == nil || t.foretold.answer.Action == predict.Unknown || t.foretold.answer.Action == predict.Static:
		out = paragraph(fmt.Sprintf("%s %s: %s", g.Note, who, says), w, a.th.Info)
	default:
		out = paragraph(fmt.Sprintf("%s %s, as predicted: %s", g.Acked, who, says), w, a.th.Good)
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
