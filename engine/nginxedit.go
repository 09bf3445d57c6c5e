package engine

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
)

// ErrStaleProjection is an edit of an nginx.conf that is no longer what the draft
// projects to.
var ErrStaleProjection = errors.New("the draft has changed since this nginx.conf was made of it; open it again, and make the edit to what it says now")

// EditNginx brings an edit of the projected nginx.conf back into the draft of a
// group, as one step of undo. shown is the projection that was edited. It fails,
// and leaves the draft as it is: with an *EditError on a text that is no
// nginx.conf or whose result cannot be, with ErrStaleProjection when the draft is
// no longer what shown was made of. The Change of a success may be empty, which
// leaves no step, and its report says what of the edit was not carried over.
func (w *Workspace) EditNginx(group string, shown *nginx.Config, edited string) (*merge.Change, error) {
	var out *merge.Change
	err := w.change(func() error {
		m, ok := w.draft.now.meshes[group]
		if !ok {
			return fmt.Errorf("there is no group %q; there are: %s", group, strings.Join(w.draft.now.groups(), ", "))
		}
		if nginx.Project(m).String() != shown.String() {
			return ErrStaleProjection
		}
		c, err := merge.Merge(m, shown, edited)
		if err != nil {
			return asEditError(err, edited)
		}
		if err := c.Verify(m, shown, edited, check.Mesh); err != nil {
			return asEditError(err, edited)
		}
		now, err := c.Apply(m)
		if err != nil {
			return asEditError(err, edited)
		}
		out = c
		if len(mesh.DiffText(m, now)) == 0 {
			return nil
		}
		meshes := maps.Clone(w.draft.now.meshes)
		meshes[group] = now
		w.draft.become(describeLines(c.Summary), content{rules: w.draft.now.rules, meshes: meshes})
		return nil
	})
	return out, err
}

// asEditError is why a text was not taken, so that it can be edited again.
func asEditError(err error, edited string) error {
	var syntax *merge.SyntaxError
	if errors.As(err, &syntax) {
		return &EditError{Text: edited, Findings: syntax.Findings}
	}
	return &EditError{Text: edited, Findings: []mesh.Finding{{Severity: mesh.Error, Rule: "nginx-edit", Message: err.Error(),
		Hint: "make the edit in smaller steps, or in Envoy's own terms"}}}
}

// describeLines is the description of a step that does several things.
func describeLines(lines []string) string {
	if len(lines) == 0 {
		return "edit nginx.conf"
	}
	out := "nginx.conf: " + strings.Join(lines[:min(len(lines), 2)], ", ")
	if more := len(lines) - 2; more > 0 {
		out += fmt.Sprintf(", and %d more", more)
	}
	return out
}
