package predict_test

import (
	"fmt"
	"net/netip"
	"strings"

	"example.com/meshtui/engine/nginx/predict"
)

// request is a random request, and half of them are mutated.
func (m *maker) request() predict.Request {
	r := predict.Request{Port: uint32(m.port), Method: m.pick("GET", "GET", "GET", "GET", "POST", "HEAD", "PUT"), Target: m.target(), Host: m.host(), NoFiles: true}
	r.Address = netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + m.IntN(addresses+2))})
	if m.one(3) {
		r.Headers = append(r.Headers, [2]string{m.pick("X-Y", "x-y", "X_Y", "X.Y"), m.pick("1", "a", "", " 1 ")})
	}
	if m.one(6) {
		r.Headers = append(r.Headers, [2]string{"Cookie", m.pick("sid=1", "a=b; sid=/a; c", "SID = x", "asid=2,sid=3", "sid")})
	}
	if r.Method == "POST" {
		r.Headers = append(r.Headers, [2]string{"Content-Length", m.pick("0", "4", "9")})
	}
	if m.one(2) {
		m.mutate(&r)
	}
	return r
}

// target is a path of the alphabet of the locations, escaped now and then, with a
// query now and then.
func (m *maker) target() string {
	var b strings.Builder
	for _, c := range []byte(m.path()) {
		switch {
		case c <= ' ' || c == '%' || c >= 0x80 && m.one(2) || c != '/' && m.one(25):
			fmt.Fprintf(&b, m.pick("%%%02x", "%%%02X"), c)
		default:
			b.WriteByte(c)
		}
	}
	if m.one(3) {
		b.WriteString(m.pick("?x=1", "?x=/a&y", "?", "?x=a+b%20c", "?a=1?x=2", "?X=7&x=8", "?xx=1&x", "?x=http://q"))
	}
	return b.String()
}

func (m *maker) host() string {
	return m.pick("a.test", "b.test", "www.a.test", "x.b.test", "y.x.b.test", "c.test", "www.example", "127.0.0.1", "a.com", "x.b.com", "nobody", "www.q.test", "A.test", "a.test.", "a.test:80", "WWW.A.TEST:99")
}

// mutate makes a request odd in one of the ways that matter.
func (m *maker) mutate(r *predict.Request) {
	at := m.IntN(len(r.Target) + 1)
	put := func(s string) { r.Target = r.Target[:at] + s + r.Target[at:] }
	switch m.IntN(20) {
	case 0:
		put(m.pick("//", "/", "///"))
	case 1:
		put(m.pick("/.", "/..", "/../", "/./", "/...", "/.%2e/", "/%2e%2E", "/a/../..", "/../../"))
	case 2:
		put(m.pick("%2F", "%2f", "%5C", `\`, "%25", "%3F", "%3f", "%23", "%2B", "%20"))
	case 3:
		put(m.pick("%", "%4", "%zz", "%00", "%0a", "%7f", "%ff", "%C3%A9", "%0d%0a"))
	case 4:
		put(m.pick("#", "#frag", "?", "&", ";", ":", "@", "+", "|", "^", "`", "{", "<", "~", "'", `"`))
	case 5:
		put(m.pick("\x80", "\xff", "\xc3\xa9", "\x7f", "\x01", "\t", " ", "\r"))
	case 6:
		r.Target = strings.ToUpper(r.Target)
	case 7:
		r.Target = m.pick("http://", "https://", "HTTP://", "ws+x.y-1://", "http:/", "1http://") + m.pick("a.test", "X.B.TEST:8080", "", "a..b", "[::1]", "b.test:", "c.test.", "a_b", "127.0.0.1") + m.pick(r.Target, "", "?x=1", "#f")
	case 8:
		r.Target = m.pick("*", "a", "", "//", "/", "?", "/?", "/..", "/.", "//.", "/%2e%2e", "..", "/#", "a.test:80")
	case 9:
		r.Target += "/" + strings.Repeat("y", m.IntN(9000))
	case 10, 11:
		r.Host = m.pick(".a.test", "a..test", "", ":80", "a.test:junk", "a.test.:80", "[::1]", "[::1]:80", "a/b", "a b", "www.", ".", "*.a.test", "a.test:80:90", "é.test", "a,b", "[a.test", "a\\b", "a.test..", "x.b.", "-", "a.test\t", "[]", "[.", "a]b", "..", "a:80.", "www.a.b.c.test")
	case 12:
		r.Headers = append(r.Headers, [2]string{"Host", m.host()})
	case 13, 14:
		r.HTTP10 = true
		if m.one(2) {
			r.Host = ""
		}
	case 15:
		r.Method = m.pick("TRACE", "CONNECT", "FOO", "get", "G-T", "M_2", "PROPFIND", "", "OPTIONS", "PATCH")
	case 16:
		r.Headers = append(r.Headers, m.odd())
	default:
		m.mutate(r)
		m.mutate(r)
	}
}

// odd is a header that nginx looks at before any location.
func (m *maker) odd() [2]string {
	return [][2]string{{"Content-Length", "x"}, {"Content-Length", "-1"}, {"Transfer-Encoding", "gzip"}, {"Content-Length", "3"}, {"X-Y", strings.Repeat("h", 9000)}, {"Content-Length", "7"}}[m.IntN(6)]
}

// raw is the request as it is written.
func raw(r predict.Request) string {
	var b strings.Builder
	method, target, version := r.Method, r.Target, "HTTP/1.1"
	if method == "" {
		method = "GET"
	}
	if target == "" {
		target = "/"
	}
	if r.HTTP10 {
		version = "HTTP/1.0"
	}
	fmt.Fprintf(&b, "%s %s %s\r\n", method, target, version)
	if r.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	length := 0
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
		if strings.EqualFold(h[0], "Content-Length") {
			_, _ = fmt.Sscan(h[1], &length)
		}
	}
	b.WriteString("\r\n")
	if length > 0 && length < 100 {
		b.WriteString(strings.Repeat("b", length))
	}
	return b.String()
}
