package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/tui/widget"
)

// nginxGutter is the room before the text of a line in the nginx panel.
const nginxGutter = 2

// tightened is a line with half of its indent: the panel is narrow.
func tightened(line string) string {
	text := strings.TrimLeft(line, " ")
	return widget.Spaces((len(line)-len(text))/2) + text
}

// nginxRoom is how many cells of a line are seen.
func (a *App) nginxRoom() int {
	return max(1, a.lay.Panels[PanelNginx].Inner().W-nginxGutter)
}

// cutNginx reports whether the line under the cursor is not seen whole.
func (a *App) cutNginx() bool {
	i := a.currentNginx()
	if i < 0 {
		return false
	}
	n := widget.Width(tightened(a.data.nginx.lines[i].Text))
	return n > a.nginxRoom() || a.nginxShift > 0
}

// scrollNginx moves all lines of the panel by half of its width: step 1 shows what
// is further right, -1 what is further left.
func (a *App) scrollNginx(step int) tea.Cmd {
	longest := 0
	for i := range a.data.nginx.lines {
		longest = max(longest, widget.Width(tightened(a.data.nginx.lines[i].Text)))
	}
	before := a.nginxShift
	a.nginxShift = max(0, min(a.nginxShift+step*max(1, a.nginxRoom()/2), longest-a.nginxRoom()))
	switch {
	case a.nginxShift != before:
	case step < 0:
		a.say("this is where the lines begin")
	case longest <= a.nginxRoom():
		a.say("no line is longer than the pane")
	default:
		a.say("this is where the longest line ends")
	}
	return nil
}
