package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"go.yaml.in/yaml/v3"
)

// configSource is a place in a resource that says where another one is to be
// had: rds.config_source, eds_config, sds_config.
type configSource struct {
	path    string    // field path of the ConfigSource
	service mesh.Type // what it is for
	name    string    // which one; "" for all of the type; "ROUTE/" for the virtual hosts of one
	file    string    // of path_config_source; "" for any other kind
	field   string    // the field that says file: path_config_source, or the older path
	moved   bool      // file is of the folder that this one is a copy of
	ads     bool
	value   *yaml.Node // of field
	line    int        // within the text
}

// at is the field path of file.
func (s configSource) at() string {
	if s.field == "path" {
		return s.path + ".path"
	}
	return s.path + "." + s.field + ".path"
}

// sourceWords are in every text that has a config source.
var sourceWords = []string{"config_source", "onfigSource", "eds_config", "sds_config", "edsConfig", "sdsConfig"}

// containsAny reports whether one of several words is in a text.
func containsAny(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// configSources finds the config sources of a resource's text. A text that is
// no YAML has none.
func configSources(resource, name string) []configSource {
	if !containsAny(resource, sourceWords...) {
		return nil // most load assignments are large, and none has one
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(resource), &doc); err != nil || len(doc.Content) == 0 {
		return nil
	}
	var out []configSource
	in := sourceFinder{own: name, asked: map[*yaml.Node]mesh.Key{}}
	walk(doc.Content[0], "", func(path string, parent *yaml.Node, key string, value *yaml.Node) {
		want, ok := in.find(parent, snake(key), value)
		if !ok || value.Kind != yaml.MappingNode {
			return
		}
		s := configSource{path: path, service: want.Type, name: want.Name, line: value.Line}
		s.ads = field(value, "ads") != nil
		if v := field(value, "path_config_source"); v != nil {
			if p := field(v, "path"); p != nil {
				s.file, s.field, s.value = p.Value, "path_config_source", v
			}
		} else if p := field(value, "path"); p != nil {
			s.file, s.field, s.value = p.Value, "path", p
		}
		out = append(out, s)
	})
	return out
}

// sourceFinder tells what the config sources of one text are for.
type sourceFinder struct {
	own   string                  // name of the resource
	asked map[*yaml.Node]mesh.Key // what is asked for by the config_source within a mapping
}

// find is what a field is to have from a config source; ok is false for any other
// field. Fields are seen before those within them.
func (in sourceFinder) find(parent *yaml.Node, key string, value *yaml.Node) (want mesh.Key, ok bool) {
	switch key {
	case "eds_config":
		return mesh.Key{Type: mesh.Endpoints, Name: named(parent, "service_name", in.own)}, true
	case "sds_config":
		return mesh.Key{Type: mesh.Secret, Name: named(parent, "name", in.own)}, true
	case "config_discovery":
		in.asked[value] = mesh.Key{Type: mesh.Extension, Name: named(parent, "name", in.own)}
	case "vhds":
		in.asked[value] = mesh.Key{Type: mesh.VirtualHost, Name: named(parent, "name", in.own) + "/"}
	case "rds_config_source": // of scoped routes, which say the names
		return mesh.Key{Type: mesh.Route}, true
	case "scoped_rds_config_source":
		return mesh.Key{Type: mesh.ScopedRoute}, true
	case "config_source":
		if field(parent, "route_config_name") != nil {
			return mesh.Key{Type: mesh.Route, Name: named(parent, "route_config_name", in.own)}, true
		}
		want, ok = in.asked[parent]
		return want, ok
	}
	return mesh.Key{}, false
}

// named is what a mapping says in a field, or else another name.
func named(n *yaml.Node, key, other string) string {
	if v := field(n, key); v != nil && v.Value != "" {
		return v.Value
	}
	return other
}

// sourcesIn are the config sources of a resource's text in a file of the
// workspace.
func (o *Opened) sourcesIn(f *file, resource, name string) []configSource {
	out := configSources(resource, name)
	for i, s := range out {
		out[i].moved = s.file != "" && o.pointing(f, s) == pointsToCopy
	}
	return out
}

// pointing is what the path of a config source means.
type pointing uint8

const (
	pointsElsewhere pointing = iota
	pointsInside             // to a file of the workspace
	pointsToCopy             // to the file of another folder that this one is a copy of
)

// pointing says what a path in a file of the workspace means. Files of the same
// group alone count. One that stands for the same name in another folder, and
// holds what is wanted, was copied from there, or moved with its folder. A path
// that is not on this machine (of a container, or of another host) is told by
// its base name.
func (o *Opened) pointing(from *file, s configSource) pointing {
	var namesake *file
	for _, f := range o.files {
		if f.group == from.group && filepath.Base(s.file) == filepath.Base(f.path) {
			namesake = f
		}
	}
	_, err := os.Stat(s.file)
	there := !errors.Is(err, fs.ErrNotExist)
	abs := filepath.IsAbs(s.file)
	switch {
	case namesake != nil && o.leadsTo(s.file, namesake):
		return pointsInside
	case (there || !abs) && slices.ContainsFunc(o.files, func(f *file) bool { // by a link of another name
		return f.group == from.group && o.leadsTo(s.file, f)
	}):
		return pointsInside
	case namesake == nil || !abs:
		return pointsElsewhere
	}
	was, same := strings.CutSuffix(s.file, string(filepath.Separator)+namesake.rel)
	beside := same && filepath.Dir(was) == filepath.Dir(o.Path) // as the folder was called before
	holds := bytes.Contains(namesake.data, []byte(s.service.URL())) && bytes.Contains(namesake.data, []byte(s.name))
	switch {
	case (there || beside) && holds && !strings.HasPrefix(s.file, o.Path+string(filepath.Separator)):
		return pointsToCopy
	case !there:
		return pointsInside
	}
	return pointsElsewhere
}

// leadsTo reports whether a path, as it is or from the workspace on, is that of
// a file; links are followed.
func (o *Opened) leadsTo(path string, f *file) bool {
	here := unlinked(f.path)
	return unlinked(path) == here || !filepath.IsAbs(path) && unlinked(filepath.Join(o.Path, path)) == here
}

// MissingPath is the rule of a finding about a config source whose file is not
// there. Its Path is that of the field that says which file.
const MissingPath = "missing-path"

// UnusablePath is the rule of a finding about a config source whose file is there,
// and has not what is asked for. It is a warning to whoever reads the
// configuration; an Envoy that takes it waits for what does not come. Its Path is
// as that of MissingPath.
const UnusablePath = "unusable-path"

// pointedElsewhere says of every config source that still names a file what
// comes of that: it is not of the workspace.
func (o *Opened) pointedElsewhere() {
	for _, m := range o.Meshes {
		for _, r := range m.All() {
			if !strings.Contains(r.Source.Text, "path") {
				continue
			}
			for _, s := range configSources(r.Source.Text, r.Key.Name) {
				if s.file != "" {
					o.elsewhere(r, s)
				}
			}
		}
	}
}

func (o *Opened) elsewhere(r *mesh.Resource, s configSource) {
	f := mesh.Finding{Key: r.Key, Path: s.at(), File: r.Source.File, Line: r.Source.LineAt(s.value.Line).Line}
	if no := o.refused[asked{file: s.file, key: mesh.Key{Type: s.service, Name: s.name}}]; no.why != "" {
		f.Severity, f.Rule = mesh.Warning, "outside-path"
		f.Message = fmt.Sprintf("%s is not read here, and Envoy reads it by itself: %s", s.file, no.why)
		f.Hint = "mend it to have it checked, matched and served"
		if no.alike {
			f.Rule = UnusablePath
			f.Message = fmt.Sprintf("%s cannot be used, neither here nor by an Envoy: %s", s.file, no.why)
		}
		o.Notices = append(o.Notices, f)
		return
	}
	if o.there(s.file) {
		f.Severity, f.Rule = mesh.Warning, "outside-path"
		f.Message = fmt.Sprintf("Envoy reads %s by itself; meshtui neither serves nor watches it", s.file)
		f.Hint = "put it into the workspace to have it served"
		o.Notices = append(o.Notices, f)
		return
	}
	if o.Kind == Dump {
		f.Severity, f.Rule = mesh.Warning, "outside-path"
		f.Message = fmt.Sprintf("%s is a path on the machine that the dump is of, and an Envoy on this one would reject the resource", s.file)
		f.Hint = "put the file there, or correct the path, before an Envoy here is to take it"
		o.Notices = append(o.Notices, f)
		return
	}
	f.Severity, f.Rule = mesh.Error, MissingPath
	f.Message = fmt.Sprintf("there is no %s, and Envoy rejects the resource: paths must refer to an existing path", s.file)
	f.Hint = "put the file there, or correct the path"
	o.Problems = append(o.Problems, f)
}

// there reports whether a path exists; one that is not absolute may begin where
// meshtui runs or where the workspace is.
func (o *Opened) there(path string) bool {
	tries := []string{path}
	if !filepath.IsAbs(path) {
		dir := o.Path
		if o.Kind != Folder {
			dir = filepath.Dir(dir)
		}
		tries = append(tries, filepath.Join(dir, path))
	}
	return slices.ContainsFunc(tries, func(p string) bool {
		_, err := os.Stat(p)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// toADS lets the config sources of a resource that point into the workspace
// say "ads: {}" instead; it returns those that it changed. It is pure: inside
// says whether a path points into the workspace.
func toADS(resource, name string, inside func(configSource) bool) (string, []configSource, error) {
	var changed []configSource
	for _, s := range configSources(resource, name) {
		if s.file == "" || !inside(s) {
			continue
		}
		out, err := text.Rename(resource, s.path+"."+s.field, "ads", map[string]any{})
		if err != nil {
			return resource, changed, err
		}
		resource = out
		changed = append(changed, s)
	}
	return resource, changed, nil
}

// toPaths is the way back: config sources that say "ads: {}" say where on disk
// the resource is instead. were are the sources as they stood on disk: one that
// was there already gets its own form back, and one that said "ads: {}" there
// stays. fileOf is "" for what is in no file; that stays as well.
func toPaths(resource, name string, were []configSource, fileOf func(mesh.Key) string) (string, error) {
	for _, s := range configSources(resource, name) {
		if !s.ads || s.service == mesh.VirtualHost {
			continue // VHDS is delta xDS: there are no files of it
		}
		path := fileOf(mesh.Key{Type: s.service, Name: s.name})
		was, known := sourceAt(were, s.path)
		if known && was.ads || path == "" {
			continue
		}
		field, value := "path_config_source", any(map[string]any{"path": path})
		if known && was.file != "" && filepath.Base(was.file) == filepath.Base(path) {
			field, value = was.field, was.value
		}
		out, err := text.Rename(resource, s.path+".ads", field, value)
		if err != nil {
			return resource, err
		}
		resource = out
	}
	return resource, nil
}

func sourceAt(all []configSource, path string) (configSource, bool) {
	for _, s := range all {
		if s.path == path {
			return s, true
		}
	}
	return configSource{}, false
}

// notFromFiles notes what an Envoy that reads the folder by itself does not get:
// what resources ask ADS for on disk since no file of Envoy's form can say it.
func (o *Opened) notFromFiles() {
	for _, f := range o.files {
		for _, it := range f.items {
			for _, s := range it.sources {
				why := ""
				switch {
				case !s.ads:
				case s.service == mesh.VirtualHost:
					why = "its virtual hosts: VHDS is delta xDS alone, and knows no files"
				case s.service == mesh.Route && s.name == "" && len(unnamed(o.Meshes[f.group], mesh.Route)) > 1:
					why = "the routes of its scopes: all are asked for at one place, and of a file Envoy takes exactly one route configuration"
				}
				if why == "" {
					continue
				}
				o.Notices = append(o.Notices, mesh.Finding{Severity: mesh.Note, Rule: "not-from-files", Key: it.key, Path: s.path, File: f.path,
					Line:    it.resource.Source.LineAt(s.line).Line,
					Message: "an Envoy that reads this folder without meshtui does not get " + why,
					Hint:    "it needs a management server for these, such as meshtui"})
			}
		}
	}
}

// maxWalk bounds how deep walk goes.
const maxWalk = 200

// walk visits every field of every mapping below n as it is written; aliases
// are not followed.
func walk(n *yaml.Node, path string, visit func(path string, parent *yaml.Node, key string, value *yaml.Node)) {
	walkTo(n, path, maxWalk, visit)
}

func walkTo(n *yaml.Node, path string, left int, visit func(path string, parent *yaml.Node, key string, value *yaml.Node)) {
	if left == 0 {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, c := range n.Content {
			walkTo(c, text.Item(path, i), left-1, visit)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Kind != yaml.ScalarNode {
				continue
			}
			at := text.Field(path, key.Value)
			visit(at, n, key.Value, value)
			walkTo(value, at, left-1, visit)
		}
	}
}

// field is the value of a mapping's field, in either spelling; nil without one.
func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if snake(n.Content[i].Value) == name {
			v := n.Content[i+1]
			if v.Kind == yaml.AliasNode {
				v = v.Alias
			}
			return v
		}
	}
	return nil
}

// snake is a camelCase name as the proto has it.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
