package files

import (
	"encoding/json"
	"math/rand/v2"
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
	case int64:
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

// Whatever a JSON text says, its YAML says, and knows a line for each of its own.
func TestBlockSaysWhatAnyJSONSaid(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for n := range 3000 {
		indent := strings.Repeat(" ", n%3)
		in, err := json.MarshalIndent(randomJSON(rnd, 4), "", indent)
		if err != nil {
			t.Fatal(err)
		}
		blockHolds(t, string(in))
	}
}

func randomJSON(rnd *rand.Rand, depth int) any {
	words := []string{"a", "name", "true", "null", "no", "1.5", "1.5s", "10.0.0.1", "~", "- x", "a: b", "a:", "# no", "", " lead", "tail ", "x\ny", "x\n\ny\n",
		"\n", "a\n b\n", "t\tb", "é☃😀", "\"q\"", "'", "*", "&a", "@type", "{", "[", "0x10", "=", "\u2028", "\u0007", "\u0085", "1:30", "2026-01-01", "outbound|80||x",
		"a b c", "/x?y", "%", "!t", ">", "|", "\ufeff", "\\", "-", "---", "...", ".5", "y", "_1", "a  b", "a #b"}
	word := func() string { return words[rnd.IntN(len(words))] }
	switch kind := rnd.IntN(8); {
	case depth > 0 && kind < 3:
		out := map[string]any{}
		for range rnd.IntN(4) {
			out[word()] = randomJSON(rnd, depth-1)
		}
		return out
	case depth > 0 && kind < 5:
		out := []any{}
		for range rnd.IntN(4) {
			out = append(out, randomJSON(rnd, depth-1))
		}
		return out
	case kind == 5:
		return []any{true, false, nil, 0, -1, 1.25, 1e21, 1 << 40}[rnd.IntN(8)]
	}
	return word()
}

func blockHolds(t *testing.T, in string) {
	t.Helper()
	doc, _, err := newJSON(in)
	if err != nil {
		t.Fatal(err)
	}
	src := blockSource("f", doc.root(), nil, nil)
	sameAsJSON(t, in, src.Text)
	lines := 1 + strings.Count(in, "\n")
	for i, at := range src.LinesAt(strings.Count(src.Text, "\n")) {
		if at.Line < 1 || at.Line > lines {
			t.Fatalf("line %d is said to stand on line %d of %d", i+1, at.Line, lines)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(awkwardJSON)
	f.Add(`[[[]]]`)
	f.Add(`"a\nb"`)
	f.Fuzz(func(t *testing.T, in string) {
		var whole any
		if json.Unmarshal([]byte(in), &whole) != nil || strings.Contains(in, "<<") {
			return // no JSON; or a name that means something else to YAML
		}
		again, err := json.MarshalIndent(whole, "", " ") // names that are there twice YAML refuses
		if err != nil {
			t.Fatal(err)
		}
		blockHolds(t, string(again))
	})
}
