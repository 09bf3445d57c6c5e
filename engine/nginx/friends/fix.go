package friends

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Fix is a setting that is offered.
type Fix struct {
	Says  string // as one would put it on a button: "timeout: 0s and idle_timeout: 60s on 3 routes"
	edits []edit
}

// Put is one resource's new text.
type Put struct {
	Key  mesh.Key
	Text string
}

// edit changes the text of one resource.
type edit struct {
	resource *mesh.Resource
	make     func(string) (string, error)
}

// Texts are the new texts of the resources that change, in which all but the
// changed places stays as it was, comments included. It fails on a text that
// cannot be edited in place, naming it.
func (f *Fix) Texts() ([]Put, error) {
	var out []Put
	at := map[mesh.Key]int{}
	for _, e := range f.edits {
		i, known := at[e.resource.Key]
		if !known {
			was := e.resource.Source.Text
			if strings.TrimSpace(was) == "" {
				made, err := text.Encode(e.resource.Message)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", e.resource.Key, err)
				}
				was = made
			}
			i = len(out)
			at[e.resource.Key] = i
			out = append(out, Put{Key: e.resource.Key, Text: was})
		}
		now, err := e.make(out[i].Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.resource.Key, err)
		}
		out[i].Text = now
	}
	return out, nil
}

// set gives a field a value.
func set(r *mesh.Resource, path string, value any) edit {
	return edit{r, func(t string) (string, error) { return text.Set(t, path, value) }}
}

// unset takes a field out.
func unset(r *mesh.Resource, path string) edit {
	return edit{r, func(t string) (string, error) { return text.Delete(t, path) }}
}

// insert puts an item into a list.
func insert(r *mesh.Resource, list string, index int, value any) edit {
	return edit{r, func(t string) (string, error) { return text.Insert(t, list, index, value) }}
}
