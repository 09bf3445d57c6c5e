package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func resource(t *testing.T, typ mesh.Type, yaml string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(typ, mesh.Source{Text: yaml})
	if r == nil {
		t.Fatalf("%v", findings)
	}
	return r
}

func inMemory(t *testing.T, rs ...*mesh.Resource) *engine.Workspace {
	t.Helper()
	m, err := mesh.New(rs...)
	if err != nil {
		t.Fatal(err)
	}
	w, err := engine.OpenMeshes(context.Background(), "test", map[string]*mesh.Mesh{mesh.DefaultGroup: m}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// What is served is what the goldens begin with, errors or not.
	if w.State().Head() == nil {
		if _, err := w.Push(engine.PushOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// editOf reads one line of a golden's edits.
func editOf(t *testing.T, k mesh.Key, line string) engine.Edit {
	t.Helper()
	f := strings.Fields(line)
	number := func(s string) (n uint32) {
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch f[0] {
	case "health":
		return engine.SetHealth{Key: k, Endpoint: f[1], Status: f[2]}
	case "add":
		return engine.AddEndpoint{Key: k, Address: f[1]}
	case "remove":
		return engine.RemoveEndpoint{Key: k, Address: f[1]}
	case "weight":
		return engine.SetEndpointWeight{Key: k, Address: f[1], Weight: number(f[2])}
	case "routeweight":
		return engine.SetRouteWeight{Key: k, Path: f[1], Weight: number(f[2])}
	case "set":
		return engine.SetField{Key: k, Path: f[1], Value: f[2]}
	case "delete":
		return engine.DeleteField{Key: k, Path: f[1]}
	}
	t.Fatalf("unknown edit %q", line)
	return nil
}

// TestEdits runs testdata/edit: a resource, edits to it, and its text after them.
func TestEdits(t *testing.T) {
	goldens, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(goldens) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, path := range goldens {
		t.Run(filepath.Base(path), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil || len(a.Files) != 3 {
				t.Fatal(len(a.Files), err)
			}
			typ := map[string]mesh.Type{"endpoints": mesh.Endpoints, "route": mesh.Route, "cluster": mesh.Cluster}[a.Files[0].Name]
			r := resource(t, typ, string(a.Files[0].Data))
			w := inMemory(t, r)
			for line := range strings.Lines(string(a.Files[1].Data)) {
				if err := w.Edit(mesh.DefaultGroup, editOf(t, r.Key, line)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(a.Files[2].Data), draftText(w, r.Key)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const plainCluster = "name: app # ours\nlb_policy: RANDOM\n"

func names(w *engine.Workspace) []string {
	var out []string
	for _, r := range w.State().Group(mesh.DefaultGroup).Draft.All() {
		out = append(out, r.Key.Name)
	}
	return out
}

func TestRenameDuplicateRemoveKeepPlace(t *testing.T) {
	w := inMemory(t, resource(t, mesh.Cluster, "name: a\n"), resource(t, mesh.Cluster, plainCluster), resource(t, mesh.Cluster, "name: z\n"))
	must := func(e engine.Edit) {
		t.Helper()
		if err := w.Edit(mesh.DefaultGroup, e); err != nil {
			t.Fatal(err)
		}
	}
	must(engine.Put{Type: mesh.Cluster, Was: cluster, Text: strings.Replace(plainCluster, "app", "shop", 1)})
	if diff := cmp.Diff([]string{"a", "shop", "z"}, names(w)); diff != "" {
		t.Error(diff)
	}
	must(engine.Duplicate{Key: mesh.Key{Type: mesh.Cluster, Name: "shop"}, Name: "shop-v2"})
	if diff := cmp.Diff([]string{"a", "shop", "shop-v2", "z"}, names(w)); diff != "" {
		t.Error(diff)
	}
	if got := draftText(w, mesh.Key{Type: mesh.Cluster, Name: "shop-v2"}); got != strings.Replace(plainCluster, "app", "shop-v2", 1) {
		t.Errorf("the copy is %q", got)
	}
	must(engine.Remove{Key: mesh.Key{Type: mesh.Cluster, Name: "a"}})
	must(engine.Put{Type: mesh.Cluster, Text: "name: new\n"})
	if diff := cmp.Diff([]string{"shop", "shop-v2", "z", "new"}, names(w)); diff != "" {
		t.Error(diff)
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	cla := resource(t, mesh.Endpoints, engine.Template(mesh.Endpoints, "app"))
	gone := mesh.Key{Type: mesh.Endpoints, Name: "gone"}
	for name, c := range map[string]struct {
		edit engine.Edit
		says string
	}{
		"drain an unknown endpoint": {engine.SetHealth{Key: endpoints, Endpoint: "127.0.0.1:1", Status: "DRAINING"}, "no endpoint 127.0.0.1:1"},
		"an unknown status":         {engine.SetHealth{Key: endpoints, Endpoint: "127.0.0.1:8080", Status: "SICK"}, "DRAINING"},
		"endpoints of a cluster":    {engine.AddEndpoint{Key: cluster, Address: "127.0.0.1:1"}, "holds no endpoints"},
		"a bad address":             {engine.AddEndpoint{Key: endpoints, Address: "127.0.0.1:99999"}, "65535"},
		"an address twice":          {engine.AddEndpoint{Key: endpoints, Address: "127.0.0.1:8080"}, "already"},
		"weight 0":                  {engine.SetEndpointWeight{Key: endpoints, Address: "127.0.0.1:8080"}, "drain"},
		"remove what is gone":       {engine.Remove{Key: gone}, "no endpoints gone"},
		"edit what is gone":         {engine.Put{Type: mesh.Endpoints, Was: gone, Text: "cluster_name: gone\n"}, "no endpoints gone"},
		"duplicate what is gone":    {engine.Duplicate{Key: gone, Name: "x"}, "no endpoints gone"},
		"a copy without a name":     {engine.Duplicate{Key: cluster}, "needs a name"},
		"another type":              {engine.Put{Type: mesh.Route, Was: cluster, Text: "name: app\n"}, "cannot become"},
		"a path that does not fit":  {engine.SetField{Key: cluster, Path: "name[3].x", Value: 1}, "cluster app"},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, cla, resource(t, mesh.Cluster, plainCluster))
			before := w.State()
			err := w.Edit(mesh.DefaultGroup, c.edit)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if diff := cmp.Diff(texts(before), texts(w.State())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTextThatDoesNotDecodeComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		edit engine.Edit
		text string
		line int
	}{
		"an unknown field": {engine.Put{Type: mesh.Cluster, Was: cluster, Text: "name: app\nlb_polcy: RANDOM\n"}, "name: app\nlb_polcy: RANDOM\n", 2},
		"broken YAML":      {engine.Put{Type: mesh.Cluster, Text: "name: x\nfoo: [\n"}, "name: x\nfoo: [\n", 3},
		"a name taken":     {engine.Put{Type: mesh.Cluster, Text: "# new\nname: app\n"}, "# new\nname: app\n", 2},
		"a rename onto it": {engine.Put{Type: mesh.Cluster, Was: mesh.Key{Type: mesh.Cluster, Name: "b"}, Text: "name: app\n"}, "name: app\n", 1},
		"an unknown enum":  {engine.SetField{Key: cluster, Path: "lb_policy", Value: "FASTEST"}, "name: app # ours\nlb_policy: FASTEST\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, resource(t, mesh.Cluster, plainCluster), resource(t, mesh.Cluster, "name: b\n"))
			var bad *engine.EditError
			if err := w.Edit(mesh.DefaultGroup, c.edit); !errors.As(err, &bad) {
				t.Fatalf("got %v", err)
			}
			if bad.Text != c.text || len(bad.Findings) == 0 {
				t.Fatalf("text %q, findings %v", bad.Text, bad.Findings)
			}
			if got := bad.Findings[0].Line; got != c.line {
				t.Errorf("line %d, want %d: %v", got, c.line, bad)
			}
			if w.State().Draft != 0 {
				t.Error("it entered the draft")
			}
		})
	}
}

func TestTemplatesFitTogether(t *testing.T) {
	var rs []*mesh.Resource
	for _, typ := range mesh.Types() {
		r := resource(t, typ, engine.Template(typ, `od"d: name`))
		if typ <= mesh.Endpoints { // the others are asked for where somebody wants them
			rs = append(rs, r)
		}
	}
	m, err := mesh.New(rs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range check.Mesh(m) {
		t.Error(f)
	}
	if got := engine.Template(0, "x"); got != "" {
		t.Errorf("a template of no type: %q", got)
	}
}

func TestTextDiff(t *testing.T) {
	old := resource(t, mesh.Cluster, plainCluster)
	now := resource(t, mesh.Cluster, "name: app # ours\nlb_policy: ROUND_ROBIN")
	for name, c := range map[string]struct {
		change mesh.Change
		want   string
	}{
		"changed": {mesh.Change{Key: cluster, Old: old, New: now},
			"--- a/CDS/app\n+++ b/CDS/app\n@@ -1,2 +1,2 @@\n name: app # ours\n-lb_policy: RANDOM\n+lb_policy: ROUND_ROBIN\n"},
		"added":   {mesh.Change{Key: cluster, New: old}, "--- /dev/null\n+++ b/CDS/app\n@@ -0,0 +1,2 @@\n+name: app # ours\n+lb_policy: RANDOM\n"},
		"removed": {mesh.Change{Key: cluster, Old: old}, "--- a/CDS/app\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-name: app # ours\n-lb_policy: RANDOM\n"},
		"same":    {mesh.Change{Key: cluster, Old: old, New: old}, ""},
	} {
		if diff := cmp.Diff(c.want, engine.TextDiff(c.change)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
