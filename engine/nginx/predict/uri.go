package predict

import (
	"bytes"
	"strings"
)

// requestLine is a request target as nginx reads it from the request line.
type requestLine struct {
	host     string // of the absolute form, as sent
	absolute bool   // the target is of the absolute form
	raw      string // $request_uri
	path     string // decoded and cleaned: $uri
	args     string // without the question mark
	bare     bool   // the absolute form has no path: raw is not what an upstream gets
	quoted   bool   // the path has an escape
	plus     bool   // the path has a plus sign
}

// readTarget parses a request target; refused says why nginx answers 400, and read
// how much of the target it has seen by then.
func readTarget(target string, mergeSlashes bool) (l requestLine, refused string, read int) {
	target = strings.Trim(target, " ")
	for i := 0; i < len(target); i++ {
		switch c := target[i]; {
		case c == ' ':
			return l, "the request target holds a space", i
		case c < 0x20 || c == 0x7f:
			return l, "the request target holds a control character", i
		}
	}
	l.raw = target
	if target == "" || target[0] != '/' {
		if refused = l.absoluteForm(target); refused != "" {
			return l, refused, 0
		}
	}
	refused = l.clean(mergeSlashes)
	return l, refused, len(target)
}

// absoluteForm takes scheme and host off the target.
func (l *requestLine) absoluteForm(target string) (refused string) {
	const neither = "the request target is neither a path nor an absolute URL"
	at := strings.Index(target, "://")
	if at < 1 || !isLetter(target[0]) {
		return neither
	}
	for i := 1; i < at; i++ {
		if c := target[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return neither
		}
	}
	rest, end := target[at+3:], 0
	if strings.HasPrefix(rest, "[") {
		end = strings.IndexByte(rest, ']') + 1
		if end == 0 || strings.Trim(strings.ToLower(rest[1:end-1]), "abcdefghijklmnopqrstuvwxyz0123456789:-._~!$&'()*+,;=") != "" {
			return neither
		}
	} else {
		for end < len(rest) && (isLetter(rest[end]) || isDigit(rest[end]) || rest[end] == '.' || rest[end] == '-') {
			end++
		}
	}
	l.host, l.absolute = rest[:end], true
	if rest = rest[end:]; strings.HasPrefix(rest, ":") {
		rest = strings.TrimLeft(rest[1:], "0123456789")
	}
	switch {
	case rest == "":
		l.raw = "/"
	case rest[0] == '/':
		l.raw = rest
	case rest[0] == '?':
		l.raw, l.bare = rest, true
	default:
		return neither
	}
	return ""
}

// clean decodes the path and takes dots and double slashes out of it. An escaped
// dot or slash is one; an escaped question mark, hash or percent sign is an
// ordinary character of the path.
func (l *requestLine) clean(mergeSlashes bool) (refused string) {
	raw := l.raw
	if l.bare {
		raw = "/" + raw
	}
	out := make([]byte, 0, len(raw))
	end := len(raw)
	for i := 0; i < len(raw); i++ {
		if raw[i] == '?' || raw[i] == '#' {
			end = i
			break
		}
	}
	if end < len(raw) && raw[end] == '?' {
		l.args, _, _ = strings.Cut(raw[end+1:], "#")
	}
	for i := 0; i < end; i++ {
		c, literal := raw[i], false
		if c == '+' {
			l.plus = true
		}
		if c == '%' {
			l.quoted = true
			if i+2 >= end || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "the path holds a % that is not followed by two hexadecimal digits"
			}
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
			switch c {
			case 0:
				return "the path holds %00"
			case '%', '#', '?':
				literal = true
			case '+':
				l.plus = true
			}
		}
		if c != '/' || literal {
			out = append(out, c)
			continue
		}
		var dots, above bool
		if out, dots, above = closeSegment(out); above {
			return "the path leads above the root"
		}
		if dots || mergeSlashes && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, '/')
	}
	out, _, above := closeSegment(out)
	if above {
		return "the path leads above the root"
	}
	l.path = string(out)
	return ""
}

// closeSegment takes a last segment of dots off the path; what is left ends in a
// slash then.
func closeSegment(out []byte) (kept []byte, dots, aboveRoot bool) {
	n := len(out)
	switch {
	case n >= 2 && out[n-1] == '.' && out[n-2] == '/':
		return out[:n-1], true, false
	case n >= 3 && out[n-1] == '.' && out[n-2] == '.' && out[n-3] == '/':
		at := bytes.LastIndexByte(out[:n-3], '/')
		if at < 0 {
			return nil, true, true
		}
		return out[:at+1], true, false
	}
	return out, false, false
}

// What nginx escapes beside control characters and bytes beyond ASCII: in a path,
// and in an argument.
const (
	escapedInPath = ` "#%<>?\^` + "`{|}"
	escapedInArgs = escapedInPath + "&+;"
)

// escape writes a text with the bytes of set, control characters and bytes beyond
// ASCII as %XX.
func escape(s, set string) string {
	plain := func(c byte) bool { return c > 0x1f && c < 0x7f && strings.IndexByte(set, c) < 0 }
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if plain(s[i]) {
			b.WriteByte(s[i])
		} else {
			b.WriteString("%" + string(upperHex[s[i]>>4]) + string(upperHex[s[i]&15]))
		}
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

// unescapeRedirect decodes what a redirect need not escape, up to the first
// question mark, as `rewrite … redirect` does.
func unescapeRedirect(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '?':
			return b.String() + s[i:]
		case s[i] != '%':
			b.WriteByte(s[i])
		case i+1 >= len(s): // cut off
		case !isHex(s[i+1]):
			i++
			b.WriteByte(s[i])
		case i+2 >= len(s):
			i++
		case !isHex(s[i+2]):
			i += 2
		default:
			c := unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			switch {
			case c == '?':
				return b.String() + "?" + s[i+1:]
			case c > '%' && c < 0x7f:
				b.WriteByte(c)
			default:
				b.WriteString(s[i-2 : i+1])
			}
		}
	}
	return b.String()
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isHex(c byte) bool    { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
