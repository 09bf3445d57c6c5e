package xds

import (
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
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

// cleanDetail is a node's reason without what only fills the line; the raw text
// keeps all.
func cleanDetail(raw string) string { return nack.Words(raw) }
