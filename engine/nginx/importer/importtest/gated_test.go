package importtest

import (
	"fmt"
	"strings"
)

// gatedHead is what stands before the servers.
const gatedHead = " map $http_x_a $mapped { default 0; 1 1; ~^e 1; }\n geo $place { default 0; 127.0.0.0/8 1; }\n"

// gatedFile is a whole file of one server.
func (m *maker) gatedFile() string {
	m.backends = []string{"127.0.0.1:9001", "127.0.0.1:9002"}
	m.f("events {}\nhttp {\n%s", gatedHead)
	if m.chance(20) {
		m.f("  %s\n", pick(m, "deny all;", "auth_basic x; auth_basic_user_file f;", "error_page 403 404 = /in;"))
	}
	m.gated("8080")
	m.f("}\n")
	return m.b.String()
}

// gated writes a server whose locations refuse in one way or another.
func (m *maker) gated(listen string) {
	m.f(" server {\n  listen %s;\n  server_name a.test;\n", listen)
	for range m.IntN(3) {
		m.gate("  ", true)
	}
	for i, name := range gatedNames {
		if i > 0 && m.chance(55) {
			continue
		}
		m.f("  location %s {\n", name)
		for range m.IntN(4) {
			m.gate("   ", false)
		}
		m.serve("   ")
		if inner := nestedNames[name]; inner != "" && m.chance(40) {
			m.f("   location %s {\n", inner)
			for range m.IntN(3) {
				m.gate("    ", false)
			}
			m.serve("    ")
			m.f("   }\n")
		}
		m.f("  }\n")
	}
	for _, name := range []string{"@x", "@y"} {
		m.f("  location %s {\n", name)
		if m.chance(30) {
			m.gate("   ", false)
		}
		m.f("   %s\n  }\n", pick(m, "proxy_pass http://"+m.backends[1]+";", "proxy_pass http://"+m.backends[1]+";", "return 403;", "try_files /none @x;"))
	}
	m.f(" }\n")
}

// gatedNames are the locations of a server; the first is always there.
var gatedNames = []string{"/", "/a", "/a/", "= /a/b", "^~ /b/", "/b/c", `~ \.php$`, `~* ^/C`, "/in", "/@me", `"/x y"`, "/é/", "/d/e/f", "= /d/e/f/g", "~ ^/[^/]+$", `~ /\.`, `~* \.(bak|old)$`, "~ ^/d/.+x", `"/a+b;c"`,
	`~ ^/b/(?!c)`, "~ ^/k/[a-z]+/c$", "~ b$"}

// nestedNames are those that some may have within them.
var nestedNames = map[string]string{"/a/": "/a/in/", "^~ /b/": `~ \.php$`, `~* ^/C`: "~ d", "/d/e/f": "= /d/e/f/h", "/": "/a/c"}

// gate writes one directive that refuses, or nearly.
func (m *maker) gate(indent string, server bool) {
	condition := pick(m, `$http_x_a`, `$http_x_a = 1`, `$http_x_a ~* ^e`, `$http_x_a !~ ^(?!e)`, `$mapped`, `$mapped = 0`, `$place`, `$request_method = POST`, `$request_method !~ ^(GET|HEAD)$`,
		`$arg_k != good`, `$arg_k = bad`, `$cookie_k != good`, `$cookie_k ~ bad`, `$v = 1`, `$v = 0`, `$uri ~ c`, `$request_uri ~ \.\.`, `$args ~ k`, `$remote_user = ""`, `$http_referer !~ a`, `$host = a.test`, `$query_string ~ bad`)
	code := pick(m, "403", "403", "404", "401", "444")
	n := m.IntN(14)
	if server && (n == 3 || n == 4) || strings.Contains(m.b.String()[strings.LastIndex(m.b.String(), "{"):], "satisfy") && n == 5 {
		n = 8
	}
	switch n {
	case 0, 1:
		m.once(indent, "deny all;")
	case 2:
		m.once(indent, pick(m, "allow 10.0.0.0/8; deny all;", "deny 10.0.0.1; allow all;", "allow all;"))
	case 3:
		m.once(indent, pick(m, "limit_except GET { deny all; }", "limit_except POST { deny all; }", "limit_except GET { auth_basic x; auth_basic_user_file f; }", "limit_except GET POST { allow 10.0.0.0/8; deny all; }"))
	case 4:
		m.once(indent, "internal;")
	case 5:
		m.once(indent, "satisfy any;")
	case 6:
		m.once(indent, "auth_basic x; auth_basic_user_file f;")
	case 7:
		m.once(indent, "auth_basic off;")
	case 8, 9, 10:
		if strings.HasPrefix(condition, "$v") || m.chance(20) {
			m.f("%sset $v %d;\n%sif (%s) { set $v %d; }\n", indent, m.IntN(2), indent, pick(m, `$http_x_a ~* e`, `$request_method = POST`, `$mapped`, `$arg_k = bad`), m.IntN(2))
		}
		m.f("%sif (%s) { return %s; }\n", indent, condition, code)
	case 11:
		m.f("%sif (%s) { %s }\n", indent, condition, pick(m, "set $w 1;", "break;", "rewrite ^ /in last;", "set $w 2;"))
	case 12:
		m.once(indent, fmt.Sprintf("error_page %s %s;", code, pick(m, "= @x", "= /in", "/none.html", "=200 @y")))
	case 13:
		m.f("%srewrite %s %s;\n", indent, pick(m, "^/b/(.*)$ /a/$1", "^/c /in", `\.php$ /b/c`, "^/(?!b)c /in"), pick(m, "last", "break", ""))
	}
}

// once writes a directive unless it stands in the block already.
func (m *maker) once(indent, text string) {
	all := m.b.String()
	block := all[max(strings.LastIndex(all, "location "), strings.LastIndex(all, "server {"), 0):]
	name, _, _ := strings.Cut(text, " ")
	if !strings.Contains(block, "\n"+indent+strings.TrimSuffix(name, ";")) || name == "error_page" {
		m.f("%s%s\n", indent, text)
	}
}

func (m *maker) serve(indent string) {
	to := "proxy_pass http://" + m.backends[0] + ";"
	m.f("%s%s\n", indent, pick(m, to, to, to, "try_files /none @x;", "try_files /none @y;", "try_files /none /in;",
		"return 418;", "return 403;"))
}

// gatedTargets are paths that meet the locations.
var gatedTargets = []string{"/", "/a", "/a/", "/a/b", "/a/bc", "/b/", "/b/c", "/b/c/d", "/x.php", "/a/x.php", "/b/x.php", "/c", "/C/x", "/in", "/in/x", "/zz", "/a/../b/c", "/%61/b", "//a/b", "/@me", "/@me/x", "/x%20y", "/%C3%A9/",
	"/%C3%A9/x", "/d/e/f", "/d/e/f/g", "/d/e/f/x", "/d/e/f/h", "/.ht", "/a/.x", "/x.bak", "/a/x.old", "/d/xx", `"/a+b;c"`, "/a/in/x", "/c/d", "/a/c/x", "/b/x", "/k/a/c", "/k/ab/b"}

func (m *maker) gatedRequest() (method, target string, headers [][2]string) {
	method = pick(m, "GET", "GET", "GET", "POST", "HEAD", "DELETE")
	target = pick(m, gatedTargets...)
	if m.chance(60) {
		target = m.disguised(target)
	}
	if m.chance(25) {
		target += pick(m, "?k=good", "?k=bad", "?k=bad&k=good", "?x=1&k=good", "?", "?k", "?K=good", "?/../a", "#x", "?x#/a")
	}
	if m.chance(40) {
		headers = append(headers, [2]string{"X-A", pick(m, "1", "0", "evil", "Evil", "")})
	}
	if m.chance(30) {
		headers = append(headers, [2]string{"Cookie", pick(m, "k=good", "k=bad", "k=bad; k=good", "z=1; k=good", "z=1,k=good")})
	}
	return method, target, headers
}

// disguised is a path written so that a proxy which reads it otherwise than nginx
// takes it for another.
func (m *maker) disguised(path string) string {
	for range 1 + m.IntN(3) {
		i := 1 + m.IntN(len(path))
		switch m.IntN(9) {
		case 0, 1:
			path = m.escapes(path, 60)
		case 2:
			path = m.escapes(path, 10)
		case 3:
			path = path[:i] + pick(m, "/", "%2F", "%2f/", "/%2F", "/./", "%2F.%2F", "/.%2f", "//", "/x/../", "/x%2F../", "/x/..%2f", "%2f..%2f", "/..;/", `\`, "%5C", `/x\..\`) + path[i:]
		case 4:
			path = pick(m, "/", "/.", "/%2F", "/x/..", "/x%2F..", "/x/..%2f.", "/zz/%2e%2e", "/..", "/%2e/", "/in/..", "/.//", "/zz/..;", "/in/..;", "/b/..;") + path
		case 5:
			path += pick(m, "%0a", "%0A", "%0d", "%20", ".", "/", "%2F", "%2f.", "/.", "/..", ";x", "%3bx", "%00", "%3f", "%23", "~", "%7e", "%", "x%2cc", "%2b")
		case 6:
			path = path[:i] + pick(m, ";x", "%3B", "%40", "@", "+", "%2b", "%0a", "%c3%a9", "%C3%a9", "%25", "%2e", ".") + path[i:]
		case 7:
			path = strings.ToUpper(path)
		case 8:
			path = strings.NewReplacer("%C3%A9", "%c3%A9", "@", "%40", "+", "%2B", ";", "%3b", ".", "%2e").Replace(path)
		}
	}
	return path
}

// escapes writes some of a path's characters as %XX.
func (m *maker) escapes(path string, percent int) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%' && i+2 < len(path):
			b.WriteString(path[i : i+3])
			i += 2
		case i > 0 && m.chance(percent):
			fmt.Fprintf(&b, pick(m, "%%%02x", "%%%02X"), c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
