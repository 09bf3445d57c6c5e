package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

// besideFile is a file that config sources of a bootstrap's static resources
// name.
type besideFile struct {
	refusal   refusal // why it cannot be read; zero when it was
	resources map[mesh.Key]*mesh.Resource
	order     []mesh.Key
}

// refusal is why what a config source names is left to Envoy; zero where it is
// not.
type refusal struct {
	why   string
	alike bool // an Envoy cannot make use of it either
}

// asked is one resource that is to be had from one file.
type asked struct {
	file string // as the config source has it
	key  mesh.Key
}

// String is what is asked for.
func (a asked) String() string {
	if a.key.Name == "" {
		return plurals[a.key.Type]
	}
	return a.key.String()
}

// beside reads the files that static resources have their routes and endpoints
// from, so that they are part of the mesh and served by ADS. What cannot be read
// is left to Envoy, which reads it by itself. Secrets are left to it in any case:
// their keys are nothing to be shown or kept.
func (b *bootstrap) beside() {
	files, static := map[string]*besideFile{}, b.collected
	for i, r := range static {
		if !containsAny(r.Source.Text, sourceWords...) {
			continue
		}
		b.collected[i] = b.fromFiles(r, files)
		b.names[r.Key] = b.collected[i]
	}
}

// fromFiles takes in what one resource has from files, and lets it ask for that
// by ADS instead.
func (b *bootstrap) fromFiles(r *mesh.Resource, files map[string]*besideFile) *mesh.Resource {
	var edits []func(string) (string, error)
	for _, s := range configSources(r.Source.Text, r.Key.Name) {
		if s.file == "" || s.service == mesh.Secret || !b.there(s.file) {
			continue
		}
		a := asked{file: s.file, key: mesh.Key{Type: s.service, Name: s.name}}
		from := b.fromFile
		if s.name == "" {
			from = b.allFromFile
		}
		if no := from(a, files); no.why != "" {
			b.refused[a] = no
			continue
		}
		at := s.path + "." + s.field
		edits = append(edits, func(body string) (string, error) { return text.Rename(body, at, "ads", map[string]any{}) })
		b.note(mesh.Note, "read-from", r.Key, s.path, r.Source.LineAt(s.line).Line,
			fmt.Sprintf("%s: read from %s, and served as \"ads: {}\"", a, s.file))
	}
	if len(edits) == 0 {
		return r
	}
	if out := b.edited(r, edits...); out != nil {
		return out
	}
	return r
}

// runtimes takes in the runtime layers that a bootstrap has from files. What it
// says of them itself is not carried over: a bootstrap asks for them by name.
func (b *bootstrap) runtimes(layered *bootstrapv3.LayeredRuntime) {
	files := map[string]*besideFile{}
	places := text.NewLocator(b.whole.Text)
	for i, layer := range layered.GetLayers() {
		rtds := layer.GetRtdsLayer()
		a := asked{file: sourceFile(rtds.GetRtdsConfig()), key: mesh.Key{Type: mesh.Runtime, Name: rtds.GetName()}}
		if a.file == "" {
			continue
		}
		at := fmt.Sprintf("layered_runtime.layers[%d].rtds_layer.rtds_config", i)
		line, _, _ := places.Position(at)
		if no := b.fromFile(a, files); no.why != "" {
			b.note(mesh.Warning, "not-carried", a.key, at, line, fmt.Sprintf("%s is not carried over: %s: %s", a.key, a.file, no.why))
			continue
		}
		b.note(mesh.Note, "read-from", a.key, at, line,
			fmt.Sprintf("%s: read from %s, and served to an Envoy whose rtds_layer asks for it by ADS", a.key, a.file))
	}
}

// fileBeside is a file that is named, read once.
func (b *bootstrap) fileBeside(name string, files map[string]*besideFile) *besideFile {
	path := b.located(name)
	if files[path] == nil {
		files[path] = b.readBeside(path)
	}
	return files[path]
}

// allFromFile takes all resources of a type in from a file; else it says why not.
func (b *bootstrap) allFromFile(a asked, files map[string]*besideFile) refusal {
	f := b.fileBeside(a.file, files)
	if f.refusal.why != "" {
		return f.refusal
	}
	for _, k := range f.order {
		if k.Type != a.key.Type {
			continue
		}
		if no := b.fromFile(asked{file: a.file, key: k}, files); no.why != "" {
			return no
		}
	}
	return refusal{}
}

// fromFile takes a resource in from a file; else it says why not.
func (b *bootstrap) fromFile(a asked, files map[string]*besideFile) refusal {
	f := b.fileBeside(a.file, files)
	if f.refusal.why != "" {
		return f.refusal
	}
	r := f.resources[a.key]
	was := b.names[a.key]
	switch {
	case r == nil && b.missing(mesh.DefaultGroup).unread[a.key]:
		return refusal{fmt.Sprintf("its %s cannot be read", a.key), true}
	case r == nil:
		return refusal{fmt.Sprintf("it has no %s", a.key), true}
	case was != nil && was != r:
		return refusal{why: fmt.Sprintf("there is another %s on line %d of %s, and meshtui serves one of a name", a.key, was.Source.Line, was.Source.File)}
	case was == nil:
		b.keep(r)
	}
	return refusal{}
}

// readBeside reads one file of resources, and has it watched. What is wrong with
// single resources is a problem, as in any other file.
func (b *bootstrap) readBeside(path string) *besideFile {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return &besideFile{refusal: refusal{why: err.Error()}}
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return &besideFile{refusal: refusal{why: fmt.Sprintf("it is no file of at most %d MiB", maxFile>>20)}}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return &besideFile{refusal: refusal{why: err.Error()}}
	}
	b.files = append(b.files, &file{path: path, rel: filepath.Base(path), group: mesh.DefaultGroup, data: data})
	chunks, found, wrong := text.Items(string(data), "resources")
	switch {
	case wrong != nil:
		return &besideFile{refusal: refusal{fmt.Sprintf("line %d: %s", wrong.Line, wrong.Message), true}}
	case !found:
		return &besideFile{refusal: refusal{"there is no list of resources in it", true}}
	}
	f := &besideFile{resources: map[mesh.Key]*mesh.Resource{}}
	whole := text.Whole(path, string(data))
	for _, c := range chunks {
		b.besideItem(f, path, c, c.Source(whole))
	}
	if len(f.order) > 1 && !slices.ContainsFunc(f.order, func(k mesh.Key) bool { return shared(k.Type) }) {
		b.Notices = append(b.Notices, mesh.Finding{Severity: mesh.Warning, Rule: "crowded-file", File: path, Line: chunks[1].Line,
			Message: fmt.Sprintf("it has %d resources, but an Envoy that reads it by path_config_source takes a file of exactly one", len(chunks)),
			Hint:    "give each a file of its own; meshtui takes those of them that the bootstrap names"})
	}
	return f
}

// besideItem reads one resource of such a file; the first of a name counts.
func (b *bootstrap) besideItem(f *besideFile, path string, c text.Chunk, src mesh.Source) {
	url, _ := text.Scalar(c.Text, "@type")
	t, known := mesh.TypeOfURL(url)
	if !known {
		b.Problems = append(b.Problems, unknownType(path, c, url))
		return
	}
	r := b.decode(t, src, true)
	if r == nil || f.resources[r.Key] != nil {
		return
	}
	f.resources[r.Key] = r
	f.order = append(f.order, r.Key)
}

// located is where a path of a config source leads to: from where meshtui runs,
// else from where the bootstrap is.
func (b *bootstrap) located(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(filepath.Dir(b.Path), path)
	}
	return absolute(path)
}
