package importer

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	yamltext "example.com/meshtui/engine/text"
)

var update = flag.Bool("update", false, "write what Import says into the golden files")

// root is where the files of the corpus lie.
const root = "/etc/nginx/"

// disk is the files of an archive, beside those that Debian has there anyway.
type disk map[string]string

func (d disk) ReadFile(name string) ([]byte, error) {
	if text, ok := d[path.Clean(name)]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (d disk) Glob(pattern string) ([]string, error) {
	var out []string
	for name := range d {
		if ok, err := path.Match(path.Clean(pattern), name); err != nil || ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// results are the sections of an archive that are expected, and no files.
var results = []string{"report", "nothing to do", "mesh.yaml"}

func diskOf(t testing.TB, a *txtar.Archive) disk {
	t.Helper()
	debian, err := txtar.ParseFile("testdata/debian.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := disk{}
	for _, f := range append(debian.Files, a.Files...) {
		if !slices.Contains(results, f.Name) {
			d[root+f.Name] = string(f.Data)
		}
	}
	return d
}

// corpus is every archive of the corpus, by name.
func corpus(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files in the corpus, %v", len(files), err)
	}
	out := map[string]*txtar.Archive{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".txtar")] = a
	}
	return out
}

func parseCorpus(t testing.TB, a *txtar.Archive) *conf.Config {
	t.Helper()
	c, err := conf.Parse(root+"nginx.conf", diskOf(t, a))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Problems) > 0 {
		t.Fatalf("the corpus has problems: %v", c.Problems)
	}
	return c
}

// TestCorpus imports configurations as people write them. What is expected is in
// the archives: the report, what changes nothing, the mesh.
func TestCorpus(t *testing.T) {
	for name, a := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			im := newImporter(parseCorpus(t, a))
			r := im.run()
			got := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if !slices.Contains(results, f.Name) {
					got.Files = append(got.Files, f)
				}
			}
			for i, text := range []string{reportText(r), mootText(im, r), meshText(t, r.Mesh)} {
				got.Files = append(got.Files, txtar.File{Name: results[i], Data: []byte(text)})
			}
			if *update {
				if err := os.WriteFile("testdata/corpus/"+name+".txtar", txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); d != "" {
				t.Errorf("(-want +got; -update writes it):\n%s", d)
			}
		})
	}
}

// reportText is a report as a person reads it.
func reportText(r *Result) string {
	var b strings.Builder
	for _, e := range r.Report {
		kind := "approximate"
		if e.Kind == nginx.None {
			kind = "none"
		}
		fmt.Fprintf(&b, "%s:%d: %s: %s\n    %s\n", strings.TrimPrefix(e.File, root), e.Line, kind, e.Directive, e.Reason)
		if e.Instead != "" {
			fmt.Fprintf(&b, "    -> %s\n", e.Instead)
		}
	}
	return b.String()
}

// mootText lists the directives that became nothing and are in no report.
func mootText(im *importer, r *Result) string {
	said := map[*conf.Directive]bool{}
	for _, l := range r.Links {
		said[l.From] = true
	}
	type place struct {
		file string
		line int
		text string
	}
	reported := map[place]bool{}
	for _, e := range r.Report {
		reported[place{e.File, e.Line, e.Directive}] = true
	}
	var b strings.Builder
	var walk func(ds []*conf.Directive)
	walk = func(ds []*conf.Directive) {
		for _, d := range ds {
			switch {
			case reported[place{d.File, d.Line, d.String()}]:
				if !said[d] { // with all that stands in it
					continue
				}
			case !said[d] && !d.IsBlock:
				fmt.Fprintf(&b, "%s:%d: %s\n", strings.TrimPrefix(d.File, root), d.Line, d)
			}
			if d.IsBlock && !said[d] && d.Name == "types" {
				fmt.Fprintf(&b, "%s:%d: %s {}\n", strings.TrimPrefix(d.File, root), d.Line, d)
				continue
			}
			walk(d.Block)
		}
	}
	walk(im.conf.Main)
	return b.String()
}

func meshText(t *testing.T, m *mesh.Mesh) string {
	t.Helper()
	var b strings.Builder
	for _, r := range m.All() {
		y, err := yamltext.Encode(r.Message)
		if err != nil {
			t.Fatalf("%s: %v", r.Key, err)
		}
		fmt.Fprintf(&b, "# %s\n%s", r.Key, y)
	}
	return b.String()
}

// TestCorpusIsSound holds that what is made of the corpus has no error by our own
// checks. Files that are not on this machine are no errors.
func TestCorpusIsSound(t *testing.T) {
	for name, a := range corpus(t) {
		for _, f := range check.Mesh(Import(parseCorpus(t, a)).Mesh) {
			if f.Severity == mesh.Error || f.Severity == mesh.Warning && f.Rule != "missing-file" {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}
