package merge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Apply makes the edits of the change to a mesh: the one that it was made for, or
// one that says the same where they go. It fails, naming the resource, where an
// edit does not fit or its result does not decode.
func (c *Change) Apply(m *mesh.Mesh) (*mesh.Mesh, error) {
	if c.made != nil && m == c.base {
		return c.made, nil
	}
	texts := map[mesh.Key]string{}
	rest, err := inRoutes(m, c.Edits, texts)
	if err != nil {
		return nil, err
	}
	order := slices.SortedFunc(maps.Keys(texts), func(a, b mesh.Key) int { return cmp.Compare(a.String(), b.String()) })
	for _, e := range rest {
		switch e.Op {
		case Put:
			r, err := decoded(e.Key, e.Value)
			if err != nil {
				return nil, err
			}
			m = m.With(r)
			continue
		case Remove:
			m = m.Without(e.Key)
			continue
		}
		was, ok := texts[e.Key]
		if !ok {
			r := m.Get(e.Key)
			if r == nil {
				return nil, fmt.Errorf("there is no %s", e.Key)
			}
			was, order = r.Source.Text, append(order, e.Key)
		}
		now, err := e.made(was)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Key, err)
		}
		texts[e.Key] = now
	}
	for _, k := range order {
		if m.Get(k) == nil || m.Get(k).Source.Text == texts[k] {
			continue
		}
		r, err := decoded(k, texts[k])
		if err != nil {
			return nil, err
		}
		m = m.Replace(k, r)
	}
	return m, nil
}

// made is a resource's text with the edit made to it.
func (e Edit) made(was string) (string, error) {
	list, index := lastIndex(e.Path)
	switch e.Op {
	case Delete:
		return text.Delete(was, e.Path)
	case Move:
		to, err := strconv.Atoi(e.Value)
		if err != nil {
			return "", fmt.Errorf("%q is no index", e.Value)
		}
		return text.Move(was, list, index, to)
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(e.Value), &n); err != nil || len(n.Content) == 0 {
		return "", fmt.Errorf("%s: %q is no YAML", e.Path, e.Value)
	}
	if e.Op == Insert {
		return text.Insert(was, list, index, n.Content[0])
	}
	return text.Set(was, e.Path, n.Content[0])
}

func decoded(k mesh.Key, yaml string) (*mesh.Resource, error) {
	r, findings := text.Decode(k.Type, mesh.Source{Text: yaml})
	if r == nil {
		return nil, fmt.Errorf("%s cannot be read after the edit: %w", k, firstOf(findings))
	}
	return r, nil
}

func firstOf(fs []mesh.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	return fmt.Errorf("%s", fs[0])
}

// many is from how many edits on a resource's routes are made one by one in texts of
// their own: each edit reads the text that it is made in.
const many = 5

// inRoutes makes the edits within single routes of resources that have many of
// them, and puts the texts into texts. The others are the rest: all that touch the
// lists of routes come behind those within them.
func inRoutes(m *mesh.Mesh, edits []Edit, texts map[mesh.Key]string) (rest []Edit, err error) {
	type route struct {
		list  spot
		index int
	}
	within := map[route][]Edit{}
	count := map[mesh.Key]int{}
	at := func(e Edit) (route, string, bool) {
		path := routePath.FindString(e.Path)
		in, ok := under(e.Path, path)
		if path == "" || !ok || in == "" || e.Op == Put || e.Op == Remove || m.Get(e.Key) == nil {
			return route{}, "", false
		}
		list, i := lastIndex(path)
		return route{spot{e.Key, list}, i}, in, true
	}
	for _, e := range edits {
		if _, _, ok := at(e); ok {
			count[e.Key]++
		}
	}
	lists := map[spot]bool{}
	for _, e := range edits {
		r, in, ok := at(e)
		if !ok || count[e.Key] < many {
			rest = append(rest, e)
			continue
		}
		e.Path = in
		within[r], lists[r.list] = append(within[r], e), true
	}
	for list := range lists {
		whole, ok := texts[list.key]
		if !ok {
			whole = m.Get(list.key).Source.Text
		}
		items, _, _ := text.Items(whole, list.path)
		for i := len(items) - 1; i >= 0; i-- {
			es := within[route{list, i}]
			if len(es) == 0 {
				continue
			}
			if whole, err = edited(whole, items[i], text.Item(list.path, i), es); err != nil {
				return nil, fmt.Errorf("%s: %w", list.key, err)
			}
			delete(within, route{list, i})
		}
		texts[list.key] = whole
	}
	for r := range within {
		return nil, fmt.Errorf("%s: there is no %s", r.list.key, text.Item(r.list.path, r.index))
	}
	return rest, nil
}

// edited is a text with edits made within one item of a list. An item that cannot be
// cut out and put back to the letter is edited where it stands.
func edited(whole string, c text.Chunk, path string, edits []Edit) (string, error) {
	back := func(s string) string {
		lines := strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
		for i := 1; i < len(lines); i++ {
			if strings.TrimSpace(lines[i]) != "" {
				lines[i] = strings.Repeat(" ", c.Indent) + lines[i]
			}
		}
		return strings.Join(lines, "")
	}
	var err error
	if c.Flow || c.Expanded || back(c.Text) != whole[c.Body:c.To] {
		for _, e := range edits {
			e.Path = below(path, e.Path)
			if whole, err = e.made(whole); err != nil {
				return "", err
			}
		}
		return whole, nil
	}
	out := c.Text
	for _, e := range edits {
		if out, err = e.made(out); err != nil {
			return "", err
		}
	}
	return whole[:c.Body] + back(out) + whole[c.To:], nil
}
