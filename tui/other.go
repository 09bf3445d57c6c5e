package tui

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui/mark"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/widget"
)

// otherType is a type that has no pane.
type otherType struct {
	t          mesh.Type
	head, what string
	name       string // how a name of the type must be; "" for any
}

// otherTypes are the types that have no pane of their own, each with what it is
// for. Which names another is said where the resource is selected.
var otherTypes = []otherType{
	{mesh.Secret, "secrets", "certificates, keys and trusted CAs, which listeners and clusters take by name", ""},
	{mesh.VirtualHost, "virtual hosts", "of route configurations that say vhds: asked for one by one", "ROUTECONFIG/HOST, as Envoy asks for it: local_route/www.example.com"},
	{mesh.ScopedRoute, "scoped routes", "which route configuration takes a request, by a key taken from its headers", ""},
	{mesh.Extension, "extensions", "configurations of filters that say config_discovery", ""},
	{mesh.Runtime, "runtime layers", "runtime keys, in the layers that the bootstrap names", ""},
}

func otherOf(t mesh.Type) otherType {
	return otherTypes[slices.IndexFunc(otherTypes, func(o otherType) bool { return o.t == t })]
}

// otherScreen lists the resources of the types that have no pane, and below
// them all that is known of the one under the cursor.
type otherScreen struct {
	list widget.List
	at   mesh.Key // what the cursor is on; without a name a type's heading

	of   *outline.Outline
	rows []otherRow
}

// otherRow is a type's heading or a resource.
type otherRow struct {
	key mesh.Key
	row *outline.Row // nil for a heading
	n   int          // of a heading: how many there are
}

func (s *otherScreen) context() Context  { return InOther }
func (s *otherScreen) title(*App) string { return "7 Other resources" }
func (s *otherScreen) note(*App) string  { return "n new   e edit   esc back" }

// refresh makes the rows anew when the draft is another, and puts the cursor
// back on what it was on, or on what was just made.
func (s *otherScreen) refresh(a *App) {
	if s.of == a.data.outline {
		return
	}
	s.of, s.rows = a.data.outline, nil
	for _, o := range otherTypes {
		head := len(s.rows)
		s.rows = append(s.rows, otherRow{key: mesh.Key{Type: o.t}})
		for _, r := range s.of.Others {
			if r.Key.Type == o.t {
				s.rows = append(s.rows, otherRow{key: r.Key, row: r})
			}
		}
		s.rows[head].n = len(s.rows) - head - 1
	}
	want := s.at
	if s.find(a.made) >= 0 {
		want, a.made = a.made, mesh.Key{}
	}
	s.list.Len = len(s.rows)
	if i := s.find(want); i >= 0 {
		s.list.Select(i)
	}
	s.at = s.rows[min(s.list.Cursor, len(s.rows)-1)].key
}

func (s *otherScreen) find(k mesh.Key) int {
	return slices.IndexFunc(s.rows, func(r otherRow) bool { return r.key == k })
}

// current is the outline's row under the cursor, or nil on a heading.
func (s *otherScreen) current(a *App) *outline.Row {
	s.refresh(a)
	return s.rows[s.list.Cursor].row
}

func (s *otherScreen) key(a *App, key string) bool {
	s.refresh(a)
	if !s.list.Key(key) {
		return false
	}
	s.at = s.rows[s.list.Cursor].key
	return true
}

func (s *otherScreen) lines(a *App, w, h int) []string {
	s.refresh(a)
	below := min(h/2, 9)
	s.list.Resize(len(s.rows), h-below)
	var out []string
	for i := s.list.Top; i < s.list.End(); i++ {
		out = append(out, s.line(a, &s.rows[i], i == s.list.Cursor, w))
	}
	for len(out) < h-below {
		out = append(out, widget.Spaces(w))
	}
	out = append(out, a.ruled(s.about(), w))
	return append(out, a.clipped(s.detail(a, w), w, below-1)...)
}

// about names what the cursor is on.
func (s *otherScreen) about() string {
	if s.at.Name == "" {
		return otherOf(s.at.Type).head
	}
	return s.at.String()
}

// detail is what is known of the cursor's resource; on a heading, what the type
// is for.
func (s *otherScreen) detail(a *App, w int) []string {
	if row := s.current(a); row != nil {
		return append(a.facts(row, w), a.namedBy(row.Key, w)...)
	}
	o := otherOf(s.at.Type)
	text := strings.ToUpper(o.head[:1]) + o.head[1:] + " (" + o.t.Service() + "): " + o.what + ". n makes one from a template."
	return paragraph(text, w, a.th.Dim)
}

// namedBy says which resources name one.
func (a *App) namedBy(k mesh.Key, w int) []string {
	var by []string
	for _, ref := range a.data.outline.UsedBy(k) {
		if s := ref.From.String(); !slices.Contains(by, s) {
			by = append(by, s)
		}
	}
	if len(by) == 0 {
		return paragraph("No resource here names it.", w, a.th.Dim)
	}
	return paragraph("Named by "+listed(by)+".", w, a.th.Dim)
}

func (s *otherScreen) line(a *App, r *otherRow, cursor bool, w int) string {
	gutter := widget.Span{Text: "  "}
	if r.row != nil && a.thread.Has(r.key, "") {
		gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Thread + " "}
	}
	if cursor {
		gutter = widget.Span{Style: a.th.Accent, Text: a.th.Glyph.Cursor + " "}
	}
	left, right := []widget.Span{gutter}, []widget.Span(nil)
	if r.row == nil {
		o := otherOf(r.key.Type)
		number := "none"
		if r.n > 0 {
			number = itoa(r.n)
		}
		left = append(left, widget.Span{Style: a.th.Strong, Text: r.key.Type.Service() + " " + o.head}, widget.Span{Style: a.th.Dim, Text: "  " + number})
	} else {
		left = append(left, a.draftSpan(r.row), widget.Span{Text: " " + r.key.Name}, widget.Span{Style: a.th.Dim, Text: "  " + r.row.Value})
		right = a.findingMark(r.row, w, a.resourceState(r.key, w-30))
	}
	if cursor {
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

// ruled is a line across with a title in it.
func (a *App) ruled(title string, w int) string {
	rule := a.th.Glyph.Border[10]
	title = " " + widget.Truncate(widget.Clean(title), w-4) + " "
	return a.th.Border.Render(rule) + a.th.Strong.Render(title) + a.th.Border.Render(strings.Repeat(rule, max(0, w-1-widget.Width(title))))
}

// others is how many resources stand on that screen, for the main one to say.
func (a *App) others() int { return len(a.data.outline.Others) }

// othersLine says at the foot of the first pane how many there are, and of what
// is amiss among them the worst.
func (a *App) othersLine(w int) string {
	left := []widget.Span{{Style: a.th.Key, Text: " " + a.keyOf("other")}, {Style: a.th.Dim, Text: ": " + count(a.others(), "other")}}
	worst := mark.NoNode
	for _, r := range a.data.outline.Others {
		if s, _, _ := mark.Worst(r.Key, a.data.hash(r.Key), a.data.nodes, a.data.look(), a.at); !s.Good() {
			worst = max(worst, s)
		}
	}
	if worst == mark.NoNode {
		return widget.Row(w, nil, left, nil)
	}
	glyph, style := worst.Draw(a.th)
	return widget.Row(w, nil, left, []widget.Span{{Style: style, Text: glyph + " " + worst.Short()}})
}

// showOther opens the screen with the cursor on a resource.
func (a *App) showOther(k mesh.Key) tea.Cmd {
	a.show(&otherScreen{at: k})
	return nil
}

// newOther is the type of a new resource on that screen, and how its name must
// be.
func (s *otherScreen) newOther(a *App) (mesh.Type, string) {
	s.refresh(a)
	t := s.rows[s.list.Cursor].key.Type
	return t, otherOf(t).name
}
