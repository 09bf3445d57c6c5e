package tui

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// overlay is a box over the screen that has the keyboard: a question, a line
// to type, a list to choose from, something to read.
type overlay interface {
	title() string
	// lines draws what is within the border, w cells wide, at most h lines.
	lines(a *App, w, h int) []string
	// width is how wide the inside would like to be.
	width() int
	// key takes a key and says whether the overlay is done.
	key(a *App, msg tea.KeyMsg) (cmd tea.Cmd, done bool)
}

// The grace of an overlay that opens by itself: keys that were on their way to
// something else are swallowed until the keyboard has been quiet for a moment,
// but not for ever.
const (
	graceQuiet = 400 * time.Millisecond
	graceMost  = 1500 * time.Millisecond
)

// graced wraps an overlay that nobody asked for by key.
type graced struct {
	overlay
	opened, last time.Time
	over         bool
}

func (g *graced) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	now := a.now()
	if !g.over && now.Sub(g.last) < graceQuiet && now.Sub(g.opened) < graceMost {
		g.last = now
		return nil, false
	}
	g.over = true
	return g.overlay.key(a, msg)
}

// open lays an overlay over the screen, by key.
func (a *App) open(o overlay) { a.overlays = append(a.overlays, o) }

// surprise lays an overlay over the screen that nobody asked for by key.
func (a *App) surprise(o overlay) {
	a.open(&graced{overlay: o, opened: a.now(), last: a.now()})
}

func (a *App) overlayKey(o overlay, msg tea.KeyMsg) tea.Cmd {
	cmd, done := o.key(a, msg)
	if done {
		for i := range a.overlays {
			if a.overlays[i] == o {
				a.overlays = append(a.overlays[:i:i], a.overlays[i+1:]...)
				break
			}
		}
	}
	return cmd
}

// drawOverlay lays an overlay's box over the screen, in its middle.
func (a *App) drawOverlay(base []string, o overlay) []string {
	w := min(o.width()+4, a.w-2)
	inner := w - 4
	if inner < 10 || a.h < 5 {
		return base
	}
	lines := o.lines(a, inner, a.h-4)
	lines = lines[:min(len(lines), a.h-4)]
	body := make([]string, len(lines))
	for i, l := range lines {
		body[i] = " " + l + " "
	}
	h := len(body) + 2
	box := widget.Frame(w, h, a.th, []widget.Box{{Rect: widget.Rect{W: w, H: h}, Title: o.title(), Focus: true, Lines: body}})
	return widget.Overlay(base, box, (a.w-w)/2, max(0, (a.h-h)/2), a.w)
}

// keysLine is a line of keys and what they do: "enter push  esc cancel".
func (a *App) keysLine(w int, pairs ...string) string {
	var spans []widget.Span
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			spans = append(spans, widget.Span{Text: "   "})
		}
		spans = append(spans, widget.Span{Style: a.th.Key, Text: pairs[i]}, widget.Span{Text: " " + pairs[i+1]})
	}
	return widget.Row(w, nil, spans, nil)
}

// paragraph is text wrapped to w, each line filled up.
func paragraph(text string, w int, style theme.Style) []string {
	lines := widget.Wrap(text, w)
	for i, l := range lines {
		lines[i] = style.Render(widget.Fit(l, w))
	}
	return lines
}

// confirm is a question with one key for yes. Enter is yes too, unless yes
// loses or forces something: then it takes the letter.
type confirm struct {
	head, text   string
	yes, yesText string
	noText       string // what esc does; "" is "cancel"
	harm         bool   // enter is not enough
	entered      bool   // enter was pressed all the same
	do           func(*App) tea.Cmd
	no           func(*App)
}

func (c *confirm) title() string { return c.head }
func (c *confirm) width() int    { return 72 }

func (c *confirm) lines(a *App, w, _ int) []string {
	out := append([]string{widget.Spaces(w)}, paragraph(c.text, w, theme.Style{})...)
	out = append(out, widget.Spaces(w))
	if c.entered {
		out = append(out, paragraph("Enter is not enough for this: press "+c.yes+" to "+c.yesText+".", w, a.th.Warn)...)
	}
	yes := c.yes
	if !c.harm {
		yes = "enter"
	}
	return append(out, a.keysLine(w, yes, c.yesText, "esc", orText(c.noText, "cancel")))
}

func (c *confirm) key(a *App, msg tea.KeyMsg) (tea.Cmd, bool) {
	switch keyName(msg) {
	case c.yes, "y":
		return c.do(a), true
	case "enter":
		if c.harm {
			c.entered = true
			return nil, false
		}
		return c.do(a), true
	case "esc", "n":
		if c.no != nil {
			c.no(a)
		}
		return nil, true
	}
	return nil, false
}
