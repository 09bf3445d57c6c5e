package predict_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// maker writes random configurations and requests. It leaves out what nginx -t
// refuses.
type maker struct {
	*rand.Rand
	b      strings.Builder
	indent int
	id     int
	port   int
	up     [2]string // addresses of the upstreams
}

func (m *maker) pick(from ...string) string { return from[m.IntN(len(from))] }
func (m *maker) one(in int) bool            { return m.IntN(in) == 0 }

func (m *maker) line(format string, args ...any) {
	fmt.Fprintf(&m.b, "%s%s\n", strings.Repeat("  ", m.indent), fmt.Sprintf(format, args...))
}

func (m *maker) block(head string, inner func()) {
	m.line("%s {", head)
	m.indent++
	inner()
	m.indent--
	m.line("}")
}

// addresses is how many addresses a configuration listens on, beside the wildcard.
const addresses = 12

// conf is a configuration with some servers at each of its addresses.
func (m *maker) conf() string {
	m.line("worker_processes 1;")
	m.line("events { worker_connections 512; }")
	m.block("http", func() {
		m.line("server_names_hash_bucket_size 128;")
		m.line("root empty;")
		m.line("upstream app { server %s; }", m.up[0])
		m.line("upstream Other { server %s; }", m.up[1])
		m.block("map $uri $mapped", func() {
			m.line("default none;")
			m.line("/a 1;")
			m.line("/A/b \"x$arg_x\";")
			m.line("~^/b(.*)$ \"b$1\";")
			m.line("~*^/C c;")
		})
		m.block("map $host $hosted", func() {
			m.line("hostnames;")
			m.line("*.b.test star;")
			m.line(".a.test dot;")
			m.line("www.* tail;")
			m.line("\"\" empty;")
		})
		m.line("split_clients $arg_x $picked { 30%% app; 20.5%% Other; * %s; }", m.up[0])
		m.line("server { listen 127.0.0.2:%d; server_name ~^never(?<sub>.)(?<rest>.)$; set $v \"\"; }", m.port) // every variable is there
		for a := range addresses {
			m.servers(fmt.Sprintf("127.0.0.%d:%d", a+2, m.port))
		}
		m.servers(fmt.Sprint(m.port))
	})
	return m.b.String()
}

// servers are those of one address.
func (m *maker) servers(address string) {
	n, def := 1+m.IntN(5), -1
	if m.one(2) {
		def = m.IntN(n)
	}
	for i := range n {
		m.block("server", func() {
			flag := ""
			if i == def {
				flag = " default_server"
			}
			m.line("listen %s%s;", address, flag)
			if !m.one(5) {
				var names []string
				for range 1 + m.IntN(3) {
					names = append(names, m.name())
				}
				m.line("server_name %s;", strings.Join(names, " "))
			}
			if i == max(def, 0) && m.one(4) {
				m.line("merge_slashes off;")
			}
			if m.one(4) {
				m.line("%s;", m.pick("absolute_redirect off", "server_name_in_redirect on", "port_in_redirect off", "client_max_body_size 5"))
			}
			m.errorPages(6)
			m.rewrites(4, false)
			m.locations("", 0, false)
			if !m.one(15) {
				m.block("location /", func() { m.content("/", false) })
			}
			m.block("location @named", func() {
				m.rewrites(4, true)
				m.content("", true)
			})
		})
	}
}

func (m *maker) name() string {
	return m.pick("a.test", "b.test", "www.a.test", "x.b.test", "*.a.test", ".a.test", "*.b.test", "*.x.b.test", "www.*", "a.*", "x.b.*", "127.0.0.1", `""`,
		`~^www\.(?<sub>.+)\.test$`, `~test$`, `~^(.)\.`, `"~^[a-b]{1}\.TEST$"`, "c.test", "*.test")
}

var segments = []string{"a", "b", "ab", "A", "abc", "c", "x y", "%", "é", "a+b", "q&r", ".x", "d.php", `"`}

func (m *maker) path() string {
	p := ""
	for range 1 + m.IntN(3) {
		if m.one(3) {
			p += "/" + segments[m.IntN(len(segments))]
		} else {
			p += "/" + segments[m.IntN(6)]
		}
	}
	if m.one(3) {
		p += "/"
	}
	return p // never "/"
}

func (m *maker) regex() string {
	return m.pick(`^/a`, `b$`, `\.php$`, `^/(a|b)(/.*)?$`, `c`, `^/A`, `/([^/]+)/(.+)`, `a+b`, `^/$`, `x y`, `^(.*)$`, `(?<rest>b.*)`, `é`, `[^a-z/]`, `^/a\b`, `/$`, `\s`, `(?i)AB`, `^/..?(?:a|c)`, `a{2}`)
}

// locations are those of a server, or within another: of an expression, or of the
// name that they begin with.
func (m *maker) locations(outer string, depth int, within bool) {
	taken := map[string]bool{}
	for range m.IntN(7 - 2*depth) {
		name, head := outer+m.path(), ""
		if outer != "" && strings.HasSuffix(outer, "/") {
			name = outer + strings.TrimPrefix(m.path(), "/")
		}
		kind := m.pick("", "", "", "", "^~ ", "= ", "= ", "~ ", "~ ", "~* ")
		if within { // no name begins with an expression
			kind = m.pick("~ ", "~* ")
		}
		switch kind {
		case "~ ", "~* ":
			name = m.regex()
		case "", "^~ ":
			head = "prefix "
		default:
			head = kind
		}
		if taken[head+name] || taken[kind+name] {
			continue
		}
		taken[head+name], taken[kind+name] = true, true
		m.block("location "+kind+quoted(name), func() {
			if depth < 2 && kind != "= " && m.one(3) {
				m.locations(name, depth+1, kind == "~ " || kind == "~* ")
			}
			if m.one(8) {
				m.line("internal;")
			}
			if m.one(12) {
				m.block("limit_except "+m.pick("GET", "POST", "GET POST"), func() { m.line("deny all;") })
			}
			if m.one(20) {
				m.line("%s", m.pick("deny all;", "allow all;", "client_max_body_size 3;"))
			}
			m.errorPages(8)
			m.rewrites(4, true)
			m.content(name, kind == "~ " || kind == "~* ")
		})
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (m *maker) errorPages(in int) {
	if !m.one(in) {
		return
	}
	code := m.pick("404", "403", "400", "405", "413", "301", "404 403 500")
	m.line("error_page %s %s%s;", code, m.pick("", "", "= ", "=200 ", "=418 "), m.pick("/a", "/err?e=1", "@named", "http://else.test/x", "/$arg_x", "@absent"))
	if m.one(3) {
		m.line("recursive_error_pages on;")
	}
}

func (m *maker) text() string {
	return m.pick("plain", "$uri", "$args", "$1-$2", "$request_uri", "$host", "$server_name", "$v", "$mapped", "$hosted", "$arg_x", "$is_args$args", "$http_x_y", "$cookie_sid", "$request_method", "$scheme", "$server_port", "$rest", "$sub", "$uri$is_args$args", "$http_host", "$query_string$document_uri")
}

// rewrites are directives of the rewrite module.
func (m *maker) rewrites(in int, inLocation bool) {
	if !m.one(in) {
		return
	}
	for range 1 + m.IntN(3) {
		m.rewrite(inLocation, 0)
	}
}

func (m *maker) rewrite(inLocation bool, depth int) {
	switch m.IntN(9) {
	case 0, 1, 2:
		to := m.pick("/b", "/a/$1", "/n/$1?y=$2", "/a?", "$1", "/c?z=1?", "/x$uri", "http://else.test$1", "$scheme://h.test/$1?k=$2", "/a/$mapped", "/new?a?b", "/$rest", "/a b/$1")
		m.line("rewrite %s %s %s;", quoted(m.regex()), quoted(to), m.pick("", "last", "break", "redirect", "permanent", "last", "break"))
	case 3:
		m.line("set $v %s;", quoted(m.text()))
	case 4:
		m.line("set $args %s;", quoted(m.text()))
	case 5:
		if m.one(2) {
			m.returns()
		}
	case 6:
		m.line("break;")
	default:
		if depth > 1 {
			return
		}
		subject := m.pick("$uri", "$arg_x", "$http_x_y", "$v", "$request_method", "$host", "$args", "$mapped", "$cookie_sid", "$1x")
		if subject == "$1x" {
			subject = "$rest"
		}
		condition := m.pick("", " = 1", " != 1", ` = "$arg_x"`, " ~ a", " !~ b", ` ~* "^(.)(.)"`, " = GET", ` = "/a"`)
		m.block("if ("+subject+condition+")", func() {
			for range m.IntN(3) {
				m.rewrite(inLocation, 2)
			}
			if inLocation && m.one(4) {
				m.line("proxy_pass %s;", m.pick("http://app", "http://"+m.up[1]))
			}
		})
	}
}

func (m *maker) returns() {
	m.line("%s;", m.pick("return 200 "+quoted(m.text()), "return 204", "return 404", "return 403 no", "return 301 /there", "return 302 "+quoted("http://e.test"+m.pick("/x", "$request_uri", "/$1")),
		"return https://s.test$uri", "return 444", "return 418 teapot", "return 307 there", "return 497", "return 200", "return 308 "+quoted(m.text()), "return 503", "return 301"))
}

// content is what a location answers with.
func (m *maker) content(name string, noURI bool) {
	m.id++
	switch m.IntN(40) {
	case 0:
		return // files
	case 1:
		m.line("try_files %s;", m.pick("$uri @named", "$uri $uri/ /a?x=1", "$uri =404", "$uri /x$uri", "$uri =418", "$uri /b"))
	}
	if m.one(4) {
		m.line("return 200 \"location %d $uri\";", m.id)
		return
	}
	m.line("proxy_set_header X-Loc %d;", m.id)
	if m.one(2) {
		m.line("proxy_set_header Host %s;", m.pick("$host", "$http_host", "fixed.test", `""`, "$proxy_host", "$host:$proxy_port", "$v"))
	}
	to := m.pick("http://app", "http://Other", "http://"+m.up[0], "http://"+m.up[1])
	switch m.IntN(6) {
	case 0, 1:
		if !noURI {
			to += m.pick("/", "/u", "/u/", "/u/v", "/u x", "/u?k=1")
		}
	case 2:
		to = "http://" + m.pick("$picked", m.up[0]+"$uri", m.up[1]+"/$1", m.up[0]+"$request_uri", m.up[1]+"/w$is_args$args", m.up[0]+"/$v", m.up[1]+"?$args")
	}
	m.line("proxy_pass %s;", quoted(to))
}
