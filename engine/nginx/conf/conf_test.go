package conf

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
)

// folder is a Source of files by their whole path.
type folder map[string]string

func (f folder) ReadFile(path string) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func (f folder) Glob(pattern string) (out []string, err error) {
	for name := range f {
		if ok, err := filepath.Match(pattern, name); err != nil {
			return nil, err
		} else if ok {
			out = append(out, name)
		}
	}
	return out, nil
}

func parse(t *testing.T, f folder) *Config {
	t.Helper()
	c, err := Parse("/etc/nginx/nginx.conf", f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shown is the tree with the place of each directive.
func shown(ds []*Directive, indent string) string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(indent + filepath.Base(d.File) + ":" + string(rune('0'+d.Line)) + " " + d.String() + "\n")
		b.WriteString(shown(d.Block, indent+"  "))
	}
	return b.String()
}

func TestIncludesStandInTheirPlace(t *testing.T) {
	c := parse(t, folder{
		"/etc/nginx/nginx.conf":          "events {}\nhttp {\n  include sites/*.conf;\n  server {\n    include sites/in/server.inc;\n    location / { include /abs/loc.inc; }\n  }\n}\n",
		"/etc/nginx/sites/b.conf":        "server { listen 2; }\n",
		"/etc/nginx/sites/a.conf":        "\nserver { listen 1; include sites/in/server.inc; }\n",
		"/etc/nginx/sites/in/server.inc": "server_name x;\n",
		"/abs/loc.inc":                   "return 204;\n",
	})
	want := `nginx.conf:1 events
nginx.conf:2 http
  a.conf:2 server
    a.conf:2 listen 1
    server.inc:1 server_name x
  b.conf:1 server
    b.conf:1 listen 2
  nginx.conf:4 server
    server.inc:1 server_name x
    nginx.conf:6 location /
      loc.inc:1 return 204
`
	if d := cmp.Diff(want, shown(c.Main, "")); d != "" {
		t.Error(d)
	}
	if len(c.Problems) > 0 {
		t.Errorf("problems: %v", c.Problems)
	}
}

func TestArgumentsAreRead(t *testing.T) {
	for text, want := range map[string][]string{
		`return 200 "a b";`:                  {"200", "a b"},
		`return 200 "say \"hi\"\n";`:         {"200", "say \"hi\"\n"},
		`rewrite ^/x/(\d+)\.html$ /y last;`:  {`^/x/(\d+)\.html$`, "/y", "last"},
		`rewrite "^/x{2}$" /y;`:              {"^/x{2}$", "/y"},
		`set $a ${b}c;`:                      {"$a", "${b}c"},
		`return 200 '';`:                     {"200", ""},
		`return 200 "a;b{c}#d";`:             {"200", "a;b{c}#d"},
		"return # why\n  200 ok; # done":     {"200", "ok"},
		`if ($http_x = "a b") { return 1; }`: {"$http_x", "=", "a b"},
		`if ( $a ~* "x{2}" ) { return 1; }`:  {"$a", "~*", "x{2}"},
	} {
		c := parse(t, folder{"/etc/nginx/nginx.conf": "http { server {\n" + text + "\n} }"})
		got := c.Main[0].Block[0].Block[0].Args
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestBlocksThatAreNoDirectives(t *testing.T) {
	c := parse(t, folder{"/etc/nginx/nginx.conf": `http {
map $a $b { default 0; "~*x{2}" 1; "a b" 2; include m.map; }
server { rewrite_by_lua_block { local a = "}" ; if a then return end } return 200; }
split_clients $a $c { 0.5% one; * two; }
}`, "/etc/nginx/m.map": "k v;\n"})
	if len(c.Problems) > 0 {
		t.Errorf("problems: %v", c.Problems)
	}
	http := c.Main[0]
	if n := len(http.Children("map")[0].Block); n < 4 {
		t.Errorf("map has %d lines, want 4: %s", n, shown(http.Block, ""))
	}
	if s := http.Children("server")[0]; len(s.Children("return")) != 1 {
		t.Errorf("what stands behind lua is lost: %s", shown(s.Block, ""))
	}
	if s := http.Children("split_clients")[0]; len(s.Block) != 2 || s.Block[0].Name != "0.5%" {
		t.Errorf("split_clients: %s", shown(s.Block, ""))
	}
}

// What is wrong is told with its place, and what can be read is there.
func TestProblemsAreTold(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		severity   mesh.Severity
		says       string
		left       string // a directive that must still be there
	}{
		{"unclosed brace", "http {\n server {\n  listen 80;\n", 4, mesh.Error, "unexpected end of file", ""},
		{"brace too many", "http {\n}\n}\n", 3, mesh.Error, `unexpected "}"`, ""},
		{"missing semicolon", "http {\n server {\n  listen 80\n  server_name x;\n }\n}\n", 3, mesh.Error, "server_name", "listen"},
		{"unknown directive", "http {\n server {\n  lisen 80;\n listen 81;\n }\n}\n", 3, mesh.Error, `unknown directive "lisen"`, "lisen"},
		{"unknown directive of some module", "http {\n server {\n  brotli on;\n listen 81;\n }\n}\n", 3, mesh.Warning, `unknown directive "brotli"`, "brotli"},
		{"letters exchanged", "http {\n server {\n  dney all;\n listen 81;\n }\n}\n", 3, mesh.Error, `"dney"`, "dney"},
		{"a letter too many", "http {\n server {\n  denny all;\n listen 81;\n }\n}\n", 3, mesh.Error, `"denny"`, "denny"},
		{"wrong place", "http {\n listen 80;\n}\n", 2, mesh.Warning, "not allowed here", "listen"},
		{"semicolon", "http {\n server {\n  location / { return 301 /new }\n }\n}\n", 3, mesh.Error, "is not terminated by", "return"},
		{"arguments", "http {\n server {\n  listen;\n }\n}\n", 3, mesh.Error, "number of arguments", "listen"},
		{"twice", "http {\n server {\n  root /a;\n  root /b;\n }\n}\n", 4, mesh.Warning, "duplicate", "root"},
		{"two locations", "http {\n server {\n  location /a { }\n  location /a { }\n }\n}\n", 4, mesh.Warning, "duplicate location", "location"},
		{"missing include", "http {\n include gone.conf;\n server { }\n}\n", 2, mesh.Error, "gone.conf", "server"},
		{"include of itself", "http {\n include nginx.conf;\n server { }\n}\n", 2, mesh.Error, "nginx.conf", "server"},
		{"if without anything", "http {\n server {\n  if () { }\n }\n}\n", 0, mesh.Error, "if", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parse(t, folder{"/etc/nginx/nginx.conf": c.text})
			found := false
			for _, p := range got.Problems {
				found = found || p.Severity == c.severity && p.Line == c.line && strings.Contains(p.Message, c.says) && p.File == "/etc/nginx/nginx.conf"
			}
			if !found {
				t.Errorf("want %q at line %d, got %+v", c.says, c.line, got.Problems)
			}
			if c.left != "" {
				there := false
				for d := range got.All() {
					there = there || d.Name == c.left
				}
				if !there {
					t.Errorf("%s is gone: %s", c.left, shown(got.Main, ""))
				}
			}
		})
	}
}

// A file that is no configuration at all is read without a panic.
func TestNotAConfiguration(t *testing.T) {
	for _, text := range []string{"", "\x00\xff\xfe\x01", "\"", "'", "{", "}", ";", "#", "http", "a\\", strings.Repeat("a {", 5000), "\xef\xbb\xbfhttp {}"} {
		c := parse(t, folder{"/etc/nginx/nginx.conf": text})
		for d := range c.All() {
			if d.File == "" || d.Line == 0 {
				t.Errorf("%.20q: %s stands nowhere", text, d)
			}
		}
	}
	if _, err := Parse("/none", folder{}); err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("a file that is not there: %v", err)
	}
}
