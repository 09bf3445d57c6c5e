package routes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

var update = flag.Bool("update", false, "write what the table says now into the goldens")

// TestGolden asks each table of testdata/golden its requests, and holds the
// answers, the reasons of the losers and what is wrong with the table against
// section want. What the answers say was seen at an Envoy 1.40.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			section := map[string]int{}
			for i, f := range archive.Files {
				section[f.Name] = i
			}
			rc := decodeConfig(t, string(archive.Files[section["config"]].Data))
			// Of brief requests only those losers are told that the path did not rule out.
			asked, full := section["requests"]
			if !full {
				asked = section["brief"]
			}
			got := answers(t, rc, string(archive.Files[asked].Data), !full)
			want := &archive.Files[section["want"]]
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func decodeConfig(t testing.TB, yaml string) *routev3.RouteConfiguration {
	t.Helper()
	rc := &routev3.RouteConfiguration{}
	if found := text.DecodeInto(rc, mesh.Source{Text: yaml}); mesh.Worst(found) >= mesh.Error {
		t.Fatal(found)
	}
	return rc
}

// answers renders what a table says of each request, and of itself.
func answers(t *testing.T, rc *routev3.RouteConfiguration, requests string, brief bool) string {
	t.Helper()
	table, problems := Compile(rc)
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "problem %s: %s\n", p.Path, p.Message)
	}
	for _, s := range table.Shadowed() {
		fmt.Fprintf(&b, "shadowed %d.%d: %s\n", s.HostIndex, s.RouteIndex, s.Reason)
	}
	for line := range strings.Lines(requests) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fmt.Fprintf(&b, "> %s\n", line)
		answer(&b, table, requestOf(t, line), brief)
	}
	return b.String()
}

func answer(b *strings.Builder, table *Table, r *Request, brief bool) {
	hit := table.Match(r)
	domain, why := table.Why(hit, r)
	switch {
	case hit.VirtualHost == nil:
		b.WriteString("no virtual host\n")
	case hit.Route == nil:
		fmt.Fprintf(b, "%s (%s): no route\n", hit.VirtualHost.GetName(), domain)
	default:
		fmt.Fprintf(b, "%s (%s): route %d (%s)\n", hit.VirtualHost.GetName(), domain, hit.RouteIndex, why)
	}
	b.WriteString(outcome(table.Act(hit, r)))
	for _, a := range hit.Assumed {
		fmt.Fprintf(b, "  assumed: %s\n", a)
	}
	for _, l := range table.Explain(r, hit) {
		next := ""
		if l.Next {
			next = " [next]"
		}
		if brief && !l.Next && (strings.HasPrefix(l.Reason, "path ") || strings.HasSuffix(l.Reason, " is no CONNECT")) {
			continue
		}
		if l.RouteIndex < 0 {
			fmt.Fprintf(b, "  not virtual host %d: %s%s\n", l.HostIndex, l.Reason, next)
		} else {
			fmt.Fprintf(b, "  not route %d: %s%s\n", l.RouteIndex, l.Reason, next)
		}
	}
}

func outcome(o Outcome) string {
	kinds := [...]string{NotFound: "not found", Forward: "forward", Redirect: "redirect", DirectResponse: "direct response", Unsupported: "unsupported"}
	s := "  " + kinds[o.Kind]
	word := func(format string, on bool, args ...any) {
		if on {
			s += fmt.Sprintf(" "+format, args...)
		}
	}
	word("to %s", o.Cluster != "", o.Cluster)
	word("as %s %s", o.Kind == Forward, show(o.Host), o.Path)
	word("(host open)", o.HostOpen)
	word("(path open)", o.PathOpen)
	word("status %d", o.Status != 0, o.Status)
	word("%s", o.Detail != "", o.Detail)
	word("location %s", o.Location != "", o.Location)
	word("body %q", o.Body != "", o.Body)
	word("(body open)", o.BodyOpen)
	word("because: %s", o.Why != "", o.Why)
	s += "\n"
	for _, w := range o.Weighted {
		s += fmt.Sprintf("  weight %d: %s", w.Weight, show(w.Name))
		if w.Header != "" {
			s += " (header " + w.Header + ")"
		}
		s += "\n"
	}
	for _, m := range o.Mirrors {
		s += fmt.Sprintf("  copy to %q (%s) %s\n", m.Cluster, m.Level, m.Path)
	}
	for _, set := range o.Settings {
		s += fmt.Sprintf("  %s: %s (%s) %s\n", set.Name, set.Value, set.Level, set.Path)
	}
	for _, a := range o.Assumed {
		s += "  assumed: " + a + "\n"
	}
	return s
}

// requestOf reads "METHOD scheme://host/path name=value …". A value may be in
// quotes; random=, runtime.KEY=, metadata.FILTER/PATH=, state.KEY=, presented=
// and protocol= set what is no header.
func requestOf(t *testing.T, line string) *Request {
	t.Helper()
	words := strings.Fields(line)
	r := &Request{Method: words[0]}
	scheme, rest, ok := strings.Cut(words[1], "://")
	if !ok {
		t.Fatalf("no scheme in %q", line)
	}
	r.Scheme, r.TLS = scheme, scheme == "https"
	r.Authority = rest
	if i := strings.IndexAny(rest, "/?*"); i >= 0 {
		r.Authority, r.Path = rest[:i], rest[i:]
	}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		r.set(name, value)
	}
	return r
}

func (r *Request) set(name, value string) {
	kind, key, _ := strings.Cut(name, ".")
	switch kind {
	case "random":
		n, _ := strconv.ParseUint(value, 10, 64)
		r.Random = &n
	case "runtime":
		n, _ := strconv.ParseFloat(value, 64)
		r.Runtime = map[string]float64{key: n}
	case "metadata":
		filter, path, _ := strings.Cut(key, "/")
		r.Metadata = map[string]map[string]string{filter: {path: value}}
	case "state":
		r.FilterState = map[string]string{key: value}
	case "presented":
		r.Presented = value == "true"
	case "protocol":
		r.Protocol = value
	default:
		r.Headers = append(r.Headers, Header{name, strings.ReplaceAll(value, "·", " ")})
	}
}
