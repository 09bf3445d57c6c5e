package text

import (
	"strings"
	"testing"
)

func TestItems(t *testing.T) {
	text := "version_info: \"1\"\nresources:\n# first\n- name: a # a\n  inner: # x\n    - 1\n    # still a's\n\n# second\n- &b\n  name: b\n  lit: |\n    one\n      two\n-\n  name: c\n- {name: d,\n   x: 1} # d\n"
	items, _, err := Items(text, "resources")
	if err != nil || len(items) != 4 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	want := []string{
		"name: a # a\ninner: # x\n  - 1\n  # still a's\n",
		"&b\nname: b\nlit: |\n  one\n    two\n",
		"name: c\n",
		"{name: d,\n x: 1} # d",
	}
	for i, c := range items {
		if c.Text != want[i] {
			t.Errorf("item %d is\n%q, want\n%q", i, c.Text, want[i])
		}
		if c.Dash != 0 || text[c.From] != '-' {
			t.Errorf("item %d begins with %q", i, text[c.From:c.From+1])
		}
		if _, err := parse(c.Text); err != nil {
			t.Errorf("item %d: %v", i, err)
		}
	}
	if items[1].Line != 10 {
		t.Errorf("item 1 is on line %d", items[1].Line)
	}
}

func TestItemsOfAnotherKind(t *testing.T) {
	for text, fine := range map[string]bool{"resources:\n": true, "resources: []": true, "x: 1": true, "": true,
		"resources: 5": false, "resources: {a: 1}": false, "[": false} {
		items, found, err := Items(text, "resources")
		if len(items) != 0 || (err == nil) != fine || found != strings.Contains(text, "resources") {
			t.Errorf("%q: %v, %v", text, items, err)
		}
	}
}

func TestItemsUsingOutsideAnchors(t *testing.T) {
	items, _, err := Items("x: &t 5s\nresources:\n- name: a\n  t: *t\n- name: b\n  u: &u 1\n  v: *u\n", "resources")
	if err != nil {
		t.Fatal(err)
	}
	if c := items[0]; !c.Expanded || c.Text != "name: a\nt: 5s\n" {
		t.Errorf("%+v", c)
	}
	if c := items[1]; c.Expanded || !strings.Contains(c.Text, "*u") {
		t.Errorf("%+v", c)
	}
}

func TestSub(t *testing.T) {
	text := "a:\n  b: # c\n    - x: 1\n      y: 2 # two\n  d: {e: 1}\n"
	for path, want := range map[string]string{"a.b": "- x: 1\n  y: 2 # two\n", "a.d": "{e: 1}", "a.b[0]": "x: 1\ny: 2 # two\n", "a.d.e": "1\n"} {
		if c, ok := Sub(text, path); !ok || strings.TrimSpace(c.Text) != strings.TrimSpace(want) {
			t.Errorf("%s is %q, want %q", path, c.Text, want)
		}
	}
	if _, ok := Sub(text, "a.z"); ok {
		t.Error("a.z was found")
	}
}

func TestRename(t *testing.T) {
	for _, c := range [][4]string{
		{"config_source:\n  path_config_source: # p\n    path: /x\n  api: V3\n", "config_source.path_config_source", "ads",
			"config_source:\n  ads: {} # p\n  api: V3\n"},
		{"c: {path_config_source: {path: /x}, v: 1} # c\n", "c.path_config_source", "ads", "c: {ads: {}, v: 1} # c\n"},
		{"{\"c\": {\"pathConfigSource\": {\"path\": \"/x\"}}}", "c.path_config_source", "ads", "{\"c\": {\"ads\": {}}}"},
	} {
		if out, err := Rename(c[0], c[1], c[2], map[string]any{}); err != nil || out != c[3] {
			t.Errorf("got %q (%v), want %q", out, err, c[3])
		}
	}
	if out, err := Rename("a: &x {b: 1}\nc: *x\n", "c.b", "d", 1); err == nil {
		t.Errorf("an alias was renamed: %q", out)
	}
}

// A text is not too large for being written in brackets just because it is long.
func TestFlowOfManyEndpoints(t *testing.T) {
	out, err := Flow(manyEndpoints(10_000), "")
	if err != nil || strings.Count(out, "socket_address") != 10_000 {
		t.Errorf("%d endpoints, %v", strings.Count(out, "socket_address"), err)
	}
}
