package nack

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// fix makes the edit to the resource's text. It is nil when there is none, or
// when what comes of it cannot be read.
func (f found) fix() *Fix {
	if f.mend == nil {
		return nil
	}
	was := textOf(f.Resource)
	now, err := f.mend.edit(was)
	if err != nil || now == was {
		return nil
	}
	if now != "" {
		r, _ := text.Decode(f.Key.Type, mesh.Source{Text: now})
		if r == nil || proto.Equal(r.Message, f.Message) {
			return nil
		}
	}
	return &Fix{Says: f.mend.says, Key: f.Key, Text: now}
}

// set puts a value at a path.
func set(says, path string, value any) *mending {
	return &mending{says, func(in string) (string, error) { return text.Set(in, path, value) }}
}

// remove takes a field or an item out.
func remove(says, path string) *mending {
	return &mending{says, func(in string) (string, error) { return text.Delete(in, path) }}
}

// put adds an item to the end of a list.
func put(says, list string, item any) *mending {
	return &mending{says, func(in string) (string, error) { return text.Insert(in, list, -1, item) }}
}

// move makes an item of a list its last.
func move(says, list string, from, to int) *mending {
	return &mending{says, func(in string) (string, error) { return text.Move(in, list, from, to) }}
}

// putBack gives a field the value that it had before the push; nil where it had
// none or has it still.
func (s suspect) putBack(path string) *mending {
	value, ok := s.changes.before(path)
	if !ok {
		return nil
	}
	old, ok := text.Sub(textOf(s.changes.old), path)
	if !ok {
		return nil
	}
	var node yaml.Node
	if yaml.Unmarshal([]byte(old.Text), &node) != nil || len(node.Content) != 1 || node.Content[0].Kind != yaml.ScalarNode {
		return nil
	}
	says := fmt.Sprintf("put %s back to %s", lastStep(path), shown(value))
	if secret(path) {
		says = fmt.Sprintf("put %s back to what it was", lastStep(path))
	}
	return set(says, path, node.Content[0])
}

// lastStep is what a field at a path is called: its name, with its index.
func lastStep(path string) string {
	parent := text.Parent(path)
	if strings.HasSuffix(path, "]") && parent != "" && !strings.HasPrefix(path[len(parent):], `["`) {
		return lastStep(parent) + path[len(parent):]
	}
	return strings.TrimPrefix(path[len(parent):], ".")
}

var secretFields = regexp.MustCompile(`(^|[.\]])(private_key|password|session_ticket_keys|generic_secret|hmac|token_secret|keys|inline_bytes|inline_string)($|[.\[])`)

// secret reports whether what stands at a path is nobody's business: it is
// neither told nor put on a button.
func secret(path string) bool { return secretFields.MatchString(path) }

// shown is a value as it stands in a sentence.
func shown(value string) string {
	switch {
	case value == "":
		return `""`
	case len(value) > 60:
		return short(value[:40]) + "…"
	}
	return value
}
