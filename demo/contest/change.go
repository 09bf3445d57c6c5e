package contest

import (
	"errors"
	"fmt"
	"slices"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// undo is what takes a change of ours back.
type undo struct {
	key  mesh.Key
	path string
	from string // the cluster before
	to   string // the cluster that we put there
}

// step is what Change does next.
type step struct {
	undo
	what string
	back bool
}

// Change sends the plain requests to another cluster, in both worlds at once, by
// an edit and a push; once more takes that back. It refuses with what to do where
// the operator has a draft, for a push would take that along.
func (c *Contest) Change() error {
	c.changes.Lock()
	defer c.changes.Unlock()
	s, err := c.next()
	if err != nil {
		return err
	}
	if name := c.wanting(); name != "" {
		return fmt.Errorf("the last change has not shown in %s yet, and what it still answers would count as new: wait for it", name)
	}
	ws := c.o.Workspace
	if err := ws.Edit(mesh.DefaultGroup, engine.SetField{Key: s.key, Path: s.path, Value: s.to}); err != nil {
		return err
	}
	if _, err := ws.Push(engine.PushOptions{Note: s.what}); err != nil {
		return errors.Join(err, ws.Undo())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.undo = &s.undo
	if s.back {
		c.undo = nil
	}
	return nil
}

// wanting is the side that is watched, has answered, and has not shown the last
// change yet; "" for none.
func (c *Contest) wanting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.worlds {
		if c.on && c.change != nil && w.begun && w.effective.IsZero() && w.refused == "" && c.o.Now().Sub(c.change.at) < awaited {
			return w.name
		}
	}
	return ""
}

// next is what Change does now, or why it can do nothing.
func (c *Contest) next() (step, error) {
	st := c.o.Workspace.State()
	switch {
	case st == nil || st.Head() == nil:
		return step{}, errors.New("nothing was pushed yet, so there is nothing to change")
	case st.ReadOnly != "":
		return step{}, errors.New("the workspace is read-only: " + st.ReadOnly)
	case st.Draft > 0:
		return step{}, errors.New("the draft has changes of yours, and a push would take them along: push or discard them first")
	}
	g := st.Group(mesh.DefaultGroup)
	ask := plainRequest()
	way := match.New(g.Live).Match(&ask)
	key, path, now := clusterOf(&way)
	if path == "" {
		return step{}, fmt.Errorf("%s%s goes to no single cluster, so there is nothing simple to change", ask.Host, ask.Path)
	}
	c.mu.Lock()
	done := c.undo
	c.mu.Unlock()
	if done != nil && done.key == key && done.path == path && done.to == now && g.Live.Get(mesh.Key{Type: mesh.Cluster, Name: done.from}) != nil {
		return step{undo{key, path, now, done.from}, fmt.Sprintf("%s goes back to %s", ask.Path, done.from), true}, nil
	}
	to := another(g.Live, now)
	if to == "" {
		return step{}, fmt.Errorf("there is no cluster besides %s that has other endpoints", now)
	}
	return step{undo{key, path, now, to}, fmt.Sprintf("%s goes to %s in place of %s", ask.Path, to, now), false}, nil
}

// clusterOf is the field that names the cluster of a way's route, and the
// cluster; "" where there is no such field.
func clusterOf(way *match.Way) (key mesh.Key, path, cluster string) {
	if way.Entry.GetRoute().GetCluster() == "" {
		return mesh.Key{}, "", ""
	}
	i := slices.IndexFunc(way.Steps, func(s match.Step) bool { return s.Kind == "route" })
	if i < 0 {
		return mesh.Key{}, "", ""
	}
	return way.Steps[i].Key, way.Steps[i].Path + ".route.cluster", way.Entry.GetRoute().GetCluster()
}

// another is the last cluster whose endpoints are all others than those of a
// cluster; "" for none.
func another(m *mesh.Mesh, than string) string {
	mine := endpointsOf(m, &match.Way{Cluster: than})
	out := ""
	for _, r := range m.List(mesh.Cluster) {
		theirs := endpointsOf(m, &match.Way{Cluster: r.Key.Name})
		if t := (target{answers: theirs, before: mine}); t.visible() {
			out = r.Key.Name
		}
	}
	return out
}
