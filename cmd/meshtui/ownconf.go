package main

import (
	"sync"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/tui"
)

// ownConf is the operator's nginx.conf, read anew when it has changed on disk.
type ownConf struct {
	path string

	mu     sync.Mutex
	opened *files.Opened // nil when nothing could be opened
	last   *tui.OwnNginx // of opened
}

// now is the file as it stands on disk.
func (o *ownConf) now() *tui.OwnNginx {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last != nil && o.opened != nil {
		if changed, err := o.opened.Changed(); err == nil && len(changed) == 0 {
			return o.last
		}
	}
	o.read()
	return o.last
}

// read reads the file. What nginx would not take is told, and not asked.
func (o *ownConf) read() {
	o.opened, o.last = nil, &tui.OwnNginx{Path: o.path}
	opened, err := files.Open(o.path)
	if err != nil {
		o.last.Wrong = err.Error()
		return
	}
	o.opened = opened
	if opened.Kind != files.Nginx {
		o.last.Wrong = o.path + " is no nginx.conf any more"
		return
	}
	for _, p := range opened.Problems {
		if p.Severity == mesh.Error {
			o.last.Wrong = p.String()
			return
		}
	}
	c, err := conf.Parse(o.path, conf.Disk{})
	if err != nil {
		o.last.Wrong = err.Error()
		return
	}
	o.last.Config, o.last.Mesh, o.last.Origin = c, opened.Meshes[mesh.DefaultGroup], opened.Known(mesh.DefaultGroup).Origin
}
