package importtest

import (
	"fmt"
	"strings"
)

// request is one request, and how it departs from a plain one.
type request struct {
	raw      string
	method   string
	host     string
	target   string
	http10   bool
	noHost   bool
	absolute bool // the target is sent with the host before it
	others   [][2]string
	class    []string
}

// request draws a request from the tables of a case; half of them are mutated.
func (m *maker) request(s server) request {
	q := request{method: "GET", host: pick(m, append(s.hosts, "other.example", "a.com")...), target: pick(m, s.paths...)}
	if m.chance(40) {
		q.target += pick(m, "/a", "b", "/x/1", ".php", "/", "/img/b.php")
	}
	if m.chance(25) {
		q.target += pick(m, "?v=2", "?v=3&w", "?", "?/a/b", "?x=.php", "?v=")
	}
	if m.chance(15) {
		q.others = append(q.others, [2]string{"X-A", pick(m, "1", "2", "0", "a", "")})
	}
	if m.chance(10) {
		q.others = append(q.others, [2]string{"Cookie", pick(m, "c=k", "b=1; c=kk", "c=", "cc=k; c=k")})
	}
	if m.chance(10) {
		q.method = pick(m, "POST", "PUT", "HEAD", "DELETE", "OPTIONS")
		if q.method == "POST" || q.method == "PUT" {
			q.others = append(q.others, [2]string{"Content-Length", "0"})
		}
	}
	if m.chance(50) {
		for range 1 + m.IntN(2) {
			m.mutate(&q)
		}
	}
	q.write()
	return q
}

// pathClasses change the target, hostClasses the Host, in the ways in which
// clients do.
var pathClasses = []string{"escape letter", "escape dot", "escape slash", "escape space", "escape percent", "escape question", "escape semicolon", "escape newline", "escape utf8",
	"lower escape", "bad escape", "short escape", "nul", "double slash", "dot", "dot dot", "above root", "semicolon", "plus", "case", "trailing slash", "only slashes",
	"backslash", "raw byte", "long", "absolute", "fragment", "dot end", "many slashes"}

var hostClasses = []string{"port", "junk port", "empty port", "trailing dot", "dot and port", "upper case", "empty host", "no host", "http/1.0", "http/1.0 no host", "two hosts", "dots in host", "dot host",
	"slash in host", "ip", "ip port", "ipv6", "underscore", "space", "comma in host", "leading dot", "star"}

func (m *maker) mutate(q *request) {
	if m.chance(65) {
		c := pick(m, pathClasses...)
		q.class = append(q.class, c)
		m.mutatePath(q, c)
		return
	}
	c := pick(m, hostClasses...)
	q.class = append(q.class, c)
	m.mutateHost(q, c)
}

// at puts a text at a random place of the path, after its first slash.
func (m *maker) at(q *request, text string) {
	path, query, has := strings.Cut(q.target, "?")
	i := 1 + m.IntN(max(1, len(path)))
	i = min(i, len(path))
	q.target = path[:i] + text + path[i:]
	if has {
		q.target += "?" + query
	}
}

// swap replaces one of a path's characters by what the function says.
func (m *maker) swap(q *request, from string, to func(c byte) string) {
	path, query, has := strings.Cut(q.target, "?")
	var at []int
	for i := 1; i < len(path); i++ {
		if strings.IndexByte(from, path[i]) >= 0 {
			at = append(at, i)
		}
	}
	if len(at) > 0 {
		i := at[m.IntN(len(at))]
		path = path[:i] + to(path[i]) + path[i+1:]
	}
	q.target = path
	if has {
		q.target += "?" + query
	}
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func (m *maker) mutatePath(q *request, class string) {
	hex := func(c byte) string { return fmt.Sprintf("%%%02X", c) }
	switch class {
	case "escape letter":
		m.swap(q, letters, hex)
	case "lower escape":
		m.swap(q, letters+".", func(c byte) string { return strings.ToLower(hex(c)) })
	case "escape dot":
		m.swap(q, ".", hex)
	case "escape slash":
		m.swap(q, "/", hex)
	case "escape space":
		m.at(q, "%20")
	case "escape percent":
		m.at(q, "%25")
	case "escape question":
		m.at(q, "%3F")
	case "escape semicolon":
		m.at(q, pick(m, "%3B", "%2B", "%26", "%3d"))
	case "escape newline":
		m.at(q, "%0A")
	case "escape utf8":
		m.at(q, "%c3%a9")
	case "bad escape":
		m.at(q, pick(m, "%zz", "%4z", "%%"))
	case "short escape":
		q.target = strings.TrimSuffix(q.target, "/") + pick(m, "%", "%4", "%A")
	case "nul":
		m.at(q, "%00")
	case "double slash":
		m.swap(q, "/", func(byte) string { return "//" })
		if m.chance(50) {
			q.target = "/" + q.target
		}
	case "many slashes":
		q.target = strings.Repeat("/", 2+m.IntN(3)) + strings.TrimPrefix(q.target, "/")
	case "dot":
		m.at(q, pick(m, "./", "/./", "/."))
	case "dot end":
		path, _, _ := strings.Cut(q.target, "?")
		q.target = strings.TrimSuffix(path, "/") + pick(m, "/.", "/..", "/./", "/x/..")
	case "dot dot":
		q.target = "/x/.." + q.target
		if m.chance(50) {
			q.target = strings.Replace(q.target, "..", pick(m, "%2e%2e", "%2E.", ".%2e"), 1)
		}
	case "above root":
		q.target = pick(m, "/..", "/%2e%2e", "/a/../..") + q.target
	case "semicolon":
		m.at(q, ";v=1")
	case "plus":
		m.at(q, "+")
	case "case":
		m.swap(q, "abcdefghijklmnopqrstuvwxyz", func(c byte) string { return string(c - 32) })
	case "trailing slash":
		path, query, has := strings.Cut(q.target, "?")
		if q.target = path + "/"; has {
			q.target += "?" + query
		}
	case "only slashes":
		q.target = strings.Repeat("/", 1+m.IntN(4))
	case "backslash":
		m.at(q, pick(m, `\`, "%5C"))
	case "raw byte":
		m.at(q, "\xc3\xa9")
	case "long":
		m.at(q, strings.Repeat("l", 4096))
	case "absolute":
		q.absolute = true
	case "fragment":
		q.target += "#frag"
	}
}

func (m *maker) mutateHost(q *request, class string) {
	switch class {
	case "port":
		q.host += fmt.Sprintf(":%d", 1+m.IntN(65535))
	case "junk port":
		q.host += ":junk"
	case "empty port":
		q.host += ":"
	case "trailing dot":
		q.host += "."
	case "dot and port":
		q.host += ".:80"
	case "upper case":
		q.host = strings.ToUpper(q.host)
	case "empty host":
		q.host = ""
	case "no host":
		q.noHost = true
	case "http/1.0":
		q.http10 = true
	case "http/1.0 no host":
		q.http10, q.noHost = true, true
	case "two hosts":
		q.others = append(q.others, [2]string{"Host", "b.com"})
	case "dots in host":
		q.host = "a..b"
	case "dot host":
		q.host = "."
	case "slash in host":
		q.host += "/x"
	case "ip":
		q.host = "10.1.2.3"
	case "ip port":
		q.host = "127.0.0.1:8080"
	case "ipv6":
		q.host = pick(m, "[::1]", "[::1]:80")
	case "underscore":
		q.host = "a_b.com"
	case "space":
		q.host = "a b.com"
	case "comma in host":
		q.host = "a.com,b.com"
	case "leading dot":
		q.host = "." + q.host
	case "star":
		q.host = "*." + q.host
	}
}

func (q *request) write() {
	version := "HTTP/1.1"
	if q.http10 {
		version = "HTTP/1.0"
	}
	var b strings.Builder
	if q.absolute = q.absolute && q.host != "" && !strings.HasPrefix(q.target, "//"); q.absolute {
		fmt.Fprintf(&b, "%s http://%s%s %s\r\n", q.method, q.host, q.target, version)
	} else {
		fmt.Fprintf(&b, "%s %s %s\r\n", q.method, q.target, version)
	}
	if !q.noHost {
		fmt.Fprintf(&b, "Host: %s\r\n", q.host)
	}
	if q.http10 {
		b.WriteString("Connection: keep-alive\r\n")
	}
	for _, h := range q.others {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	q.raw = b.String()
}
