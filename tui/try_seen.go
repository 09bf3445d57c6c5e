package tui

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// verdictLines say at the top what came of sending.
func (s *tryScreen) verdictLines(a *App, w int) []string {
	t := s.shot
	if t == nil {
		return nil
	}
	if !t.done {
		text := fmt.Sprintf("%s sending to %s", a.th.Glyph.Warming, t.node)
		if waited := a.at.Sub(t.started); waited.Seconds() >= 1 {
			text += fmt.Sprintf(", for %s; %s at most", span(waited), span(patience))
		}
		return append([]string{a.th.Info.Render(widget.Fit(widget.Clean(text), w))}, s.nginxVerdict(a, w)...)
	}
	out := append(a.verdict(t, w), a.remarks(t, w)...)
	out = append(out, s.nginxVerdict(a, w)...)
	since := ""
	if req, _ := s.form.request(); !reflect.DeepEqual(req, t.request) {
		since = "the form has changed since"
	} else if t.past != a.data.liveWays {
		since = "what is live has changed since"
	}
	if since != "" {
		out = append(out, paragraph(fmt.Sprintf("%s that was %s; %s, enter sends it anew", a.th.Glyph.Note, requestText(t.request), since), w, a.th.Dim)...)
	}
	return append(out, widget.Spaces(w))
}

// verdict says whether what came back is what was predicted, and if not, in
// what it differs: from the live mesh, which the node has, or only from a draft
// that it cannot know.
func (a *App) verdict(t *shot, w int) []string {
	g, v := a.th.Glyph, t.verdict
	switch agrees := len(v.live) == 0 && (len(v.draft) == 0 || !t.differ); {
	case t.tried.unsent():
		return paragraph(g.Warning+" not sent: "+t.tried.Err, w, a.th.Warn)
	case agrees && t.forwarded() && t.tried.gaveUp():
		return paragraph(fmt.Sprintf("%s %s, by %s itself: the way is as predicted as far as can be seen, but no endpoint answered.",
			g.Warning, statusText(t.tried.Status), productOf(a.data.xs.Node(t.node)).the), w, a.th.Warn)
	case agrees && t.forwarded() && t.seen.Clusters == nil:
		return paragraph(fmt.Sprintf("%s %s. Nothing speaks against what was predicted, but who answered is not known.",
			g.Acked, outcomeText(&t.tried)), w, a.th.Info)
	case agrees:
		return paragraph(fmt.Sprintf("%s as predicted: %s", g.Acked, outcomeText(&t.tried)), w, a.th.Good)
	case len(v.live) == 0 && a.try.live:
		out := paragraph(fmt.Sprintf("%s as predicted: %s", g.Acked, outcomeText(&t.tried)), w, a.th.Good)
		return append(out, paragraph(g.Note+" the draft, which is not pushed yet, says otherwise (ctrl+t)", w, a.th.Dim)...)
	case len(v.live) == 0:
		out := paragraph(fmt.Sprintf("%s as the live mesh says: %s. Not as the draft says, which is not pushed yet: "+
			"%s has the live mesh. That is no fault; p pushes the draft.", g.Differs, outcomeText(&t.tried), t.node), w, a.th.Warn)
		return append(out, sentences(g.Differs, v.draft, w, a.th.Warn)...)
	case len(v.draft) == 0 && t.differ:
		out := paragraph(fmt.Sprintf("%s as the draft says, and not as the live mesh does: %s", g.Rejected, outcomeText(&t.tried)), w, a.th.Bad)
		return append(out, sentences(g.Rejected, v.live, w, a.th.Bad)...)
	}
	out := paragraph(g.Rejected+" not as predicted: "+outcomeText(&t.tried), w, a.th.Bad)
	if t.differ {
		out = append(out, paragraph("  (compared with the live mesh, which "+t.node+" has; the draft is not pushed yet)", w, a.th.Dim)...)
	}
	return append(out, sentences(g.Rejected, v.live, w, a.th.Bad)...)
}

// remarks are what must be known to judge a verdict.
func (a *App) remarks(t *shot, w int) []string {
	g := a.th.Glyph
	var out []string
	if t.request.Random != nil && len(t.live.Weighted) > 0 {
		out = append(out, paragraph(g.Note+" the proxy draws its own random value: each of "+sharesText(t.live.Weighted)+" is as predicted", w, a.th.Dim)...)
	}
	if len(t.verdict.live) > 0 && len(t.live.Caveats) > 0 {
		out = append(out, sentences(g.Warning, append([]string{"what may explain it:"}, t.live.Caveats...), w, a.th.Warn)...)
	}
	if lag := a.lag(t.node); lag != "" {
		out = append(out, paragraph(g.Warning+" "+lag, w, a.th.Warn)...)
	}
	return out
}

// sentences draws each on lines of its own, behind a mark.
func sentences(mark string, texts []string, w int, style theme.Style) []string {
	var out []string
	for _, text := range texts {
		for i, l := range widget.Wrap(text, w-4) {
			head := "    "
			if i == 0 {
				head = "  " + mark + " "
			}
			out = append(out, style.Render(widget.Fit(head+l, w)))
		}
	}
	return out
}

// outcomeText is what came back, in a line.
func outcomeText(t *Tried) string {
	if t.Status == 0 {
		return "no answer: " + t.Err
	}
	text := statusText(t.Status)
	if t.Answered != "" {
		text += " from " + t.Answered
	}
	if t.Location != "" {
		text += " to " + t.Location
	}
	if t.Took > 0 {
		text += " in " + short(t.Took)
	}
	return text
}

func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// What is shown of an answer; the rest is counted.
const (
	mostHeaders = 24
	mostBody    = 12
)

// observedLines are what came back, and what the admin interface's counters
// say of the way that it took.
func (s *tryScreen) observedLines(a *App, w int) []string {
	t := s.shot
	if t == nil || !t.done {
		return s.unobservedLines(a, w)
	}
	r := &t.tried
	title := "observed on " + t.node
	if r.Address != "" {
		title += ", " + r.Address
	}
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: title}, {Style: a.th.Dim, Text: "  " + age(a.at, t.ended) + " ago"}}, nil)}
	if r.Status == 0 {
		return append(out, a.factLines("answer", "none", r.Err, a.th.Bad, w)...)
	}
	out = append(out, a.factLines("answer", statusText(r.Status), strings.TrimSpace(r.Proto+"  "+short(r.Took)), statusStyle(a.th, r.Status), w)...)
	if r.Location != "" {
		out = append(out, a.factLines("location", r.Location, "", a.th.Strong, w)...)
	}
	from := r.Answered
	switch {
	case r.gaveUp():
		from = productOf(a.data.xs.Node(t.node)).the + " itself"
	case from == "":
		from = "unknown"
	}
	out = append(out, a.factLines("answered by", from, "", a.th.Strong, w)...)
	out = append(out, a.countedLines(r, w)...)
	return append(out, a.answerLines(r, w)...)
}

// unobservedLines say that nothing was sent, and whether it could be.
func (s *tryScreen) unobservedLines(a *App, w int) []string {
	out := []string{a.th.Strong.Render(widget.Fit("observed", w))}
	if s.shot != nil {
		return append(out, a.th.Dim.Render(widget.Fit("…", w)))
	}
	if ok, why := canSend(a); !ok {
		return append(out, paragraph(strings.ToUpper(why[:1])+why[1:]+".", w, a.th.Dim)...)
	}
	return append(out, paragraph("Not sent yet: enter really sends it to "+a.target()+".", w, a.th.Dim)...)
}

// countedLines are the counters that moved.
func (a *App) countedLines(r *Tried, w int) []string {
	if len(r.Moved) == 0 {
		return nil
	}
	var parts []string
	var sum uint64
	for _, m := range r.Moved {
		parts = append(parts, fmt.Sprintf("%s %s +%d", m.Cluster, m.Endpoint, m.Requests))
		sum += m.Requests
	}
	why := ""
	switch {
	case sum > 1:
		why = "more than this request was counted: other traffic, retries or mirrors"
	case r.Busy:
		why = "other traffic runs meanwhile"
	}
	return a.factLines("counted", strings.Join(parts, ", "), why, theme.Style{}, w)
}

// answerLines are the answer's headers and the beginning of its body.
func (a *App) answerLines(r *Tried, w int) []string {
	var out []string
	for i, h := range r.Headers {
		if i == mostHeaders {
			out = append(out, a.factLines("", "", fmt.Sprintf("… %d more headers", len(r.Headers)-i), theme.Style{}, w)...)
			break
		}
		word := ""
		if i == 0 {
			word = "headers"
		}
		out = append(out, a.factLines(word, h.Name+": "+h.Value, "", theme.Style{}, w)...)
	}
	if r.Body == "" {
		return out
	}
	lines := strings.Split(strings.TrimRight(r.Body, "\n"), "\n")
	for i, l := range lines {
		if i == mostBody {
			out = append(out, a.factLines("", "", fmt.Sprintf("… %d more lines", len(lines)-i), theme.Style{}, w)...)
			break
		}
		word := ""
		if i == 0 {
			word = "body"
		}
		out = append(out, a.factLines(word, l, "", theme.Style{}, w)...)
	}
	return out
}
