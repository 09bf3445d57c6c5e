package engine

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"example.com/meshtui/engine/mesh"
)

// TextDiff is the unified diff of one resource's text, with three lines of
// context; "" where the texts are the same. An added or removed resource is
// shown whole, against /dev/null as git does.
func TextDiff(c mesh.Change) string {
	from, before := side("a", c.Key, c.Old)
	to, after := side("b", c.Key, c.New)
	return udiff.Unified(from, to, before, after)
}

func side(prefix string, k mesh.Key, r *mesh.Resource) (label, content string) {
	if r == nil {
		return "/dev/null", ""
	}
	content = r.Source.Text
	if content != "" && !strings.HasSuffix(content, "\n") {
		content += "\n"
	}
	return prefix + "/" + k.Type.Service() + "/" + k.Name, content
}
