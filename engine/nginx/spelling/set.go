package spelling

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bytes is a set of decoded bytes: nginx's PCRE compares bytes.
type bytes [256]bool

// setOf are the bytes of a class, an any or a letter; ok is false for others.
func setOf(re *syntax.Regexp) (s bytes, ok bool) {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		for c := range s {
			s[c] = c != '\n' || re.Op == syntax.OpAnyChar
		}
		return s, true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			s.span(re.Rune[i], re.Rune[i+1])
		}
		return s, true
	}
	return s, false
}

// few is up to how many characters beyond ASCII are taken one by one.
const few = 256

// span adds a range of characters: of those beyond ASCII their bytes.
func (s *bytes) span(lo, hi rune) {
	for ; lo <= hi && lo < utf8.RuneSelf; lo++ {
		s[lo] = true
	}
	switch {
	case lo > hi, lo == hi && (hi == 0x17f || hi == 0x212a): // s and k in another case, which PCRE does not see in bytes
	case hi == unicode.MaxRune || hi-lo > few:
		for c := 0x80; c < len(s); c++ {
			s[c] = true
		}
	default:
		for ; lo <= hi; lo++ {
			for _, c := range []byte(string(lo)) {
				s[c] = true
			}
		}
	}
}

// plain reports whether the set has none but bytes that Envoy has decoded.
func (s *bytes) plain() bool {
	for c, in := range s {
		if in && !unreserved(byte(c)) {
			return false
		}
	}
	return true
}

// escapes reports whether the set has all bytes that Envoy leaves escaped, or all
// but the slash.
func (s *bytes) escapes(slash bool) bool {
	for c, in := range s {
		if !in && c > 0 && c != '\n' && !unreserved(byte(c)) && (slash || c != '/') { // those two never come
			return false
		}
	}
	return true
}

// spelled takes the spellings of one byte of the set.
func (w Way) spelled(s bytes) string {
	var ways []string
	if bare := bareClass(s); bare != "" {
		ways = append(ways, bare)
	}
	if escapes := escapesOf(s); escapes != "" {
		ways = append(ways, escapes)
	}
	if s['/'] {
		ways = append(ways, w.slash())
	}
	if len(ways) == 0 {
		return `[^\x00-\x{10FFFF}]` // nothing
	}
	return "(?:" + strings.Join(ways, "|") + ")"
}

// bareClass is a class of the bytes that may stand there as they are; "" for
// none.
func bareClass(s bytes) string {
	var in, out strings.Builder
	n, all := 0, 0
	for c := range 256 {
		if b := byte(c); Bare(b) && b != '/' {
			all++
			if s[c] {
				n++
				in.WriteString(classed(b))
			} else {
				out.WriteString(classed(b))
			}
		}
	}
	switch {
	case n == 0:
		return ""
	case n > all/2:
		return "[^%/" + out.String() + "]"
	}
	return "[" + in.String() + "]"
}

func classed(c byte) string {
	if strings.IndexByte(`\]^-[`, c) >= 0 {
		return `\` + string(c)
	}
	return string(c)
}

// escapesOf takes the escapes of the bytes that Envoy leaves escaped; "" for none.
func escapesOf(s bytes) string {
	if s.escapes(true) {
		return "%.."
	}
	if !s['/'] && s.escapes(false) {
		return "%[^2].|%2[^Ff]"
	}
	rows := map[[16]bool]*[16]bool{} // by the second digits: the first ones
	var order [][16]bool
	for high := range 16 {
		var low [16]bool
		for n := range 16 {
			// That of an unreserved byte never stands there: with it the classes
			// are shorter.
			c := byte(high<<4 | n)
			low[n] = c != '/' && (s[c] || unreserved(c) && neighbours(s, high))
		}
		if low == [16]bool{} {
			continue
		}
		if rows[low] == nil {
			rows[low] = &[16]bool{}
			order = append(order, low)
		}
		rows[low][high] = true
	}
	var ways []string
	for _, low := range order {
		ways = append(ways, "%"+digits(*rows[low])+digits(low))
	}
	return strings.Join(ways, "|")
}

// neighbours reports whether a reserved byte with that first digit is in the set.
func neighbours(s bytes, high int) bool {
	for n := range 16 {
		if c := byte(high<<4 | n); s[c] && !unreserved(c) && c != '/' {
			return true
		}
	}
	return false
}

// digits is a class of hexadecimal digits in either case.
func digits(in [16]bool) string {
	var b strings.Builder
	for from := 0; from < 16; from++ {
		if !in[from] {
			continue
		}
		to := from
		for to+1 < 16 && in[to+1] && (to+1 != 10) {
			to++
		}
		for _, letters := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
			switch {
			case from < 10 && letters[15] == 'f':
			case from == to:
				b.WriteByte(letters[from])
			default:
				fmt.Fprintf(&b, "%c-%c", letters[from], letters[to])
			}
		}
		from = to
	}
	if s := b.String(); len(s) > 1 {
		return "[" + s + "]"
	}
	return b.String()
}
