package spelling

import (
	"fmt"
	"strings"
)

// Hidden is an expression for the whole of the pseudo-header :path, query and
// all. It takes the paths that hide a dot segment beside an escaped slash, which
// nginx resolves and Envoy does not see, and those with an escaped newline.
const Hidden = `[^?]*(?:%0[Aa].*|(?:/|%2[Ff])\.\.?(?:(?:/|%2[Ff]|\?).*)?)`

// Way is how nginx reads the paths of an address.
type Way struct {
	Merge bool // merge_slashes: several slashes are one
}

// Path is an expression for the whole of a normalised path, which takes those
// that nginx reads as this decoded one.
func (w Way) Path(decoded string) string {
	var b strings.Builder
	for i := range len(decoded) {
		b.WriteString(w.byte(decoded[i]))
	}
	return b.String()
}

// Prefix is Path for the paths that begin so.
func (w Way) Prefix(decoded string) string { return w.Path(decoded) + anyText }

// anyText is any text to the end.
const anyText = "(?s:.*)"

// Special reports whether a decoded path has other bytes than slashes and those
// that clients do not escape, and Envoy decodes where they do.
func Special(decoded string) bool {
	for i := range len(decoded) {
		if c := decoded[i]; c != '/' && !unreserved(c) {
			return true
		}
	}
	return false
}

// unreserved are the bytes that are the same with and without an escape
// (RFC 3986, 2.3), which Envoy decodes.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// Bare reports whether a byte may stand in a normalised path as it is. Envoy
// escapes the others, or refuses them.
func Bare(c byte) bool { return unreserved(c) || strings.IndexByte("/!$&'()*+,;=:@[]", c) >= 0 }

// slash takes what nginx reads as a slash.
func (w Way) slash() string {
	if w.Merge {
		return "(?:/|%2[Ff])+"
	}
	return "(?:/|%2[Ff])"
}

// byte takes the spellings of one byte.
func (w Way) byte(c byte) string {
	switch {
	case c == '/':
		return w.slash()
	case unreserved(c):
		return quoted(c)
	case Bare(c):
		return "(?:" + quoted(c) + "|" + escape(c) + ")"
	}
	return escape(c)
}

func quoted(c byte) string {
	if strings.IndexByte(`\.+*?()|[]{}^$`, c) >= 0 {
		return `\` + string(c)
	}
	return string(c)
}

// escape is %XX in either case.
func escape(c byte) string { return "%" + digit(c>>4) + digit(c&15) }

func digit(n byte) string {
	if n < 10 {
		return string('0' + n)
	}
	return fmt.Sprintf("[%c%c]", 'A'+n-10, 'a'+n-10)
}
