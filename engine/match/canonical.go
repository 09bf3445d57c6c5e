package match

import (
	"bytes"
	"strings"
)

// canonicalPath normalises a path as browsers do, which is what Envoy's
// normalize_path means: dot segments are resolved, a backslash is a slash,
// escapes of letters, digits and -._~ are undone, and characters that a URL may
// not hold are escaped. The case of other escapes stays, and so does a percent
// sign that begins none. ok is false where Envoy rejects the path, for %00.
func canonicalPath(path string) (canonical string, ok bool) {
	c := canon{in: withoutDotParameters(path), percent: -1}
	c.out = make([]byte, 0, len(c.in)+1)
	if c.in == "" || !slash(c.in[0]) {
		c.out = append(c.out, '/')
	}
	for c.at < len(c.in) {
		switch b := c.in[c.at]; {
		case c.dots():
		case b == '\\':
			c.out = append(c.out, '/')
			c.at++
		case b == '%':
			c.unescape()
		case mustEscape(b):
			c.out = append(c.out, '%', upperHex[b>>4], upperHex[b&15])
			c.at++
		default:
			c.out = append(c.out, b)
			c.at++
		}
	}
	return string(c.out), !c.nul
}

// canon is a path while it is normalised.
type canon struct {
	in      string
	at      int // what is read next
	out     []byte
	percent int  // where in out the last % stands that began no escape; -1 without one
	nul     bool // the path holds %00
}

func slash(b byte) bool { return b == '/' || b == '\\' }

// dots takes a segment of one or two dots, with the slash behind it.
func (c *canon) dots() bool {
	dots, n := dotsAt(c.in, c.at)
	end := c.at + n
	if dots == 0 || len(c.out) == 0 || c.out[len(c.out)-1] != '/' || end < len(c.in) && !slash(c.in[end]) {
		return false
	}
	if dots == 2 {
		c.out = upOne(c.out)
		if c.percent >= len(c.out) {
			c.percent = -1
		}
	}
	c.at = min(end+1, len(c.in))
	return true
}

// unescape takes an escape. Each is undone once: where what comes out looks like
// an escape again, together with a % that stood alone, that % is escaped.
func (c *canon) unescape() {
	b, valid := escaped(c.in, c.at)
	switch {
	case !valid:
		c.percent = len(c.out)
		c.out = append(c.out, '%')
		c.at++
		return
	case !unreserved(b):
		c.nul = c.nul || b == 0
		c.out = append(c.out, c.in[c.at:c.at+3]...)
		c.at += 3
		return
	}
	c.out = append(c.out, b)
	c.at += 3
	if c.percent < 0 || len(c.out)-c.percent > 3 {
		return
	}
	tail := string(c.out[c.percent:])
	if len(tail) == 2 && c.at < len(c.in) {
		tail += c.in[c.at : c.at+1]
	}
	if _, nested := escaped(tail, 0); nested {
		c.out = append(c.out[:c.percent], "%25"+string(c.out[c.percent+1:])...)
	}
}

// withoutDotParameters takes the parameters off dot segments, so that /a/..;x/b
// is /b.
func withoutDotParameters(path string) string {
	if !strings.Contains(path, ".;") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case strings.HasPrefix(s, "..;"):
			segments[i] = ".."
		case strings.HasPrefix(s, ".;"):
			segments[i] = "."
		}
	}
	return strings.Join(segments, "/")
}

const upperHex = "0123456789ABCDEF"

// dotsAt counts the dots at i, written plainly or as %2e: 1 or 2 with the bytes
// that they take, else 0.
func dotsAt(path string, i int) (dots, n int) {
	for dots < 2 {
		switch {
		case i+n < len(path) && path[i+n] == '.':
			n++
		case i+n+2 < len(path) && path[i+n] == '%' && path[i+n+1] == '2' && path[i+n+2]|0x20 == 'e':
			n += 3
		default:
			return dots, n
		}
		dots++
	}
	return dots, n
}

// upOne drops the last segment of a path that ends in a slash; the first slash
// stays.
func upOne(out []byte) []byte {
	if len(out) <= 1 {
		return out
	}
	at := bytes.LastIndexByte(out[:len(out)-1], '/')
	return out[:max(at, 0)+1]
}

// escaped is the byte that the escape at i stands for; ok is false for none.
func escaped(path string, i int) (byte, bool) {
	if i+2 >= len(path) {
		return 0, false
	}
	hi, lo := hexValue(path[i+1]), hexValue(path[i+2])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}

func mustEscape(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?^`{|}", c) >= 0
}
