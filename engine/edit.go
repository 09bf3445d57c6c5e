package engine

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Edit is one change to the draft of a group, as a plain value: Put, Remove,
// Duplicate, SetField, DeleteField, SetHealth, AddEndpoint, RemoveEndpoint,
// SetEndpointWeight or SetRouteWeight. It is made to the YAML of one resource;
// comments, order and quoting elsewhere stay.
type Edit interface {
	// Describe says what the edit does, as the undo list shows it: "drain
	// 127.0.0.1:9001 of app".
	Describe() string

	// apply returns draft with the edit made. live is what is served now, for
	// edits that put something back as it was.
	apply(draft, live *mesh.Mesh) (*mesh.Mesh, error)
}

// EditError is an edit whose result cannot enter the mesh, because the text does
// not decode or its name is taken. It holds the text, so that an editor can be
// opened again at the error, and nothing that was typed is lost.
type EditError struct {
	Text     string
	Findings []mesh.Finding // at least one; Line and Column are of Text
}

// Error is the first error finding.
func (e *EditError) Error() string { return firstError(e.Findings).String() }

// Put puts a resource's YAML into the mesh: a new one when Was is zero, else in
// the place of Was. The name may change; that is a rename.
type Put struct {
	Type mesh.Type
	Text string
	Was  mesh.Key
}

// Describe names the resource that was edited, or the type of a new one.
func (e Put) Describe() string {
	if e.Was.IsZero() {
		return "new " + e.Type.String()
	}
	return "edit " + e.Was.String()
}

func (e Put) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	if e.Was.IsZero() {
		r, err := decoded(e.Type, mesh.Source{Text: e.Text})
		if err != nil {
			return nil, err
		}
		if err := nameFree(draft, r); err != nil {
			return nil, err
		}
		return draft.With(r), nil
	}
	if e.Was.Type != e.Type {
		return nil, fmt.Errorf("%s cannot become a %s; add a new resource instead", e.Was, e.Type)
	}
	return rewrite(draft, e.Was, func(string) (string, error) { return e.Text, nil })
}

// Remove takes a resource out of the mesh. What still names it is left as it
// is; the checks say so.
type Remove struct{ Key mesh.Key }

// Describe names what goes.
func (e Remove) Describe() string { return "remove " + e.Key.String() }

func (e Remove) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	if draft.Get(e.Key) == nil {
		return nil, missing(e.Key)
	}
	return draft.Without(e.Key), nil
}

// Duplicate adds a copy of a resource under another name, right behind it.
type Duplicate struct {
	Key  mesh.Key
	Name string
}

// Describe names both.
func (e Duplicate) Describe() string { return fmt.Sprintf("duplicate %s as %s", e.Key, e.Name) }

func (e Duplicate) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	old := draft.Get(e.Key)
	if old == nil {
		return nil, missing(e.Key)
	}
	if e.Name == "" {
		return nil, fmt.Errorf("the copy of %s needs a name", e.Key)
	}
	renamed, err := text.Set(old.Source.Text, nameField(e.Key.Type), e.Name)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", e.Key, err)
	}
	r, err := decoded(e.Key.Type, mesh.Source{Text: renamed})
	if err != nil {
		return nil, err
	}
	if err := nameFree(draft, r); err != nil {
		return nil, err
	}
	return draft.InsertAfter(e.Key, r), nil
}

// SetField sets one field of a resource to a scalar, map, slice or yaml.Node.
// Missing parents are made.
type SetField struct {
	Key   mesh.Key
	Path  string
	Value any
}

// Describe shows scalar values; larger ones are only named.
func (e SetField) Describe() string {
	switch v := e.Value.(type) {
	case string, bool, int, int32, int64, uint, uint32, uint64, float32, float64:
		return fmt.Sprintf("set %s of %s to %v", e.Path, e.Key, v)
	}
	return fmt.Sprintf("set %s of %s", e.Path, e.Key)
}

func (e SetField) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	return rewrite(draft, e.Key, func(t string) (string, error) { return text.Set(t, e.Path, e.Value) })
}

// DeleteField removes one field, or one item of a list, of a resource.
type DeleteField struct {
	Key  mesh.Key
	Path string
}

// Describe names the field.
func (e DeleteField) Describe() string { return fmt.Sprintf("delete %s of %s", e.Path, e.Key) }

func (e DeleteField) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	return rewrite(draft, e.Key, func(t string) (string, error) { return text.Delete(t, e.Path) })
}

// SetRouteWeight sets the weight of one cluster of a weighted route. Path is
// that of the ClusterWeight:
// virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1].
type SetRouteWeight struct {
	Key    mesh.Key
	Path   string
	Name   string // of the cluster, for Describe; "" looks it up when the edit is made
	Weight uint32
}

// Describe names the cluster and the weight: "app-v2: weight 5"; the place, as
// long as the name is not known.
func (e SetRouteWeight) Describe() string {
	if e.Name != "" {
		return fmt.Sprintf("%s: weight %d", e.Name, e.Weight)
	}
	return fmt.Sprintf("weight %d for %s of %s", e.Weight, e.Path, e.Key)
}

func (e SetRouteWeight) apply(draft, _ *mesh.Mesh) (*mesh.Mesh, error) {
	return rewrite(draft, e.Key, func(t string) (string, error) { return text.Set(t, e.Path+".weight", e.Weight) })
}

// named is an edit that says by name what it is made to in draft.
func named(e Edit, draft *mesh.Mesh) Edit {
	w, ok := e.(SetRouteWeight)
	if r := draft.Get(w.Key); ok && w.Name == "" && r != nil {
		w.Name, _ = text.Scalar(r.Source.Text, w.Path+".name")
		return w
	}
	return e
}

// rewrite changes the text of one resource and puts the result in its place.
// Line numbers of the file are dropped with the edit: the file says something
// else now.
func rewrite(draft *mesh.Mesh, k mesh.Key, change func(text string) (string, error)) (*mesh.Mesh, error) {
	old := draft.Get(k)
	if old == nil {
		return nil, missing(k)
	}
	changed, err := change(old.Source.Text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if changed == old.Source.Text {
		return draft, nil
	}
	r, err := decoded(k.Type, mesh.Source{Text: changed})
	if err != nil {
		return nil, err
	}
	if r.Key != k {
		if err := nameFree(draft, r); err != nil {
			return nil, err
		}
	}
	return draft.Replace(k, r), nil
}

// decoded is the resource that a text says, or an *EditError.
func decoded(t mesh.Type, src mesh.Source) (*mesh.Resource, error) {
	r, findings := text.Decode(t, src)
	if r == nil {
		return nil, &EditError{Text: src.Text, Findings: findings}
	}
	return r, nil
}

func nameFree(m *mesh.Mesh, r *mesh.Resource) error {
	if m.Get(r.Key) == nil {
		return nil
	}
	field := nameField(r.Key.Type)
	line, column, _ := text.Position(r.Source.Text, field)
	return &EditError{Text: r.Source.Text, Findings: []mesh.Finding{{
		Severity: mesh.Error, Rule: "name-taken", Key: r.Key, Path: field, Line: line, Column: column,
		Message: fmt.Sprintf("there is already a %s called %q", r.Key.Type, r.Key.Name),
		Hint:    "choose another name, or edit that one",
	}}}
}

func missing(k mesh.Key) error {
	return fmt.Errorf("there is no %s in the draft; it may have been removed or renamed meanwhile", k)
}

// nameField is the field that holds a resource's xDS name.
func nameField(t mesh.Type) string {
	if t == mesh.Endpoints {
		return "cluster_name"
	}
	return "name"
}

// describeAll is the description of several edits that are one step.
func describeAll(edits []Edit) string {
	parts := make([]string, 0, 3)
	for _, e := range edits[:min(len(edits), 2)] {
		parts = append(parts, e.Describe())
	}
	if more := len(edits) - 2; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}
