package tui

import (
	"fmt"
	"strings"

	"example.com/meshtui/tui/outline"
	"example.com/meshtui/tui/widget"
)

// View is the whole screen: h lines of w cells.
func (a *App) View() string {
	if a.w <= 0 || a.h <= 0 {
		return ""
	}
	view := strings.Join(a.lines(), "\n")
	if a.th.Plain != nil {
		view = a.th.Plain.Replace(view)
	}
	return view
}

func (a *App) lines() []string {
	if a.tooSmall() {
		return a.small()
	}
	var lines []string
	if a.screen != nil {
		lines = a.drawScreen()
	} else {
		lines = a.drawMain()
	}
	for _, o := range a.overlays {
		lines = a.drawOverlay(lines, o)
	}
	return lines
}

// small says what the screen needs, clipped to what there is.
func (a *App) small() []string {
	text := fmt.Sprintf("meshtui needs at least %d×%d; now %d×%d. q quits.", minWidth, minHeight, a.w, a.h)
	wrapped := widget.Wrap(text, a.w)
	out := make([]string, a.h)
	for i := range out {
		if i < len(wrapped) {
			out[i] = widget.Fit(wrapped[i], a.w)
		} else {
			out[i] = widget.Spaces(a.w)
		}
	}
	return out
}

func (a *App) drawMain() []string {
	boxes := make([]widget.Box, 0, int(panels)+1)
	for p := Panel(0); p < panels; p++ {
		if !a.lay.Panels[p].Empty() {
			boxes = append(boxes, a.panel(p))
		}
	}
	if !a.lay.Detail.Empty() {
		boxes = append(boxes, widget.Box{Rect: a.lay.Detail, Title: a.detailTitle(), Note: a.detailNote(), Lines: a.detailLines(a.lay.Detail.Inner())})
	}
	lines := widget.Frame(a.w, a.h, a.th, boxes)
	lines[a.lay.Status.Y] = a.statusLine(a.w)
	for i, bar := range a.bars() {
		if i < a.lay.Bars.H {
			lines[a.lay.Bars.Y+i] = a.drawBar(bar, a.w)
		}
	}
	lines[a.lay.Footer.Y] = a.footer(a.w)
	return lines
}

// drawScreen is another screen in one frame between status line and footer.
func (a *App) drawScreen() []string {
	r := widget.Rect{X: 0, Y: 1, W: a.w, H: a.h - 2}
	in := r.Inner()
	body := a.screen.lines(a, in.W-2, in.H)
	for i, l := range body {
		body[i] = " " + l + " "
	}
	box := widget.Box{Rect: r, Title: a.screen.title(a), Note: a.screen.note(a), Focus: true, Lines: body}
	lines := widget.Frame(a.w, a.h, a.th, []widget.Box{box})
	lines[0] = a.statusLine(a.w)
	lines[a.h-1] = a.footer(a.w)
	return lines
}

// panelCache keeps a panel's lines for as long as nothing that they show has
// changed.
type panelCache struct {
	key   panelKey
	lines []string
}

type panelKey struct {
	data        *data
	w, h        int
	cursor, top int
	focus       bool
	origin      selection
	second      int64
	filter      string
	typing      bool
	shift       int // of the nginx panel's lines
}

func (a *App) panel(p Panel) widget.Box {
	r := a.lay.Panels[p]
	in := r.Inner()
	l := &a.lists[p]
	key := panelKey{data: a.data, w: in.W, h: in.H, cursor: l.Cursor, top: l.Top, focus: a.focus == p,
		origin: a.origin, second: a.at.Unix(), typing: a.input != nil, shift: a.nginxShift}
	if p < PanelNginx {
		key.filter = a.filter[p].text
	}
	c := &a.cache[p]
	if c.lines == nil || c.key != key {
		c.key, c.lines = key, a.panelLines(p, in.W, in.H)
	}
	return widget.Box{Rect: r, Title: a.panelTitle(p), Note: a.panelNote(p), Focus: a.focus == p, Lines: c.lines}
}

func (a *App) panelLines(p Panel, w, h int) []string {
	switch p {
	case PanelNginx:
		return a.nginxLines(w, h)
	case PanelWire:
		return a.wireLines(w, h)
	}
	return a.paneLines(outline.Pane(p), w, h)
}

func (a *App) panelTitle(p Panel) string {
	titles := [panels]string{"1 LDS listeners", "2 RDS routes", "3 CDS clusters", "4 EDS endpoints", "5 nginx.conf", "6 wire"}
	title := titles[p]
	if p == PanelNginx {
		title = a.nginxTitle()
	}
	if p < PanelNginx && a.filter[p].text != "" {
		title = title[:5] + " /" + a.filter[p].text
	}
	if a.focus == p {
		return a.th.Glyph.Cursor + title
	}
	return title
}

// panelNote says how much of a panel's rows is seen.
func (a *App) panelNote(p Panel) string {
	l := &a.lists[p]
	switch {
	case p == PanelWire && a.data.dropped > 0:
		return fmt.Sprintf("%d dropped", a.data.dropped)
	case p == PanelNginx && a.nginxShift > 0:
		return fmt.Sprintf("from column %d", a.nginxShift+1)
	case l.Len <= l.Height || l.Len == 0:
		return ""
	}
	return fmt.Sprintf("%d of %d", l.Cursor+1, l.Len)
}

// footer is the line of keys, or what is being typed, or a message.
func (a *App) footer(w int) string {
	if a.input != nil {
		return inputLine(a.th, " /", &a.input.input, w)
	}
	if t := a.toast; t.text != "" && (t.bad || !a.at.After(t.till)) {
		style, glyph := a.th.Info, a.th.Glyph.Bullet
		if t.bad {
			style, glyph = a.th.Bad, a.th.Glyph.Rejected
		}
		return style.Render(widget.Fit(widget.Clean(" "+glyph+" "+t.text), w))
	}
	return a.footerKeys(w)
}

// keyFor is the key for an action here: while letters are typed, one that is no
// letter; "" when it has none.
func (a *App) keyFor(act *Action) string {
	for _, k := range act.Keys {
		if !a.typing() || len(k) > 1 {
			return k
		}
	}
	return ""
}

// keyOf is the key for the action of that name.
func (a *App) keyOf(id string) string {
	for _, act := range a.reg.all {
		if act.ID == id {
			return a.keyFor(act)
		}
	}
	return ""
}

// footerKeys are the keys that matter here, as many as fit; what cannot be
// done now is greyed. Help is always the last.
func (a *App) footerKeys(w int) string {
	help := []widget.Span{{Style: a.th.Key, Text: a.keyOf("help")}, {Text: " help "}}
	if len(a.data.ws.Groups) > 1 {
		help = append([]widget.Span{{Style: a.th.Key, Text: "{ }"}, {Text: " group  "}}, help...)
	}
	room := w - spansWidth(help) - 1
	var spans []widget.Span
	used := 0
	for _, act := range a.reg.of(a.context()) {
		if act.Short == "" || act.ID == "help" || act.Hidden(a) {
			continue
		}
		key, text := a.keyFor(act), " "+act.Short
		if key == "" {
			continue
		}
		if act.ID == "heavier" {
			key = "+/-"
		}
		n := len(key) + len(text) + 2
		if used+n > room {
			break
		}
		ks, ts := a.th.Key, a.th.Title
		if ok, _ := act.Enabled(a); !ok {
			ks, ts = a.th.Off, a.th.Off
		}
		spans = append(spans, widget.Span{Text: "  "}, widget.Span{Style: ks, Text: key}, widget.Span{Style: ts, Text: text})
		used += n
	}
	return widget.Row(w, nil, spans, help)
}
