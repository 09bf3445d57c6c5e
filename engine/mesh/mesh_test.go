package mesh_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

func res(t *testing.T, m proto.Message, text string) *mesh.Resource {
	t.Helper()
	r, err := mesh.NewResource(m, mesh.Source{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cds(t *testing.T, name string) *mesh.Resource {
	return res(t, &clusterv3.Cluster{Name: name}, "name: "+name)
}

func set(t *testing.T, rs ...*mesh.Resource) *mesh.Mesh {
	t.Helper()
	m, err := mesh.New(rs...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func order(m *mesh.Mesh) []string {
	out := []string{}
	for _, r := range m.All() {
		out = append(out, r.Key.Name)
	}
	return out
}

func TestEditsOfTheSet(t *testing.T) {
	a, b, c := cds(t, "a"), cds(t, "b"), cds(t, "c")
	abc := func() *mesh.Mesh { return set(t, a, b, c) }
	b2 := res(t, &clusterv3.Cluster{Name: "b", AltStatName: "two"}, "")
	d := cds(t, "d")
	for name, tc := range map[string]struct {
		got  *mesh.Mesh
		want []string
	}{
		"with a new one":               {abc().With(d), []string{"a", "b", "c", "d"}},
		"with one of the name":         {abc().With(b2), []string{"a", "b", "c"}},
		"with, of nothing":             {(*mesh.Mesh)(nil).With(a), []string{"a"}},
		"without":                      {abc().Without(b.Key), []string{"a", "c"}},
		"without an unknown one":       {abc().Without(d.Key), []string{"a", "b", "c"}},
		"without the last":             {set(t, a).Without(a.Key), []string{}},
		"replace, renamed":             {abc().Replace(b.Key, d), []string{"a", "d", "c"}},
		"replace, same name":           {abc().Replace(b.Key, b2), []string{"a", "b", "c"}},
		"replace an unknown one":       {abc().Replace(d.Key, d), []string{"a", "b", "c", "d"}},
		"replace onto a taken name":    {abc().Replace(a.Key, b2), []string{"a", "b", "c"}},
		"insert after":                 {abc().InsertAfter(a.Key, d), []string{"a", "d", "b", "c"}},
		"insert after the last":        {abc().InsertAfter(c.Key, d), []string{"a", "b", "c", "d"}},
		"insert after an unknown one":  {abc().InsertAfter(mesh.Key{}, d), []string{"a", "b", "c", "d"}},
		"insert of a name that exists": {abc().InsertAfter(a.Key, b2), []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, order(tc.got)); diff != "" {
				t.Error(diff)
			}
			for _, name := range tc.want {
				if r := tc.got.Get(mesh.Key{Type: mesh.Cluster, Name: name}); r == nil || r.Key.Name != name {
					t.Errorf("%s is not found by its key: %v", name, r)
				}
			}
		})
	}
	if m := abc(); m.With(b2).Get(b.Key) != b2 || m.Get(b.Key) != b {
		t.Error("With did not replace, or changed the mesh that it was called on")
	}
	m := abc()
	m.With(d)
	m.Without(a.Key)
	m.InsertAfter(a.Key, d)
	if diff := cmp.Diff([]string{"a", "b", "c"}, order(m)); diff != "" {
		t.Error("an edit changed the mesh that it was called on: " + diff)
	}
	if _, err := mesh.New(b, b2); err == nil {
		t.Error("two resources of one name were taken")
	}
}

func TestDiff(t *testing.T) {
	a := cds(t, "a")
	sameContent := res(t, &clusterv3.Cluster{Name: "a"}, "name: a # a comment")
	other := res(t, &clusterv3.Cluster{Name: "a", AltStatName: "x"}, "name: a\nalt_stat_name: x")
	b, cla := cds(t, "b"), res(t, &endpointv3.ClusterLoadAssignment{ClusterName: "a"}, "cluster_name: a")
	typed := res(t, &clusterv3.Cluster{Name: "a"}, "\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\nname: a")
	type change struct {
		Key      mesh.Key
		Old, New bool
	}
	for name, tc := range map[string]struct {
		from, to      *mesh.Mesh
		content, text []change
	}{
		"the same":       {set(t, a), set(t, a), nil, nil},
		"from nothing":   {nil, set(t, a), []change{{a.Key, false, true}}, []change{{a.Key, false, true}}},
		"to nothing":     {set(t, a), nil, []change{{a.Key, true, false}}, []change{{a.Key, true, false}}},
		"a comment":      {set(t, a), set(t, sameContent), nil, []change{{a.Key, true, true}}},
		"an @type line":  {set(t, a), set(t, typed), nil, nil},
		"a field":        {set(t, a), set(t, other), []change{{a.Key, true, true}}, []change{{a.Key, true, true}}},
		"another order":  {set(t, a, b), set(t, b, a), nil, nil},
		"sorted by type": {set(t, cla), set(t, b, a), []change{{a.Key, false, true}, {b.Key, false, true}, {cla.Key, true, false}}, []change{{a.Key, false, true}, {b.Key, false, true}, {cla.Key, true, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, got := range [][]mesh.Change{mesh.Diff(tc.from, tc.to), mesh.DiffText(tc.from, tc.to)} {
				var seen []change
				for _, c := range got {
					seen = append(seen, change{c.Key, c.Old != nil, c.New != nil})
				}
				if diff := cmp.Diff([][]change{tc.content, tc.text}[i], seen); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestGroupOf(t *testing.T) {
	rules := []mesh.Rule{
		{Group: "broken", Node: "[", Cluster: ""},
		{Group: "canary", Node: "edge-*-canary"},
		{Group: "edge", Node: "edge-*", Cluster: "prod"},
		{Group: "lab", Cluster: "lab*"},
	}
	for _, tc := range []struct{ node, cluster, want string }{
		{"edge-1-canary", "prod", "canary"},
		{"edge-1", "prod", "edge"},
		{"edge-1", "test", mesh.DefaultGroup},
		{"x", "lab-2", "lab"},
		{"[", "", mesh.DefaultGroup},
		{"", "", mesh.DefaultGroup},
	} {
		if got := mesh.GroupOf(rules, tc.node, tc.cluster); got != tc.want {
			t.Errorf("node %q of %q is in %q, want %q", tc.node, tc.cluster, got, tc.want)
		}
	}
}

func TestFindingString(t *testing.T) {
	key := mesh.Key{Type: mesh.Cluster, Name: "app"}
	for want, f := range map[string]mesh.Finding{
		"cds.yaml:12:5: error: cluster app: lb_policy: no such policy (use RANDOM)": {Severity: mesh.Error, Key: key, Path: "lb_policy", File: "cds.yaml", Line: 12, Column: 5, Message: "no such policy", Hint: "use RANDOM"},
		"cds.yaml:12: warning: bad":       {Severity: mesh.Warning, File: "cds.yaml", Line: 12, Message: "bad"},
		"cds.yaml: note: cluster app: ok": {Severity: mesh.Note, Key: key, File: "cds.yaml", Message: "ok"},
		"line 3: error: bad":              {Severity: mesh.Error, Line: 3, Column: 9, Message: "bad"},
		"unknown: bad":                    {Message: "bad"},
	} {
		if got := f.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := mesh.Worst([]mesh.Finding{{Severity: mesh.Note}, {Severity: mesh.Error}, {Severity: mesh.Warning}}); got != mesh.Error {
		t.Errorf("the worst is %s", got)
	}
	if got := mesh.Worst(nil); got != 0 {
		t.Errorf("the worst of nothing is %s", got)
	}
}

func TestTypes(t *testing.T) {
	for _, typ := range mesh.Types() {
		if back, ok := mesh.TypeOfURL(typ.URL()); !ok || back != typ {
			t.Errorf("%s: its URL gives %s", typ, back)
		}
		if back, ok := mesh.TypeOf(typ.New()); !ok || back != typ {
			t.Errorf("%s: its message gives %s", typ, back)
		}
	}
	for _, bad := range []mesh.Type{0, 99} {
		if bad.String() != "unknown" || bad.URL() != "" || bad.File() != "" || bad.New() != nil {
			t.Errorf("type %d is taken for one", bad)
		}
	}
	if _, err := mesh.NewResource(nil, mesh.Source{}); err == nil {
		t.Error("nothing was taken for a resource")
	}
	if _, err := mesh.NewResource(&endpointv3.LbEndpoint{}, mesh.Source{}); err == nil {
		t.Error("a part was taken for a resource")
	}
}

func TestAddress(t *testing.T) {
	for _, s := range []string{"127.0.0.1:9001", "[::1]:80", "/run/app.sock", "@abstract", "app.example.com:65535"} {
		a, ok := mesh.ParseAddress(s)
		if !ok || mesh.Address(a) != s {
			t.Errorf("%q is read as %q, %v", s, mesh.Address(a), ok)
		}
	}
	for _, s := range []string{"", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "[::1:80", "[]:80", "a b:80", "http://x:80"} {
		if a, ok := mesh.ParseAddress(s); ok {
			t.Errorf("%q is read as %v", s, a)
		}
	}
	if got := mesh.Address(nil); got != "" {
		t.Errorf("no address is %q", got)
	}
}

// A file says the "@type" first, a new resource does not: no edit of anybody's.
func TestDiffTextLeavesOutATypeThatOneSideHas(t *testing.T) {
	const head = "\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n"
	of := func(src mesh.Source, policy clusterv3.Cluster_LbPolicy) *mesh.Mesh {
		r, err := mesh.NewResource(&clusterv3.Cluster{Name: "app", LbPolicy: policy}, src)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mesh.New(r)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	bare := of(mesh.Source{Text: "name: app\n"}, clusterv3.Cluster_ROUND_ROBIN)
	filed := of(mesh.NewSource("cds.yaml", head+"name: app\nlb_policy: RANDOM\n", []mesh.LinePlace{{Line: 7, Indent: 2, Exact: true}}), clusterv3.Cluster_RANDOM)
	for name, c := range map[string]struct {
		from, to *mesh.Mesh
		old, now string
	}{
		"one side":   {bare, filed, "name: app\n", "name: app\nlb_policy: RANDOM\n"},
		"the other":  {filed, bare, "name: app\nlb_policy: RANDOM\n", "name: app\n"},
		"both sides": {filed, of(mesh.Source{Text: head + "name: app\n"}, clusterv3.Cluster_ROUND_ROBIN), head + "name: app\nlb_policy: RANDOM\n", head + "name: app\n"},
	} {
		changes := mesh.DiffText(c.from, c.to)
		if len(changes) != 1 || changes[0].Old.Source.Text != c.old || changes[0].New.Source.Text != c.now {
			t.Errorf("%s: %+v", name, changes)
		}
	}
	src := mesh.DiffText(bare, filed)[0].New.Source
	if line, column := src.Place(2, 1); line != 9 || column != 3 {
		t.Errorf("line 2 stands at %d:%d", line, column)
	}
}
