package match

import "strings"

// canonicalPath normalises a path as browsers do, which is what Envoy's
// normalize_path means: dot segments are resolved, a backslash is a slash,
// escapes of letters, digits and -._~ are undone, and characters that a URL may
// not hold are escaped. The case of other escapes stays. ok is false where Envoy
// rejects the path: it holds %00 or an escape that undoing would make anew.
func canonicalPath(path string) (canonical string, ok bool) {
	out := make([]byte, 0, len(path)+1)
	if path == "" || path[0] != '/' && path[0] != '\\' {
		out = append(out, '/')
	}
	ok = true
	for i := 0; i < len(path); {
		if dots, n := dotsAt(path, i); dots > 0 && len(out) > 0 && out[len(out)-1] == '/' {
			end := i + n
			if end == len(path) || path[end] == '/' || path[end] == '\\' {
				if dots == 2 {
					out = upOne(out)
				}
				if end < len(path) {
					end++
				}
				i = end
				continue
			}
		}
		switch c := path[i]; {
		case c == '\\':
			out = append(out, '/')
			i++
		case c == '%':
			var fine bool
			out, i, fine = unescapeAt(out, path, i)
			ok = ok && fine
		case mustEscape(c):
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
			ok = ok && c != 0
			i++
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out), ok
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
	at := strings.LastIndexByte(string(out[:len(out)-1]), '/')
	return out[:max(at, 0)+1]
}

// unescapeAt takes the escape at i.
func unescapeAt(out []byte, path string, i int) (_ []byte, next int, ok bool) {
	c, valid := escaped(path, i)
	switch {
	case !valid:
		return append(out, '%'), i + 1, true
	case c == 0:
		return append(out, path[i:i+3]...), i + 3, false
	case !unreserved(c):
		return append(out, path[i:i+3]...), i + 3, true
	}
	out = append(out, c)
	return out, i + 3, !makesEscape(out)
}

// makesEscape reports whether what was undone just now completes an escape.
func makesEscape(out []byte) bool {
	n := len(out)
	return n >= 3 && out[n-3] == '%' && hexValue(out[n-2]) >= 0 && hexValue(out[n-1]) >= 0
}

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
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?`{}", c) >= 0
}
