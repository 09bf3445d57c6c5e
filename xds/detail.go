package xds

import (
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
)

var (
	// Envoy's protobuf library puts a marker before every debug string, another
	// one in each process, so that nobody depends on its form.
	debugMarker = regexp.MustCompile(`goo\.gle/debug\w+\s+`)
	blanks      = regexp.MustCompile(`\s+`)
	firstName   = regexp.MustCompile(`(?:cluster_)?name: "([^"]*)"`)
	// dumpsAfter are the phrases behind which Envoy prints a whole message.
	dumpsAfter = []string{"Unable to unpack as ", "in DiscoveryResponse ", " is missing in: "}
)

// A NACK may hold a dump of the very secret that it is about.
var (
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
	inlineData = regexp.MustCompile(`(inline_string|inline_bytes|value): ?("(?:\\.|[^"\\])*("|$)|'(?:\\.|[^'\\])*('|$))`)
)

const maxWords = 256 << 10 // bytes of a NACK's words that are kept

// cleanWords takes out of a NACK's words what must not be shown, and what no
// node says in earnest.
func cleanWords(t mesh.Type, words string) string {
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "")
	}
	words = privateKey.ReplaceAllString(words, "[redacted]")
	if t == mesh.Secret {
		words = inlineData.ReplaceAllString(words, `$1: "[redacted]"`)
	}
	return words
}

const (
	reasonMarker = "Proto constraint validation failed"
	maxDetail    = 600 // bytes of cleaned detail; the raw text keeps all
)

// cleanDetail is Envoy's reason without what only fills the line: debug
// markers, runs of blanks, dumps of whole messages. The sentence that tells the
// reason stays, and so does the name of the resource where only the dump had it.
func cleanDetail(raw string) string {
	s := debugMarker.ReplaceAllString(raw, "")
	s = strings.TrimSpace(blanks.ReplaceAllString(s, " "))
	if i := strings.Index(s, reasonMarker); i > 0 {
		s = nameIn(s[:i]) + s[i:]
	}
	for _, phrase := range dumpsAfter {
		s = cutDumpAfter(s, phrase)
	}
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail*2/3], "") + " … " + strings.ToValidUTF8(s[len(s)-maxDetail/3:], "")
}

// nameIn is the name in a dump of a resource, ready to stand before the reason;
// "" when the dump has none.
func nameIn(dump string) string {
	if m := firstName.FindStringSubmatch(dump); m != nil && m[1] != "" {
		return m[1] + ": "
	}
	return ""
}

// cutDumpAfter shortens what follows phrase to its first word and the name in
// it, when it is a dump (it has a brace or a field).
func cutDumpAfter(s, phrase string) string {
	i := strings.Index(s, phrase)
	if i < 0 {
		return s
	}
	head, dump := s[:i+len(phrase)], s[i+len(phrase):]
	if phrase == "Unable to unpack as " {
		if word, rest, ok := strings.Cut(dump, ": "); ok {
			head, dump = head+word+": ", rest
		}
	}
	if !strings.ContainsAny(dump, "{[:") {
		return s
	}
	return strings.TrimSpace(head+strings.TrimSuffix(nameIn(dump), ": ")) + " …"
}
