package main

import (
	"os"
	"path/filepath"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/sds"
)

// secrets are the files that the workspace's secrets name, read and watched.
type secrets struct {
	*sds.Source
	wakes task.Wakes
}

// newSecrets reads relative to what lies at path, a folder or a file in one.
func newSecrets(path string, changed func(...mesh.Key)) *secrets {
	s := &secrets{}
	s.Source = sds.New(sds.Options{Dir: folderOf(path), Changed: changed, Noticed: s.wakes.Wake})
	return s
}

// folderOf is the folder that a path is or is in; "" for none.
func folderOf(path string) string {
	if path == "" {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return abs
	}
	return filepath.Dir(abs)
}

// publisher hands revisions to the server, and lets go of the files of secrets
// that none of them has any more.
type publisher struct {
	server  *xds.Server
	secrets *secrets
	follow  func(*engine.Revision) // who else takes each revision when it goes out; it returns at once
}

// Publish is engine.Publisher.
func (p publisher) Publish(r *engine.Revision) {
	var served []*mesh.Mesh
	for _, r := range []*engine.Revision{r, r.Rest} {
		if r == nil {
			continue
		}
		for _, m := range r.Meshes {
			served = append(served, m)
		}
	}
	p.secrets.Retain(served...)
	p.follow(r)
	p.server.Publish(r)
}
