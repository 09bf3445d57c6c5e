package text

import (
	"fmt"
	"strings"
	"testing"
)

// wholeProof makes an edit as change does where no vicinity proves it.
func wholeProof(t *testing.T, text, path string, do edit, index int, value any) (string, error) {
	t.Helper()
	d, err := newDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	node, err := nodeOf(value)
	if err != nil {
		t.Fatal(err)
	}
	if do == deleteEdit {
		node = nil
	}
	want, err := expect(d, steps, do, index, node)
	if err != nil {
		return "", err
	}
	out, err := (&editor{document: d, layout: d.layoutOf()}).edit(steps, do, index, node)
	if err != nil {
		return "", err
	}
	return out, prove(out, want)
}

// near makes an edit that its vicinity proves; ok is false where it does not.
func near(t *testing.T, text, path string, do edit, index int, value any) (string, bool) {
	t.Helper()
	d, err := newDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	node, err := nodeOf(value)
	if err != nil {
		t.Fatal(err)
	}
	if do == deleteEdit {
		node = nil
	}
	return (&editor{document: d, layout: d.layoutOf()}).editNear(steps, do, index, node)
}

// agree holds that what a vicinity proves is proven by the whole text too, and
// reports whether one did.
func agree(t *testing.T, text, path string, do edit, index int, value any) bool {
	t.Helper()
	out, ok := near(t, text, path, do, index, value)
	if !ok {
		return false
	}
	if want, err := wholeProof(t, text, path, do, index, value); err != nil || out != want {
		t.Errorf("edit %d of %s (%v) is proven by its vicinity, but as a whole it is %v\n%s\nbecame\n%s", do, path, value, err, text, out)
	}
	return true
}

// Every edit of every path of every sample: what the vicinity takes, the whole
// takes.
func TestVicinityProvesNoMoreThanTheWhole(t *testing.T) {
	values := []any{"plain", "a: b # c", "two\nlines\n- x\n", map[string]any{"k": []any{1, "- y"}}, []any{}, []any{"x", map[string]any{"a": nil}}, nil}
	done, tried := 0, 0
	for _, text := range append(samples(t), awkwardLists...) {
		paths := map[string]bool{}
		for line := range strings.Count(text, "\n") + 1 {
			steps, err := parsePath(PathAt(text, line+1))
			if err != nil {
				t.Fatal(err)
			}
			for i := range steps {
				paths[formatPath(steps[:i+1])] = true
				paths[formatPath(append(steps[:i:i], step{field: "added"}))] = true
			}
		}
		if _, err := newDocument(text); err != nil {
			continue
		}
		for path := range paths {
			for index := -1; index < 3; index++ {
				done += count(agree(t, text, path, insertEdit, index, values[tried%len(values)]))
				tried++
			}
			done += count(agree(t, text, path, setEdit, 0, values[tried%len(values)]))
			done += count(agree(t, text, path, deleteEdit, 0, nil))
		}
	}
	if done < 1000 {
		t.Errorf("only %d edits were proven by a vicinity", done)
	}
}

func count(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// awkwardLists are lists whose items reach further than they look, or less far.
var awkwardLists = []string{
	"a:\n- |\n  one\n\n  # two\n- >-\n  three\n\n\n# four\n- five\n",
	"a:\n- one\n  two\n- \"three\n\n  - four\"\n- 'five\n  six'\n# seven\nb: 1\n",
	"a:\n- - x\n  - y\n- - z\nb:\n  - c: 1\n    d: 2\n  -\n    c: 3\n\n  # e\n  - {c: 4,\n     d: 5}\n",
	"- a\n- b: 1\n  c:\n  - d\n  - e\n- f\n",
	"- a\n- b\n...\n",
	"---\n- a\n- b # c",
	"a: &x\n- b: 1\n- b: 2\nc: *x\n",
	"a: &x\n  l:\n  - b: 1\n  - b: 2\nc: *x\n",
	"l:\n- &x\n  b: 1\n- *x\n- b: 2\n",
	"a: 1\na: 2\nl:\n- b: 1\n  b: 2\n- c\n",
	"l:\r\n- b: 1\r\n- c: |\r\n    x\r\n\r\n- d\r\n",
	"l:\n  -   a: 1\n      b: 2\n  -   a: 3\n",
	"l:\n- ? a\n  : - b\n    - c\n- d\n",
	"l: [a, b: 1, {c: 2}, [d, e] , \"f\\\n  g\", 'h, ]']\nm: [ # n\n  o,\n  p, # q\n  r,\n]\n",
	"{\"l\": [\n  {\"a\": 1},\n  {\"a\": [1, 2,3],\"b\":\"x, y\"}\n ,{\"c\":null}]}",
	"l: [a, ? b : c, d,\n  e # f\n  , g]\n",
	"l:\n- a: [x,\n  y]\n- b: \"- z\n  \\\n  - w\"\n- c\n",
}

// A vicinity must not prove an edit that an anchor carries elsewhere.
func TestNoVicinityBelowAnAnchor(t *testing.T) {
	const text = "a: &x\n  l:\n  - b: 1\n  - b: 2\nc: *x\n"
	if out, ok := near(t, text, "a.l[0].b", setEdit, 0, 3); ok {
		t.Errorf("proven: %q", out)
	}
	if out, err := Set(text, "a.l[0].b", 3); err == nil {
		t.Errorf("set: %q", out)
	}
}

// The edits of endpoints by key are proven without reading all of them, as
// BenchmarkSetAmong10000Endpoints counts on.
func TestVicinityIsUsedForEndpoints(t *testing.T) {
	for _, text := range []string{manyEndpoints(5), jsonEndpoints(t, 5)} {
		vicinityIsUsed(t, text)
	}
}

func vicinityIsUsed(t *testing.T, text string) {
	t.Helper()
	const list = "endpoints[0].lb_endpoints"
	endpoint := map[string]any{"endpoint": map[string]any{"hostname": "x"}}
	for i := range 5 {
		item := fmt.Sprintf("%s[%d]", list, i)
		if !agree(t, text, item+".health_status", setEdit, 0, "DRAINING") || !agree(t, text, item+".load_balancing_weight", setEdit, 0, 5) ||
			!agree(t, text, item, deleteEdit, 0, nil) || !agree(t, text, list, insertEdit, i, endpoint) {
			t.Errorf("item %d has no vicinity", i)
		}
	}
	if !agree(t, text, list, insertEdit, -1, endpoint) {
		t.Error("the end has no vicinity")
	}
}

func jsonEndpoints(t testing.TB, n int) string {
	t.Helper()
	out, err := Flow(manyEndpoints(n), "")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
