package mesh_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
)

func TestLinesOfASource(t *testing.T) {
	for _, tt := range []struct {
		about         string
		at            []mesh.LinePlace
		line, indent  int
		lines         mesh.Lines
		atLine, wants [2]int // line and column in the text, and in the file
	}{
		{"as it stands", []mesh.LinePlace{{7, 4, true}, {8, 4, true}}, 7, 4, "", [2]int{2, 1}, [2]int{8, 5}},
		{"beyond what is known", []mesh.LinePlace{{7, 4, true}}, 7, 4, "", [2]int{9, 1}, [2]int{15, 5}},
		{"at the margin", []mesh.LinePlace{{7, 0, true}}, 7, 0, "1:7:0", [2]int{3, 2}, [2]int{9, 2}},
		{"a gap", []mesh.LinePlace{{7, 4, true}, {9, 4, true}}, 7, 4, "2:9:4", [2]int{3, 1}, [2]int{10, 5}},
		{"added", []mesh.LinePlace{{7, 4, true}, {Line: 7}, {Line: 7}, {8, 4, true}}, 7, 4, "2:7,4:8:4", [2]int{3, 1}, [2]int{7, 0}},
		{"behind what was added", []mesh.LinePlace{{7, 4, true}, {Line: 7}, {Line: 7}, {8, 4, true}}, 7, 4, "2:7,4:8:4", [2]int{5, 1}, [2]int{9, 5}},
		{"added on top", []mesh.LinePlace{{Line: 7}, {7, 4, true}}, 7, 0, "2:7:4", [2]int{1, 1}, [2]int{7, 0}},
		{"nothing known", nil, 1, 0, "", [2]int{3, 1}, [2]int{3, 0}},
	} {
		src := mesh.NewSource("f.yaml", "text", tt.at)
		if diff := cmp.Diff(mesh.Source{File: "f.yaml", Line: tt.line, Indent: tt.indent, Lines: tt.lines, Text: "text"}, src); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, diff)
		}
		if line, column := src.Place(tt.atLine[0], tt.atLine[1]); [2]int{line, column} != tt.wants {
			t.Errorf("%s: %v is at %d:%d, want %v", tt.about, tt.atLine, line, column, tt.wants)
		}
	}
}

func TestLinesWithoutAFile(t *testing.T) {
	src := mesh.NewSource("", "text", []mesh.LinePlace{{7, 4, true}})
	if diff := cmp.Diff(mesh.Source{Text: "text"}, src); diff != "" {
		t.Error(diff)
	}
	if line, column := src.Place(3, 2); line != 3 || column != 2 {
		t.Errorf("3:2 became %d:%d", line, column)
	}
}

// Whatever places lines have, they come back, one by one and all at once.
func TestLinesRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		at := make([]mesh.LinePlace, 1+rng.IntN(8))
		for i := range at {
			at[i] = mesh.LinePlace{Line: 1 + rng.IntN(4), Indent: rng.IntN(4) - 1, Exact: true}
			if i > 0 && rng.IntN(2) == 0 {
				at[i] = mesh.LinePlace{Line: at[i-1].Line + 1, Indent: at[i-1].Indent, Exact: at[i-1].Exact}
			}
			if rng.IntN(3) == 0 {
				at[i] = mesh.LinePlace{Line: at[i].Line}
			} else if !at[i].Exact {
				at[i].Indent = 0
			}
		}
		src := mesh.NewSource("f", "", at)
		if diff := cmp.Diff(at, src.LinesAt(len(at))); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", src.Lines, diff)
		}
		half := len(at) / 2
		if diff := cmp.Diff(at[half:], src.LinesFrom(half+1, len(at)-half)); diff != "" {
			t.Fatalf("%q from line %d on (-want +got):\n%s", src.Lines, half+1, diff)
		}
		for i, want := range at {
			if got := src.LineAt(i + 1); got != want {
				t.Fatalf("%q: line %d is at %+v, want %+v", src.Lines, i+1, got, want)
			}
		}
	}
}

// A list that somebody wrote by hand into the state folder harms nothing.
func TestLinesThatAreNone(t *testing.T) {
	for _, lines := range []mesh.Lines{"x", ",", "1", ":", "2:x:1", "2:3:4:5", "99999999999999999999:1", "2,3:9:1"} {
		src := mesh.Source{File: "f", Line: 5, Indent: 2, Lines: lines}
		if got := src.LineAt(1); got != (mesh.LinePlace{Line: 5, Indent: 2, Exact: true}) {
			t.Errorf("%q: %+v", lines, got)
		}
		if got := src.LinesAt(3); len(got) != 3 {
			t.Errorf("%q: %d lines of 3", lines, len(got))
		}
	}
}
