package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func clusters(t testing.TB, texts ...string) *mesh.Mesh {
	t.Helper()
	m := &mesh.Mesh{}
	for _, s := range texts {
		r, findings := text.Decode(mesh.Cluster, mesh.Source{Text: s})
		if r == nil {
			t.Fatal(findings)
		}
		m = m.With(r)
	}
	return m
}

func textsOf(m *mesh.Mesh) []string {
	var out []string
	for _, r := range m.All() {
		out = append(out, r.Source.Text)
	}
	return out
}

func TestSpliceLeadsThere(t *testing.T) {
	a, b, c := "name: a\n", "name: b\nlb_policy: RANDOM\n", "name: c\n"
	b2 := "name: b\nlb_policy: ROUND_ROBIN\n"
	for name, tc := range map[string]struct {
		from, to []string
		adds     int
	}{
		"nothing":        {[]string{a, b}, []string{a, b}, 0},
		"from empty":     {nil, []string{a, b}, 2},
		"to empty":       {[]string{a, b}, nil, 0},
		"one changed":    {[]string{a, b, c}, []string{a, b2, c}, 1},
		"one removed":    {[]string{a, b, c}, []string{a, c}, 0},
		"one in between": {[]string{a, c}, []string{a, b, c}, 1},
		"turned round":   {[]string{a, b, c}, []string{c, b, a}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := clusters(t, tc.from...), clusters(t, tc.to...)
			s := spliceOf(from, to)
			if len(s.Add) != tc.adds {
				t.Errorf("%d resources are written, want %d", len(s.Add), tc.adds)
			}
			got, err := newDecoder(nil).apply(from, s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(textsOf(to), textsOf(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where a text stands in its file survives the state folder.
func TestSpliceKeepsPlaces(t *testing.T) {
	at := []mesh.LinePlace{{Line: 7, Indent: 4, Exact: true}, {Line: 7}, {Line: 12, Indent: 4, Exact: true}}
	r, findings := text.Decode(mesh.Cluster, mesh.NewSource("envoy.yaml", "name: a\ntype: EDS\nlb_policy: RANDOM\n", at))
	if r == nil {
		t.Fatal(findings)
	}
	written, err := json.Marshal(spliceOf(nil, (&mesh.Mesh{}).With(r)))
	if err != nil {
		t.Fatal(err)
	}
	var s splice
	if err := json.Unmarshal(written, &s); err != nil {
		t.Fatal(err)
	}
	got, err := newDecoder(nil).apply(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Source, got.Get(r.Key).Source); diff != "" {
		t.Error(diff)
	}
}

func TestSpliceOfOneLineIsSmall(t *testing.T) {
	var long strings.Builder
	long.WriteString("name: app\nmetadata:\n  filter_metadata:\n    x:\n")
	for i := range 1000 {
		fmt.Fprintf(&long, "      key%d: value\n", i)
	}
	changed := strings.Replace(long.String(), "key500: value", "key500: wert", 1)
	s := spliceOf(clusters(t, long.String()), clusters(t, changed))
	if len(s.Add) != 1 || s.Add[0].Text != "      key500: wert\n" {
		t.Errorf("written: %+v", s.Add)
	}
}

func TestSplicesThatDoNotFitAreRefused(t *testing.T) {
	m := clusters(t, "name: a\n")
	for name, s := range map[string]splice{
		"beyond the end":   {At: 2},
		"before the begin": {At: -1},
		"too many":         {Del: 2},
		"an overflow":      {At: 1, Del: int(^uint(0) >> 1)},
		"unknown type":     {Add: []item{{Type: "gateway", Text: "name: x"}}},
		"head too long":    {Del: 1, Add: []item{{Type: "cluster", Head: 99}}},
		"head and tail":    {Del: 1, Add: []item{{Type: "cluster", Head: 5, Tail: 5}}},
		"bad YAML":         {Add: []item{{Type: "cluster", Text: "name: ["}}},
		"a name twice":     {Add: []item{{Type: "cluster", Text: "name: a\n"}}},
	} {
		if got, err := newDecoder(nil).apply(m, s); err == nil {
			t.Errorf("%s: gave %v", name, textsOf(got))
		}
	}
}

func FuzzCommonLines(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nx\nc\n")
	f.Add("a\na\n", "a\n")
	f.Add("", "a")
	f.Add("a\nb", "b")
	f.Fuzz(func(t *testing.T, a, b string) {
		head, tail := commonLines(a, b)
		if head < 0 || tail < 0 || head+tail > len(a) || head+tail > len(b) {
			t.Fatalf("%q %q: head %d, tail %d", a, b, head, tail)
		}
		if got := a[:head] + b[head:len(b)-tail] + a[len(a)-tail:]; got != b {
			t.Fatalf("%q becomes %q, want %q", a, got, b)
		}
		if a != b && head > 0 && a[head-1] != '\n' {
			t.Fatalf("%q %q: cut within a line at %d", a, b, head)
		}
	})
}

func BenchmarkDrainOneOf10000(b *testing.B) {
	var sb strings.Builder
	sb.WriteString("cluster_name: app\nendpoints:\n- lb_endpoints:\n")
	for i := range 10_000 {
		fmt.Fprintf(&sb, "  - endpoint:\n      address:\n        socket_address: {address: 10.0.%d.%d, port_value: 80}\n", i/250, i%250)
	}
	r, findings := text.Decode(mesh.Endpoints, mesh.Source{Text: sb.String()})
	if r == nil {
		b.Fatal(findings)
	}
	m := (&mesh.Mesh{}).With(r)
	for b.Loop() {
		if _, err := (SetHealth{Key: r.Key, Endpoint: "10.0.20.100:80", Status: "DRAINING"}).apply(m, m); err != nil {
			b.Fatal(err)
		}
	}
}
