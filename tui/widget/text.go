package widget

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Clean makes text from outside safe to draw on one line: control characters,
// escape sequences and direction overrides become visible dots, line ends and
// tabs become spaces. Text that is clean is returned as it is.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case hostile(r):
			b.WriteRune('·')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// clean says whether nothing in s needs replacing.
func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return cleanRunes(s[i:])
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func cleanRunes(s string) bool {
	for _, r := range s {
		if r < ' ' || hostile(r) {
			return false
		}
	}
	return true
}

// hostile runes would change the terminal's state or the order of what
// follows, or have no width that terminals agree on.
func hostile(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) ||
		unicode.Is(unicode.Co, r) || r == '\u2028' || r == '\u2029'
}

// Width is the number of cells that s takes; styles in it count nothing.
func Width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || s[i] == 0x1b {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// Truncate cuts s to w cells, the last of which is an ellipsis when something
// was cut off. Styles in it are kept.
func Truncate(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if Width(s) <= w {
		return s
	}
	return ansi.Truncate(s, w, "…")
}

// Skip cuts n cells off the beginning of s; where it cut something the first cell
// of the rest is an ellipsis. Of a wide character that straddles the cut nothing is
// left but its cell.
func Skip(s string, n int) string {
	switch w := Width(s); {
	case n <= 0:
		return s
	case w <= n:
		if strings.TrimSpace(s) == "" {
			return ""
		}
		return "…"
	case strings.TrimSpace(ansi.Truncate(s, n+1, "")) == "":
		return ansi.TruncateLeft(s, n, "")
	}
	rest := ansi.TruncateLeft(s, n+1, "")
	if Width(rest) > Width(s)-n-1 { // it keeps the whole of what straddles
		rest = ansi.TruncateLeft(s, n+2, "")
	}
	return "…" + Spaces(Width(s)-n-1-Width(rest)) + rest
}

// Fit makes s exactly w cells wide, by cutting or by padding on the right.
func Fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	s = Truncate(s, w)
	return s + Spaces(w-Width(s))
}

const blanks = "                                                                                                                                "

// Spaces is n blanks; none when n is negative.
func Spaces(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blanks) {
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// Wrap breaks text at blanks into lines of at most w cells, and a word longer
// than that at its last dot or comma that fits, as a field path or a list, or
// else where it must be. Line ends in it are kept; each line is cleaned.
func Wrap(text string, w int) []string {
	if w <= 0 {
		return nil
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = Clean(strings.ReplaceAll(line, "\t", "  "))
		if Width(line) <= w {
			out = append(out, line)
			continue
		}
		out = wrapLine(out, line, w)
	}
	return out
}

// wrapLine appends a line to out, broken to w cells.
func wrapLine(out []string, line string, w int) []string {
	word := strings.TrimLeft(line, " ")
	current := line[:len(line)-len(word)]
	for rest := word; rest != ""; {
		end := len(rest)
		if i := strings.IndexByte(rest, ' '); i >= 0 {
			end = i
		}
		word, rest = rest[:end], rest[end:]
		gap := len(rest) - len(strings.TrimLeft(rest, " "))
		if strings.TrimLeft(current, " ") != "" && Width(current)+Width(word) > w {
			out, current = append(out, strings.TrimRight(current, " ")), ""
		}
		current += word
		for Width(current) > w {
			head := breakWord(current, w)
			out, current = append(out, head), current[len(head):]
		}
		current += rest[:gap]
		rest = rest[gap:]
	}
	return append(out, strings.TrimRight(current, " "))
}

// breakWord is as much of s as fits into w cells and ends in a dot or a comma, or
// as much as fits; at least one character.
func breakWord(s string, w int) string {
	head := ansi.Truncate(s, w, "")
	if i := strings.LastIndexAny(head, ".,"); i > 0 {
		return head[:i+1]
	}
	if head == "" {
		_, n := utf8.DecodeRuneInString(s)
		return s[:n]
	}
	return head
}
