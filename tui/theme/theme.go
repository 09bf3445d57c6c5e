// Package theme is the one place where colours and glyphs come from.
//
// It draws with the sixteen colours of the terminal's own palette, so that a
// light, dark or solarized terminal stays what it is, and never says anything
// by colour alone: every state has a glyph and a word. Styles are plain SGR
// sequences, because styling a cell is the hottest thing that a screen does.
package theme

import (
	"os"
	"strings"

	"github.com/muesli/termenv"
)

// Style is a set of SGR attributes, such as "1;31". The zero Style draws text
// as it is.
type Style struct{ sgr string }

// Render wraps text in the style. Text must not hold a style of its own.
func (s Style) Render(text string) string {
	if s.sgr == "" || text == "" {
		return text
	}
	return "\x1b[" + s.sgr + "m" + text + "\x1b[0m"
}

// And is both styles at once; where they disagree, the other wins.
func (s Style) And(other Style) Style {
	switch {
	case s.sgr == "":
		return other
	case other.sgr == "":
		return s
	}
	return Style{s.sgr + ";" + other.sgr}
}

// Theme is every style that the screen uses.
type Theme struct {
	Title, TitleFocus   Style // of a pane, without and with the focus
	Border, BorderFocus Style
	Dim                 Style // what is not on the thread, and remarks
	Strong              Style
	Accent              Style // the thread
	Good, Warn, Bad     Style
	Info                Style
	Key                 Style // a key in the footer
	Off                 Style // what cannot be done now
	Selected            Style // the cursor's row in the pane with the focus
	Weak                Style // the cursor's row elsewhere
	Add, Del, Hunk      Style // diffs
	Name                Style // a YAML key, an nginx directive
	Comment             Style
	Bar, BadBar         Style // a line that asks for attention
	Glyph               Glyphs

	// Plain replaces what prose on screen has beyond ASCII, a cell for a cell;
	// nil where the terminal's font has it all.
	Plain *strings.Replacer
}

// Options choose a theme.
type Options struct {
	ASCII   bool             // borders and glyphs from ASCII alone
	Profile *termenv.Profile // nil asks the environment (NO_COLOR, TERM, CLICOLOR)
}

// New makes a theme. Without colours, bold and reverse video remain; with the
// Ascii profile in a dumb terminal nothing does.
func New(o Options) *Theme {
	t := &Theme{Glyph: unicode}
	if o.ASCII {
		t.Glyph = ascii
		t.Plain = strings.NewReplacer("→", ">", "…", "~", "·", ".", "“", `"`, "”", `"`, "–", "-", "─", "-", "▸", ">", "◂", "<", "×", "x", "µ", "u")
	}
	colour, attributes := Capabilities(o.Profile)
	if attributes {
		t.attributes()
	}
	if colour {
		t.colours()
	}
	return t
}

// Capabilities says whether to use colours, and whether bold and reverse
// video. A nil profile asks the environment.
func Capabilities(p *termenv.Profile) (colour, attributes bool) {
	if p != nil {
		return *p != termenv.Ascii, *p != termenv.Ascii
	}
	if os.Getenv("TERM") == "dumb" {
		return false, false
	}
	return !termenv.EnvNoColor(), true
}

func (t *Theme) attributes() {
	bold, faint, reverse, underline := Style{"1"}, Style{"2"}, Style{"7"}, Style{"4"}
	t.Title, t.TitleFocus = Style{}, Style{"1;7"}
	t.BorderFocus, t.Dim, t.Strong, t.Accent = bold, faint, bold, bold
	t.Bad, t.Warn = bold, bold
	t.Key, t.Off, t.Selected, t.Weak = bold, faint, reverse, underline
	t.Hunk, t.Comment, t.Bar, t.BadBar = bold, faint, reverse, Style{"1;7"}
}

func (t *Theme) colours() {
	red, green, yellow, blue, cyan := Style{"31"}, Style{"32"}, Style{"33"}, Style{"34"}, Style{"36"}
	grey := Style{"90"}
	t.Border, t.BorderFocus = grey, cyan
	t.TitleFocus = Style{"1;7;36"}
	t.Accent = Style{"1;36"}
	t.Good, t.Warn, t.Bad, t.Info = green, yellow, Style{"1;31"}, cyan
	t.Key = Style{"1;36"}
	t.Weak = Style{"1;36"}
	t.Add, t.Del, t.Hunk = green, red, cyan
	t.Name, t.Comment = blue, grey
	t.Bar, t.BadBar = Style{"7;33"}, Style{"1;7;31"}
}
