package text

import (
	"testing"
)

func TestMove(t *testing.T) {
	for _, c := range []struct{ name, in, path, out string }{
		{"block, comments go along", "l:\n# first\n- name: a\n  x: 1\n# second\n- name: b\n# third\n- name: c # here\nm: 1\n", "l",
			"l:\n# second\n- name: b\n# third\n- name: c # here\n# first\n- name: a\n  x: 1\nm: 1\n"},
		{"no line break at the end", "l:\n  - a\n  - b", "l", "l:\n  - b\n  - a"},
		{"brackets", "l: [{name: a}, {name: b}] # both\n", "l", "l: [{name: b}, {name: a}] # both\n"},
		{"JSON", `{"l": [{"name": "a"}, "b", 3]}`, "l", `{"l": ["b", 3, {"name": "a"}]}`},
		{"CRLF", "l:\r\n- a\r\n- b\r\nm: 1\r\n", "l", "l:\r\n- b\r\n- a\r\nm: 1\r\n"},
		{"a list in a list", "- - a\n  - b: 1\n    c: 2\n", "[0]", "- - b: 1\n    c: 2\n  - a\n"},
		{"block scalar", "l:\n- |\n  a\n  b\n- c\n", "l", "l:\n- c\n- |\n  a\n  b\n"},
	} {
		items, _, wrong := Items(c.in, c.path)
		if wrong != nil {
			t.Fatalf("%s: %v", c.name, wrong)
		}
		got, err := Move(c.in, c.path, 0, len(items)-1)
		if err != nil || got != c.out {
			t.Errorf("%s: %v\n got %q\nwant %q", c.name, err, got, c.out)
		}
		back, err := Move(got, c.path, len(items)-1, 0)
		if err != nil || back != c.in {
			t.Errorf("%s, moved back: %v\n got %q\nwant %q", c.name, err, back, c.in)
		}
	}
}

func TestMoveRefuses(t *testing.T) {
	for _, c := range []struct {
		path     string
		from, to int
	}{{"l", 0, 2}, {"l", -1, 0}, {"m", 0, 0}, {"nosuch", 0, 1}, {"l[", 0, 1}} {
		if got, err := Move("l: [a, b]\nm: 1\n", c.path, c.from, c.to); err == nil || got != "l: [a, b]\nm: 1\n" {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	if got, err := Move("l: [&x a, *x]\n", "l", 0, 1); err == nil || got != "l: [&x a, *x]\n" {
		t.Errorf("an anchor went behind its alias: %q, %v", got, err)
	}
}
