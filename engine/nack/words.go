package nack

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// Envoy's protobuf library puts a marker before every debug string, another
	// one in each process, so that nobody depends on its form.
	debugMarker = regexp.MustCompile(`goo\.gle/debug\w+\s+`)

	// dump is a message as text, in Envoy's or in Go's writing: fields and braces
	// in a row.
	dump = regexp.MustCompile(dumped + `(?:[\s,]*(?:` + dumped + `|[}>]))*`)

	// between are the links of a chain of broken constraints that only say where
	// the next one is.
	between = regexp.MustCompile(`: embedded message failed validation \| caused by .* \| caused by `)
)

const dumped = `(?:\w+\s*:\s*(?:"(?:[^"\\]|\\.)*"|[{<]|[-+\w.]+(?:[\s,}>]|$))|\w+\s*\{|\[[\w./]+\]\s*:?\s*\{)`

const (
	maxText  = 256 << 10 // bytes of a NACK that are looked at: a dump of a whole response can be huge
	maxWords = 600       // bytes of what is shown of a reason

	constraintMarker = "Proto constraint validation failed ("
)

// Words is a NACK, or one reason in it, on one line and without what only fills
// it: debug markers, runs of blanks, messages printed whole. Where the name of the
// resource stood in such a message alone it is put before the reason.
func Words(text string) string {
	text = bounded(debugMarker.ReplaceAllString(text, ""))
	before, after, broken := strings.Cut(text, constraintMarker)
	if broken {
		head := ""
		if lead, rest := wrapper(before); lead != "" {
			head, before = lead, rest
		}
		if name, ok := nameIn(before); ok && name != "" {
			head += name + ": "
		}
		after = between.ReplaceAllString(oneLine(after), " … ")
		return short(head + constraintMarker + after)
	}
	return short(oneLine(dump.ReplaceAllStringFunc(text, shortened)))
}

// shortened is a dump as it is shown: whole when it is a field or two.
func shortened(dump string) string {
	if !strings.ContainsAny(dump, "{<\"") || len(dump) <= 10 || len(dump) <= 40 && strings.Count(dump, "{") == strings.Count(dump, "}") {
		return dump
	}
	rest := ""
	if strings.HasSuffix(dump, " ") {
		rest = " "
	}
	if name, ok := nameIn(dump); ok && name != "" {
		return name + " …" + rest
	}
	return "…" + rest
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// bounded is the beginning and the end of a text that is too long: reasons stand
// at either.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	return s[:maxText/2] + " … " + s[len(s)-maxText/2:]
}

func short(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= maxWords {
		return s
	}
	return strings.ToValidUTF8(s[:maxWords*2/3], "") + " … " + strings.ToValidUTF8(s[len(s)-maxWords/3:], "")
}

// nameIn is the name that a dumped message has itself, not what is within it;
// ok is false for what is no dump. A resource's name may be empty, and then the
// dump lacks it.
func nameIn(dump string) (name string, ok bool) {
	depth := 0
	for i := 0; i < len(dump); i++ {
		switch c := dump[i]; {
		case c == '{':
			ok = true
			depth++
		case c == '}':
			depth--
		case c == '"':
			ok = true
			i += len(quotedAt(dump[i:])) - 1
		case depth == 0 && (i == 0 || !isWord(dump[i-1])):
			for _, field := range []string{"name:", "cluster_name:"} {
				rest, is := strings.CutPrefix(dump[i:], field)
				if !is {
					continue
				}
				if q := quotedAt(strings.TrimLeft(rest, " ")); len(q) > 1 {
					return unquoted(q), true
				}
			}
		}
	}
	return "", ok
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quotedAt is the quoted string that s begins with, quotes included; one quote
// or nothing when there is none.
func quotedAt(s string) string {
	if s == "" || s[0] != '"' {
		return ""
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i+1]
		}
	}
	return s[:1]
}

// unquoted reads a string as both protobuf libraries write it.
func unquoted(q string) string {
	if s, err := strconv.Unquote(q); err == nil {
		return s
	}
	return strings.Trim(q, `"`)
}
