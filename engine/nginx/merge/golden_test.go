package merge_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	nginxconf "example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/merge"
	"example.com/meshtui/engine/text"
)

var update = flag.Bool("update", false, "write what Merge does into the golden files")

// parseMesh reads the sections of a golden file that are named by a type.
func parseMesh(t testing.TB, ar *txtar.Archive) *mesh.Mesh {
	t.Helper()
	var out []*mesh.Resource
	for _, f := range ar.Files {
		if f.Name == "nginx.conf" {
			out = append(out, imported(t, string(f.Data))...)
		}
		for _, k := range mesh.Types() {
			if k.String() != f.Name {
				continue
			}
			r, findings := text.Decode(k, mesh.Source{Text: string(f.Data)})
			if r == nil || mesh.Worst(findings) == mesh.Error {
				t.Fatalf("%s: %v", f.Name, findings)
			}
			out = append(out, r)
		}
	}
	m, err := mesh.New(out...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// imported is what an nginx.conf becomes when it is opened.
func imported(t testing.TB, conf string) (out []*mesh.Resource) {
	t.Helper()
	c, err := nginxconf.Parse("nginx.conf", nginxconf.Text(conf))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range importer.Import(c).Mesh.All() {
		yaml, err := text.Encode(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		again, findings := text.Decode(r.Key.Type, mesh.Source{Text: yaml})
		if again == nil {
			t.Fatal(findings)
		}
		out = append(out, again)
	}
	return out
}

// edited makes an edit to a text. An edit is hunks between blank lines: "@ line"
// says behind which line to look, "- line" is taken out, "+ line" put in its
// place. Blanks at the beginning of lines do not count.
func edited(t testing.TB, conf, edit string) string {
	t.Helper()
	lines := strings.Split(conf, "\n")
	for hunk := range strings.SplitSeq(strings.TrimSpace(edit), "\n\n") {
		at := 0
		for line := range strings.SplitSeq(hunk, "\n") {
			if len(line) < 2 {
				t.Fatalf("%q is no line of an edit", line)
			}
			what := line[2:]
			if line[0] == '+' {
				lines = append(lines[:at:at], append([]string{what}, lines[at:]...)...)
				at++
				continue
			}
			for at < len(lines) && strings.TrimSpace(lines[at]) != strings.TrimSpace(what) {
				at++
			}
			if at == len(lines) {
				t.Fatalf("there is no line %q in\n%s", what, conf)
			}
			switch line[0] {
			case '@':
				at++
			case '-':
				lines = append(lines[:at:at], lines[at+1:]...)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// outcome is what a change does to a mesh, to be read by people.
func outcome(t testing.TB, m *mesh.Mesh, c *merge.Change) string {
	t.Helper()
	var b strings.Builder
	for _, s := range c.Summary {
		fmt.Fprintf(&b, "= %s\n", s)
	}
	for _, e := range c.Report {
		fmt.Fprintf(&b, "%c line %d %s: %s", "SEAN"[e.Kind], e.Line, e.Directive, e.Reason)
		if e.Instead != "" {
			fmt.Fprintf(&b, " (%s)", e.Instead)
		}
		if !e.Key.IsZero() {
			fmt.Fprintf(&b, " <- %s", strings.TrimSpace(e.Key.String()+" "+e.Path))
		}
		b.WriteByte('\n')
	}
	now, err := c.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range mesh.DiffText(m, now) {
		was, is := "", ""
		if d.Old != nil {
			was = d.Old.Source.Text
		}
		if d.New != nil {
			is = d.New.Source.Text
		}
		diff := udiff.Unified("", "", was, is)
		fmt.Fprintf(&b, "%s\n", d.Key)
		for line := range strings.Lines(diff) {
			if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "@@") || strings.HasPrefix(line, " ") {
				continue
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// refusal is why an edit was not taken, to be read by people.
func refusal(err error) string {
	var syntax *merge.SyntaxError
	if !errors.As(err, &syntax) {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, f := range syntax.Findings {
		fmt.Fprintf(&b, "! line %d: %s\n", f.Line, f.Message)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) == 0 {
		t.Fatal("no golden files")
	}
	for _, path := range files {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := parseMesh(t, ar)
		shown := nginx.Project(m)
		for i, f := range ar.Files {
			name, ok := strings.CutSuffix(f.Name, ".edit")
			if !ok {
				continue
			}
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				got := ""
				c, err := merge.Merge(m, shown, edited(t, shown.String(), string(f.Data)))
				if err != nil {
					got = "error: " + err.Error() + "\n"
				} else if err := c.Verify(m, shown, edited(t, shown.String(), string(f.Data)), check.Mesh); err != nil {
					got = refusal(err)
				} else {
					got = outcome(t, m, c)
				}
				if i+1 >= len(ar.Files) || ar.Files[i+1].Name != name+".want" {
					t.Fatalf("%s.want must stand behind %s", name, f.Name)
				}
				if *update {
					ar.Files[i+1].Data = []byte(got)
				} else if diff := cmp.Diff(string(ar.Files[i+1].Data), got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
