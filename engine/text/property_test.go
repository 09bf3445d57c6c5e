package text

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// samples are all texts of the golden files.
func samples(t testing.TB) []string {
	t.Helper()
	files, _ := filepath.Glob("testdata/*/*.txtar")
	var out []string
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			if !strings.HasSuffix(f.Name, "/do") && !strings.HasSuffix(f.Name, "/findings") {
				out = append(out, string(f.Data))
			}
		}
	}
	if len(out) < 50 {
		t.Fatalf("only %d samples", len(out))
	}
	return out
}

type leaf struct {
	path string
	node *yaml.Node
}

// leaves lists the scalars of a text that can be set by path and are in no
// anchored node.
func leaves(n *yaml.Node, at *path, out []leaf) []leaf {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return out
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return append(out, leaf{at.String(), n})
	case yaml.SequenceNode:
		for i, c := range n.Content {
			out = leaves(c, at.item(i), out)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode && !isMerge(k) {
				out = leaves(n.Content[i+1], at.mapKey(k.Value), out)
			}
		}
	}
	return out
}

// Setting any scalar of any sample changes the bytes of that scalar alone, and
// the value reads back.
func TestSetTouchesOneNode(t *testing.T) {
	done := 0
	for _, text := range samples(t) {
		d, err := newDocument(text)
		if err != nil || d.root == nil {
			continue
		}
		for _, l := range leaves(d.root, rootPath(), nil) {
			if l.path == "" {
				continue
			}
			if _, dup, _ := entries(d.root); len(dup) > 0 {
				continue // a path then means two places
			}
			out, err := Set(text, l.path, "a new: value")
			if err != nil {
				t.Errorf("set %s: %v\n%s", l.path, err, text)
				continue
			}
			from, to := d.start(l.node), d.end(l.node)
			if !strings.HasPrefix(out, text[:from]) || !strings.HasSuffix(out, text[to:]) {
				t.Errorf("set %s touched more than its node:\n%s\nbecame\n%s", l.path, text, out)
			}
			if got := valueAt(t, out, l.path); got != "a new: value" {
				t.Errorf("set %s reads back %q", l.path, got)
			}
			done++
		}
	}
	if done < 300 {
		t.Errorf("only %d scalars were set", done)
	}
}

func valueAt(t *testing.T, text, path string) string {
	t.Helper()
	n, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if _, n = child(n, s); n == nil {
			t.Fatalf("no %s", path)
		}
	}
	return n.Value
}

// Deleting what was just inserted gives the text back.
func TestInsertThenDelete(t *testing.T) {
	for _, text := range []string{
		"name: x\ndomains:\n- a # a\n# b\n- b\n", "name: x\r\ndomains:\r\n  - a\r\n", "domains: [a, b] # c\n",
		"{\"domains\": [\"a\",\n  \"b\"]}", "domains:\n- a",
	} {
		for _, index := range []int{0, 1, -1} {
			out, err := Insert(text, "domains", index, "new")
			if err != nil {
				t.Errorf("%q at %d: %v", text, index, err)
				continue
			}
			if index < 0 {
				d, _ := newDocument(out)
				_, list := child(d.root, step{field: "domains"})
				index = len(list.Content) - 1
			}
			back, err := Delete(out, rootPath().child("domains").item(index).String())
			if err != nil || back != text {
				t.Errorf("%q at %d became %q and then %q (%v)", text, index, out, back, err)
			}
		}
	}
}

func TestPosition(t *testing.T) {
	text := "name: a\nloadAssignment:\n  endpoints:\n  - &z {lb_endpoints: []}\n  - *z\ntyped:\n  \"a.b\":\n    x: 1\n  <<: {merged: 2}\n"
	for path, want := range map[string][2]int{
		"": {1, 1}, "name": {1, 1}, "load_assignment": {2, 1}, "load_assignment.endpoints[0]": {4, 5},
		"load_assignment.endpoints[1].lb_endpoints": {4, 9}, `typed["a.b"].x`: {8, 5}, "typed.merged": {9, 8},
		"load_assignment.endpoints[1]": {5, 5},
	} {
		line, column, ok := Position(text, path)
		if !ok || line != want[0] || column != want[1] {
			t.Errorf("%s is at %d:%d (%v), want %v", path, line, column, ok, want)
		}
	}
	for _, path := range []string{"nam", "name.x", "load_assignment.endpoints[2]", "a[", "a..b", "name[0]", `typed["a`} {
		if l, c, ok := Position(text, path); ok {
			t.Errorf("%s was found at %d:%d", path, l, c)
		}
	}
}

func TestPathAt(t *testing.T) {
	text := "# head\nname: a\nloadAssignment:\n  endpoints:\n  # zone a\n  - locality: {zone: a}\n    lb_endpoints:\n    - endpoint: {hostname: a, port: 1}\n      health_status: HEALTHY\ntext: |\n  one\n  two\n\n\"a.b\": 1\n"
	for line, want := range map[int]string{1: "", 2: "name", 3: "load_assignment", 4: "load_assignment.endpoints",
		5: "load_assignment.endpoints", 6: "load_assignment.endpoints[0].locality.zone",
		7: "load_assignment.endpoints[0].lb_endpoints", 8: "load_assignment.endpoints[0].lb_endpoints[0].endpoint",
		9: "load_assignment.endpoints[0].lb_endpoints[0].health_status", 10: "text", 12: "text", 13: "", 14: `["a.b"]`, 99: ""} {
		if got := PathAt(text, line); got != want {
			t.Errorf("line %d is %q, want %q", line, got, want)
		}
	}
}

// Every path that PathAt gives is found again by Position, at or above the line.
func TestPathAtIsFoundByPosition(t *testing.T) {
	for _, text := range samples(t) {
		for line := range strings.Count(text, "\n") {
			path := PathAt(text, line+1)
			if at, _, ok := Position(text, path); path != "" && (!ok || at > line+1) {
				t.Errorf("line %d is %s, which is at %d (%v) in\n%s", line+1, path, at, ok, text)
			}
		}
	}
}

func TestPathsReadBack(t *testing.T) {
	for _, s := range []string{"a", "a.b[0].c", `a["x.y"].z`, `a[""]`, `a["q\"b]"][3][4]`} {
		steps, err := parsePath(s)
		if err != nil || formatPath(steps) != s {
			t.Errorf("%s became %s (%v)", s, formatPath(steps), err)
		}
	}
}
