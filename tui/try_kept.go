package tui

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// askKept asks the draft and what is live for the requests that are kept for
// the group, unless neither they nor the meshes have changed.
func (m *maker) askKept(d *data) {
	if l := m.last; l != nil && l.draftWays == d.draftWays && l.liveWays == d.liveWays && sameKept(l.ws.Kept, d.ws.Kept) {
		d.kept, d.keptDraft, d.keptLive = l.kept, l.keptDraft, l.keptLive
		return
	}
	for _, r := range d.ws.Kept {
		if r.Of(d.group) {
			d.kept = append(d.kept, r)
		}
	}
	d.keptDraft = kept.Run(d.draftWays.get(), d.kept)
	d.keptLive = d.keptDraft
	if d.liveWays != d.draftWays {
		d.keptLive = kept.Run(d.liveWays.get(), d.kept)
	}
}

// sameKept reports whether two lists hold the same requests. Mostly they are
// one and the same list.
func sameKept(a, b []kept.Request) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || reflect.DeepEqual(a, b))
}

// keptResults are the kept requests, asked of the mesh that the tester asks.
func (a *App) keptResults() []kept.Result {
	if a.try != nil && a.try.live {
		return a.data.keptLive
	}
	return a.data.keptDraft
}

func canKeep(a *App) (bool, string) {
	if ok, why := writable(a); !ok {
		return ok, why
	}
	switch s := a.try; {
	case s.seen == nil || s.seen.question != a.question():
		return false, "its way is still being found"
	case len(s.seen.wrong) > 0:
		return false, s.seen.wrong[0]
	}
	return true, ""
}

// askKeep asks under which name the request is to be kept, and says what it
// will be expected to find.
func (a *App) askKeep() tea.Cmd {
	f := a.try.seen
	r := kept.Of(f.request, f.Way)
	if a.group != mesh.DefaultGroup {
		r.Group = a.group
	}
	a.open(&prompt{head: "Keep this request", label: "name", text: r.Name, hint: "Expected from now on: " + expectText(r.Expect) +
		". Before a push you are told if that changes, and ctrl+o lists what is kept.",
		do: func(a *App, name string) tea.Cmd {
			r.Name = name
			if slices.ContainsFunc(a.data.ws.Kept, func(k kept.Request) bool { return k.Name == name }) {
				a.open(&confirm{head: "Replace " + name + "?", text: "A kept request has that name. It would be this one, and expect what this one finds.",
					yes: "r", yesText: "replace", harm: true, do: func(a *App) tea.Cmd { return a.keep(r) }})
				return nil
			}
			return a.keep(r)
		}})
	return nil
}

func (a *App) keep(r kept.Request) tea.Cmd {
	ws := a.deps.Workspace
	return a.want("keep "+r.Name, func() (string, error) { return "kept: " + r.Name, ws.Keep(r) })
}

// expectText is what a kept request is expected to find, in a line.
func expectText(e kept.Expect) string {
	var parts []string
	add := func(what, value string) {
		if value != "" {
			parts = append(parts, what+" "+value)
		}
	}
	add("", strings.ReplaceAll(e.Action, "_", " "))
	add("listener", e.Listener)
	add("virtual host", e.VirtualHost)
	add("route", e.Route)
	add("cluster", e.Cluster)
	add("sent as", strings.TrimSpace(e.Host+" "+e.Path))
	if e.Status > 0 {
		add("status", fmt.Sprint(e.Status))
	}
	add("location", e.Location)
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.TrimSpace(strings.Join(parts, ", "))
}

// keptBox lists the requests that are kept, each with whether it finds what it
// should, and below them what was in the form before.
type keptBox struct {
	list widget.List
	name int // the room for the names that are seen
}

func (a *App) openKept() tea.Cmd {
	a.open(&keptBox{})
	return nil
}

func (k *keptBox) title() string { return "Kept requests" }
func (k *keptBox) width() int    { return 108 }

func (k *keptBox) lines(a *App, w, h int) []string {
	results, recent := a.keptResults(), a.tester().recent
	out := k.headLines(a, w)
	details := k.details(a, w)
	foot := []string{widget.Spaces(w), a.keysLine(w, "enter", "open", "x", "forget", "a", "send all", "esc", "close")}
	n := len(results) + len(recent)
	k.list.Resize(n, max(1, min(n, h-len(out)-len(foot)-len(details))))
	k.name = 0
	for i := k.list.Top; i < min(k.list.End(), len(results)); i++ {
		k.name = max(k.name, min(widget.Width(widget.Clean(results[i].Request.Name)), 44, w*2/5))
	}
	for i := k.list.Top; i < k.list.End(); i++ {
		if i < len(results) {
			out = append(out, k.line(a, &results[i], i == k.list.Cursor, w))
		} else {
			out = append(out, k.recentLine(a, recent[i-len(results)], i == k.list.Cursor, w))
		}
	}
	return append(append(out, details...), foot...)
}

// headLines say of which mesh the marks tell, and what is wrong with the file.
func (k *keptBox) headLines(a *App, w int) []string {
	which := "on the draft"
	if a.data.draftWays == a.data.liveWays || a.tester().live {
		which = "on the live mesh"
	}
	text := "None is kept yet: ctrl+s in the tester (t) keeps one. Before each push you are then told whether its way changes."
	if n := len(a.data.kept); n > 0 {
		if len(a.data.ws.Groups) > 1 {
			which += " of " + a.group
		}
		text = fmt.Sprintf("%s, asked %s", count(n, "request"), which)
		if a.data.ws.KeptFile != "" {
			text += "; they stand in " + baseName(a.data.ws.KeptFile)
		}
	}
	out := paragraph(text, w, a.th.Dim)
	for _, f := range a.data.ws.KeptProblems {
		out = append(out, a.findingLines(f, w)...)
	}
	return append(out, widget.Spaces(w))
}

// line is one kept request: whether it finds what it should, its name, and
// where it goes or what differs.
func (k *keptBox) line(a *App, r *kept.Result, cursor bool, w int) string {
	glyph, style, text := a.th.Glyph.Acked, a.th.Good, r.Way.Target()
	if len(r.Differs) > 0 {
		glyph, style, text = a.th.Glyph.Rejected, a.th.Bad, r.Differs[0]
	}
	left := []widget.Span{{Style: style, Text: glyph + " "}, {Style: a.th.Strong, Text: widget.Fit(widget.Clean(r.Request.Name), k.name) + "  "}, {Style: style, Text: text}}
	right := k.sentSpans(a, r.Request.Name)
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

// sentSpans are what came of really sending a kept request, "" before that.
func (k *keptBox) sentSpans(a *App, name string) []widget.Span {
	v := a.tester().volley
	if v == nil {
		return nil
	}
	t := v.results[name]
	switch {
	case t == nil && slices.Contains(v.names, name):
		return []widget.Span{{Style: a.th.Dim, Text: a.th.Glyph.Warming + " waits"}}
	case t == nil:
		return nil
	case t.tried.Status == 0:
		return []widget.Span{{Style: a.th.Bad, Text: a.th.Glyph.Rejected + " no answer"}}
	case len(t.verdict.live) > 0:
		return []widget.Span{{Style: a.th.Bad, Text: fmt.Sprintf("%s %d, not as live", a.th.Glyph.Rejected, t.tried.Status)}}
	}
	return []widget.Span{{Style: a.th.Good, Text: fmt.Sprintf("%s %d as live", a.th.Glyph.Acked, t.tried.Status)}}
}

func (k *keptBox) recentLine(a *App, r match.Request, cursor bool, w int) string {
	left := []widget.Span{{Style: a.th.Dim, Text: "  typed before: "}, {Text: requestText(r)}}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, nil)
	}
	return widget.Row(w, nil, left, nil)
}

// requestText is a request in a line: "GET www.example.com/foo".
func requestText(r match.Request) string {
	return strings.TrimSpace(orGet(r.Method) + " " + r.Host + orRoot(r))
}

// details are what is known of the row under the cursor.
func (k *keptBox) details(a *App, w int) []string {
	results := a.keptResults()
	if k.list.Cursor >= len(results) {
		return nil
	}
	r := &results[k.list.Cursor]
	out := append([]string{widget.Spaces(w)}, paragraph(requestText(r.Request.Ask)+": "+r.Way.Target(), w, theme.Style{})...)
	out = append(out, sentences(a.th.Glyph.Rejected, r.Differs, w, a.th.Bad)...)
	if v := a.tester().volley; v != nil && v.results[r.Request.Name] != nil {
		t := v.results[r.Request.Name]
		out = append(out, paragraph("sent: "+outcomeText(&t.tried), w, a.th.Dim)...)
		out = append(out, sentences(a.th.Glyph.Rejected, t.verdict.live, w, a.th.Bad)...)
	}
	return out
}

func (k *keptBox) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	results := a.keptResults()
	at := k.list.Cursor
	switch key := keyName(msg); key {
	case "esc", "q", "ctrl+o":
		return nil, true
	case "enter":
		return nil, k.openAt(a, at)
	case "x":
		if at < len(results) {
			a.askForget(results[at].Request.Name)
		}
	case "a":
		return a.sendAll(), false
	default:
		k.list.Key(key)
	}
	return nil, false
}

// openAt puts a request into the form and shows the tester.
func (k *keptBox) openAt(a *App, i int) bool {
	results, s := a.keptResults(), a.tester()
	var r match.Request
	switch {
	case i < len(results):
		r = results[i].Request.Ask
	case i-len(results) < len(s.recent):
		r = s.recent[i-len(results)]
	default:
		return false
	}
	s.fill(r, s.from)
	a.show(s)
	return true
}

func (a *App) askForget(name string) {
	if ok, why := writable(a); !ok {
		a.shout(why)
		return
	}
	a.open(&confirm{head: "Forget " + name + "?", text: "It goes from the file of kept requests, and nobody is told any more when its way changes.",
		yes: "x", yesText: "forget", harm: true, do: func(a *App) tea.Cmd {
			ws := a.deps.Workspace
			return a.want("forget "+name, func() (string, error) { return "forgotten: " + name, ws.Forget(name) })
		}})
}
