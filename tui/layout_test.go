package tui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

// sketch draws a layout as the boxes that it is.
func sketch(w, h int, l Layout) string {
	ascii := termenv.Ascii
	names := [panels]string{"LDS", "RDS", "CDS", "EDS", "nginx", "wire"}
	var boxes []widget.Box
	for p, r := range l.Panels {
		boxes = append(boxes, widget.Box{Rect: r, Title: names[p]})
	}
	boxes = append(boxes, widget.Box{Rect: l.Detail, Title: "detail"})
	lines := widget.Frame(w, h, theme.New(theme.Options{Profile: &ascii}), boxes)
	lines[l.Status.Y] = strings.Repeat("s", l.Status.W)
	for i := range l.Bars.H {
		lines[l.Bars.Y+i] = strings.Repeat("b", l.Bars.W)
	}
	lines[l.Footer.Y] = strings.Repeat("f", l.Footer.W)
	return "\n" + strings.Join(lines, "\n") + "\n"
}

func TestLayoutDrawings(t *testing.T) {
	tests := []struct {
		name  string
		w, h  int
		state LayoutState
		want  string
	}{
		{"80 columns are two by two", 80, 24, LayoutState{}, `
ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss
┌ LDS ──────────────────────────────────┬ RDS ─────────────────────────────────┐
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
├ CDS ──────────────────────────────────┼ EDS ─────────────────────────────────┤
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
├ detail ───────────────────────────────┴──────────────────────────────────────┤
│                                                                              │
│                                                                              │
│                                                                              │
├ wire ────────────────────────────────────────────────────────────────────────┤
│                                                                              │
│                                                                              │
└──────────────────────────────────────────────────────────────────────────────┘
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
`},
		{"nginx stands beside the pane at 80 columns", 80, 24, LayoutState{Nginx: true, Pane: PanelRDS, Focus: PanelRDS, Bars: 1}, `
ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss
┌ RDS ──────────────────────────────────┬ nginx ───────────────────────────────┐
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
│                                       │                                      │
├ detail ───────────────────────────────┴──────────────────────────────────────┤
│                                                                              │
│                                                                              │
├ wire ────────────────────────────────────────────────────────────────────────┤
│                                                                              │
│                                                                              │
└──────────────────────────────────────────────────────────────────────────────┘
bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
`},
		{"60 columns stack, most room for the focus", 60, 20, LayoutState{Focus: PanelEDS, Pane: PanelEDS}, `
ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss
┌ LDS ─────────────────────────────────────────────────────┐
│                                                          │
│                                                          │
├ RDS ─────────────────────────────────────────────────────┤
│                                                          │
│                                                          │
├ CDS ─────────────────────────────────────────────────────┤
│                                                          │
│                                                          │
├ EDS ─────────────────────────────────────────────────────┤
│                                                          │
│                                                          │
│                                                          │
│                                                          │
├ detail ──────────────────────────────────────────────────┤
│                                                          │
│                                                          │
└──────────────────────────────────────────────────────────┘
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, sketch(tt.w, tt.h, Compute(tt.w, tt.h, tt.state))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestLayoutHoldsTogether: at every size nothing sticks out, nothing that is
// shown is without room, and the panel with the focus is shown.
func TestLayoutHoldsTogether(t *testing.T) {
	for w := minWidth; w <= 400; w += 7 {
		for h := minHeight; h <= 120; h += 3 {
			for bits := range 4 {
				for focus := range panels {
					s := LayoutState{Focus: focus, Pane: min(focus, PanelEDS), Nginx: bits&1 != 0 || focus == PanelNginx, Zoom: bits&2 != 0, Bars: h % 5}
					l := Compute(w, h, s)
					if l.Panels[focus].Empty() {
						t.Fatalf("%d×%d %+v: the panel with the focus is not shown", w, h, s)
					}
					for _, r := range append(l.Panels[:], l.Detail, l.Status, l.Footer) {
						if r.Empty() {
							continue
						}
						if r.X < 0 || r.Y < 0 || r.X+r.W > w || r.Y+r.H > h || r.H > 1 && r.Inner().Empty() {
							t.Fatalf("%d×%d %+v: %+v sticks out or is empty", w, h, s, r)
						}
					}
				}
			}
		}
	}
}
