package tui

import "example.com/meshtui/tui/widget"

// Panel is what can have the focus on the main screen.
type Panel int

// The panels; the first four are the panes of package outline.
const (
	PanelLDS Panel = iota
	PanelRDS
	PanelCDS
	PanelEDS
	PanelNginx
	PanelWire
	panels
)

// The smallest screen that everything fits on, and where layouts change.
const (
	minWidth, minHeight = 60, 20
	mediumWidth         = 80  // two by two; below, one above the other
	wideWidth           = 120 // nginx beside them, over the whole height
	rowWidth            = 100 // what four panes in a row need; narrower, they stay two by two
)

// LayoutState is what a layout depends on besides the size.
type LayoutState struct {
	Focus Panel
	Pane  Panel // the pane that last had the focus, for layouts that show only one
	Nginx bool  // the nginx panel is shown
	Zoom  bool  // the panel with the focus takes all room
	Bars  int   // lines that ask for attention
}

// Layout is where everything goes. A rectangle that is Empty is not shown.
type Layout struct {
	TooSmall bool
	Status   widget.Rect
	Panels   [panels]widget.Rect
	Detail   widget.Rect
	Bars     widget.Rect
	Footer   widget.Rect
}

// Compute lays the main screen out.
func Compute(w, h int, s LayoutState) Layout {
	if w < minWidth || h < minHeight {
		return Layout{TooSmall: true}
	}
	bars := min(s.Bars, 3)
	l := Layout{
		Status: widget.Rect{X: 0, Y: 0, W: w, H: 1},
		Bars:   widget.Rect{X: 0, Y: h - 1 - bars, W: w, H: bars},
		Footer: widget.Rect{X: 0, Y: h - 1, W: w, H: 1},
	}
	body := widget.Rect{X: 0, Y: 1, W: w, H: h - 2 - bars}
	switch {
	case s.Zoom:
		l.Panels[s.Focus] = body
	case w >= wideWidth:
		l.wide(body, s)
	case w >= mediumWidth:
		l.medium(body, s)
	default:
		l.narrow(body, s)
	}
	return l
}

// wide is the four panes in a row, or two by two, detail and wire below them,
// nginx on the right over the whole height.
func (l *Layout) wide(body widget.Rect, s LayoutState) {
	left := body
	if s.Nginx {
		n := min(max(38, body.W*26/100), 72)
		left.W = body.W - n + 1
		l.Panels[PanelNginx] = widget.Rect{X: left.W - 1, Y: body.Y, W: n, H: body.H}
	}
	top := l.below(left, s.Focus == PanelNginx)
	if top.W < rowWidth {
		l.grid(top)
		return
	}
	weights := [4]int{23, 30, 23, 38}
	sum, x := 0, 0
	for _, n := range weights {
		sum += n
	}
	for i, n := range weights {
		end := x + (top.W-1)*n/sum
		if i == len(weights)-1 {
			end = top.W - 1
		}
		l.Panels[i] = widget.Rect{X: x, Y: top.Y, W: end - x + 1, H: top.H}
		x = end
	}
}

// below puts detail and wire at the foot of r and returns what is left. Where
// there is much to explain, what the wire can spare goes to the detail.
func (l *Layout) below(r widget.Rect, explain bool) widget.Rect {
	detail, wire := 4, 4
	switch {
	case r.H >= 34:
		detail, wire = 8, 10
	case r.H >= 26:
		detail, wire = 6, 7
	case r.H >= 22:
		detail, wire = 5, 4
	}
	y := r.Y + r.H
	switch {
	case explain && r.H < 26:
		detail += wire - 1
		wire = 0
	case explain:
		more := min(wire-4, 3)
		detail, wire = detail+more, wire-more
	}
	if wire > 0 {
		y -= wire
		l.Panels[PanelWire] = widget.Rect{X: r.X, Y: y, W: r.W, H: wire}
		y++ // they share a border
	}
	y -= detail
	l.Detail = widget.Rect{X: r.X, Y: y, W: r.W, H: detail}
	r.H = y - r.Y + 1
	return r
}

// medium is two panes by two; with nginx, the pane with the focus and nginx
// side by side.
func (l *Layout) medium(body widget.Rect, s LayoutState) {
	top := l.below(body, s.Focus == PanelNginx)
	half := top.W/2 + 1
	right := widget.Rect{X: half - 1, Y: top.Y, W: top.W - half + 1, H: top.H}
	if s.Nginx {
		l.Panels[s.Pane] = widget.Rect{X: 0, Y: top.Y, W: half, H: top.H}
		l.Panels[PanelNginx] = right
		return
	}
	l.grid(top)
}

// grid is the four panes two by two.
func (l *Layout) grid(top widget.Rect) {
	half, upper := top.W/2+1, (top.H+1)/2
	x, w := top.X+half-1, top.W-half+1
	l.Panels[PanelLDS] = widget.Rect{X: top.X, Y: top.Y, W: half, H: upper}
	l.Panels[PanelRDS] = widget.Rect{X: x, Y: top.Y, W: w, H: upper}
	l.Panels[PanelCDS] = widget.Rect{X: top.X, Y: top.Y + upper - 1, W: half, H: top.H - upper + 1}
	l.Panels[PanelEDS] = widget.Rect{X: x, Y: top.Y + upper - 1, W: w, H: top.H - upper + 1}
}

// narrow is one above the other, most room for the one with the focus.
func (l *Layout) narrow(body widget.Rect, s LayoutState) {
	detail := 4
	if body.H >= 22 {
		detail = 5
	}
	if s.Focus == PanelNginx {
		detail += 2
	}
	y := body.Y + body.H - detail
	l.Detail = widget.Rect{X: 0, Y: y, W: body.W, H: detail}
	room := body.H - detail + 1
	if s.Focus == PanelWire {
		l.Panels[PanelWire] = widget.Rect{X: 0, Y: body.Y, W: body.W, H: room}
		return
	}
	if s.Nginx {
		upper := (room + 1) / 2
		if s.Focus == PanelNginx {
			upper = (room + 1) / 3
		}
		l.Panels[s.Pane] = widget.Rect{X: 0, Y: body.Y, W: body.W, H: upper}
		l.Panels[PanelNginx] = widget.Rect{X: 0, Y: body.Y + upper - 1, W: body.W, H: room - upper + 1}
		return
	}
	// Four panes share five borders; those without the focus get a fifth of
	// the rows each.
	rows := room - 5
	small := max(1, rows/5)
	y = body.Y
	for p := PanelLDS; p <= PanelEDS; p++ {
		n := small
		if p == s.Pane {
			n = rows - 3*small
		}
		l.Panels[p] = widget.Rect{X: 0, Y: y, W: body.W, H: n + 2}
		y += n + 1
	}
}
