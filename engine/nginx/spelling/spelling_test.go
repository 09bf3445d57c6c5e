package spelling

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

// decode is a path as nginx reads it, less what Hidden finds.
func decode(path string, merge bool) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			_, _ = fmt.Sscanf(path[i+1:i+3], "%02x", &c)
			i += 2
		}
		if s := b.String(); merge && c == '/' && strings.HasSuffix(s, "/") {
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// spell writes a decoded path in one of the ways that Envoy's normalised paths
// have.
func spell(r *rand.Rand, decoded string, merge bool) string {
	var b strings.Builder
	for i := range len(decoded) {
		c := decoded[i]
		escaped := fmt.Sprintf([]string{"%%%02x", "%%%02X"}[r.IntN(2)], c)
		switch {
		case unreserved(c):
			b.WriteByte(c)
		case c == '/' && merge && r.IntN(3) == 0:
			b.WriteString([]string{"/%2F", "%2f/", "%2F%2f", "%2f/%2F"}[r.IntN(4)])
		case Bare(c) && r.IntN(2) == 0:
			b.WriteByte(c)
		default:
			b.WriteString(escaped)
		}
	}
	return b.String()
}

var texts = []string{"/", "/a", "/a/b", "/admin/", "/@me", "/a+b", "/a b", "/café/x", "/x;y", "/100%", "/a/b.php", "/.ht", "/a/.htx", "/aa/F/2F", "/c", "/a,c", "/2f", "/a/2Fc", "/(x)", "/x$", "/a[1]", `/a"b`, "/Admin/X", "/x/bb/ccc"}

var expressions = []string{`^/a`, `\.php$`, `/\.`, `^/[^/]+$`, `^/[^/]+/[^/]+`, `c$`, `^/(a|b)/`, `^/admin(/|$)`, `é`, `^/caf.`, `^/a.b$`, `[+;]`, `[^a-z/]`, `.*c$`, `^/a.*2F`, `^/(?P<x>[^/]*)/b`, `2F`,
	`^/a(.*)$`, `\$$`, `%`, `[0-9]{2}`, `^/x(/[a-z]+){2}`, `(?i)^/ADMIN/`, `(?i)F$`, `^/a(?:b|/b)?`, `[[:punct:]]x`, `^.{3}$`, `"`, `\[1\]$`, `^/[@x].*`, `^(/a|/x)`, `x?c`, `(^|/)a`}

// TestExpressionsTakeEverySpelling holds that a rewritten expression finds in a
// spelled path what the expression finds in the decoded one.
func TestExpressionsTakeEverySpelling(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found, missed := 0, 0
	for _, merge := range []bool{true, false} {
		w := Way{merge}
		for _, text := range expressions {
			tree, err := syntax.Parse(text, syntax.Perl)
			if err != nil {
				t.Fatal(err)
			}
			re, aligned, changed := w.Expression(tree)
			if !changed {
				re = text
			}
			head := "(?s:.*)"
			if aligned {
				head = "(?:[^%]|%..)*"
			}
			on, err := regexp.Compile("^" + head + "(?:" + re + ")")
			if err != nil {
				t.Fatalf("%s becomes %s: %v", text, re, err)
			}
			if strings.HasPrefix(text, "^") {
				on = regexp.MustCompile(re)
			}
			plain := regexp.MustCompile(strings.ReplaceAll(text, "é", `\x{C3}\x{A9}`))
			for range 4 {
				for _, decoded := range texts {
					path := spell(r, decoded, merge)
					if back := decode(path, merge); back != decoded {
						t.Fatalf("%s is %s again, not %s", path, back, decoded)
					}
					want := plain.MatchString(latin(decoded))
					if want {
						found++
					} else {
						missed++
					}
					if on.MatchString(path) != want && (merge || !strings.Contains(path, "//")) && !counts(text, path) {
						t.Errorf("%s becomes %s (%v): %s, spelled %s, is found: %v", text, re, aligned, decoded, path, !want)
					}
				}
			}
		}
	}
	if found < 500 || missed < 500 {
		t.Errorf("%d found, %d not", found, missed)
	}
}

// counts reports whether the expression counts bytes, and the path has a slash
// written twice: each may be taken for one of its own.
func counts(text, path string) bool {
	return strings.Contains(text, ".{") && regexp.MustCompile(`(?:/|%2[Ff]){2}`).MatchString(path)
}

// latin has each byte as a character, so that Go compares bytes as nginx does.
func latin(s string) string {
	var out []rune
	for _, c := range []byte(s) {
		out = append(out, rune(c))
	}
	return string(out)
}

// TestPathsTakeEverySpelling holds the same for names.
func TestPathsTakeEverySpelling(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, merge := range []bool{true, false} {
		w := Way{merge}
		for _, name := range texts {
			path, prefix := regexp.MustCompile("^(?:"+w.Path(name)+")$"), regexp.MustCompile("^(?:"+w.Prefix(name)+")$")
			for _, decoded := range texts {
				for range 4 {
					s := spell(r, decoded, merge)
					if path.MatchString(s) != (name == decoded) || prefix.MatchString(s) != strings.HasPrefix(decoded, name) {
						t.Errorf("%s, spelled %s, for %s", decoded, s, name)
					}
				}
			}
		}
	}
}

// TestHidden holds what is never let in, and what is not kept out with it.
func TestHidden(t *testing.T) {
	re := regexp.MustCompile("^(?:" + Hidden + ")$")
	for path, want := range map[string]bool{
		"/a%2F..": true, "/a%2f../b": true, "/..%2Fb": true, "/.%2Fb": true, "/a/..%2fb?x": true, "/a%2F.?x": true, "/a%0a": true, "/a%0A/b": true, "/a%2F..%2Fb": true,
		"/a%2Fb": false, "/..a%2Fb": false, "/a%2F...": false, "/a%2F.b/c": false, "/a?x=%2F..": false, "/a?%0a": false, "/@scope%2Fpkg": false, "/http:%2F%2Fx.y%2Fz.png": false, "/a%2F..;/x": false, "/a%20": false,
	} {
		if re.MatchString(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// TestPlainTakesBack holds that what is written is taken back, to an expression
// that is written alike.
func TestPlainTakesBack(t *testing.T) {
	back := 0
	for _, merge := range []bool{true, false} {
		w := Way{merge}
		for _, text := range expressions {
			tree, _ := syntax.Parse(text, syntax.Perl)
			re, _, changed := w.Expression(tree)
			plain, ok := Plain(re)
			if !changed || !ok {
				continue
			}
			back++
			again, err := syntax.Parse(plain, syntax.Perl)
			if err != nil {
				t.Fatalf("%s: %s: %v", text, plain, err)
			}
			if got, _, _ := w.Expression(again); got != re && text != "é" {
				t.Errorf("%s is written %s, taken back %s, written %s", text, re, plain, got)
			}
		}
		for _, name := range texts {
			if name == "/c" || name == "/a" { // one slash is as good as any
				continue
			}
			if got, prefix, ok := Literal(w.Path(name)); got != name || prefix || !ok {
				t.Errorf("%q comes back as %q (%v)", name, got, ok)
			}
			if got, prefix, ok := Literal(w.Prefix(name)); got != name || !prefix || !ok {
				t.Errorf("%q comes back as %q (%v)", name, got, ok)
			}
		}
	}
	if back < 30 {
		t.Errorf("%d were taken back", back)
	}
	for _, other := range []string{`/a.*`, `/a%20b`, `(?:/|x)a`, `[0-9]+`, `%`} {
		if plain, ok := Plain(other); ok && other != `/a%20b` {
			t.Errorf("%s is taken back as %s", other, plain)
		}
	}
}
