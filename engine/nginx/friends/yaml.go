package friends

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// yml is a value for a text: the sentences of this package say it in YAML.
func yml(s string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s), &doc); err != nil || len(doc.Content) == 0 {
		panic("friends: no YAML: " + s) // a constant of this package
	}
	return doc.Content[0]
}

// join is a list as a sentence has it.
func join(words []string) string { return strings.Join(words, ", ") }
