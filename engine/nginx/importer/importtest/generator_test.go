package importtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// server is a random case: a few servers at one address, as text, with what they
// use of http {}.
type server struct {
	seed  uint64
	text  string   // the server blocks, with LISTEN in the place of the address
	hosts []string // names that some server has, or that look like one
	paths []string // names of locations, and paths that are near to one
}

// maker makes random things, the same for the same seed.
type maker struct {
	*rand.Rand
	b        strings.Builder
	hosts    []string
	paths    []string
	backends []string // addresses
	id       int
	plain    bool   // no rewrites and conditions
	rich     bool   // and what real files have beside
	suffix   string // of the case's own variables
}

func newServer(seed uint64, backends []string) server {
	m := newMaker(seed)
	m.backends, m.plain, m.rich = backends, seed%3 == 1, seed%3 == 2
	before := ""
	if m.rich {
		before = m.prelude(seed)
	}
	n := 1 + m.IntN(4)
	chosen := m.IntN(n + 1)
	taken := map[string]bool{}
	for i := range n {
		m.server(i == chosen, taken)
	}
	return server{seed: seed, text: before + m.b.String(), hosts: m.hosts, paths: append(m.paths, "/", "/zzz")}
}

func newMaker(seed uint64) *maker { return &maker{Rand: rand.New(rand.NewPCG(seed, 0x6e67696e78))} }

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](m *maker, from ...T) T { return from[m.IntN(len(from))] }

func (m *maker) f(format string, args ...any) { fmt.Fprintf(&m.b, format, args...) }

func (m *maker) server(isDefault bool, taken map[string]bool) {
	flag := ""
	if isDefault {
		flag = " default_server"
	}
	m.f("server {\n  listen LISTEN%s;\n", flag)
	named := false
	for i := range 4 {
		n := m.name()
		if i == 3 && !named && !taken[`""`] {
			n = `""` // what a server without a name has
		} else if i == 3 && !named {
			n = fmt.Sprintf("s%d.test", len(taken))
		} else if i == 3 || m.chance(50) {
			continue
		}
		keys := []string{n}
		if d, dotted := strings.CutPrefix(n, "."); dotted {
			keys = []string{d, "*" + n}
		}
		if slices.ContainsFunc(keys, func(k string) bool { return taken[k] }) {
			continue // nginx warns of names that it has
		}
		for _, k := range keys {
			taken[k] = true
		}
		named = true
		m.f("  server_name %s;\n", n)
	}
	if m.rich {
		m.richServer()
	}
	if !m.plain {
		m.serverScript()
	}
	m.scope("  ", "", 0, m.chance(50), 1+m.IntN(12))
	m.f("}\n")
}

var domains = []string{"a.com", "b.com", "x.a.com", "y.x.a.com", "www.b.com", "c.org", "a.b.c.org"}

func (m *maker) name() string {
	d := pick(m, domains...)
	m.hosts = append(m.hosts, d)
	switch m.IntN(10) {
	case 0:
		m.hosts = append(m.hosts, "q."+d, "p.q."+d, "."+d)
		return "*." + d
	case 1:
		m.hosts = append(m.hosts, "q."+d, "."+d)
		return "." + d
	case 2:
		head, _, _ := strings.Cut(d, ".")
		m.hosts = append(m.hosts, head+".net", head+".co.uk")
		return head + ".*"
	case 3:
		m.hosts = append(m.hosts, "r1.x.com", "r22.a.com")
		return pick(m, `~^r\d+\.`, `~\.com$`, `~^(?<sub>[a-z]+)\.(a|b)\.com$`, `~^x`, `"~^r\d{2}\.a\.com$"`, `~B\.COM`, `~a.c|b.c`)
	case 4:
		return `""`
	case 5:
		m.hosts = append(m.hosts, "127.0.0.1", "10.1.2.3")
		return pick(m, "127.0.0.1", "10.1.2.3")
	}
	return d
}

var segments = []string{"a", "b", "ab", "c.php", "A", "1", "img", "a-b", "x_y"}

func (m *maker) path() string {
	p := ""
	for range 1 + m.IntN(3) {
		p += "/" + pick(m, segments...)
	}
	if m.chance(35) {
		p += "/"
	}
	if m.chance(8) {
		p = "/"
	}
	return p
}

var expressions = []string{`^/a`, `\.php$`, `b+`, `^/(a|b)/`, `/[0-9]+$`, `^/(?<one>[^/]+)/x$`, `img`, `^/ab?/`, `/$`, `^/[A-Z]`, `a.b`, `^/a$|b$`, `(b|1)/?$`}

// scope writes locations. within is what their names begin with.
func (m *maker) scope(indent, within string, depth int, nested bool, n int) {
	taken := map[string]bool{}
	for range n {
		sign, name := "", within+m.path()
		if within != "" {
			name = strings.TrimSuffix(within, "/") + m.path()
			if m.chance(30) {
				name = within + pick(m, "", "/", "b", "b/")
			}
			if !strings.HasPrefix(name, within) {
				continue
			}
		}
		switch m.IntN(10) {
		case 0, 1:
			sign = "= "
		case 2, 3:
			sign = "^~ "
		case 4, 5:
			sign, name = pick(m, "~ ", "~ ", "~* "), pick(m, expressions...)
		}
		key := strings.Replace(sign, "^~ ", "", 1) + name
		if taken[key] {
			continue
		}
		taken[key] = true
		if sign == "~ " || sign == "~* " {
			m.paths = append(m.paths, pick(m, "/a/x", "/b.php", "/img/1", "/ab/x", "/A", "/b", "/a/bb", "/1"))
		} else {
			m.paths = append(m.paths, name, name+"/", "/"+strings.Trim(name, "/"), name+"x", name+pick(m, "/a", "a", "b.php", "/1"))
		}
		m.f("%slocation %s%s {\n", indent, sign, name)
		if nested && depth < 2 && sign != "= " && m.chance(40) {
			inner := name
			if strings.HasPrefix(sign, "~") {
				m.regexScope(indent + "  ")
			} else {
				m.scope(indent+"  ", inner, depth+1, true, 1+m.IntN(3))
			}
		}
		m.action(indent+"  ", strings.HasPrefix(sign, "~"))
		m.f("%s}\n", indent)
	}
}

// regexScope writes expressions within an expression: nginx takes no names there.
func (m *maker) regexScope(indent string) {
	for range 1 + m.IntN(2) {
		m.f("%slocation %s%s {\n", indent, pick(m, "~ ", "~* "), pick(m, expressions...))
		m.action(indent+"  ", true)
		m.f("%s}\n", indent)
	}
}

// action writes what a location does, with a number that tells which it is.
func (m *maker) action(indent string, regex bool) {
	m.id++
	if !m.plain && m.chance(25) {
		m.locationScript(indent)
	}
	if m.rich {
		m.settings(indent)
		m.limits(indent)
		if m.richAction(indent) {
			return
		}
	}
	switch n := m.IntN(12); {
	case n < 4:
		m.f("%sreturn 200 loc%d;\n", indent, m.id)
	case n < 5:
		m.f("%sreturn %d;\n", indent, pick(m, 403, 404, 410, 503, 204))
	case n < 7:
		m.f("%sreturn %d %s;\n", indent, pick(m, 301, 302, 303, 307, 308), fmt.Sprintf(pick(m, "/to%d", "/to%d?q=1", "/to%d$request_uri", "/to%d$uri", "/to%d$uri$is_args$args",
			"/to%d$is_args$args", "http://z.com/to%d", "https://$host/to%d$request_uri", "http://$host:81/to%d"), m.id))
	case n < 10 || regex:
		m.f("%sproxy_set_header X-Loc %d;\n%sproxy_pass http://%s;\n", indent, m.id, indent, pick(m, m.backends...))
	default:
		m.f("%sproxy_set_header X-Loc %d;\n%sproxy_pass http://%s%s;\n", indent, m.id, indent, pick(m, m.backends...), pick(m, "/", "/u/", "/u", "/u/v"))
	}
}

// serverScript writes rewrite directives of a server.
func (m *maker) serverScript() {
	for range m.IntN(3) {
		m.id++
		switch m.IntN(4) {
		case 0:
			m.f("  %s\n", m.condition(fmt.Sprintf("return 200 if%d;", m.id)))
		case 1:
			p := m.path()
			m.paths = append(m.paths, p+"x", p)
			m.f("  rewrite ^%s(.*)$ /to%d/$1 %s;\n", p, m.id, pick(m, "permanent", "redirect"))
		case 2:
			p := m.path()
			m.paths = append(m.paths, p)
			m.f("  rewrite ^%s$ %s last;\n", p, m.path())
		case 3:
			m.f("  rewrite \\.old$ /new%d%s permanent;\n", m.id, pick(m, "", "?", "?a=1"))
			m.paths = append(m.paths, m.path()+".old")
		}
	}
}

// locationScript writes rewrite directives of a location.
func (m *maker) locationScript(indent string) {
	switch n := m.IntN(3); {
	case m.rich && m.chance(30):
		m.chains(indent)
	case n == 0:
		m.f("%s%s\n", indent, m.condition(fmt.Sprintf("return 200 if%d;", m.id)))
	case n == 1:
		m.f("%srewrite /([^/]*)$ /br%d/$1 break;\n", indent, m.id)
	default:
		m.f("%srewrite ^(/.*)/x$ $1/to%d permanent;\n", indent, m.id)
		m.paths = append(m.paths, pick(m, m.paths...)+"/x")
	}
}

func (m *maker) condition(then string) string {
	test := pick(m, `$http_x_a = 1`, `$http_x_a`, `$http_x_a != 1`, `$http_x_a ~ ^[0-9]`, `$request_method = POST`, `$request_method ~ ^(PUT|POST)$`, `$arg_v = 2`, `$arg_v`,
		`$cookie_c = k`, `$cookie_c ~ ^k`, `$host = a.com`, `$host != a.com`, `$args ~ v=`, `$uri ~ php`, `$scheme = https`, `$scheme = http`, `$arg_v != 2`, `$cookie_c != k`, `$http_x_a = ""`)
	return fmt.Sprintf("if (%s) { %s }", test, then)
}

// file is a whole file of servers, each at an address of its own.
func file(servers []server, listen func(i int) string) string {
	var b strings.Builder
	b.WriteString("events { worker_connections 512; }\nhttp {\nserver_names_hash_bucket_size 128;\nvariables_hash_max_size 2048;\n")
	for i, s := range servers {
		b.WriteString(strings.ReplaceAll(s.text, "LISTEN", listen(i)))
	}
	b.WriteString("}\n")
	return b.String()
}
