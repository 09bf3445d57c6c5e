package demo

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed workspace/*.yaml
var workspace embed.FS

// WriteWorkspace writes the demo's mesh into dir as a workspace in Envoy's
// filesystem-xDS form, with the ports of this demo in it. The folder is made;
// files of the same names are replaced.
func (d *Demo) WriteWorkspace(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the demo's workspace: %w", err)
	}
	values := struct {
		Port     int
		Backends map[string]int
	}{d.port, map[string]int{}}
	for _, b := range d.Backends() {
		values.Backends[b.Name] = b.Port
	}
	names, err := fs.Glob(workspace, "workspace/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		t, err := template.ParseFS(workspace, name)
		if err != nil {
			return fmt.Errorf("the demo's %s: %w", name, err)
		}
		var out bytes.Buffer
		if err := t.Execute(&out, values); err != nil {
			return fmt.Errorf("the demo's %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), out.Bytes(), 0o644); err != nil {
			return fmt.Errorf("the demo's workspace: %w", err)
		}
	}
	return nil
}
