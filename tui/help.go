package tui

import (
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// asks is which question Envoy asks in a context, when, and what nginx has in
// its place.
var asks = map[Context][3]string{
	InLDS: {"LDS, listener discovery: “which ports do I listen on?”",
		"Envoy asks after the clusters are there, and whenever it reconnects. A changed listener takes over without a restart; connections of the old one drain.",
		"nginx: listen and the server block around it, read from nginx.conf at start and on reload."},
	InRDS: {"RDS, route discovery: “where does /foo go?”",
		"Envoy asks once a listener names a route configuration. The first route that matches wins, in the order of the list.",
		"nginx: server_name and location. There the longest prefix wins, not the first: a false friend."},
	InCDS: {"CDS, cluster discovery: “what is app, and how do I talk to it?”",
		"Envoy asks first of all. A new cluster is warming until its endpoints have come, and only then does Envoy ACK.",
		"nginx: the upstream block, without its servers: load balancing, timeouts, health checks."},
	InEDS: {"EDS, endpoint discovery: “where is app running now?”",
		"Envoy asks for each cluster that takes its endpoints by EDS. A change takes effect within milliseconds and closes no connection.",
		"nginx: the server lines of an upstream; DRAINING is close to down. A change there is a reload."},
	InNginx: {"nginx.conf: the same mesh, said in nginx's words, both ways",
		"The lines of what is selected are marked; a comment stands where nginx has no counterpart. Move here, and the panes follow. E edits the text: what you change in it comes back as a draft, and what nginx cannot say stays as it is.",
		"A false friend looks alike and is not: the line under the cursor says what was observed of each, F what makes Envoy do the same."},
	InTry: {"Try a request: “which route takes it, and why not another one?”",
		"What is typed is asked of the draft at once; enter really sends it, and the two are compared. While a field has the keyboard (▸), letters are typed; tab goes on to the reasons, where j and k move.",
		"nginx: nothing of the kind. There one reads the locations, sends it with curl, and looks into the access log."},
	InContest: {"Reload against push: what does the same change cost in either world?",
		"Clients with connections, slow requests and an upgrade are at both. enter makes the change in both at once; pushes that are made elsewhere show too. ▼ is the moment of the change, below it who answered: old or new. What clients feel of a server that died is told apart from the change.",
		"nginx: the file is written whole and read anew, new workers come, the old ones leave with their last connection. Envoy: one response on a stream, in the same process."},
	InNodes: {"The nodes: “what does each of them really run?”",
		"Served, ACKed and rejected come from the stream; warming, active and carrying traffic from the node itself. An ACK is not active, and a NACK is not “nothing happened”: the verdict says what came of it.",
		"nginx: nginx -T prints what the files say, not what the workers run; the old workers are seen only by ps."},
	InOther: {"Other resources: secrets (SDS), virtual hosts (VHDS), scoped routes (SRDS), extensions (ECDS), runtime (RTDS)",
		"Envoy asks for each by its name, once a listener, a cluster, a filter or its bootstrap names it. A new secret or runtime key closes no connection.",
		"nginx: ssl_certificate, include and map, all read on reload; for most there is no counterpart."},
	InWire: {"The wire: what was said between the Envoys and this management server",
		"→ is what we sent, ← what they answered. An ACK repeats the version and the nonce; a NACK says why in Envoy's own words.",
		"nginx: nothing of the kind. It reads a file, and nginx -t is the only answer."},
}

// newHelp is the help of the place where the keyboard is: what Envoy asks
// here, and every key, greyed with the reason where it cannot be used now.
func newHelp(a *App) overlay {
	in := a.context()
	return &pager{head: "Help", facts: func(w int) []string { return a.helpLines(in, w) }}
}

func (a *App) helpLines(in Context, w int) []string {
	var out []string
	if q, ok := asks[in]; ok {
		out = append(out, paragraph(q[0], w, a.th.Strong)...)
		out = append(out, paragraph(q[1], w, theme.Style{})...)
		out = append(out, paragraph(q[2], w, a.th.Dim)...)
	}
	if in == InNginx {
		out = append(out, a.nginxLegend(w)...)
	}
	out = append(out, widget.Row(w, nil, []widget.Span{{Style: a.th.Accent, Text: a.th.Glyph.Cursor}, {Text: " selected   "},
		{Style: a.th.Accent, Text: a.th.Glyph.Thread}, {Text: " belongs to what is selected: where the request comes from, and where it goes"}}, nil))
	group := ""
	room := a.keyRoom(in)
	for _, act := range a.reg.of(in) {
		if act.Group != group {
			group = act.Group
			out = append(out, widget.Spaces(w), a.th.Strong.Render(widget.Fit(group, w)))
			if group == "Move" {
				out = append(out, a.helpLine(room, "j k g G", "down, up, first, last (arrows, home, end too)", "", w),
					a.helpLine(room, "ctrl+d ctrl+u", "half a page down, up (pgdown, pgup: a page)", "", w))
			}
		}
		why := ""
		if ok, reason := act.Enabled(a); !ok {
			why = reason
		}
		out = append(out, a.helpLine(room, helpKeys(act), act.Title, why, w))
	}
	out = append(out, a.helpLine(room, "ctrl+c", "leave at once; asks once when the draft is not pushed", "", w), widget.Spaces(w))
	return append(out, a.legend(w)...)
}

// helpKeys are an action's keys, or how it is called by name.
func helpKeys(act *Action) string {
	if keys := act.KeyText(); keys != "" {
		return keys
	}
	return ":" + act.ID
}

// keyRoom is how wide the keys of a context are, with what stands around them.
func (a *App) keyRoom(in Context) int {
	room := widget.Width("ctrl+d ctrl+u")
	for _, act := range a.reg.of(in) {
		room = max(room, widget.Width(helpKeys(act)))
	}
	return room + 4
}

func (a *App) helpLine(room int, keys, title, why string, w int) string {
	ks, ts := a.th.Key, theme.Style{}
	if why != "" {
		ks, ts, why = a.th.Off, a.th.Off, "("+why+")"
	}
	return widget.Row(w, nil, []widget.Span{{Style: ks, Text: widget.Fit("  "+keys, room)}, {Style: ts, Text: title + " "},
		{Style: a.th.Off, Text: why}}, nil)
}

// legend says what the glyphs mean.
func (a *App) legend(w int) []string {
	g, name := a.th.Glyph, a.product()
	text := g.Added + g.Edited + g.Removed + " added, edited, removed in the draft   " +
		g.Active + " active: " + name.the + " runs it   " + g.Acked + " ACKed: taken, cannot see more   " + g.Warming + " warming: waits for endpoints or routes, and the ACK with it   " +
		g.NotActive + " ACKed, and yet not in " + name.the + "   " + g.Differs + " drifted or overridden: " + name.the + " runs something else   " + g.Rejected + " rejected: its words are in the detail"
	return append([]string{a.th.Strong.Render(widget.Fit("Marks", w))}, paragraph(text, w, a.th.Dim)...)
}
