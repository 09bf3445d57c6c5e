package demo

import (
	"errors"
	"fmt"
	"os"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/mesh"
)

// Meshes is the demo's mesh with the ports of this demo in it, by group, as
// engine.OpenMeshes takes it. It belongs to no file until it is saved.
func (d *Demo) Meshes() (map[string]*mesh.Mesh, error) {
	dir, err := os.MkdirTemp("", "meshtui-demo-")
	if err != nil {
		return nil, fmt.Errorf("the demo's workspace: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := d.WriteWorkspace(dir); err != nil {
		return nil, err
	}
	opened, err := files.Open(dir)
	if err != nil {
		return nil, err
	}
	if len(opened.Problems) > 0 {
		return nil, errors.New(opened.Problems[0].String())
	}
	out := map[string]*mesh.Mesh{}
	for group, m := range opened.Meshes {
		free := &mesh.Mesh{}
		for _, r := range m.All() {
			loose, err := mesh.NewResource(r.Message, mesh.Source{Text: r.Source.Text})
			if err != nil {
				return nil, err
			}
			free = free.With(loose)
		}
		out[group] = free
	}
	return out, nil
}

// Kept are the demo's kept requests: one for each thing that its mesh says.
func (d *Demo) Kept() ([]kept.Request, error) {
	content, err := workspace.ReadFile("workspace/requests.yaml")
	if err != nil {
		return nil, fmt.Errorf("the demo's requests: %w", err)
	}
	asks, problems := kept.Parse(string(content), "")
	if len(problems) > 0 {
		return nil, errors.New(problems[0].String())
	}
	return asks, nil
}
