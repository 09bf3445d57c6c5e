package nginx_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// confMaker makes random servers of few words, so that locations get into each
// other's way.
type confMaker struct {
	*rand.Rand
	echo  int
	count int
}

func (m *confMaker) one(from ...string) string { return from[m.IntN(len(from))] }

func (m *confMaker) path() string {
	p := ""
	for range 1 + m.IntN(3) {
		p += "/" + m.one("a", "b", "ab", "A", "1", "a b", "")
	}
	return strings.ReplaceAll(p, "//", "/")
}

// locations are those of one block; outer is the prefix that they must begin with.
func (m *confMaker) locations(outer string, depth int) string {
	var b strings.Builder
	seen := map[string]bool{}
	for range 1 + m.IntN(7) {
		kind, name := m.one("", "", "", "^~ ", "= ", "~ ", "~* "), ""
		if kind[:min(1, len(kind))] == "~" {
			name = m.one("", "^") + m.one("/a", "/ab/", "b", `\.x`, "(a|b)1") + m.one("", "$", ".*b")
		} else {
			name = strings.TrimSuffix(outer, "/") + m.path()
		}
		if class := strings.TrimPrefix(kind, "^~ ") + name; seen[class] {
			continue
		} else {
			seen[class] = true
		}
		m.count++
		fmt.Fprintf(&b, "location %s%q {\n", kind, name)
		if m.IntN(3) == 0 {
			uri := ""
			if kind[:min(1, len(kind))] != "~" {
				uri = m.one("", "", "/", "/new", "/new/")
			}
			fmt.Fprintf(&b, "proxy_set_header X-Route r%d;\nproxy_pass http://up%s;\n", m.count, uri)
		} else {
			fmt.Fprintf(&b, "return 200 r%d;\n", m.count)
		}
		if depth == 0 && m.IntN(3) == 0 && (kind == "" || kind == "^~ ") {
			b.WriteString(m.locations(name, 1))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func (m *confMaker) conf(port, servers int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "events {}\nhttp {\nupstream up { server 127.0.0.1:%d; }\n", m.echo)
	for i := range servers {
		name := fmt.Sprintf("h%d.test", i)
		if i%5 == 4 {
			name = fmt.Sprintf("~^h%d\\.test$", i)
		}
		fmt.Fprintf(&b, "server {\nlisten 127.0.0.1:%d;\nserver_name %s;\n%s}\n", port, name, m.locations("", 0))
	}
	return b.String() + "}\n"
}

// saw is what came of a request: the status, and the route or the target that an
// upstream saw.
func saw(r nginxtest.Reply) string {
	if s, ok := nginxtest.ParseSeen(r.Body); ok {
		return s.Header("X-Route") + " " + s.Target + " " + s.Header("Host")
	}
	if r.Status == 200 {
		return r.Body
	}
	_, to, _ := strings.Cut(r.Location(), "//")
	_, to, _ = strings.Cut(to, "/")
	return fmt.Sprint(r.Status, " ", to)
}

// TestThereAndBack imports random servers, projects what they became, and asks two
// real nginx, one with each text.
func TestThereAndBack(t *testing.T) {
	nginxtest.Need(t)
	const servers = 60
	m := &confMaker{Rand: rand.New(rand.NewPCG(5, 5)), echo: nginxtest.NewEcho(t, "up").Port}
	port, other := nginxtest.FreePort(t), nginxtest.FreePort(t)
	text := m.conf(port, servers)
	c, err := conf.Parse("nginx.conf", conf.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	back := nginx.Project(importer.Import(c).Mesh)
	moved := strings.ReplaceAll(back.String(), fmt.Sprintf(":%d", port), fmt.Sprintf(":%d", other))
	was, is := nginxtest.NewAsker(t, nginxtest.Start(t, text).Address), nginxtest.NewAsker(t, nginxtest.Start(t, moved).Address)
	wrong := 0
	for h := range servers {
		for range 50 {
			host := fmt.Sprintf("h%d.test", h)
			path := strings.ReplaceAll(m.path(), " ", "%20") + m.one("", "", "", "/", "//", ".x", "?q=1", "/../a", "%zz", "/./b")
			want, got := saw(was.Get(host, path)), saw(is.Get(host, path))
			if want != got {
				if wrong++; wrong < 8 {
					t.Errorf("%s%s: %q at first, %q after there and back", host, path, want, got)
				}
			}
		}
	}
	if wrong > 0 {
		t.Logf("%d of %d", wrong, servers*50)
	}
}

// TestWhatKeepsOutComesBackAsItWas: a server of an nginx.conf that keeps requests out
// is guarded in Envoy against paths in other letters; nginx needs no such guard.
func TestWhatKeepsOutComesBackAsItWas(t *testing.T) {
	c, err := conf.Parse("nginx.conf", conf.Text(`events {}
http {
	upstream up { server 127.0.0.1:9001; }
	server {
		listen 127.0.0.1:8080;
		location / { proxy_pass http://up; }
		location /admin/ { allow 10.0.0.0/8; deny all; proxy_pass http://up; }
		location ~ \.bak$ { deny all; }
	}
}`))
	if err != nil {
		t.Fatal(err)
	}
	text := nginx.Project(importer.Import(c).Mesh).String()
	for _, want := range []string{"location /admin/ {", "allow 10.0.0.0/8;", "location ~ \\.bak$ {"} {
		if !strings.Contains(text, want) {
			t.Errorf("without %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "$request_uri") {
		t.Errorf("it asks for the path as it was sent:\n%s", text)
	}
}
