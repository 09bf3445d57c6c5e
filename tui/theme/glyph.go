package theme

// Glyphs are the characters that stand for something. None of them is an emoji
// and none needs a patched font; each is one cell wide.
type Glyphs struct {
	Thread, Cursor, Arrow, Back, Ellipsis, Dot, Bullet string

	Active, Acked, Sent, Warming, Differs, NotActive, Rejected, NotSent, Offline string // of a resource
	Healthy, Degraded, Unchecked, Draining, Ejected, Ill, Unknown                string // of an endpoint
	Error, Warning, Note                                                         string // of a finding
	Added, Edited, Removed                                                       string // in the draft
	Exact, About, Lacking, Friend                                                string // of an nginx line: the same, nearly, no counterpart, false friend

	Full, Mixed, Hollow, Down string    // of a bar; the moment above a row of bars
	Bars                      [9]string // a bar of nothing, and then eight heights

	// Border has a character for each set of directions in which a line leaves
	// its cell: bit 0 up, 1 right, 2 down, 3 left.
	Border [16]string
}

var unicode = Glyphs{
	Thread: "┃", Cursor: "▸", Arrow: "→", Back: "←", Ellipsis: "…", Dot: "·", Bullet: "•",
	Active: "●", Acked: "✓", Sent: "→", Warming: "◐", Differs: "≠", NotActive: "▲", Rejected: "✗", NotSent: "○", Offline: "◌",
	Healthy: "●", Degraded: "◑", Unchecked: "○", Draining: "◐", Ejected: "⊘", Ill: "✗", Unknown: "?",
	Error: "✗", Warning: "▲", Note: "•",
	Added: "+", Edited: "~", Removed: "-",
	Exact: "=", About: "≈", Lacking: "∅", Friend: "≠",
	Full: "█", Mixed: "▒", Hollow: "░", Down: "▼", Bars: [9]string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	Border: [16]string{" ", "│", "─", "└", "│", "│", "┌", "├", "─", "┘", "─", "┴", "┐", "┤", "┬", "┼"},
}

var ascii = Glyphs{
	Thread: "|", Cursor: ">", Arrow: ">", Back: "<", Ellipsis: "~", Dot: ".", Bullet: "*",
	Active: "*", Acked: "v", Sent: ">", Warming: "%", Differs: "#", NotActive: "!", Rejected: "x", NotSent: "o", Offline: "-",
	Healthy: "*", Degraded: "%", Unchecked: "o", Draining: "%", Ejected: "0", Ill: "x", Unknown: "?",
	Error: "x", Warning: "!", Note: "*",
	Added: "+", Edited: "~", Removed: "-",
	Exact: "=", About: "~", Lacking: "0", Friend: "!",
	Full: "#", Mixed: "+", Hollow: "-", Down: "v", Bars: [9]string{" ", ".", ".", ":", ":", "=", "=", "#", "#"},
	Border: [16]string{" ", "|", "-", "+", "|", "|", "+", "+", "-", "+", "-", "+", "+", "+", "+", "+"},
}
