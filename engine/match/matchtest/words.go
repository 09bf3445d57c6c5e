package matchtest

import (
	"math/rand/v2"
	"strings"
)

// What paths, Hosts and headers are made of: few words, so that they collide.
var (
	segments    = []string{"a", "b", "foo", "bar", "Foo", "v1", "x.y", "foo-bar", "foobar", "a%20b", "baz_1", "index.html", "10", "~u", "a;v=1"}
	hostWords   = []string{"a.com", "b.a.com", "x.b.a.com", "a.org", "www.example.com", "example.com", "foo-bar.com", "api", "api.internal", "10.0.0.1", "localhost"}
	headerNames = []string{"x-a", "X-B", "x-env", "x_u", "x-num", "user-agent", "content-type"}
	values      = []string{"1", "prod", "Prod", "a,b", "abc", "abcdef", "42", "-7", "", "a b", "x=1; y=2", "100", "007", "+5", "9223372036854775808", "é"}
	queryNames  = []string{"q", "id", "debug", "Q", "a.b"}
	cookieNames = []string{"sid", "canary", "SID"}
	methods     = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"}
)

// equalFold compares header names as HTTP does.
func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// path is a path of zero to three segments, sometimes with an odd form.
func (m *maker) path() string {
	var b strings.Builder
	for range m.IntN(4) {
		b.WriteString("/" + pick(m, segments...))
	}
	if b.Len() == 0 || m.chance(15) {
		b.WriteString("/")
	}
	return b.String()
}

// value is a header, cookie or query value.
func (m *maker) value() string { return pick(m, values...) }

// token is a value that can stand in a query or a cookie as it is.
func (m *maker) token() string {
	return pick(m, "1", "prod", "Prod", "abc", "42", "-7", "", "true", "a%20b", "a+b")
}

// cut is a piece of s: its head, its tail, a middle or the whole.
func (m *maker) cut(s string) string {
	if s == "" || !ascii(s) {
		return s
	}
	i, j := m.IntN(len(s)), 1+m.IntN(len(s))
	switch m.IntN(4) {
	case 0:
		return s[:j]
	case 1:
		return s[i:]
	case 2:
		return s[min(i, j-1):j]
	default:
		return s
	}
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

// flipCase changes the case of some letters of s.
func flipCase(r *rand.Rand, s string) string {
	b := []byte(s)
	for i, c := range b {
		if (c|0x20) >= 'a' && (c|0x20) <= 'z' && r.IntN(2) == 0 {
			b[i] ^= 0x20
		}
	}
	return string(b)
}
