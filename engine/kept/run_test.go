package kept

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// An archive has the old and the new mesh, and requests that are run in both and
// compared, and probes of both.
func TestCompare(t *testing.T) {
	eachArchive(t, "compare", func(t *testing.T, in map[string]string) map[string]string {
		old, now := meshOf(t, in, "old/"), meshOf(t, in, "new/")
		rs, findings := Parse(in["requests.yaml"], "requests.yaml")
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		from, to := match.New(old), match.New(now)
		var probes strings.Builder
		for _, p := range Probe(old, now) {
			fmt.Fprintf(&probes, "%s\n", p.Name)
			ws := Run(from, []Request{p})[0]
			for _, d := range ws.Differs {
				fmt.Fprintf(&probes, "  old: %s\n", d)
			}
		}
		return map[string]string{"ran": ran(Run(from, rs)), "ran-new": ran(Run(to, rs)), "moves": moves(Compare(from, to, rs)),
			"probes": probes.String(), "moved-probes": moves(Compare(from, to, Probe(old, now)))}
	})
}

func ran(all []Result) string {
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%s: %s\n", r.Request.Name, r.Way.Target())
		for _, d := range r.Differs {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	return b.String()
}

// moves lists moves; what no target tells is marked.
func moves(all []Move) string {
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%s: %s → %s\n", m.Request.Name, m.From, m.To)
		for _, w := range m.Why {
			mark := " "
			if slices.Contains(m.Rest, w) {
				mark = "*"
			}
			fmt.Fprintf(&b, " %s%s\n", mark, w)
		}
	}
	return b.String()
}

// A request that is kept expects what it found, and finds it.
func TestWhatIsKeptIsFound(t *testing.T) {
	eachArchive(t, "compare", func(t *testing.T, in map[string]string) map[string]string {
		m := match.New(meshOf(t, in, "old/"))
		names := map[string]bool{}
		rs, _ := Parse(in["requests.yaml"], "")
		for _, r := range rs {
			kept := Of(r.Ask, m.Match(&r.Ask))
			if kept.Expect.Action == "" {
				t.Errorf("%s expects nothing", r.Name)
			}
			if names[kept.Name] {
				t.Errorf("two are called %q", kept.Name)
			}
			names[kept.Name] = true
			text, err := Format([]Request{kept})
			if err != nil {
				t.Fatal(err)
			}
			back, findings := Parse(text, "")
			if len(findings) > 0 || len(back) != 1 {
				t.Fatalf("%v\n%s", findings, text)
			}
			if res := Run(m, back); len(res[0].Differs) > 0 {
				t.Errorf("%s: %v\n%s", r.Name, res[0].Differs, text)
			}
		}
		return nil
	})
}

// A request that is not moved finds what it was kept with.
func TestWhatDoesNotMoveIsAsExpected(t *testing.T) {
	asked := 0
	eachArchive(t, "compare", func(t *testing.T, in map[string]string) map[string]string {
		old, now := match.New(meshOf(t, in, "old/")), match.New(meshOf(t, in, "new/"))
		rs, _ := Parse(in["requests.yaml"], "")
		for _, r := range rs {
			kept := []Request{Of(r.Ask, old.Match(&r.Ask))}
			if len(Compare(old, now, kept)) > 0 {
				continue
			}
			asked++
			if res := Run(now, kept)[0]; len(res.Differs) > 0 {
				t.Errorf("%s does not move, but: %v", r.Name, res.Differs)
			}
		}
		return nil
	})
	if asked < 3 {
		t.Errorf("only %d do not move", asked)
	}
}

// Requests that differ are kept under names that differ, however long.
func TestNamesDiffer(t *testing.T) {
	long := strings.Repeat("/segment", 40)
	names := map[string]match.Request{}
	for _, r := range []match.Request{{}, {Host: "a"}, {Path: "/a"}, {Method: "POST"}, {Path: long + "1"}, {Path: long + "2"},
		{Presented: true}, {Presented: true, Validated: true}, {TLS: true}, {TLS: true, SNI: "a"}, {HTTP2: true}, {HTTP10: true},
		{Port: 80}, {Listener: "80"}, {Headers: []routes.Header{{Name: "X", Value: "1"}}}, {Runtime: map[string]float64{"k": 1}},
		{Metadata: map[string]map[string]string{"f": {"a": "b"}}}, {FilterState: map[string]string{"a": "c"}}} {
		name := nameOf(r)
		if was, taken := names[name]; taken || len([]rune(name)) > nameLength {
			t.Errorf("%q is the name of %+v and of %+v", name, was, r)
		}
		names[name] = r
	}
}

func TestSameClusters(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"app", "app", true}, {"app=90,v2=10", "v2=10, app=90", true}, {"app=90,v2=10", "app=10,v2=90", false},
		{"app=50,app=50", "app=100", true}, {"app", "app=100", false}, {"a=b=1", "a=b=1", true}, {"a=x", "a=y", false}, {"", "a", false},
		{"outbound|80||x=1", "outbound|80||x=1", true},
	} {
		if got := sameClusters(c.a, c.b); got != c.same {
			t.Errorf("%q and %q: %t", c.a, c.b, got)
		}
	}
}

// BenchmarkProbe is of a mesh of 10,000 routes, one of which changed.
func BenchmarkProbe(b *testing.B) {
	old, now := big(b, "app"), big(b, "other")
	b.ReportAllocs()
	for b.Loop() {
		moved := Compare(match.New(old), match.New(now), Probe(old, now))
		if len(moved) != 1 {
			b.Fatalf("%d moved", len(moved))
		}
	}
}
