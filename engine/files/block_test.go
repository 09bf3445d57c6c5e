package files

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const awkwardJSON = `{
  "@type": "type.googleapis.com/x",
  "name": "outbound|80||app.default.svc",
  "n": 1.50, "big": 18446744073709551615, "e": 1e5, "neg": -3,
  "yes": "yes", "numbers": ["1", "0x1f", "1:30", "1.5", "1.5s", "127.0.0.1", "::1", "-", "- a", "a: b", "a:b", "a #b", "~", "=", "", " a", "a "],
  "empty": {}, "none": [], "null": null, "bools": [true, false],
  "nested": [[1, [2, []]], {}, {"a": {"b": [{"c": 1}, {"d": [3]}]}}, [{"x": 1, "y": 2}]],
  "lua": "function f()\n  return 1\nend\n", "cut": "a\nb", "ends": "a\n\n", "lead": "\n a",
  "odd": "\u0000\u007f\u0085\u2028\ud83d\ude00\ufeff é \"q\" \\ \/ \t", "% key": {"? k": "@at", "- k": "*x", "a\nb": 1}
}`

// A JSON text as YAML says what it said, and each of its lines knows the line of
// the JSON.
func TestBlockSaysWhatTheJSONSaid(t *testing.T) {
	doc, _, err := newJSON(awkwardJSON)
	if err != nil {
		t.Fatal(err)
	}
	src := blockSource("a.json", doc.root(), nil, nil)
	sameAsJSON(t, awkwardJSON, src.Text)
	jsonLines, n := strings.Split(awkwardJSON, "\n"), 0
	for i, line := range strings.Split(src.Text, "\n") {
		name, _, ok := strings.Cut(strings.TrimLeft(line, " -"), ":")
		if !ok || !plain(name) || strings.Contains(line, "|") || len(name) < 2 || strings.Contains(line, "- -") {
			continue
		}
		at := src.LineAt(i + 1)
		was := jsonLines[at.Line-1]
		column := len(line) - len(strings.TrimLeft(line, " -")) + at.Indent
		if !at.Exact || !strings.HasPrefix(was[min(column, len(was)):], `"`+name+`"`) {
			t.Errorf("line %d %q is said to stand at %d:%d, %q", i+1, line, at.Line, column, was)
		}
		n++
	}
	if n < 10 {
		t.Errorf("only %d lines were looked at:\n%s", n, src.Text)
	}
}

func sameAsJSON(t *testing.T, in, out string) {
	t.Helper()
	var want, got any
	if err := json.Unmarshal([]byte(in), &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if diff := cmp.Diff(norm(want), norm(got)); diff != "" {
		t.Errorf("(-JSON +YAML):\n%s\n%s", diff, out)
	}
}

// norm lets numbers be floats.
func norm(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case uint64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = norm(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = norm(v[k])
		}
	}
	return v
}

func TestBlockIsReadable(t *testing.T) {
	in := "{\"name\":\"app\",\n\"edsClusterConfig\":{\"edsConfig\":{\"ads\":{}}},\n\"lists\":[\n{\"a\":\"b\",\n\"c\":[1,2]}], \"lua\": \"x\\ny\\n\"}"
	doc, _, err := newJSON(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `name: app
edsClusterConfig:
  edsConfig:
    ads: {}
lists:
- a: b
  c:
  - 1
  - 2
lua: |
  x
  y
`
	src := blockSource("f.json", doc.root(), nil, nil)
	if diff := cmp.Diff(want, src.Text); diff != "" {
		t.Error(diff)
	}
	var lines []int
	for _, p := range src.LinesAt(12) {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 2, 2, 3, 4, 5, 5, 5, 5, 5, 5}, lines); diff != "" {
		t.Error(diff)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(awkwardJSON)
	f.Add(`[[[]]]`)
	f.Add(`"a\nb"`)
	f.Fuzz(func(t *testing.T, in string) {
		doc, _, err := newJSON(in)
		if err != nil {
			return
		}
		src := blockSource("f", doc.root(), nil, nil)
		var want, got any
		if json.Unmarshal([]byte(in), &want) != nil {
			return
		}
		if err := yaml.Unmarshal([]byte(src.Text), &got); err != nil {
			if strings.Contains(err.Error(), "already defined") {
				return // YAML refuses a name that is there twice
			}
			t.Fatalf("%v\n%q\n%s", err, in, src.Text)
		}
		if m, ok := want.(map[string]any); ok && m["<<"] != nil || strings.Contains(in, "<<") {
			return
		}
		if n := strings.Count(src.Text, "\n"); len(src.LinesAt(n)) != n {
			t.Fatal("lines without a place")
		}
	})
}
