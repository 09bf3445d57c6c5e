package files

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
)

// Kind is what was opened.
type Kind uint8

// The kinds. Only a Folder is saved to where it came from; the others are
// single files, which are never overwritten.
const (
	Folder    Kind = iota + 1 // a folder of DiscoveryResponses
	Bootstrap                 // an Envoy bootstrap
	Response                  // one file that is a DiscoveryResponse
	Dump                      // what a running Envoy's /config_dump says
	Nginx                     // an nginx.conf, made into a mesh
)

// String is the kind in words.
func (k Kind) String() string {
	switch k {
	case Folder:
		return "xDS folder"
	case Bootstrap:
		return "Envoy bootstrap"
	case Response:
		return "DiscoveryResponse"
	case Dump:
		return "Envoy config dump"
	case Nginx:
		return "nginx.conf"
	}
	return "unknown"
}

// Opened is what was read. It is not changed after Open or Save returned it.
type Opened struct {
	Name     string // the folder's or file's base name
	Path     string // absolute path
	Kind     Kind
	Rules    []mesh.Rule
	Meshes   map[string]*mesh.Mesh // by group; mesh.DefaultGroup is always there
	Problems []mesh.Finding        // what could not be read; it stays as it is on disk
	Notices  []mesh.Finding        // what was rewritten or not carried over, with its line

	files   []*file
	globs   []string                                // of an nginx.conf: what its includes look for
	missed  []string                                // of an nginx.conf: the included files that were not there
	origins map[mesh.Key]map[string]*conf.Directive // of an nginx.conf: what its fields come from
	groups  *file                                   // groups.yaml, nil without one
	absent  map[string]absent                       // by group
	refused map[asked]refusal                       // why a file that config sources name is left to Envoy
}

// file is one file as it was read.
type file struct {
	path  string // as opened: the operator's path joined with rel
	rel   string // below the folder
	group string
	data  []byte
	items []*item
	bad   bool // cannot be taken apart; it is kept as it is
	other bool // no DiscoveryResponse: read only to say so
}

// item is one resource of a file, or what stands in its place.
type item struct {
	from, to int // the bytes of file.data, leading comment and line break included
	comment  int // length of the leading comment at from
	indent   int // column of its fields
	dash     int // column of its dash; -1 in brackets
	key      mesh.Key
	resource *mesh.Resource // nil for what could not be read
	twin     mesh.Key       // whose second text it is; zero for all others
	sources  []configSource // as they stand on disk
}

// Paths lists every file that was read, for watching, sorted.
func (o *Opened) Paths() []string {
	var out []string
	for _, f := range o.files {
		out = append(out, f.path)
	}
	if o.groups != nil {
		out = append(out, o.groups.path)
	}
	sort.Strings(out)
	return out
}

// Folders lists the folders in which a file would belong to what was read, for
// watching: those of its files, its own, and those that an include looks into.
func (o *Opened) Folders() []string {
	var out []string
	if o.Kind == Folder {
		out = append(out, o.Path)
	}
	for _, path := range slices.Concat(o.Paths(), o.globs, o.missed) {
		out = append(out, filepath.Dir(path))
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// Changed lists the files whose content on disk is no longer what was read,
// sorted: changed, gone, or new where files are looked for. It fails when one
// cannot be read.
func (o *Opened) Changed() ([]string, error) {
	was := map[string][sha256.Size]byte{}
	for _, f := range o.files {
		was[f.path] = sha256.Sum256(f.data)
	}
	if o.groups != nil {
		was[o.groups.path] = sha256.Sum256(o.groups.data)
	}
	now := o.Paths()
	if o.Kind == Folder {
		found, err := folderFiles(o.Path)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if _, known := was[f.path]; !known {
				now = append(now, f.path)
			}
		}
	}
	for _, path := range o.globbed() {
		if _, known := was[path]; !known {
			now = append(now, path)
		}
	}
	var out []string
	for _, path := range now {
		data, err := os.ReadFile(path)
		sum, known := was[path]
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out = append(out, path)
		case err != nil:
			return nil, fmt.Errorf("looking for changes: %w", err)
		case !known || sum != sha256.Sum256(data):
			out = append(out, path)
		}
	}
	sort.Strings(out)
	return out, nil
}

// resources collects what was read, by group, and reports what is there twice.
func (o *Opened) resources() {
	byGroup := map[string][]*mesh.Resource{mesh.DefaultGroup: nil}
	first := map[string]map[mesh.Key]*mesh.Resource{}
	for _, f := range o.files {
		for _, it := range f.items {
			if it.resource == nil {
				continue
			}
			if first[f.group] == nil {
				first[f.group] = map[mesh.Key]*mesh.Resource{}
			}
			if was := first[f.group][it.key]; was != nil {
				o.Problems = append(o.Problems, mesh.Finding{Severity: mesh.Error, Rule: "duplicate-resource", Key: it.key,
					File: f.path, Line: it.resource.Source.Line,
					Message: fmt.Sprintf("there is another %s at %s:%d, and that one is taken", it.key, was.Source.File, was.Source.Line),
					Hint:    "rename or remove one of them"})
				it.resource, it.key, it.twin = nil, mesh.Key{}, it.key
				continue
			}
			first[f.group][it.key] = it.resource
			byGroup[f.group] = append(byGroup[f.group], it.resource)
		}
		if _, there := byGroup[f.group]; !there && !f.other {
			byGroup[f.group] = nil
		}
	}
	o.Meshes = map[string]*mesh.Mesh{}
	for group, rs := range byGroup {
		m, err := mesh.New(rs...)
		if err != nil { // cannot be: duplicates were sorted out above
			m = &mesh.Mesh{}
		}
		o.Meshes[group] = m
	}
}

// base is the name of a path for people, also for "." and "/".
func base(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.Base(path)
}
