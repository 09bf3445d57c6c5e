package widget

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Overlay lays box over base with its upper left corner at x, y and returns
// base, changed. Every line of base must be w cells wide, every one of box
// equally wide; what sticks out is cut off.
func Overlay(base, box []string, x, y, w int) []string {
	if x < 0 || x >= w {
		return base
	}
	for i, line := range box {
		row := y + i
		if row < 0 || row >= len(base) {
			continue
		}
		line = Truncate(line, w-x)
		n := Width(line)
		// A wide character astride an edge is cut as a whole; the cell that it
		// leaves is filled.
		head := Fit(ansi.Truncate(base[row], x, ""), x)
		tail := ansi.TruncateLeft(base[row], x+n, "")
		if Width(tail) > w-x-n {
			tail = ansi.TruncateLeft(base[row], x+n+1, "")
		}
		tail = Spaces(w-x-n-Width(tail)) + tail
		reset := ""
		if strings.IndexByte(base[row], 0x1b) >= 0 {
			reset = "\x1b[0m"
		}
		base[row] = head + reset + line + tail
	}
	return base
}
