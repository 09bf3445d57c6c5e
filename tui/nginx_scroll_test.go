package tui

import (
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/tui/tuitest"
)

// A line that is longer than the pane is read by scrolling it, and stands whole at
// the foot.
func TestLongNginxLinesAreScrolled(t *testing.T) {
	const long = "server 127.0.0.1:9001 max_fails=3 fail_timeout=10s weight=100 max_conns=1024 slow_start=30s the_end;"
	d := steady(tuitest.Calm())
	project := d.Project
	d.Project = func(m *mesh.Mesh) *nginx.Config {
		c := project(m)
		lines := slices.Clone(c.Lines)
		lines[2].Text = "    " + long
		return &nginx.Config{Lines: lines}
	}
	a := stage(t, d, 150, 40)
	press(a, "5", "g", "j", "j")
	shows(t, a, "server 127.0.0.1:9001 max_f", long, "> right")
	pane := func() string {
		l := a.lay.Panels[PanelNginx]
		return string([]rune(strings.Split(a.View(), "\n")[l.Y+3])[l.X:])
	}
	if strings.Contains(pane(), "the_end") {
		t.Fatalf("the line is not cut: %q", pane())
	}
	for range 9 {
		press(a, ">")
	}
	if got := pane(); !strings.Contains(got, "…") || !strings.Contains(got, "the_end;") {
		t.Errorf("at its end: %q", got)
	}
	shows(t, a, "this is where the longest line ends")
	press(a, "<")
	shows(t, a, "from column")
	for range 9 {
		press(a, "<")
	}
	if got := pane(); !strings.Contains(got, "server 127.0.0.1:9001 max_f") {
		t.Errorf("back: %q", got)
	}
	press(a, "G")
	shows(t, a, "this is where the lines begin")
}
