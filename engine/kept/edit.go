package kept

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/text"
)

// ErrUnreadable refuses an edit of a file that is no requests file as it stands.
var ErrUnreadable = errors.New("the requests file cannot be read as it stands: mend it first")

// Put is a requests file with a request in it: in the place of the one of its
// name, else at the end. Of the others, and of what the operator wrote about this
// one, nothing is lost. An empty content is a new file.
func Put(content string, r Request) (string, error) {
	if r.Name == "" {
		r.Name = nameOf(r.Ask)
	}
	node, err := r.node()
	if err != nil {
		return content, err
	}
	items, err := itemsOf(content)
	if err != nil {
		return content, err
	}
	if content == "" {
		return Format([]Request{r})
	}
	var out string
	switch it := named(items, r.Name); {
	case it == nil:
		out, err = text.Insert(content, "requests", -1, node)
	case it.ok:
		out, err = replaced(content, text.Item("requests", it.index), it.request, node)
	default: // its mistakes go with it
		out, err = text.Set(content, text.Item("requests", it.index), node)
	}
	if err != nil {
		return content, fmt.Errorf("keeping %q: %w", r.Name, err)
	}
	return out, nil
}

// Remove is a requests file without the request of that name. It fails where
// there is none.
func Remove(content, name string) (string, error) {
	items, err := itemsOf(content)
	if err != nil {
		return content, err
	}
	it := named(items, name)
	if it == nil {
		return content, fmt.Errorf("no request called %q is kept", name)
	}
	out, err := text.Delete(content, text.Item("requests", it.index))
	if err != nil {
		return content, fmt.Errorf("forgetting %q: %w", name, err)
	}
	return out, nil
}

// itemsOf reads the list; it fails where there is no telling what stands where.
func itemsOf(content string) ([]item, error) {
	items, findings := parse(content, "")
	if wrong := text.Check(content); wrong != nil {
		return nil, fmt.Errorf("%w (%s)", ErrUnreadable, wrong)
	}
	if len(items) == 0 && len(findings) > 0 {
		return nil, fmt.Errorf("%w (%s)", ErrUnreadable, findings[0])
	}
	return items, nil
}

// named is the first entry of a name, nil without one. One with mistakes in it
// counts: it is the operator's, and to be replaced or removed by that name.
func named(items []item, name string) *item {
	for i := range items {
		if items[i].request.Name == name {
			return &items[i]
		}
	}
	return nil
}

// replaced is a text in which the request at a path says what node says. Fields
// that say so already are left alone, with their comments.
func replaced(content, path string, was Request, node *yaml.Node) (string, error) {
	old, err := was.node()
	if err != nil {
		return text.Set(content, path, node)
	}
	return merged(content, path, old, node)
}

func merged(content, path string, old, node *yaml.Node) (string, error) {
	var err error
	for i := 0; i+1 < len(old.Content); i += 2 {
		name := old.Content[i].Value
		if _, still := valueOf(node, name); still {
			continue
		}
		if content, err = text.Delete(content, text.Field(path, name)); err != nil {
			return content, err
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, now := node.Content[i].Value, node.Content[i+1]
		was, there := valueOf(old, name)
		at := text.Field(path, name)
		switch {
		case there && same(was, now):
			continue
		case there && name == "expect":
			content, err = merged(content, at, was, now)
		default:
			content, err = text.Set(content, at, now)
		}
		if err != nil {
			return content, err
		}
	}
	return content, nil
}

// valueOf is the value of a mapping's field.
func valueOf(n *yaml.Node, name string) (*yaml.Node, bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1], true
		}
	}
	return nil, false
}

// same reports whether two nodes say the same in the same order.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
