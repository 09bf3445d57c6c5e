package pcre_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"example.com/meshtui/engine/nginx/pcre"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`^/api/(.*)\.php$`, `^/api/(.*)\.php$`},
		{`/\.(?!git)`, `/\.(?:g(?:i(?:[^t]|\z)|[^i]|\z)|[^g]|\z)`},
		{`^/(?!ab|ac)`, `^/(?:a(?:[^bc]|\z)|[^a]|\z)`},
		{`^/(?!a)(?!b)([^/]+)/x`, `^/([^/ab][^/]*)/x`},
		{`^/((?!ab).*)$`, `^/((?:a(?:[^\x0ab][^\x0a]*|)|[^\x0aa][^\x0a]*|))$`},
		{`^/api(?=/|$)`, `^/api(?:/|$)`},
		{`(?<=/)a`, `/a`},
		{`(?<!/)a`, `(?:\A|[^/])a`},
		{`^/[^/]++/x`, `^/[^/]+/x`},
		{`^/(?>a|ab)`, `^/(?:a|ab)`},
		{`(?i)/(?!a)`, `(?i)/(?:[^Aa]|\z)`},
		{`a(?!b)|c(?!d)`, `a(?:[^b]|\z)|c(?:[^d]|\z)`},
		{`^/(?:x|y(?!z))`, `^/(?:x|y(?:[^z]|\z))`},
		{`^/(?!(a|b))(c)`, `^/()(c)`},
	} {
		if got, ok := pcre.Plain(c.in, false); !ok || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.in, got, ok, c.want)
		}
	}
	for _, in := range []string{
		`^/(?!.*\.js$)`, `^/(?:(?!a).)*$`, `^/(.*)(?<!a)$`, `^/(?>a|ab)c`, `^/.++a`, `^/(?=.*a)b`, `(?!a`, `^/(?!\bx)`,
		`^/(?!a/b)[^/]*/.*`, `^/(x|y(?!z))`, `(?x) a (?! b )`, `(?<!a)(b)|c`, `^/(?!a\1)`, `\Qa\E(?!b)`,
	} {
		if got, ok := pcre.Plain(in, false); ok {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestWider holds that what is wider is what RE2 takes.
func TestWider(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`^/(?!.*\.js$)a`, `^/a`},
		{`^/(?:(?!a).)*$`, `^/(?:.)*$`},
		{`^/(.*)(?<!a)$`, `^/(.*)$`},
		{`^/(?>a|ab)c++[(?!]{2}+`, `^/(?:a|ab)c+[(?!]{2}`},
		{`^/(a)\1\.(?<n>b)\Kc`, `^/(a)(?s:.*)\.(?<n>b)c`},
	} {
		got := pcre.Wider(c.in)
		if _, err := regexp.Compile(got); err != nil || got != c.want {
			t.Errorf("%s: %s, %v", c.in, got, err)
		}
	}
}

// TestAsPCRE has a real nginx search random texts for random expressions, and
// compares what their groups hold.
func TestAsPCRE(t *testing.T) {
	t.Parallel()
	nginxtest.Need(t)
	rnd := rand.New(rand.NewPCG(7, 11))
	var conf strings.Builder
	fmt.Fprintf(&conf, "events {} http { merge_slashes off; server_names_hash_bucket_size 128; server_names_hash_max_size 4096;\n")
	port := nginxtest.FreePort(t)
	var all []expression
	said := 0
	for i := range 600 {
		e := random(rnd)
		all = append(all, e)
		sign := map[bool]string{true: "~*", false: "~"}[e.fold]
		fmt.Fprintf(&conf, "server { listen 127.0.0.1:%d; server_name h%d; location %s \"%s\" { return 200 \"[$1][$2][$3]\"; } location / { return 200 no; } }\n",
			port, i, sign, strings.ReplaceAll(e.text, `\`, `\\`))
		if e.plain != nil {
			said++
		}
	}
	conf.WriteString("}")
	if said < len(all)/2 {
		t.Errorf("only %d of %d expressions can be said", said, len(all))
	}
	ask := nginxtest.NewAsker(t, nginxtest.Start(t, conf.String()).Address)
	found := 0
	for i, e := range all {
		for range 40 {
			text := path(rnd)
			got := ask.Get(fmt.Sprintf("h%d", i), strings.ReplaceAll(text, "\n", "%0a"))
			if got.Body != "no" {
				found++
			}
			if want := find(e.plain, text); e.plain != nil && got.Body != want {
				t.Errorf("%s in %q: nginx %s, %s %s", e.text, text, got.Body, e.plain, want)
			}
			if find(e.wider, text) == "no" && got.Body != "no" {
				t.Errorf("%s in %q: nginx %s, %s nothing", e.text, text, got.Body, e.wider)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d of the texts were found", found)
	}
}

func find(re *regexp.Regexp, text string) string {
	if re == nil {
		return ""
	}
	groups := re.FindStringSubmatch(text)
	if groups == nil {
		return "no"
	}
	groups = append(groups, "", "", "")
	return fmt.Sprintf("[%s][%s][%s]", groups[1], groups[2], groups[3])
}

// expression is a random one, as nginx has it and as it is said here; plain is
// nil for one that cannot be.
type expression struct {
	text         string
	fold         bool
	plain, wider *regexp.Regexp
}

var (
	heads = []string{"^/", "^/", "^/", "/", "^", "a", ";", "^/(?:a|b)", "(a|b)", "(^|/)", "^/(a+)/", "(?<=/)", "(?<!a)", "(?<![ab])", "^/[^/]++", "/a*+"}
	tails = []string{"", "", "", ".*", ".*$", "(.*)", "(.*)$", ".+", "(.+)$", "(.+)", "[^/]+", "([^/]+)", "([^/]*)/", "([^/]+)/(.*)", "(.*)/(.*)$",
		".*;b$", "(.*);(a|b)$", "a", "b", "[ab]", "[ab]b", "ab(.*)$", "$", "(?:/|$)", "[a-z]+$", "([ab]*)", "(?>a|b)"}
	words = []string{"a", "b", "ab", "ba", "a/", "a;b", "aab", "bb/a", "/", "$", "[ab]", "[^a]", "a[^/]", "b$", "a?b", "a+", "/.*", "(a|b)/", "b*", ".", "(?:a|bb)a", "a{2}", "A"}
)

func random(rnd *rand.Rand) (e expression) {
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	var asked []string
	for range 1 + rnd.IntN(3) {
		asked = append(asked, pick(words))
	}
	look := "(?!" + strings.Join(asked, "|") + ")"
	switch rnd.IntN(6) {
	case 0:
		look = strings.Replace(look, "!", "=", 1)
	case 1:
		look += "(?!" + pick(words) + ")"
	}
	tail := pick(tails)
	e.text = pick(heads) + look + tail
	if strings.HasPrefix(tail, "(.") && rnd.IntN(2) == 0 { // within the group
		e.text = strings.TrimSuffix(e.text, look+tail) + "(" + look + tail[1:]
	}
	if rnd.IntN(8) == 0 {
		e.text += "|;" + look
	}
	e.fold = rnd.IntN(4) == 0
	return e.compiled()
}

func (e expression) compiled() expression {
	compile := func(s string) *regexp.Regexp {
		if e.fold {
			s = "(?i:" + s + ")"
		}
		return regexp.MustCompile(dollar(s))
	}
	e.wider = compile(pcre.Wider(e.text))
	if plain, ok := pcre.Plain(e.text, e.fold); ok {
		e.plain = compile(plain)
	}
	return e
}

// dollar is an expression whose "$" is PCRE's, which holds before a newline at
// the end as well.
func dollar(s string) string { return strings.ReplaceAll(s, "$", `(?:\n?\z)`) }

func path(rnd *rand.Rand) string {
	const letters = "aaabbb///;;AB\n"
	b := []byte{'/'}
	for range rnd.IntN(7) {
		b = append(b, letters[rnd.IntN(len(letters))])
	}
	return string(b)
}

// FuzzPlain holds that what is not understood is left alone, and that what is
// said differently is what RE2 takes where it takes the rest.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{`/\.(?!a|b)`, `^/(?!a)(.*)$`, `(?<![a-c])x++`, `[[:alpha:]](?=`, `(?!\x{`, `((?!a).)*`} {
		f.Add(s, true)
	}
	f.Fuzz(func(_ *testing.T, s string, fold bool) {
		pcre.Plain(s, fold)
		pcre.Wider(s)
	})
}
