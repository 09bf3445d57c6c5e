package tui

import (
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
)

// screen is another screen in place of the panels. It is a plain struct; keys
// that it does not take go to the registry.
type screen interface {
	context() Context
	title(a *App) string
	note(a *App) string
	lines(a *App, w, h int) []string // at most h lines of w cells
	key(a *App, key string) bool
}

// diffScreen is the draft against what is live: what the checks say, which kept
// requests it sends elsewhere, and the texts.
type diffScreen struct{ list widget.List }

func (s *diffScreen) context() Context { return InDiff }
func (s *diffScreen) title(a *App) string {
	return fmt.Sprintf("Diff: live → draft of %s", a.group)
}
func (s *diffScreen) note(*App) string { return "p push   u undo   esc back" }

func (s *diffScreen) lines(a *App, w, h int) []string {
	var body []string
	for _, f := range a.data.gs.Findings {
		body = append(body, a.findingLines(f, w)...)
	}
	if len(body) > 0 {
		body = append(body, widget.Spaces(w))
	}
	if len(a.data.gs.Changes) > 0 {
		body = append(body, a.movedLines(a.data.gs.Moved, len(a.data.kept), w)...)
		body = append(append(body, a.sampleLines(false, w)...), widget.Spaces(w))
	}
	body = append(body, diffLines(a.th, a.data.gs.Changes, w)...)
	if len(a.data.gs.Changes) == 0 {
		body = append(body, paragraph("The draft is what is live: nothing to push.", w, a.th.Dim)...)
	}
	s.list.Resize(len(body), h)
	return append([]string(nil), body[s.list.Top:s.list.End()]...)
}

func (s *diffScreen) key(_ *App, key string) bool { return s.list.ScrollKey(key) }

// wireScreen is the whole conversation as a sequence: the nodes on the left,
// the management server on the right, an arrow for each message.
type wireScreen struct{ list widget.List }

func newWireScreen(a *App) *wireScreen {
	s := &wireScreen{}
	s.list.Cursor = len(a.data.wire) - 1
	return s
}

func (s *wireScreen) context() Context  { return InWireScreen }
func (s *wireScreen) title(*App) string { return "Wire" }
func (s *wireScreen) note(a *App) string {
	n := fmt.Sprintf("%d messages", len(a.data.wire))
	if a.data.dropped > 0 {
		n += fmt.Sprintf(", %d dropped", a.data.dropped)
	}
	return n + "   enter opens   esc back"
}

func (s *wireScreen) lines(a *App, w, h int) []string {
	if len(a.data.wire) == 0 {
		return a.noWire(w, h)
	}
	// While the cursor is on the last message it stays on the last.
	last := s.list.Cursor >= s.list.Len-1
	s.list.Resize(len(a.data.wire), h-1)
	if last {
		s.list.Select(s.list.Len - 1)
	}
	out := []string{widget.Row(w, nil, []widget.Span{{Style: a.th.Dim, Text: widget.Fit(" time", 15) + widget.Fit("node", 14)}, {Style: a.th.Dim, Text: widget.Fit(a.product().one, 22) + "meshtui"}}, nil)}
	for i := s.list.Top; i < s.list.End(); i++ {
		out = append(out, s.line(a, &a.data.wire[i], i == s.list.Cursor, w))
	}
	return out
}

// line draws a message as an arrow from whoever sent it.
func (s *wireScreen) line(a *App, m *xds.Message, cursor bool, w int) string {
	_, verdict, style := a.wireWords(m)
	shaft := fmt.Sprintf("──── %s ────────────────────", service(m))
	runes := []rune(shaft)[:21]
	if m.Kind == xds.Response {
		runes[0] = '◂'
	} else {
		runes[20] = '▸'
	}
	if isEvent(m) {
		runes = []rune("  stream              ")[:21]
	}
	left := []widget.Span{{Style: a.th.Dim, Text: " " + clock(m.At) + "  "}, {Text: widget.Fit(widget.Clean(m.Node), 12) + "  "},
		{Style: style, Text: string(runes) + "  "}, {Style: style, Text: widget.Fit(verdict, 14)}, {Style: a.th.Dim, Text: widget.Fit(widget.Clean(shortVersion(m.Version)), 7)},
		{Text: wireSubject(m)}}
	if m.Kind == xds.NACK || m.Kind == xds.Refused {
		left = append(left, widget.Span{Style: a.th.Bad, Text: m.Detail})
	}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, nil)
	}
	return widget.Row(w, nil, left, nil)
}

func (s *wireScreen) key(a *App, key string) bool {
	if key == "enter" {
		return false
	}
	return s.list.Key(key)
}

// openMessage opens a message of the wire as YAML.
func (a *App) openMessage(m xds.Message) tea.Cmd {
	wire, name, d := a.deps.Nodes.Wire(), productOf(a.data.xs.Node(m.Node)), a.data
	return func() tea.Msg {
		title := fmt.Sprintf("%s %s %s %s", clock(m.At), m.Node, service(&m), m.Kind)
		lines := messageLines(&m)
		switch m.Kind {
		case xds.Connected:
			return openMsg{title: title, lines: append(lines, "# "+m.Node+" opened this stream ("+m.Variant.String()+"). It is no message: there is nothing more to show.")}
		case xds.Refused:
			return openMsg{title: title, lines: append(lines, "# meshtui ended this stream. It is no message: there is nothing more to show.")}
		case xds.Disconnected:
			return openMsg{title: title, lines: append(lines, "# the stream of "+m.Node+" ended. It is no message: there is nothing more to show.",
				"# "+name.The()+" keeps what it has and connects again by itself.")}
		}
		body, ok := wire.Body(m.Seq)
		if !ok || body == nil {
			return openMsg{title: title, lines: append(lines, "", "# the message itself is no longer kept")}
		}
		if m.Kind == xds.NACK {
			lines = append(lines, a.inPlainWords(d, &m)...)
		}
		yaml, err := text.Encode(mesh.Redacted(body))
		if err != nil {
			return openMsg{title: title, lines: append(lines, "", "# it cannot be shown as YAML: "+err.Error())}
		}
		return openMsg{title: title, lines: append(append(lines, ""), splitLines(yaml)...)}
	}
}

// isEvent reports whether an entry of the wire is no message but tells of a stream.
func isEvent(m *xds.Message) bool {
	return m.Kind == xds.Connected || m.Kind == xds.Disconnected || m.Kind == xds.Refused
}

// messageLines is what the wire knows of a message beside its body, as YAML
// comments.
func messageLines(m *xds.Message) []string {
	out := []string{fmt.Sprintf("# message %d on stream %d (%s), %d bytes", m.Seq, m.Stream, m.Variant, m.Bytes)}
	if isEvent(m) {
		out[0] = fmt.Sprintf("# event %d, of stream %d (%s)", m.Seq, m.Stream, m.Variant)
	}
	if m.Revision > 0 {
		out = append(out, fmt.Sprintf("# belongs to revision %d", m.Revision))
	}
	if m.RTT > 0 {
		out = append(out, "# answered after "+short(m.RTT))
	}
	if m.Detail != "" {
		out = append(out, "# "+m.Detail)
	}
	return out
}

// inPlainWords is what the doctor makes of a NACK, as YAML comments.
func (a *App) inPlainWords(d *data, m *xds.Message) []string {
	r := refusalOnWire(m)
	d.reason(r)
	var out []string
	for i := range r.reasons {
		reason := &r.reasons[i]
		if reason.Plain == "" || reason.Plain == m.Detail {
			continue
		}
		line := "# why: " + reason.Plain
		if place := reasonPlace(reason); place != "" {
			line += "  [" + reason.Key.String() + ", " + place + "]"
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return nil
	}
	return append(out, "# "+a.keyOf("doctor")+" on the message shows more, and the edit that mends it where there is one")
}
