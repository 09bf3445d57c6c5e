package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// openNginx makes a workspace of an nginx.conf and what it includes. What is not
// carried over, or only about, is in Notices.
func openNginx(path string) (*Opened, error) {
	o := &Opened{Name: base(path), Path: absolute(path), Kind: Nginx}
	c, err := conf.Parse(path, &reading{opened: o, dir: filepath.Dir(path)})
	if err != nil {
		return nil, err
	}
	got := importer.Import(c)
	o.Problems = c.Problems
	for _, e := range got.Report {
		o.Notices = append(o.Notices, e.Finding())
	}
	if got.Mesh.Len() == 0 && len(o.Problems) == 0 {
		return nil, fmt.Errorf("%s is an nginx.conf without a server or an upstream: %s", path, takes)
	}
	origins := linesOf(got)
	o.origins = origins
	var rs []*mesh.Resource
	for _, r := range got.Mesh.All() {
		written, err := text.Encode(r.Message)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, r.Key, err)
		}
		r, err := mesh.NewResource(r.Message, sourceIn(got.Made[r.Key], origins[r.Key], written, path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rs = append(rs, r)
	}
	m, err := mesh.New(rs...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o.Meshes = map[string]*mesh.Mesh{mesh.DefaultGroup: m}
	return o, nil
}

// reading is the disk, and keeps what was read of it.
type reading struct {
	conf.Disk
	opened *Opened
	dir    string
	seen   map[string]bool
}

// ReadFile reads a file and notes its content, for Paths and Changed.
func (r *reading) ReadFile(path string) ([]byte, error) {
	data, err := r.Disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !slices.Contains(r.opened.missed, path) {
		r.opened.missed = append(r.opened.missed, path)
	}
	if err != nil || r.seen[path] {
		return data, err
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[path] = true
	rel, err := filepath.Rel(r.dir, path)
	if err != nil {
		rel = path
	}
	r.opened.files = append(r.opened.files, &file{path: path, rel: rel, group: mesh.DefaultGroup, data: data})
	return data, nil
}

// Glob finds files, and notes what was looked for: a file that comes later is a
// change too.
func (r *reading) Glob(pattern string) ([]string, error) {
	found, err := r.Disk.Glob(pattern)
	if err == nil && !slices.Contains(r.opened.globs, pattern) {
		r.opened.globs = append(r.opened.globs, pattern)
	}
	return found, err
}

// globbed are the files that its includes find now, those among them that were not
// there.
func (o *Opened) globbed() []string {
	var out []string
	for _, path := range o.missed {
		if _, err := os.Stat(path); err == nil {
			out = append(out, path)
		}
	}
	for _, pattern := range o.globs {
		found, err := conf.Disk{}.Glob(pattern)
		if err != nil {
			continue // it was well-formed when the file was read
		}
		out = append(out, found...)
	}
	return out
}

// linesOf says for each resource which directive its fields come from. An item
// of a list that none says is where its first field is: a route stands where its
// match does, in its location.
func linesOf(got *importer.Result) map[mesh.Key]map[string]*conf.Directive {
	out := map[mesh.Key]map[string]*conf.Directive{}
	items := map[nginx.Origin]*conf.Directive{}
	for _, l := range got.Links {
		of := out[l.To.Key]
		if of == nil {
			of = map[string]*conf.Directive{}
			out[l.To.Key] = of
		}
		if of[l.To.Path] == nil {
			of[l.To.Path] = l.From
		}
		if in := text.Parent(l.To.Path); strings.HasSuffix(in, "]") {
			item := nginx.Origin{Key: l.To.Key, Path: in}
			if was := items[item]; was == nil || was.File == l.From.File && l.From.Line < was.Line {
				items[item] = l.From
			}
		}
	}
	for item, d := range items {
		if of := out[item.Key]; of[item.Path] == nil {
			of[item.Path] = d
		}
	}
	return out
}

// Origin is the directive of an nginx.conf that a field comes from, or the
// closest field above it: its file and 1-based line. ok is false for a field that
// comes from none, and for whatever was not opened from an nginx.conf. A resource
// has one file in its Source, but what it was made of may stand in several.
func (k Known) Origin(key mesh.Key, path string) (file string, line int, ok bool) {
	if k.opened == nil || k.group != mesh.DefaultGroup {
		return "", 0, false
	}
	of := k.opened.origins[key]
	for {
		if d := of[path]; d != nil {
			return d.File, d.Line, true
		}
		if path == "" {
			return "", 0, false
		}
		path = text.Parent(path)
	}
}

// sourceIn is a resource's text with the place of each line in the nginx.conf.
// A resource stands in one file; what comes from another one has the line that
// what holds it has.
func sourceIn(from *conf.Directive, of map[string]*conf.Directive, written, path string) mesh.Source {
	name, first := path, 1
	if from != nil {
		name, first = from.File, from.Line
	}
	places := make([]mesh.LinePlace, strings.Count(written, "\n"))
	for i := range places {
		places[i].Line = first
	}
	var doc yaml.Node
	if yaml.Unmarshal([]byte(written), &doc) == nil && len(doc.Content) > 0 {
		p := placing{file: name, of: of, places: places}
		p.walk(doc.Content[0], "", first)
	}
	return mesh.NewSource(name, written, places)
}

// placing gives the lines of a text the lines of the directives that they come
// from.
type placing struct {
	file   string
	of     map[string]*conf.Directive
	places []mesh.LinePlace
}

func (p *placing) walk(n *yaml.Node, path string, line int) {
	if d := p.of[path]; d != nil && d.File == p.file {
		line = d.Line
	}
	p.set(n.Line, line)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := text.Field(path, n.Content[i].Value)
			of := line
			if d := p.of[at]; d != nil && d.File == p.file {
				of = d.Line
			}
			p.walk(n.Content[i+1], at, of)
			p.set(n.Content[i].Line, of)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			p.walk(c, path+"["+strconv.Itoa(i)+"]", line)
		}
	}
}

func (p *placing) set(at, line int) {
	if at >= 1 && at <= len(p.places) {
		p.places[at-1].Line = line
	}
}
