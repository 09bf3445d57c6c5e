package kept

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// An archive has a file before, and after it was put and removed what its
// "put" and "remove" files say.
func TestEdit(t *testing.T) {
	eachArchive(t, "edit", func(t *testing.T, in map[string]string) map[string]string {
		content := in["before.yaml"]
		rs, findings := Parse(in["put.yaml"], "put.yaml")
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		var errs strings.Builder
		for _, r := range rs {
			out, err := Put(content, r)
			if err != nil {
				errs.WriteString(err.Error() + "\n")
			}
			content = out
		}
		for _, name := range strings.Fields(in["remove"]) {
			out, err := Remove(content, name)
			if err != nil {
				errs.WriteString(err.Error() + "\n")
			}
			content = out
		}
		return map[string]string{"after.yaml": content, "errors": errs.String()}
	})
}

func TestPutMendsNoFileThatItCannotRead(t *testing.T) {
	for _, content := range []string{"requests: [", "- a\n", "requests: 3\n", "just text"} {
		out, err := Put(content, Request{Name: "a"})
		if !errors.Is(err, ErrUnreadable) || out != content {
			t.Errorf("%q became %q, %v", content, out, err)
		}
		if out, err := Remove(content, "a"); err == nil || out != content {
			t.Errorf("%q became %q, %v", content, out, err)
		}
	}
	if _, err := Put("", Request{Name: "bytes", Ask: match.Request{Path: "/\xff"}}); err == nil {
		t.Error("a path that is no UTF-8 was kept, as something else")
	}
}

func same10(a, b Request) string {
	return cmp.Diff(a, b, cmpopts.IgnoreFields(Request{}, "Line"), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty())
}

// What is written is read as what it was, whatever it holds.
func TestFormatRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "true", "null", "1.5", "~", "- x", "a: b", "# no", "", " lead", "tail ", "x\ny", "t\tb", "é☃😀", "\"q\"", "'", "*", "&a", "@at", "{", "0x10", "=", "\u2028", "\u0007", "1:30", "2026-01-01"}
	word := func() string { return words[rnd.IntN(len(words))] }
	for n := range 500 {
		var rs []Request
		for i := range rnd.IntN(4) {
			rs = append(rs, random(rnd, word, i))
		}
		content, err := Format(rs)
		if err != nil {
			t.Fatal(err)
		}
		got, findings := Parse(content, "f")
		if len(findings) > 0 || len(got) != len(rs) {
			t.Fatalf("run %d: %v\n%s", n, findings, content)
		}
		for i := range rs {
			if diff := same10(rs[i], got[i]); diff != "" {
				t.Fatalf("run %d (-written +read):\n%s\n%s", n, diff, content)
			}
		}
		putAndRemove(t, content, rs, random(rnd, word, rnd.IntN(5)))
	}
}

// putAndRemove holds that the others stay what they are.
func putAndRemove(t *testing.T, content string, rs []Request, r Request) {
	t.Helper()
	out, err := Put(content, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	want := append([]Request(nil), rs...)
	at := len(rs)
	for i := range rs {
		if rs[i].Name == r.Name {
			at = i
		}
	}
	want = append(want[:min(at, len(want))], append([]Request{r}, want[min(at+1, len(want)):]...)...)
	same := func(out string, want []Request) {
		got, findings := Parse(out, "f")
		if len(findings) > 0 || len(got) != len(want) {
			t.Fatalf("%d requests, want %d: %v\n%s", len(got), len(want), findings, out)
		}
		for i := range want {
			if diff := same10(want[i], got[i]); diff != "" {
				t.Fatalf("(-want +got):\n%s\n%s", diff, out)
			}
		}
	}
	same(out, want)
	less, err := Remove(out, r.Name)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	same(less, append(append([]Request(nil), want[:at]...), want[at+1:]...))
}

func random(rnd *rand.Rand, word func() string, i int) Request {
	some := func() bool { return rnd.IntN(3) == 0 }
	name := func() string { return strings.ReplaceAll(word(), "\n", "") } // a name of several lines is refused
	r := Request{Name: string(rune('a'+i)) + word(), Ask: match.Request{Method: word(), Host: word(), Path: word(), SNI: word()}}
	r.Ask.TLS = r.Ask.SNI != "" || some()
	if some() {
		r.Group = word()
		r.Ask.Port = rnd.Uint32N(65535) + 1
		r.Ask.Address = netip.MustParseAddr("::1")
	}
	if some() {
		r.Ask.Source = netip.MustParseAddrPort("[::1]:80")
		r.Ask.HTTP10 = true
	}
	for range rnd.IntN(3) {
		r.Ask.Headers = append(r.Ask.Headers, routes.Header{Name: name(), Value: word()})
	}
	if some() {
		v := rnd.Uint64()
		r.Ask.Random = &v
		r.Ask.Presented, r.Ask.Validated = true, some()
	}
	if some() {
		r.Ask.ALPN, r.Ask.TLS = []string{word(), word()}, true
		r.Ask.Runtime = map[string]float64{name(): rnd.Float64() * 1e9}
		r.Ask.Metadata = map[string]map[string]string{name(): {name(): word()}}
		r.Ask.FilterState = map[string]string{name(): word()}
	}
	if some() {
		r.Expect = Expect{Action: "route", Route: word(), Cluster: word(), Host: word(), Path: word(), Location: word(), VirtualHost: word(), Listener: word()}
	}
	if some() {
		r.Expect.Status = 100 + rnd.IntN(500)
	}
	return r
}

func FuzzParse(f *testing.F) {
	f.Add("requests:\n- name: a\n  host: b\n  headers: [x]\n  expect: {status: 200}\n")
	f.Add("requests: [*a, &a {name: x}]")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, content string) {
		rs, findings := Parse(content, "f")
		for _, r := range rs {
			if r.Name == "" {
				t.Fatal("a request without a name")
			}
		}
		out, err := Put(content, Request{Name: "fuzz", Ask: match.Request{Host: "h"}})
		if err != nil {
			return
		}
		now, after := Parse(out, "f")
		if len(now) < len(rs) || len(after) > len(findings) {
			t.Fatalf("%d requests became %d, %d findings %d\n%s", len(rs), len(now), len(findings), len(after), out)
		}
		match.New(nil).Match(&match.Request{}) // what is asked of nothing is answered too
		Run(match.New(nil), now)
	})
}
