package text

import (
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"go.yaml.in/yaml/v3"
)

// keys visits every plain key that is written in a text.
func keys(n *yaml.Node, visit func(key *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode && !isMerge(c) {
			visit(c)
		}
		keys(c, visit)
	}
}

// Whatever is cut out of a text, and cut out of that again, each of its keys
// stands in the file where its source says.
func TestKeysStandWhereTheirSourceSays(t *testing.T) {
	done := 0
	for _, text := range append(samples(t), awkwardLists...) {
		file, err := newDocument(text)
		if err != nil {
			continue
		}
		holds := func(src mesh.Source) {
			d, err := newDocument(src.Text)
			if err != nil || d.root == nil {
				return // a part that is no YAML by itself
			}
			keys(d.root, func(key *yaml.Node) {
				line, column := src.Place(key.Line, key.Column)
				if line < 1 || line > len(file.lines) {
					t.Fatalf("%q is said to be on line %d of %d", key.Value, line, len(file.lines))
				}
				if column == 0 {
					return
				}
				if at := file.at(line, column); !strings.Contains(file.text[at:file.lineEnd(at)], strings.SplitN(key.Value, "\n", 2)[0]) {
					t.Errorf("%q is not at %d:%d of\n%s\nas %+v says", key.Value, line, column, text, src)
				}
				done++
			})
		}
		for line := range strings.Count(text, "\n") + 1 {
			steps, err := parsePath(PathAt(text, line+1))
			if err != nil {
				t.Fatal(err)
			}
			src := Whole("f.yaml", text)
			holds(src)
			for i := range steps {
				c, ok := Sub(src.Text, formatPath(steps[i:i+1]))
				if !ok {
					break
				}
				src = c.Source(src)
				holds(src)
				holds(Edited(src, "added: 1\n"+src.Text))
				holds(Edited(src, strings.TrimRight(src.Text, "\n")+"\nadded: 1\n"))
			}
		}
	}
	if done < 2000 {
		t.Errorf("only %d keys were looked for", done)
	}
}

func TestEdited(t *testing.T) {
	src := mesh.NewSource("f", "a\nb\nc\nd\n", []mesh.LinePlace{{Line: 11, Indent: 2, Exact: true}})
	for text, want := range map[string]string{
		src.Text:             "",
		"a\nx\ny\nd\n":       "2:12,4:14:2",
		"a\nb\nd\n":          "3:14:2",
		"x\na\nb\nc\nd\n":    "2:11:2",
		"a\nb\nc\nd\nx\n":    "5:14,6:15:2",
		"a\nb\nc\nd":         "",
		"x":                  "",
		"a\nb\nc\nd\n\n\n\n": "6:15",
	} {
		if got := string(Edited(src, text).Lines); got != want {
			t.Errorf("%q has lines %q, want %q", text, got, want)
		}
		if got := Edited(src, text).Line; got != 11 {
			t.Errorf("%q begins on line %d", text, got)
		}
	}
}

// A text that was written anew in another order points to where its fields stood.
func TestRewritten(t *testing.T) {
	src := mesh.NewSource("f", "b: {c: 1}\naField:\n- x: 1\n  y: 2\n", []mesh.LinePlace{{Line: 11, Indent: 2, Exact: true}})
	now := Rewritten(src, "a_field:\n- y: 2\n  x: 1\nb:\n  c: 1\nnew: 1\n")
	for line, want := range []int{12, 14, 13, 11, 11, 11} {
		if got, column := now.Place(line+1, 1); got != want || column != 0 {
			t.Errorf("line %d is at %d:%d, want line %d", line+1, got, column, want)
		}
	}
}
