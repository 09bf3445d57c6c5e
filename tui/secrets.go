package tui

import (
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// shownText is a resource's YAML as it may be seen: as the operator wrote it,
// or, where a private key stands in it, written anew without.
func shownText(r *mesh.Resource) []string {
	clean := mesh.Redacted(r.Message)
	if clean == r.Message {
		return splitLines(r.Source.Text)
	}
	yaml, err := text.Encode(clean)
	if err != nil {
		return []string{"# It holds a private key, and cannot be shown without: " + strings.ReplaceAll(err.Error(), "\n", " ")}
	}
	return append([]string{"# Private keys are not shown; e edits the text as it is."}, splitLines(yaml)...)
}
