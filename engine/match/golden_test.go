package match_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file in testdata/explain is a mesh, requests and what is said of them:
// lds.yaml, rds.yaml, cds.yaml, eds.yaml and so on (lists of resources), requests (one a
// line, in curl's manner) and want.
func TestExplain(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := answers(t, a)
			want := section(a, "want")
			if *update {
				write(t, file, a, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// resource decodes the YAML of one resource.
func resource(t testing.TB, kind mesh.Type, yaml string) *mesh.Resource {
	t.Helper()
	r, findings := text.Decode(kind, text.Whole("", yaml))
	if r == nil {
		t.Fatalf("%s:\n%s\n%v", kind, yaml, findings)
	}
	return r
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func write(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	kept = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	a.Files = kept
	if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
		t.Fatal(err)
	}
}

// meshOf decodes the resources of an archive.
func meshOf(t testing.TB, a *txtar.Archive) *mesh.Mesh {
	t.Helper()
	var all []*mesh.Resource
	for _, kind := range mesh.Types() {
		yaml := section(a, kind.File())
		if yaml == "" {
			continue
		}
		items, _, wrong := text.Items("resources:\n"+yaml, "resources")
		if wrong != nil {
			t.Fatal(wrong)
		}
		for _, item := range items {
			all = append(all, resource(t, kind, item.Text))
		}
	}
	m, err := mesh.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func answers(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	m := match.New(meshOf(t, a))
	var b strings.Builder
	for line := range strings.Lines(section(a, "requests")) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fmt.Fprintf(&b, "$ %s\n%s\n", line, printed(m.Explain(parse(t, line))))
	}
	return b.String()
}

// parse reads a request: [METHOD] URL-or-path, then --listener, --port,
// --address, --source, --sni, --alpn, --tls, --http10, --http2, --host,
// --random and -H 'name: value'.
func parse(t *testing.T, line string) *match.Request {
	t.Helper()
	r := &match.Request{}
	words := fieldsOf(line)
	for i := 0; i < len(words); i++ {
		next := func() string { i++; return words[i] }
		switch w := words[i]; w {
		case "--listener":
			r.Listener = next()
		case "--port":
			r.Port = uint32(number(t, next()))
		case "--address":
			r.Address = netip.MustParseAddr(next())
		case "--source":
			r.Source = netip.AddrPortFrom(netip.MustParseAddr(next()), 40000)
		case "--tls":
			r.TLS = true
		case "--sni":
			r.TLS, r.SNI = true, next()
		case "--alpn":
			r.ALPN = strings.Split(next(), ",")
		case "--http10":
			r.HTTP10 = true
		case "--http2":
			r.HTTP2 = true
		case "--host":
			r.Host = next()
		case "--random":
			n := number(t, next())
			r.Random = &n
		case "-H":
			name, value, _ := strings.Cut(next(), ":")
			r.Headers = append(r.Headers, routes.Header{Name: name, Value: strings.TrimSpace(value)})
		default:
			if w == strings.ToUpper(w) && !strings.ContainsAny(w, "/:*") {
				r.Method = w
			} else {
				r.Path = w
			}
		}
	}
	return r
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fieldsOf splits at blanks but not within single quotes.
func fieldsOf(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// printed is an explanation as a person reads it.
func printed(e match.Explanation) string {
	var b strings.Builder
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "  %s %s: %s", s.Kind, s.Name, s.Why)
		if s.Key.Name != "" {
			fmt.Fprintf(&b, "  [%s", s.Key)
			if s.Path != "" {
				fmt.Fprintf(&b, ": %s", s.Path)
			}
			b.WriteByte(']')
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "  = %s", e.Target())
	if e.Action == match.Forward && e.Status == 0 {
		fmt.Fprintf(&b, ", sent as %s %s", e.Host, e.Path)
	}
	b.WriteByte('\n')
	if e.Reason != "" {
		fmt.Fprintf(&b, "  because %s\n", e.Reason)
	}
	for _, f := range e.Fates {
		fmt.Fprintf(&b, "  %s answers %d %s: %s\n", f.Cluster, f.Status, f.Detail, f.Why)
	}
	for _, s := range e.Settings {
		if s.Level != routes.Default {
			fmt.Fprintf(&b, "  with %s %s, by the %s\n", s.Name, s.Value, s.Level)
		}
	}
	for _, m := range e.Mirrors {
		fmt.Fprintf(&b, "  copied to %s\n", m.Cluster)
	}
	for _, c := range e.Caveats {
		fmt.Fprintf(&b, "  but %s\n", c)
	}
	for _, l := range e.Losers {
		name := "virtual host " + l.VirtualHost
		if l.HasRoute {
			name += fmt.Sprintf(", route %d", l.Route.Index)
			if l.Route.Name != "" {
				name += " (" + l.Route.Name + ")"
			}
		}
		next := ""
		if l.Next {
			next = " [next]"
		}
		fmt.Fprintf(&b, "  not %s: %s%s\n", name, l.Reason, next)
	}
	return b.String()
}
