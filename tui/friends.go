package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/engine/text"
	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

func hasFriends(a *App) (bool, string) {
	return len(a.data.nginx.friends) > 0, "this mesh has none: what looks alike in nginx.conf is alike"
}

// friendBrief says in the detail what is to know of a false friend, and which key
// offers the setting.
func (a *App) friendBrief(f *friends.Friend, w int) []string {
	out := a.friendLines(f, w)
	key := a.keyOf("friends")
	if f.Fix != nil {
		return append(out, indented(f.Fix.Says, "  "+widget.Fit(key, friendLabel), w, a.th.Good)...)
	}
	return append(out, indented(withoutFix(f), "  "+widget.Fit(key, friendLabel), w, a.th.Dim)...)
}

// friendLabel is the room for the word before each sentence.
const friendLabel = 6

// friendLines say what each world does, and what that means here.
func (a *App) friendLines(f *friends.Friend, w int) []string {
	out := paragraph(a.th.Glyph.Friend+" "+f.Subject+": looks alike, and is not", w, a.th.Warn)
	for _, l := range [][2]string{{"nginx", f.Nginx}, {"Envoy", f.Envoy}, {"here", f.Here}} {
		if l[1] != "" {
			out = append(out, a.labelled(l[0], sentence(l[1]), w, theme.Style{})...)
		}
	}
	return out
}

// labelled is a sentence behind a word.
func (a *App) labelled(word, says string, w int, style theme.Style) []string {
	return indented(says, "  "+widget.Fit(word, friendLabel), w, style)
}

// withoutFix says why nothing is offered.
func withoutFix(f *friends.Friend) string {
	if f.Without != "" {
		return sentence(f.Without)
	}
	return "No setting of Envoy's does what nginx does."
}

// friendsWindow lists the false friends of the mesh, explains the one under the
// cursor, and offers the setting that makes Envoy behave as nginx does. It stays
// open while settings are taken: the list is that of the draft.
type friendsWindow struct {
	list widget.List // of the friends
	text widget.List // of the explanation below it

	of      *nginxView // that the changes are of
	at      int        // the friend that they are of
	changes []mesh.Change
	wrong   error // why there are none
}

// openFriends opens the window at the friend on the line under the cursor, else
// at the first on a line further down.
func (a *App) openFriends() tea.Cmd {
	v := a.data.nginx
	win := &friendsWindow{at: -1}
	n := len(v.friends)
	win.list.Resize(n, n)
	line := a.lists[PanelNginx].Cursor
	if on := v.on[line]; len(on) > 0 {
		win.list.Select(on[0])
	} else if at := slices.IndexFunc(v.friends, func(f friends.Friend) bool { return f.First() >= line }); at >= 0 {
		win.list.Select(at)
	}
	a.open(win)
	return nil
}

func (p *friendsWindow) title() string { return "False friends: nginx.conf and Envoy" }
func (p *friendsWindow) width() int    { return 100 }

// current is the friend under the cursor, nil when the draft has none any more.
func (p *friendsWindow) current(a *App) *friends.Friend {
	fs := a.data.nginx.friends
	if len(fs) == 0 {
		return nil
	}
	return &fs[max(0, min(p.list.Cursor, len(fs)-1))]
}

func (p *friendsWindow) lines(a *App, w, h int) []string {
	fs := a.data.nginx.friends
	if len(fs) == 0 {
		return append(paragraph("None is left: what looks alike in this nginx.conf is alike.", w, a.th.Good), widget.Spaces(w), a.keysLine(w, "esc", "close"))
	}
	p.list.Resize(len(fs), min(len(fs), max(3, (h-3)/3)))
	var out []string
	for i := p.list.Top; i < p.list.End(); i++ {
		out = append(out, p.line(a, &fs[i], i == p.list.Cursor, w))
	}
	out = append(out, a.th.Border.Render(strings.Repeat(a.th.Glyph.Border[10], w)))
	body := p.body(a, w)
	p.text.Resize(len(body), max(1, min(len(body), h-len(out)-2)))
	out = append(out, body[p.text.Top:p.text.End()]...)
	foot := widget.Spaces(w)
	if p.text.Top > 0 || p.text.End() < len(body) {
		foot = widget.Row(w, nil, []widget.Span{{Style: a.th.Key, Text: "ctrl+d ctrl+u"}, {Text: " scroll"}},
			[]widget.Span{{Style: a.th.Dim, Text: fmt.Sprintf("%d–%d of %d lines", p.text.Top+1, p.text.End(), p.text.Len)}})
	}
	return append(out, foot, p.foot(a, w))
}

// line is a friend in the list: its subject, where it stands, and whether there
// is a setting.
func (p *friendsWindow) line(a *App, f *friends.Friend, cursor bool, w int) string {
	glyph, style := a.th.Glyph.Acked, a.th.Good
	offer := "a setting"
	switch {
	case f.Fix == nil:
		glyph, style, offer = a.th.Glyph.Lacking, a.th.Dim, "no setting"
	case f.Kind != nginx.Exact:
		glyph, style, offer = a.th.Glyph.About, a.th.Info, "a near setting"
	}
	place := f.At.Key.String()
	if i := f.First(); i >= 0 && i < len(a.data.nginx.lines) {
		place = fmt.Sprintf("%d: %s", i+1, strings.TrimSpace(a.data.nginx.lines[i].Text))
	}
	if f.Places > 1 {
		place = fmt.Sprintf("%d places, first %s", f.Places, place)
	}
	left := []widget.Span{{Style: a.th.Accent, Text: " "}, {Style: a.th.Warn, Text: widget.Fit(widget.Clean(f.Subject), min(26, w/3)) + " "}, {Style: a.th.Dim, Text: place}}
	right := []widget.Span{{Style: style, Text: glyph + " " + offer}}
	if w < 80 {
		right[0].Text = glyph
	}
	if cursor {
		left[0].Text = a.th.Glyph.Cursor
		return widget.Row(w, &a.th.Selected, left, right)
	}
	return widget.Row(w, nil, left, right)
}

func (p *friendsWindow) body(a *App, w int) []string {
	f := p.current(a)
	out := append(a.friendLines(f, w), a.th.Dim.Render(widget.Fit(widget.Clean("  "+friendPlace(f)), w)), widget.Spaces(w))
	if f.Fix == nil {
		return append(out, paragraph(withoutFix(f), w, a.th.Info)...)
	}
	what := "What makes Envoy do the same: "
	if f.Kind != nginx.Exact {
		what = "What comes near: "
	}
	out = append(out, paragraph(what+f.Fix.Says, w, a.th.Good)...)
	if f.Without != "" {
		out = append(out, paragraph(sentence(f.Without), w, a.th.Dim)...)
	}
	changes := p.diff(a, f)
	if p.wrong != nil {
		return append(out, paragraph("It cannot be put into the draft: "+p.wrong.Error(), w, a.th.Bad)...)
	}
	return append(out, diffLines(a.th, changes, w)...)
}

// friendPlace is the field that a friend is about.
func friendPlace(f *friends.Friend) string {
	if f.At.Path == "" {
		return "at " + f.At.Key.String()
	}
	return "at " + f.At.Key.String() + ", " + f.At.Path
}

// diff is what the setting changes in the draft.
func (p *friendsWindow) diff(a *App, f *friends.Friend) []mesh.Change {
	if p.of == a.data.nginx && p.at == p.list.Cursor {
		return p.changes
	}
	p.of, p.at, p.changes = a.data.nginx, p.list.Cursor, nil
	var puts []friends.Put
	if puts, p.wrong = f.Fix.Texts(); p.wrong != nil {
		return nil
	}
	for _, put := range puts {
		c := mesh.Change{Key: put.Key, Old: a.data.gs.Draft.Get(put.Key)}
		if c.New, _ = text.Decode(put.Key.Type, mesh.Source{Text: put.Text}); c.New == nil {
			c.New = &mesh.Resource{Key: put.Key, Source: mesh.Source{Text: put.Text}}
			if c.Old != nil {
				c.New.Message = c.Old.Message
			}
		}
		p.changes = append(p.changes, c)
	}
	return p.changes
}

func (p *friendsWindow) foot(a *App, w int) string {
	var pairs []string
	if p.current(a).Fix != nil {
		pairs = append(pairs, "enter", "into the draft")
	}
	if len(a.data.nginx.friends) > 1 {
		pairs = append(pairs, "j k", "another")
	}
	return a.keysLine(w, append(pairs, "e", "edit", "u", "undo", "esc", "close")...)
}

func (p *friendsWindow) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	k := keyName(msg)
	f := p.current(a)
	switch k {
	case "esc", "q", "F":
		return nil, true
	case "ctrl+d", "ctrl+u", "pgdown", "pgup":
		p.text.ScrollKey(k)
	case "u":
		return a.do(a.reg.find(InNginx, "u")), false
	case "enter":
		if f != nil && f.Fix != nil {
			return a.befriend(f), false
		}
	case "e":
		if f != nil {
			return a.editField(f.At.Key, f.At.Path)
		}
	default:
		if f != nil && p.list.Key(k) {
			p.text = widget.List{}
			if line := p.current(a).First(); line >= 0 {
				a.gotoNginx(line)
			}
		}
	}
	return nil, false
}

// befriend puts the setting into the draft as one step, unless what it changes
// has changed since it was shown.
func (a *App) befriend(f *friends.Friend) tea.Cmd {
	if ok, why := writable(a); !ok {
		a.shout("false friends: " + why)
		return nil
	}
	shown, fix := a.data.gs.Draft, f.Fix
	return a.editSaying(f.Subject, func(gs *engine.GroupState) ([]engine.Edit, string, error) {
		puts, err := fix.Texts()
		if err != nil {
			return nil, "", err
		}
		var edits []engine.Edit
		for _, put := range puts {
			now, then := gs.Draft.Get(put.Key), shown.Get(put.Key)
			if (now == nil) != (then == nil) || now != nil && now.Source.Text != then.Source.Text {
				return nil, "", fmt.Errorf("the draft has changed %s meanwhile; the setting is shown anew", put.Key)
			}
			edit := engine.Put{Type: put.Key.Type, Text: put.Text}
			if now != nil {
				edit.Was = put.Key
			}
			edits = append(edits, edit)
		}
		return edits, "in the draft: " + fix.Says + "; p pushes it, u takes it back", nil
	})
}
