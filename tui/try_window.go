package tui

import "fmt"

// tryWindow is what is seen of a head of lines and the rows below it, of which
// there may be very many. The rows have a cursor, the head has none.
type tryWindow struct {
	top    int  // the first line that is seen
	pick   int  // the row under the cursor
	height int  // how many lines are seen
	tall   int  // how many lines the row under the cursor takes
	moved  bool // the cursor was moved, and is to be in sight
}

// resize makes the window fit what there is to see.
func (w *tryWindow) resize(height, head, rows, tall int) {
	w.height, w.tall = height, max(1, tall)
	w.pick = max(0, min(w.pick, rows-1))
	if w.moved {
		w.moved = false
		const margin = 2 // what stands around it is of interest
		w.top = max(min(w.top, head+w.pick-margin), head+w.pick+w.tall+margin-height)
	}
	w.top = max(0, min(w.top, head+rows+w.tall-1-height))
}

// scroll moves the window over all lines, without the cursor.
func (w *tryWindow) scroll(key string, lines int) {
	step := map[string]int{"up": -1, "down": 1, "pgup": 1 - w.height, "pgdown": w.height - 1}[key]
	w.top = max(0, min(w.top+step, lines+w.tall-1-w.height))
}

// key moves the cursor among the rows and reports whether it was such a key.
// Above the first row, the head comes into sight.
func (w *tryWindow) key(key string, head, rows int) bool {
	half := max(1, w.height/2)
	step := map[string]int{"j": 1, "down": 1, "k": -1, "up": -1, "g": -rows, "home": -rows, "G": rows, "end": rows,
		"ctrl+d": half, "ctrl+u": -half, "pgdown": w.height - 1, "pgup": 1 - w.height}[key]
	if step == 0 {
		return false
	}
	if w.pick == 0 && step < 0 {
		w.top = max(0, w.top+max(step, -head))
		return true
	}
	w.pick, w.moved = max(0, min(w.pick+step, rows-1)), true
	return true
}

// note says which of all lines are seen, unless all are, and the way out.
func (w *tryWindow) note(lines int) string {
	lines += w.tall - 1
	if lines <= w.height {
		return "esc back"
	}
	return fmt.Sprintf("%d–%d of %d   esc back", w.top+1, min(w.top+w.height, lines), lines)
}

// line says what stands at the i-th line that is seen: a line of the head, or
// the n-th line of a row; row is -1 for the head.
func (w *tryWindow) line(i, head int) (row, n int) {
	at := w.top + i
	switch {
	case at < head:
		return -1, at
	case at < head+w.pick:
		return at - head, 0
	case at < head+w.pick+w.tall:
		return w.pick, at - head - w.pick
	}
	return at - head - w.tall + 1, 0
}
