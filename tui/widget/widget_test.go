package widget_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"example.com/meshtui/tui/theme"
	"example.com/meshtui/tui/widget"
)

func plain() *theme.Theme {
	p := termenv.Ascii
	return theme.New(theme.Options{Profile: &p})
}

func TestClean(t *testing.T) {
	tests := map[string]string{
		"plain":               "plain",
		"上流 한국":               "上流 한국",
		"a\x1b[2Jb":           "a·[2Jb",
		"a\tb\nc\rd":          "a b c d",
		"bell\a":              "bell·",
		"\u202eevil":          "·evil",
		"zero\u200bwidth":     "zero·width",
		"c1\u009b31m":         "c1·31m",
		string([]byte{0xff}):  "·",
		"line\u2028separator": "line·separator",
	}
	for in, want := range tests {
		if got := widget.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzFit(f *testing.F) {
	f.Add("上流 한국 app", 5)
	f.Add("\x1b[31mred", 2)
	f.Add("👩‍👩‍👧 e\u0301", 3)
	f.Fuzz(func(t *testing.T, s string, w int) {
		w %= 200
		got := widget.Fit(widget.Clean(s), w)
		if n := ansi.StringWidth(got); n != max(0, w) {
			t.Errorf("Fit(%q, %d) is %d cells wide: %q", s, w, n, got)
		}
	})
}

func TestRow(t *testing.T) {
	span := func(s string) []widget.Span { return []widget.Span{{Text: s}} }
	tests := []struct {
		w           int
		left, right string
		want        string
	}{
		{10, "ab", "xy", "ab      xy"},
		{5, "abcdef", "xy", "a… xy"},
		{3, "abcdef", "wxyz", "wx…"},
		{4, "上流上流", "", "上… "},
		{5, "上流上", "", "上流…"},
		{0, "a", "b", ""},
	}
	for _, tt := range tests {
		if got := widget.Row(tt.w, nil, span(tt.left), span(tt.right)); got != tt.want {
			t.Errorf("Row(%d, %q, %q) = %q, want %q", tt.w, tt.left, tt.right, got, tt.want)
		}
	}
}

func TestFrameJoinsBorders(t *testing.T) {
	boxes := []widget.Box{
		{Rect: widget.Rect{X: 0, Y: 0, W: 8, H: 3}, Title: "a", Lines: []string{"abcdef"}},
		{Rect: widget.Rect{X: 7, Y: 0, W: 8, H: 3}, Title: "b"},
		{Rect: widget.Rect{X: 0, Y: 2, W: 15, H: 3}, Title: "long title here that is cut"},
	}
	want := strings.Join([]string{
		"┌ a ───┬ b ───┐",
		"│abcdef│      │",
		"├ long titl…──┤",
		"│             │",
		"└─────────────┘"}, "\n")
	if diff := cmp.Diff(want, strings.Join(widget.Frame(15, 5, plain(), boxes), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOverlayOverWideRunes(t *testing.T) {
	base := []string{"上流上流上流", "abcdefghijkl"}
	for x := range 12 {
		got := widget.Overlay(append([]string(nil), base...), []string{"[x]", "[y]"}, x, 0, 12)
		for _, l := range got {
			if n := ansi.StringWidth(l); n != 12 {
				t.Errorf("at %d: %d cells: %q", x, n, l)
			}
		}
	}
}

func TestListKeepsTheCursorInView(t *testing.T) {
	l := widget.List{}
	l.Resize(100, 10)
	for _, k := range []string{"j", "ctrl+d", "G", "k", "pgup", "g", "pgdown", "end", "home", "j", "j", "j", "j", "j", "j", "j", "j", "j"} {
		if !l.Key(k) {
			t.Fatalf("%q is no key of a list", k)
		}
		if l.Cursor < l.Top || l.Cursor >= l.End() || l.Top < 0 || l.End() > 100 {
			t.Fatalf("after %q: %+v", k, l)
		}
	}
	if l.Resize(3, 10); l.Cursor != 2 || l.Top != 0 {
		t.Errorf("after shrinking: %+v", l)
	}
	if l.Resize(0, 0); l.Cursor != 0 || l.Top != 0 {
		t.Errorf("empty: %+v", l)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text string
		w    int
		want []string
	}{
		{"one two three", 7, []string{"one two", "three"}},
		{"  in one   two", 9, []string{"  in one", "two"}},
		{"at route.weighted.clusters here", 16, []string{"at", "route.weighted.", "clusters here"}},
		{"app-v2 at 127.0.0.1:9001", 12, []string{"app-v2 at", "127.0.0.1:90", "01"}[:1:1]},
		{"abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"5xx,reset,refused", 11, []string{"5xx,reset,", "refused"}},
		{"長い名前", 5, []string{"長い", "名前"}},
		{"a\n\nb", 5, []string{"a", "", "b"}},
	} {
		got := widget.Wrap(tt.text, tt.w)
		if len(tt.want) == 1 {
			got = got[:1]
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q in %d: -want +got\n%s", tt.text, tt.w, diff)
		}
	}
}

func TestSkip(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"location /x {", 0, "location /x {"},
		{"location /x {", 9, "…x {"},
		{"    proxy_pass", 2, "  proxy_pass"},
		{"    proxy_pass", 4, "…roxy_pass"},
		{"    proxy_pass", 3, " proxy_pass"},
		{"abc", 3, "…"},
		{"   ", 5, ""},
		{"ab上流cd", 2, "… 流cd"},
		{"ab上流cd", 1, "…上流cd"},
	} {
		got := widget.Skip(tt.in, tt.n)
		if got != tt.want {
			t.Errorf("Skip(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
	if got := widget.Skip("ab上流cd", 2); widget.Width(got) > widget.Width("ab上流cd")-2 {
		t.Errorf("%q is too wide", got)
	}
}
