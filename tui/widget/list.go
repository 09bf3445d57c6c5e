package widget

// List is a cursor and a window in a list that may be very long. It knows only
// numbers; whoever draws asks for the rows from Top on.
type List struct {
	Cursor, Top int
	Len, Height int
}

// margin is how many rows stay visible beyond the cursor where there are any.
const margin = 2

// Resize sets how many rows there are and how many are seen, and keeps the
// cursor within.
func (l *List) Resize(length, height int) {
	l.Len, l.Height = length, max(0, height)
	l.Select(l.Cursor)
}

// Select puts the cursor on row i, or the nearest that exists.
func (l *List) Select(i int) {
	l.Cursor = max(0, min(i, l.Len-1))
	keep := min(margin, max(0, (l.Height-1)/2))
	if l.Cursor < l.Top+keep {
		l.Top = l.Cursor - keep
	}
	if l.Cursor > l.Top+l.Height-1-keep {
		l.Top = l.Cursor - l.Height + 1 + keep
	}
	l.Top = max(0, min(l.Top, l.Len-l.Height))
}

// Move moves the cursor by n rows.
func (l *List) Move(n int) { l.Select(l.Cursor + n) }

// Scroll moves the window by n rows, for a list without a cursor.
func (l *List) Scroll(n int) {
	l.Top = max(0, min(l.Top+n, l.Len-l.Height))
	l.Cursor = max(0, min(l.Top+min(margin, max(0, (l.Height-1)/2)), l.Len-1)) // where Select leaves the window as it is
}

// End is one past the last row that is seen.
func (l *List) End() int { return min(l.Len, l.Top+l.Height) }

// Key moves the cursor as the key says and reports whether it was such a key.
func (l *List) Key(key string) bool { return l.navigate(key, l.Move) }

// ScrollKey scrolls the window as the key says and reports whether it was such
// a key.
func (l *List) ScrollKey(key string) bool { return l.navigate(key, l.Scroll) }

func (l *List) navigate(key string, move func(int)) bool {
	switch key {
	case "j", "down":
		move(1)
	case "k", "up":
		move(-1)
	case "g", "home":
		move(-l.Len)
	case "G", "end":
		move(l.Len)
	case "ctrl+d":
		move(max(1, l.Height/2))
	case "ctrl+u":
		move(-max(1, l.Height/2))
	case "pgdown":
		move(max(1, l.Height-1))
	case "pgup":
		move(-max(1, l.Height-1))
	default:
		return false
	}
	return true
}
