package importer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// FuzzImport holds of any text that Import neither panics nor hangs, says the
// same twice, accounts for every directive, and makes what our checks take. The
// texts that go test runs by itself are the corpus.
func FuzzImport(f *testing.F) {
	for _, a := range corpus(f) {
		f.Add(inWords(parseCorpus(f, a).Main))
	}
	f.Add("http{server{listen [::1]:80;server_name ~(;location /{proxy_pass http://$a$b;}}}")
	f.Fuzz(func(t *testing.T, text string) { sound(t, text) })
}

// TestMutatedCorpus is the fuzzer with a hand that knows nginx: directives of the
// corpus are moved, doubled, taken away, and given each other's arguments.
func TestMutatedCorpus(t *testing.T) {
	var trees [][]*conf.Directive
	all := corpus(t)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		trees = append(trees, parseCorpus(t, all[name]).Main)
	}
	seeds := 20
	if testing.Short() {
		seeds = 10
	}
	first := uint64(0)
	if n, err := strconv.Atoi(os.Getenv("MESHTUI_FUZZ_IMPORT")); err == nil { // go test -fuzz gives up at an input that takes ten seconds, as its counters make many here
		seeds, first = n, rand.Uint64()>>1
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		m := newMutator(seed, trees)
		for range 3 {
			text := inWords(m.tree())
			if sound(t, text); t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, text)
			}
		}
	}
}

// sound imports a text and holds what must be true of any.
func sound(t *testing.T, text string) {
	t.Helper()
	c, err := conf.Parse("/etc/nginx/nginx.conf", conf.Text(text))
	if err != nil {
		return // no configuration: too large, or unbalanced
	}
	r, again := Import(c), Import(c)
	if d := cmp.Diff(summary(r), summary(again)); d != "" {
		t.Errorf("imported twice:\n%s", d)
	}
	accounted(t, c, r)
	for _, f := range check.Mesh(r.Mesh) {
		if f.Severity == mesh.Error {
			t.Errorf("%s", f)
		}
	}
	_ = nginx.Project(r.Mesh).String()
}

// summary is all that a result says, in words.
func summary(r *Result) (out []string) {
	for _, m := range r.Mesh.All() {
		out = append(out, m.Key.String()+" "+m.Hash())
	}
	for _, e := range r.Report {
		out = append(out, fmt.Sprint(e))
	}
	for _, l := range r.Links {
		out = append(out, fmt.Sprint(l.From.Place(), l.From, l.Kind, l.To))
	}
	return out
}

// accounted holds that every directive leads somewhere, is reported, or was
// found to change nothing, and that links and entries lead to what there is.
func accounted(t *testing.T, c *conf.Config, r *Result) {
	t.Helper()
	im := newImporter(c)
	im.main()
	for _, l := range r.Links {
		if r.Mesh.Get(l.To.Key) == nil {
			t.Errorf("%s: %s leads to %s, which is not made", l.From.Place(), l.From, l.To.Key)
		}
	}
	reported := map[string]bool{}
	for _, e := range r.Report {
		reported[fmt.Sprint(e.Line, e.Directive)] = true
		if e.Reason == "" || e.Line == 0 || e.Kind != nginx.None && e.Kind != nginx.Approximate {
			t.Errorf("an entry without its words: %+v", e)
		}
		if !e.Key.IsZero() && r.Mesh.Get(e.Key) == nil {
			t.Errorf("%s: %s is in %s, which is not made", e.File, e.Directive, e.Key)
		}
	}
	var walk func(ds []*conf.Directive)
	walk = func(ds []*conf.Directive) {
		for _, d := range ds {
			if im.claimed[d] {
				walk(d.Block)
			} else if !reported[fmt.Sprint(d.Line, d.String())] {
				t.Errorf("%s: %s is lost in silence", d.Place(), d)
			}
		}
	}
	walk(c.Main)
}

// inWords is a tree as the text of an nginx.conf.
func inWords(ds []*conf.Directive) string {
	var b strings.Builder
	write(&b, ds, "")
	return b.String()
}

func write(b *strings.Builder, ds []*conf.Directive, indent string) {
	for _, d := range ds {
		args := d.Args
		b.WriteString(indent + quoted(d.Name))
		if d.Name == "if" {
			b.WriteString(" (" + strings.Join(each(args, quoted), " ") + ")")
		} else {
			for _, a := range args {
				b.WriteString(" " + quoted(a))
			}
		}
		if !d.IsBlock {
			b.WriteString(";\n")
			continue
		}
		b.WriteString(" {\n")
		write(b, d.Block, indent+"  ")
		b.WriteString(indent + "}\n")
	}
}

func each(in []string, f func(string) string) (out []string) {
	for _, s := range in {
		out = append(out, f(s))
	}
	return out
}

func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\r\n\"'{};\\#") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s) + `"`
}

// mutator makes configurations that nobody would write, of such as people do.
type mutator struct {
	*rand.Rand
	trees [][]*conf.Directive
	parts []*conf.Directive
	words []string
}

func newMutator(seed uint64, trees [][]*conf.Directive) *mutator {
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, 7)), trees: trees,
		words: []string{"", "0", "-1", "off", "on", "$", "${", "$x", "~", "~*", "=", "*", ".", "*.", "..", "/", "//", "//+", "(", "[", "\\", "%", "%zz", "unix:", "[::", "[::1]:0",
			"127.0.0.1:99999", "host:", ":80", "a b", "é", "\xff", "99999999999999999999", "1y", "weight=0", "max_fails=x", "http://", "https://$host", "~^(", strings.Repeat("a", 300)}}
	for _, tree := range trees {
		var walk func(ds []*conf.Directive)
		walk = func(ds []*conf.Directive) {
			for _, d := range ds {
				m.parts, m.words = append(m.parts, d), append(m.words, d.Args...)
				walk(d.Block)
			}
		}
		walk(tree)
	}
	return m
}

// tree is one of the corpus with some changes.
func (m *mutator) tree() []*conf.Directive {
	out := copied(m.trees[m.IntN(len(m.trees))], nil)
	for range 1 + m.IntN(6) {
		ds := &out
		for len(*ds) > 0 { // somewhere in the tree
			d := (*ds)[m.IntN(len(*ds))]
			if !d.IsBlock || m.IntN(4) == 0 {
				break
			}
			ds = &d.Block
		}
		m.change(ds)
	}
	return out
}

func (m *mutator) change(ds *[]*conf.Directive) {
	if len(*ds) == 0 {
		*ds = append(*ds, copied([]*conf.Directive{m.parts[m.IntN(len(m.parts))]}, nil)...)
		return
	}
	i := m.IntN(len(*ds))
	d := (*ds)[i]
	switch m.IntN(8) {
	case 0:
		*ds = slices.Delete(*ds, i, i+1)
	case 1:
		*ds = slices.Insert(*ds, i, copied([]*conf.Directive{d}, nil)...)
	case 2:
		j := m.IntN(len(*ds))
		(*ds)[i], (*ds)[j] = (*ds)[j], d
	case 3, 4:
		*ds = slices.Insert(*ds, i, copied([]*conf.Directive{m.parts[m.IntN(len(m.parts))]}, nil)...)
	case 5:
		if len(d.Args) > 0 {
			d.Args = slices.Delete(d.Args, 0, 1)
		}
	case 6:
		d.Args = append(d.Args, m.words[m.IntN(len(m.words))])
	default:
		if len(d.Args) > 0 {
			d.Args[m.IntN(len(d.Args))] = m.words[m.IntN(len(m.words))]
		}
	}
}

func copied(ds []*conf.Directive, parent *conf.Directive) (out []*conf.Directive) {
	for _, d := range ds {
		n := &conf.Directive{Name: d.Name, Args: slices.Clone(d.Args), Parent: parent, File: d.File, Line: d.Line, IsBlock: d.IsBlock}
		n.Block = copied(d.Block, n)
		out = append(out, n)
	}
	return out
}
