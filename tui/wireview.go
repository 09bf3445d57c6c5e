package tui

import (
	"fmt"
	"strings"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// wireLines draws the newest messages of the wire, the newest last.
func (a *App) wireLines(w, h int) []string {
	l := &a.lists[PanelWire]
	if l.Len == 0 {
		return a.noWire(w, h)
	}
	out := make([]string, 0, h)
	for i := l.Top; i < l.End(); i++ {
		out = append(out, a.wireLine(&a.data.wire[i], i == l.Cursor && a.focus == PanelWire, w))
	}
	return out
}

// noWire says how an Envoy gets here.
func (a *App) noWire(w, h int) []string {
	xds := ""
	if a.data.xs.Address != "" {
		xds = " --xds " + a.data.xs.Address
	}
	text := "No Envoy has connected yet. To bring one:\n" +
		"meshtui bootstrap" + xds + " > envoy.yaml\n" +
		"envoy -c envoy.yaml " + strings.Join(envoy.Flags(), " ")
	lines := widget.Wrap(text, w-2)
	if len(lines) > h {
		lines = lines[1:] // how to bring one tells that there is none
	}
	if len(lines) > h {
		lines = append(lines[:max(0, h-1)], "…  N shows all of it")
	}
	for i, l := range lines {
		lines[i] = a.th.Dim.Render(widget.Fit(" "+l, w))
	}
	return lines
}

// wireLine draws one message: when, who, which way, what, and how it went.
func (a *App) wireLine(m *xds.Message, cursor bool, w int) string {
	arrow, verdict, style := a.wireWords(m)
	left := []widget.Span{{Style: a.th.Dim, Text: " " + clock(m.At)}, {Style: style, Text: " " + arrow + " "}}
	if len(a.data.members) > 1 || w >= 90 {
		left = append(left, widget.Span{Text: widget.Fit(widget.Clean(m.Node), 10) + " "})
	}
	left = append(left, widget.Span{Style: a.th.Strong, Text: widget.Fit(service(m), 4)})
	if m.Version != "" && w >= 80 {
		left = append(left, widget.Span{Style: a.th.Dim, Text: widget.Fit(widget.Clean(shortVersion(m.Version)), 6) + " "})
	}
	left = append(left, widget.Span{Text: wireSubject(m)})
	right := []widget.Span{{Style: style, Text: verdict + " "}}
	if m.Kind == xds.NACK || m.Kind == xds.Refused {
		left = append(left, widget.Span{Style: a.th.Bad, Text: " " + verdict + " " + m.Detail})
		right = nil
	}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

func service(m *xds.Message) string {
	switch {
	case m.Type != 0:
		return m.Type.Service()
	case m.TypeURL != "":
		return m.TypeURL[strings.LastIndexByte(m.TypeURL, '.')+1:]
	}
	return ""
}

// wireWords is the way of a message, what it says in a word or two, and how
// that is drawn.
func (a *App) wireWords(m *xds.Message) (arrow, verdict string, style theme.Style) {
	g := a.th.Glyph
	switch m.Kind {
	case xds.Connected:
		return g.Active, "connected, " + m.Variant.String(), a.th.Good
	case xds.Disconnected:
		return g.Offline, "disconnected", a.th.Warn
	case xds.Response:
		return g.Arrow, "sent", a.th.Info
	case xds.ACK:
		return g.Back, strings.TrimSpace(g.Acked + " ACK " + short(m.RTT)), a.th.Good
	case xds.NACK:
		return g.Back, g.Rejected + " NACK", a.th.Bad
	case xds.Refused:
		return g.Offline, g.Rejected + " refused", a.th.Bad
	case xds.StaleACK:
		return g.Back, "late answer", a.th.Dim
	}
	return g.Back, "asks", a.th.Dim
}

// wireSubject is what a message is about.
func wireSubject(m *xds.Message) string {
	var parts []string
	switch {
	case m.Kind == xds.Response && m.Changed > 0 && m.Changed < len(m.Names):
		parts = append(parts, fmt.Sprintf("%s, %d changed", listed(m.Names), m.Changed))
	case len(m.Names) > 0:
		parts = append(parts, listed(m.Names))
	case m.Kind == xds.Request:
		parts = append(parts, "all")
	}
	if len(m.Removed) > 0 {
		parts = append(parts, "without "+listed(m.Removed))
	}
	if m.Detail != "" && m.Kind != xds.NACK {
		parts = append(parts, m.Detail)
	}
	return strings.Join(parts, "; ")
}

func listed(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

// shortVersion is a version without what all of this server's versions have in
// common: "f84309d0-4" is "…-4".
func shortVersion(v string) string {
	if i := strings.LastIndexByte(v, '-'); i > 4 {
		return "…" + v[i:]
	}
	return v
}
