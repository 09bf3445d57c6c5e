package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// contestScreen is the same change made in both worlds while clients are
// connected: nginx's reload beside Envoy's push.
type contestScreen struct{ list widget.List }

func (s *contestScreen) context() Context { return InContest }
func (s *contestScreen) title(*App) string {
	return "Reload against push"
}

func (s *contestScreen) note(*App) string {
	if s.list.Len > s.list.Height && s.list.Height > 0 {
		return fmt.Sprintf("%d–%d of %d   esc back", s.list.Top+1, s.list.End(), s.list.Len)
	}
	return "esc back"
}

func (s *contestScreen) key(_ *App, key string) bool { return s.list.ScrollKey(key) }

func contestActions() []*Action {
	const group = "Reload against push"
	return []*Action{
		{ID: "contest", Title: "reload against push: the same change in nginx and in Envoy, side by side", Group: group, Keys: []string{"c"}, In: InMain,
			Enabled: hasContest, Run: func(a *App) tea.Cmd { a.show(&contestScreen{}); return nil }},
		{ID: "contest-change", Title: "make the change in both worlds; once more takes it back", Short: "change both", Group: group, Keys: []string{"enter"},
			In: InContest, Enabled: canContest, Run: (*App).makeChange},
	}
}

func hasContest(a *App) (bool, string) {
	return a.deps.Contest != nil, "only in meshtui demo, which has clients of its own to watch"
}

func canContest(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	switch {
	case a.deps.Contest == nil:
		return hasContest(a)
	case a.data.contest.Next == "":
		return false, "there is nothing to change now"
	}
	return true, ""
}

func (a *App) makeChange() tea.Cmd {
	contest := a.deps.Contest
	return a.want(a.data.contest.Next, func() (string, error) { return "", contest.Change() })
}

// watchContest tells the contest whether somebody looks, when that has changed.
func (a *App) watchContest() tea.Cmd {
	_, on := a.screen.(*contestScreen)
	if a.deps.Contest == nil || on == a.watching {
		return nil
	}
	a.watching = on
	contest := a.deps.Contest
	return a.want("watch", func() (string, error) { contest.Watch(on); return "", nil })
}

// contestGap is what stands between the two sides.
const contestGap = 3

func (s *contestScreen) lines(a *App, w, h int) []string {
	c := &a.data.contest
	head := a.contestHead(c, w)
	var body []string
	if w >= 76 {
		body = a.contestBeside(c, w, h-len(head))
	} else {
		body = append(a.sideBriefly(c, 0, w), a.th.Border.Render(strings.Repeat(a.th.Glyph.Border[10], w)))
		body = append(body, a.sideBriefly(c, 1, w)...)
	}
	if len(head)+1+len(body) <= h {
		head = append(head, widget.Spaces(w))
	}
	s.list.Resize(len(body), max(1, h-len(head)))
	return append(head, body[s.list.Top:s.list.End()]...)
}

// contestBeside draws the two sides beside each other, the same at the same
// height, with air between where there is room for it.
func (a *App) contestBeside(c *ContestState, w, h int) []string {
	lw := (w - contestGap) / 2
	rw := w - contestGap - lw
	part := func(side [][]string, i int) []string {
		if i < len(side) {
			return side[i]
		}
		return nil
	}
	draw := func(tall int, air bool) []string {
		left, right := a.sideSections(c, 0, lw, tall), a.sideSections(c, 1, rw, tall)
		var out []string
		for i := range max(len(left), len(right)) {
			l, r := part(left, i), part(right, i)
			if i > 0 && air && len(l)+len(r) > 0 {
				out = append(out, beside([]string{widget.Spaces(lw)}, nil, lw, rw, a.th)...)
			}
			out = append(out, beside(l, r, lw, rw, a.th)...)
		}
		return out
	}
	for tall := tallestBars; tall > 1; tall-- {
		if out := draw(tall, true); len(out) < h {
			return out
		}
	}
	if out := draw(1, true); len(out) < h {
		return out
	}
	return draw(1, false)
}

// tallestBars is how many lines a row of bars takes where there is much room.
const tallestBars = 4

// contestHead says what was changed, and what the key changes next.
func (a *App) contestHead(c *ContestState, w int) []string {
	text := "Clients are connected to both: requests, slow ones in flight, an upgraded connection. Nothing has changed yet."
	if c.What != "" {
		text = fmt.Sprintf("%s, %s", c.What, ago(age(a.at, c.At)))
	}
	out := paragraph(text, w, a.th.Strong)
	if c.Next != "" {
		out = append(out, widget.Row(w, nil, []widget.Span{{Style: a.th.Key, Text: a.keyOf("contest-change")}, {Text: " " + c.Next}}, nil))
	}
	return out
}

// sideHead names one world, and says why there is nothing else to see of it.
func (a *App) sideHead(c *ContestState, which, w int) (head []string, all bool) {
	s := &c.Sides[which]
	world := [...]string{"nginx: reload", "Envoy: push"}[which]
	head = []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: world}}, []widget.Span{{Style: a.th.Dim, Text: s.Name}})}
	switch {
	case which == 0 && c.Missed != "":
		return append(head, paragraph(sentence(c.Missed), w, a.th.Warn)...), true
	case s.Name == "" || !c.On:
		return append(head, a.th.Dim.Render(widget.Fit(a.th.Glyph.Warming+" starting", w))), true
	}
	return head, false
}

// sideSections draws one world's part: its name, what the change took, what is
// alive, and the answers over time in bars of that many lines.
func (a *App) sideSections(c *ContestState, which, w, tall int) [][]string {
	head, all := a.sideHead(c, which, w)
	if all {
		return [][]string{head}
	}
	s := &c.Sides[which]
	var effect, processes, slow []string
	if c.What != "" {
		effect = a.effectLines(s, w)
	}
	effect = append(effect, a.crashLines(c, s, w)...)
	processes = append([]string{a.told("connections", w, a.connectionSpans(c, s)...)}, a.processLines(s, true, w)...)
	for i := range s.Slow {
		slow = append(slow, a.slowLine([]string{"in flight", ""}[min(i, 1)], &s.Slow[i], w))
	}
	if s.Upgraded != "" {
		slow = append(slow, a.told("upgraded", w, a.upgradedSpan(s)))
	}
	return [][]string{head, effect, processes, slow, a.tickLines(s, tall, w)}
}

// sideBriefly is one world's part where there is little room.
func (a *App) sideBriefly(c *ContestState, which, w int) []string {
	out, all := a.sideHead(c, which, w)
	if all {
		return out
	}
	s := &c.Sides[which]
	if c.What != "" {
		effect := a.effectLines(s, w)
		if s.Refused == "" { // the answer and the count of answers on one line
			effect = append(effect[:len(effect)-2], a.told("new answer", w, append(append(a.firstAnswer(s), widget.Span{Text: "; "}), a.answersSince(s)...)...))
		}
		out = append(out, effect...)
	}
	out = append(out, a.crashLines(c, s, w)...)
	kept := a.connectionSpans(c, s)
	if s.Upgraded != "" {
		kept = append(kept, widget.Span{Text: "; upgraded "}, a.upgradedSpan(s))
	}
	out = append(append(out, a.told("connections", w, kept...)), a.processLines(s, false, w)...)
	return append(append(out, a.told("in flight", w, a.flightSpans(s)...)), a.stripLines(s, w)...)
}

// contestLabel is the room for the word before each fact.
const contestLabel = 12

// told draws a word and what it is on one line.
func (a *App) told(word string, w int, spans ...widget.Span) string {
	return widget.Row(w, nil, append([]widget.Span{{Style: a.th.Dim, Text: widget.Fit(word, contestLabel)}}, spans...), nil)
}

// effectLines are what the change took, and when it was seen.
func (a *App) effectLines(s *ContestSide, w int) []string {
	var out []string
	did := s.Did
	if s.Bytes > 0 {
		did += fmt.Sprintf(", %d bytes", s.Bytes)
	}
	for i, l := range widget.Wrap(did, w-contestLabel) {
		out = append(out, a.told([]string{"did", ""}[min(i, 1)], w, widget.Span{Text: l}))
	}
	if s.Refused != "" {
		return append(out, indented(s.Refused, widget.Fit("refused", contestLabel), w, a.th.Bad)...)
	}
	return append(out, a.told("new answer", w, a.firstAnswer(s)...), a.told("since then", w, a.answersSince(s)...))
}

// millis is a time from a change on: "117 ms", "4.2 ms".
func millis(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// firstAnswer is when the change was first seen by a client, and when by all.
func (a *App) firstAnswer(s *ContestSide) []widget.Span {
	if s.Effective > 0 {
		spans := []widget.Span{{Style: a.th.Accent, Text: "first " + millis(s.Effective)}}
		if s.Settled > 0 {
			spans = append(spans, widget.Span{Text: ", all " + millis(max(s.Effective, s.Settled))})
		}
		return spans
	}
	return []widget.Span{{Style: a.th.Dim, Text: "not yet"}}
}

// crashLines say that the server died, with its last words, and what its clients
// felt of that: none of it is the change's doing.
func (a *App) crashLines(c *ContestState, s *ContestSide, w int) []string {
	if s.Crash == "" {
		return nil
	}
	when := ago(age(a.at, s.Crashed))
	if d := s.Crashed.Sub(c.At); c.What != "" && d >= 0 {
		when = millis(d) + " after the change"
	}
	text := fmt.Sprintf("%s %s: %s", a.th.Glyph.Rejected, when, s.Crash)
	var felt []string
	if s.Lost > 0 {
		felt = append(felt, count(s.Lost, "request")+" failed")
	}
	if s.Cut > 0 {
		felt = append(felt, count(s.Cut, "connection")+" closed")
	}
	if len(felt) > 0 {
		text += ". By that, not by the change: " + strings.Join(felt, ", ")
	}
	return indented(text, widget.Fit("crash", contestLabel), w, a.th.Bad)
}

// answersSince counts the answers since the change.
func (a *App) answersSince(s *ContestSide) []widget.Span {
	style := a.th.Good
	if s.Failed > 0 {
		style = a.th.Bad
	}
	return []widget.Span{{Style: style, Text: fmt.Sprintf("%d of %d failed", s.Failed, s.Answers)}}
}

// connectionSpans count the connections that clients keep, and those that the
// server has closed.
func (a *App) connectionSpans(c *ContestState, s *ContestSide) []widget.Span {
	spans := []widget.Span{{Text: fmt.Sprintf("%d open", s.Open)}}
	switch {
	case s.Closed > 0:
		spans = append(spans, widget.Span{Text: ", "}, widget.Span{Style: a.th.Warn, Text: fmt.Sprintf("%d closed", s.Closed)})
	case c.What != "":
		spans = append(spans, widget.Span{Text: ", "}, widget.Span{Style: a.th.Good, Text: "none closed"})
	}
	return spans
}

func (a *App) upgradedSpan(s *ContestSide) widget.Span {
	if s.Upgraded == "alive" {
		return widget.Span{Style: a.th.Good, Text: s.Upgraded}
	}
	return widget.Span{Style: a.th.Bad, Text: s.Upgraded}
}

// flightSpans sum up what was in flight.
func (a *App) flightSpans(s *ContestSide) []widget.Span {
	answered, cut, going := 0, 0, 0
	for _, x := range s.Slow {
		switch {
		case x.Err != "" || x.Left <= 0 && !x.OK:
			cut++
		case x.Left > 0:
			going++
		default:
			answered++
		}
	}
	var out []widget.Span
	for _, p := range []struct {
		n     int
		says  string
		style theme.Style
	}{{going, "under way", a.th.Info}, {answered, "answered", a.th.Good}, {cut, "cut", a.th.Bad}} {
		if p.n == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, widget.Span{Text: ", "})
		}
		out = append(out, widget.Span{Style: p.style, Text: fmt.Sprintf("%d %s", p.n, p.says)})
	}
	if len(out) == 0 {
		return []widget.Span{{Style: a.th.Dim, Text: "nothing"}}
	}
	return out
}

// processLines are the processes that serve, those that leave behind them, and
// with gone also those that have ended.
func (a *App) processLines(s *ContestSide, gone bool, w int) []string {
	ps := slices.DeleteFunc(slices.Clone(s.Processes), func(p Process) bool { return p.Gone && !gone })
	rank := func(p Process) int {
		switch {
		case p.Gone:
			return 2
		case p.Leaving:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(ps, func(x, y Process) int { return rank(x) - rank(y) })
	var parts []string
	for _, p := range ps {
		since := age(a.at, p.Since)
		switch rank(p) {
		case 0:
			parts = append(parts, fmt.Sprintf("%d %s serves", p.PID, a.th.Glyph.Active))
		case 1:
			parts = append(parts, fmt.Sprintf("%d %s leaving for %s", p.PID, a.th.Glyph.Draining, since))
		default:
			parts = append(parts, fmt.Sprintf("%d %s gone", p.PID, a.th.Glyph.NotSent))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	var out []string
	for i, l := range widget.Wrap(strings.Join(parts, ", "), w-contestLabel) {
		out = append(out, a.told([]string{"processes", ""}[min(i, 1)], w, widget.Span{Text: l}))
	}
	return out
}

// slowLine is a request that was in flight, as a bar of how far it has come.
func (a *App) slowLine(word string, s *Slow, w int) string {
	says, style := "answered", a.th.Good
	done := 1.0
	switch {
	case s.Err != "":
		says, style = s.Err, a.th.Bad
		if s.Of > 0 {
			done = float64(s.Of-s.Left) / float64(s.Of)
		}
	case s.Left > 0:
		says, style = fmt.Sprintf("%.1f s to go", s.Left.Seconds()), a.th.Info
		if s.Of > 0 {
			done = float64(s.Of-s.Left) / float64(s.Of)
		}
	case !s.OK:
		says, style = "no answer", a.th.Bad
	}
	n := max(6, min(24, (w-contestLabel)/2))
	full := int(max(0, min(1, done))*float64(n) + 0.5)
	return a.told(word, w, widget.Span{Style: style, Text: strings.Repeat(a.th.Glyph.Full, full)},
		widget.Span{Style: a.th.Dim, Text: strings.Repeat(a.th.Glyph.Hollow, n-full)}, widget.Span{Style: style, Text: " " + says})
}
