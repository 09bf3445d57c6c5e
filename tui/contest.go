package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

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
		side := (w - contestGap) / 2
		body = beside(a.sideLines(c, 0, side), a.sideLines(c, 1, w-contestGap-side), side, w-contestGap-side, a.th)
	} else {
		body = append(a.sideLines(c, 0, w), a.th.Border.Render(strings.Repeat(a.th.Glyph.Border[10], w)))
		body = append(body, a.sideLines(c, 1, w)...)
	}
	if len(head)+1+len(body) <= h {
		head = append(head, widget.Spaces(w))
	}
	s.list.Resize(len(body), max(1, h-len(head)))
	return append(head, body[s.list.Top:s.list.End()]...)
}

// contestHead says what was changed, and what the key changes next.
func (a *App) contestHead(c *ContestState, w int) []string {
	var out []string
	switch {
	case c.What == "":
		out = paragraph("Clients are connected to both: requests, three slow ones in flight, one upgraded connection. Nothing has changed yet.", w, a.th.Strong)
	default:
		out = paragraph(fmt.Sprintf("%s, %s", c.What, ago(age(a.at, c.At))), w, a.th.Strong)
	}
	if c.Next != "" {
		out = append(out, widget.Row(w, nil, []widget.Span{{Style: a.th.Key, Text: a.keyOf("contest-change")}, {Text: " " + c.Next}}, nil))
	}
	return out
}

// sideLines draws one world's part, most telling first.
func (a *App) sideLines(c *ContestState, which, w int) []string {
	s := &c.Sides[which]
	world := [...]string{"nginx: reload", "Envoy: push"}[which]
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Strong, Text: world}}, []widget.Span{{Style: a.th.Dim, Text: s.Name}})}
	switch {
	case which == 0 && c.Missed != "":
		return append(out, paragraph(sentence(c.Missed), w, a.th.Warn)...)
	case s.Name == "" || !c.On:
		return append(out, paragraph(a.th.Glyph.Warming+" starting", w, a.th.Dim)...)
	}
	if c.What != "" {
		out = append(out, a.effectLines(s, w)...)
	}
	out = append(out, a.aliveLines(c, s, w)...)
	return append(out, a.tickLines(s, w)...)
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
	first := widget.Span{Style: a.th.Dim, Text: "not yet"}
	if s.Effective > 0 {
		first = widget.Span{Style: a.th.Accent, Text: fmt.Sprintf("after %s", short(s.Effective))}
	}
	failed := widget.Span{Style: a.th.Good, Text: "0 failed"}
	if s.Failed > 0 {
		failed = widget.Span{Style: a.th.Bad, Text: fmt.Sprintf("%d failed", s.Failed)}
	}
	return append(out, a.told("new answer", w, first), a.told("since then", w, widget.Span{Text: fmt.Sprintf("%d answers, ", s.Answers)}, failed))
}

// aliveLines are the connections, the processes, and what was in flight.
func (a *App) aliveLines(c *ContestState, s *ContestSide, w int) []string {
	closed := widget.Span{Style: a.th.Good, Text: "none closed"}
	if s.Closed > 0 {
		closed = widget.Span{Style: a.th.Warn, Text: fmt.Sprintf("%d closed by the server", s.Closed)}
	}
	if c.What == "" {
		closed = widget.Span{}
	}
	open := fmt.Sprintf("%d open", s.Open)
	if closed.Text != "" {
		open += ", "
	}
	out := []string{a.told("connections", w, widget.Span{Text: open}, closed)}
	out = append(out, a.processLines(s, w)...)
	for i := range s.Slow {
		word := ""
		if i == 0 {
			word = "in flight"
		}
		out = append(out, a.slowLine(word, &s.Slow[i], w))
	}
	if s.Upgraded != "" {
		style := a.th.Good
		if s.Upgraded != "alive" {
			style = a.th.Bad
		}
		out = append(out, a.told("upgraded", w, widget.Span{Style: style, Text: s.Upgraded}))
	}
	return out
}

// processLines are the processes that serve, those that leave behind them.
func (a *App) processLines(s *ContestSide, w int) []string {
	ps := slices.Clone(s.Processes)
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
		says, style = "cut: "+s.Err, a.th.Bad
		if s.Of > 0 {
			done = float64(s.Of-s.Left) / float64(s.Of)
		}
	case s.Left > 0:
		says, style = short(s.Left)+" to go", a.th.Info
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

// tickLines are the answers over time: one line of old ones, one of new ones, and
// one of failures where there are any; above them the moment of each change.
func (a *App) tickLines(s *ContestSide, w int) []string {
	room := max(1, w-contestLabel)
	ticks := s.Ticks[max(0, len(s.Ticks)-room):]
	most, failed := 1, false
	var marks strings.Builder
	marks.WriteString(widget.Spaces(room - len(ticks)))
	for _, t := range ticks {
		most = max(most, t.Old, t.New, t.Failed)
		failed = failed || t.Failed > 0
		if t.Change {
			marks.WriteString(a.th.Glyph.Down)
		} else {
			marks.WriteString(" ")
		}
	}
	bars := func(of func(Tick) int) string {
		var b strings.Builder
		b.WriteString(widget.Spaces(room - len(ticks)))
		for _, t := range ticks {
			n := of(t)
			i := 0
			if n > 0 {
				i = 1 + (n*(len(a.th.Glyph.Bars)-2)+most/2)/most
			}
			b.WriteString(a.th.Glyph.Bars[i])
		}
		return b.String()
	}
	out := []string{a.told("change", w, widget.Span{Style: a.th.Accent, Text: marks.String()}),
		a.told("old answers", w, widget.Span{Style: a.th.Dim, Text: bars(func(t Tick) int { return t.Old })}),
		a.told("new answers", w, widget.Span{Style: a.th.Good, Text: bars(func(t Tick) int { return t.New })})}
	if failed {
		out = append(out, a.told("failed", w, widget.Span{Style: a.th.Bad, Text: bars(func(t Tick) int { return t.Failed })}))
	}
	return append(out, a.timeAxis(room, w))
}

// timeAxis is the scale below the answers: seconds before now, from the right.
func (a *App) timeAxis(room, w int) string {
	axis := []rune(strings.Repeat(" ", room))
	for back := 0; ; back += 2 {
		word := fmt.Sprintf("-%ds", back)
		if back == 0 {
			word = "now"
		}
		at := room - back*int(time.Second/TickLength) - len(word)
		if at < 0 {
			break
		}
		copy(axis[at:], []rune(word))
	}
	return a.told("", w, widget.Span{Style: a.th.Dim, Text: string(axis)})
}
