package matchtest

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/match/routes"
)

// mutation is one way for a request to depart from a plain one.
type mutation struct {
	class string
	do    func(m *maker, d *draft)
}

// Classes lists the ways in which a request may depart from a plain one, each
// of which Options can leave out.
func Classes() []string {
	var out []string
	for _, c := range mutations() {
		out = append(out, c.class)
	}
	return out
}

// mutate changes a request in one random way that the options allow.
func (m *maker) mutate(d *draft) {
	all := mutations()
	one := pick(m, all...)
	if slices.Contains(m.o.Without, one.class) || slices.Contains(d.classes, one.class) {
		return
	}
	if d.method == "CONNECT" && strings.HasPrefix(one.class, "path: ") {
		return
	}
	one.do(m, d)
	d.classes = append(d.classes, one.class)
}

func mutations() []mutation {
	return slices.Concat(pathMutations(), targetMutations(), hostMutations(), headerMutations())
}

// inPath puts s somewhere into the path, in front of the query: at a slash
// mostly.
func (m *maker) inPath(d *draft, s string) {
	path, query, has := strings.Cut(d.target, "?")
	at := m.IntN(len(path) + 1)
	if m.chance(70) {
		for i := range len(path) {
			if j := (at + i) % len(path); path[j] == '/' {
				at = j
				break
			}
		}
	}
	d.target = path[:at] + s + path[at:]
	if has {
		d.target += "?" + query
	}
}

// atEnd puts s behind the path, in front of the query.
func atEnd(d *draft, s string) {
	path, query, has := strings.Cut(d.target, "?")
	d.target = path + s
	if has {
		d.target += "?" + query
	}
}

// escapeOne writes one byte of the path that test takes as %XX.
func (m *maker) escapeOne(d *draft, test func(byte) bool) {
	path, query, has := strings.Cut(d.target, "?")
	var at []int
	for i := 1; i < len(path); i++ {
		if test(path[i]) {
			at = append(at, i)
		}
	}
	if len(at) > 0 {
		i := pick(m, at...)
		path = path[:i] + fmt.Sprintf(pick(m, "%%%02X", "%%%02x"), path[i]) + path[i+1:]
	}
	d.target = path
	if has {
		d.target += "?" + query
	}
}

func pathMutations() []mutation {
	letter := func(b byte) bool { return (b|0x20) >= 'a' && (b|0x20) <= 'z' || b == '-' || b == '.' || b == '~' }
	return []mutation{
		{"path: double slash", func(m *maker, d *draft) { m.inPath(d, pick(m, "/", "//", "/")) }},
		{"path: dot segment", func(m *maker, d *draft) {
			m.inPath(d, pick(m, "/.", "/..", "/x/..", "/a/./b/..", "/../..", "/...", "/.x"))
		}},
		{"path: dot segment at the end", func(m *maker, d *draft) { atEnd(d, pick(m, "/.", "/..", "/./", "/../", ".")) }},
		{"path: escaped dot", func(m *maker, d *draft) {
			m.inPath(d, pick(m, "/%2e", "/%2E%2e", "/.%2e", "/x/%2e%2E", "/%2e%2e/"))
		}},
		{"path: escaped slash", func(m *maker, d *draft) {
			m.inPath(d, pick(m, "%2F", "%2f", "%5C", "%5c", "/%2f", "%2F%2F", "%2F..", "..%2f"))
		}},
		{"path: escaped slash within", func(m *maker, d *draft) { m.escapeOne(d, func(b byte) bool { return b == '/' }) }},
		{"path: escaped letter", func(m *maker, d *draft) { m.escapeOne(d, letter) }},
		{"path: escape", func(m *maker, d *draft) {
			m.inPath(d, pick(m, "%20", "%25", "%3F", "%3b", "%23", "%c3%a9", "%7E", "%2B"))
		}},
		{"path: bad escape", func(m *maker, d *draft) { m.inPath(d, pick(m, "%zz", "%", "%4", "%%", "%u0041", "%2", "%g0")) }},
		{"path: escaped control", func(m *maker, d *draft) { m.inPath(d, pick(m, "%00", "%0a", "%0D", "%7f", "%01")) }},
		{"path: parameters", func(m *maker, d *draft) { m.inPath(d, pick(m, ";v=1", ";", ";a;b", ";x=/..")) }},
	}
}

// targetMutations change what is not the path's segments: the query, a
// fragment, how long it is, and the forms that are no plain path at all.
func targetMutations() []mutation {
	return []mutation{
		{"path: bare query", func(m *maker, d *draft) {
			path, _, _ := strings.Cut(d.target, "?")
			d.target = path + "?"
		}},
		{"path: odd query", func(m *maker, d *draft) {
			d.query(pick(m, "?", "a?b", "/../x", "//", "=", "&", "q", "a=%2F", "%41=1", "q=1#", "id=%zz", ";"))
		}},
		{"path: fragment", func(m *maker, d *draft) {
			if m.chance(70) {
				d.target += pick(m, "#", "#frag", "#a/b", "#?q=1")
			} else {
				atEnd(d, "#x")
			}
		}},
		{"path: long", func(m *maker, d *draft) { m.inPath(d, "/"+strings.Repeat(pick(m, "x", "/a", "ab/"), 100+m.IntN(900))) }},
		{"path: case", func(m *maker, d *draft) { d.target = flipCase(m.Rand, d.target) }},
		{"path: trailing slash", func(_ *maker, d *draft) {
			path, query, has := strings.Cut(d.target, "?")
			if trimmed := strings.TrimSuffix(path, "/"); trimmed != path && trimmed != "" {
				path = trimmed
			} else {
				path += "/"
			}
			if d.target = path; has {
				d.target += "?" + query
			}
		}},
		{"path: longer", func(m *maker, d *draft) { atEnd(d, pick(m, "x", "/x", ".html", "0", "-")) }},
		{"path: shorter", func(m *maker, d *draft) {
			path, query, has := strings.Cut(d.target, "?")
			if d.target = path[:min(len(path), max(1, len(path)-1-m.IntN(4)))]; has {
				d.target += "?" + query
			}
		}},
		{"path: backslash", func(m *maker, d *draft) { m.inPath(d, pick(m, `\`, `\..`, `/\`, `\\`)) }},
		{"path: odd characters", func(m *maker, d *draft) {
			m.inPath(d, pick(m, "|", "^", "{x}", `"`, "<>", "`", "+", "!$&'()*,", "[1]", "@", ":", "~", "="))
		}},
		{"path: raw bytes", func(m *maker, d *draft) { m.inPath(d, pick(m, "é", "\xff", "\x80", "日")) }},
		{"path: raw control", func(m *maker, d *draft) { m.inPath(d, pick(m, "\x01", "\x7f", "\t", "\x1f", "\x00")) }},
		{"path: space", func(m *maker, d *draft) { m.inPath(d, " ") }},
		{"path: no leading slash", func(m *maker, d *draft) { d.target = pick(m, "foo", "*", "a/b", "?q=1", "..", "%2Ffoo", "a:b") }},
		{"path: asterisk", func(_ *maker, d *draft) { d.method, d.target = "OPTIONS", "*" }},
		{"path: absolute form", func(m *maker, d *draft) {
			if strings.HasPrefix(d.target, "/") {
				d.target = pick(m, "http://", "https://", "HTTP://", "http://") + d.host + d.target
			}
		}},
		{"path: absolute form of another host", func(m *maker, d *draft) {
			if strings.HasPrefix(d.target, "/") {
				d.target = "http://" + pick(m, "a.com", "A.com:8080", "api", "b.a.com.") + pick(m, d.target, "", "?q=1")
			}
		}},
		{"path: odd absolute form", func(m *maker, d *draft) {
			d.target = pick(m, "http://", "http:///a", "ftp://a.com/a", "http:/a", "http://u:p@a.com/a", "//a.com/a", "http://a.com:99999/a", "http://a.com#x", "http://[::1]/a", "httpx://a.com/", "http://a.com/../b")
		}},
	}
}

func hostMutations() []mutation {
	return []mutation{
		{"host: case", func(m *maker, d *draft) { d.host = flipCase(m.Rand, d.host) }},
		{"host: port", func(m *maker, d *draft) {
			d.host += fmt.Sprintf(":%d", pick(m, m.o.Port, m.o.Port, 80, 443, 8080))
		}},
		{"host: odd port", func(m *maker, d *draft) {
			d.host += pick(m, ":", ":x", ":0", ":99999", ":80:80", ":080", ":-1", ":8 0")
		}},
		{"host: trailing dot", func(_ *maker, d *draft) { d.host += "." }},
		{"host: trailing dot and port", func(m *maker, d *draft) {
			d.host += fmt.Sprintf("%s:%d", pick(m, ".", ".", ".."), pick(m, m.o.Port, 8080))
		}},
		{"host: another", func(m *maker, d *draft) {
			d.host = pick(m, append([]string{"nobody.example", "com", "x"}, hostWords...)...)
		}},
		{"host: longer", func(m *maker, d *draft) { d.host = pick(m, "x.", "x", "w.x.") + d.host }},
		{"host: shorter", func(m *maker, d *draft) { d.host = d.host[min(len(d.host), 1):] }},
		{"host: odd dots", func(m *maker, d *draft) { d.host = pick(m, ".", "..", ".a.com", "a..com", "a.com..", "*.a.com", "*") }},
		{"host: IPv6", func(m *maker, d *draft) {
			d.host = pick(m, "[::1]", fmt.Sprintf("[::1]:%d", m.o.Port), "[::1", "::1", "[::1]:", "[::1].")
		}},
		{"host: odd characters", func(m *maker, d *draft) {
			d.host = pick(m, "a_b.com", "u@a.com", "a.com/x", "a b", "a,b", "a.com?x", "é.com", `a\b`, "a%41.com", "a#b", "<a>", "a.com,b.com")
		}},
		{"host: empty", func(_ *maker, d *draft) { d.host = "" }},
		{"host: none", func(_ *maker, d *draft) { d.noHost = true }},
		{"host: twice", func(m *maker, d *draft) {
			d.headers = append(d.headers, routes.Header{Name: "Host", Value: pick(m, "a.com", d.host)})
		}},
		{"host: as authority header", func(_ *maker, d *draft) { d.set(":authority", "a.com") }},
	}
}

func headerMutations() []mutation {
	return []mutation{
		{"HTTP/1.0", func(m *maker, d *draft) {
			d.http10 = true
			d.noHost = d.noHost || m.chance(40)
			if m.chance(30) {
				d.set("Connection", "keep-alive")
			}
		}},
		{"method", func(m *maker, d *draft) {
			if d.method != "CONNECT" {
				d.method = pick(m, "HEAD", "TRACE", "FOO", "get", "PROPFIND", "POST", "OPTIONS", "PURGE")
			}
		}},
		{"header: repeated", func(m *maker, d *draft) {
			name := pick(m, headerNames...)
			d.headers = append(d.headers, routes.Header{Name: name, Value: m.value()}, routes.Header{Name: name, Value: m.value()})
		}},
		{"header: cookie repeated", func(m *maker, d *draft) {
			for range 2 {
				d.headers = append(d.headers, routes.Header{Name: "Cookie", Value: pick(m, cookieNames...) + "=" + m.token()})
			}
		}},
		{"header: odd cookie", func(m *maker, d *draft) {
			name := pick(m, cookieNames...)
			d.set("cookie", pick(m, name, name+"=", "="+name, name+`="1"`, name+" = 1", "; ;"+name+"=1", name+"=1; "+name+"=prod", name+"=a=b", " "+name+"=1"))
		}},
		{"header: underscore", func(m *maker, d *draft) { d.set(pick(m, "x_u", "my_header", "_", "X_U"), m.value()) }},
		{"header: padded value", func(m *maker, d *draft) { d.set(pick(m, headerNames...), pick(m, " 1", "1 ", "\t1\t", "  prod  ")) }},
		{"header: name case", func(m *maker, d *draft) {
			for i := range d.headers {
				d.headers[i].Name = flipCase(m.Rand, d.headers[i].Name)
			}
		}},
		{"header: dropped", func(m *maker, d *draft) {
			if len(d.headers) > 0 {
				i := m.IntN(len(d.headers))
				d.headers = slices.Delete(d.headers, i, i+1)
			}
		}},
		{"header: x-forwarded-proto", func(m *maker, d *draft) { d.set("x-forwarded-proto", pick(m, "https", "http", "HTTPS", "ftp", "")) }},
		{"header: x-forwarded-host", func(_ *maker, d *draft) { d.set("x-forwarded-host", "b.a.com") }},
		{"header: x-forwarded-for", func(m *maker, d *draft) {
			d.set("x-forwarded-for", pick(m, "10.0.0.9", "8.8.8.8", "1.2.3.4, 10.0.0.1", "x"))
		}},
		{"header: x-envoy-original-path", func(_ *maker, d *draft) { d.set("x-envoy-original-path", "/original") }},
		{"header: content-type grpc", func(m *maker, d *draft) {
			d.set("Content-Type", pick(m, "application/grpc", "application/grpc-web", "application/grpc+json", "Application/grpc", "application/grpc;x"))
		}},
		{"header: number", func(m *maker, d *draft) {
			d.set("x-num", pick(m, "0", "1", "42", "-10", "+1", " 1", "1.0", "1e3", "0x1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "", "01", "4 2", "1,2"))
		}},
		{"header: upgrade", func(m *maker, d *draft) {
			if d.method != "CONNECT" {
				d.set("Connection", "Upgrade")
				d.set("Upgrade", pick(m, "websocket", "WebSocket", "foo"))
			}
		}},
	}
}
