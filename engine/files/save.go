package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// Save writes groups and their meshes into a folder and returns what is there
// then. Saving back to the folder that from was opened from, or into another
// one, leaves the text of every resource that did not change, every comment and
// everything that could not be read as it is. A single file is not overwritten:
// dir must be a folder, which is made when missing. from may be nil.
//
// Each file is written at once or not at all, those that others point to first.
// When one fails, what was written before it is put back, and the error names
// the file. Save looks at no file that another program changed meanwhile: ask
// Changed before.
func Save(dir string, from *Opened, rules []mesh.Rule, meshes map[string]*mesh.Mesh, w Writer) (*Opened, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("saving: %s is a file, and a workspace is saved to a folder", dir)
	}
	plan := newPlan(dir, from, meshes)
	plan.emptyGroups(rules)
	if err := plan.foreign(); err != nil {
		return nil, err
	}
	if err := plan.compose(); err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	if err := plan.rules(from, rules); err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	saved, err := plan.read()
	if err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	if err := plan.proven(saved); err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	if err := plan.write(w); err != nil {
		return nil, fmt.Errorf("saving to %s: %w", dir, err)
	}
	saved.finish()
	return saved, nil
}

// plan is a save being made.
type plan struct {
	dir     string
	inPlace bool
	meshes  map[string]*mesh.Mesh
	outputs []*output
	groups  *output
	several bool // groups have a sub-folder each
}

// output is one file as it will be.
type output struct {
	*file                  // as it was read; an empty one when new
	path  string           // absolute
	fresh []*mesh.Resource // to be appended
	text  []byte
}

func newPlan(dir string, from *Opened, meshes map[string]*mesh.Mesh) *plan {
	p := &plan{dir: absolute(dir), meshes: meshes, several: len(meshes) > 1}
	if from == nil || from.Kind != Folder {
		p.place()
		return p
	}
	p.inPlace = unlinked(dir) == unlinked(from.Path)
	for _, f := range from.files {
		if !f.other || p.inPlace {
			p.outputs = append(p.outputs, &output{file: f, path: filepath.Join(p.dir, f.rel)})
		}
	}
	p.place()
	return p
}

// foreign refuses a folder that has xDS files which were not read: they would be
// written over, or be part of the workspace from then on.
func (p *plan) foreign() error {
	if p.inPlace {
		return nil
	}
	found, err := folderFiles(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	for _, f := range found {
		if p.byRel(f.rel) != nil || xdsName.MatchString(filepath.Base(f.rel)) {
			return fmt.Errorf("saving: %s is there already and belongs to something else; choose an empty folder", f.path)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, groupsFile)); err == nil {
		return fmt.Errorf("saving: %s is there already and belongs to something else; choose an empty folder", filepath.Join(p.dir, groupsFile))
	}
	return nil
}

// place says for every resource which file it goes to.
func (p *plan) place() {
	groups := make([]string, 0, len(p.meshes))
	for g := range p.meshes {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	for _, g := range groups {
		held := map[mesh.Key]bool{}
		for _, out := range p.outputs {
			for _, it := range out.items {
				if out.group == g && it.resource != nil {
					held[it.key] = true
				}
			}
		}
		for _, r := range p.meshes[g].All() {
			if !held[r.Key] {
				out := p.home(g, r.Key)
				out.fresh = append(out.fresh, r)
			}
		}
	}
}

// home is the file that a new resource goes to. Types of which Envoy takes but
// one from a file have a file for each.
func (p *plan) home(group string, k mesh.Key) *output {
	folder := p.folderOf(group)
	stem := strings.TrimSuffix(k.Type.File(), ".yaml")
	common := p.sharedFile(group, k.Type)
	count := 0
	if common != nil {
		count = common.holds(k.Type)
	}
	alone := len(p.meshes[group].List(k.Type)) == 1
	switch {
	case common != nil && (shared(k.Type) || count == 0 && alone || count > 1):
		return common
	case common == nil && (shared(k.Type) || alone):
		return p.add(group, filepath.Join(folder, stem+".yaml"))
	}
	name := stem + "-" + fileName(k.Name)
	for i := 2; ; i++ {
		rel := filepath.Join(folder, name+".yaml")
		out := p.byRel(rel)
		if out == nil {
			return p.add(group, rel)
		}
		if !out.bad && !out.other && len(out.fresh) == 0 && len(out.items) == 0 {
			return out
		}
		name = fmt.Sprintf("%s-%s-%d", stem, fileName(k.Name), i)
	}
}

// sharedFile is the group's file that is named for a type, else one that holds
// it already; nil without one.
func (p *plan) sharedFile(group string, t mesh.Type) *output {
	stem := strings.TrimSuffix(t.File(), ".yaml")
	var holds *output
	for _, out := range p.outputs {
		if out.group != group || out.other {
			continue
		}
		name := filepath.Base(out.rel)
		if strings.TrimSuffix(name, filepath.Ext(name)) == stem {
			return out
		}
		if holds == nil && out.holds(t) > 0 && shared(t) {
			holds = out
		}
	}
	return holds
}

// holds counts the resources of a type in a file, old and new.
func (out *output) holds(t mesh.Type) int {
	n := 0
	for _, it := range out.items {
		if it.key.Type == t {
			n++
		}
	}
	for _, r := range out.fresh {
		if r.Key.Type == t {
			n++
		}
	}
	return n
}

func (p *plan) add(group, rel string) *output {
	out := &output{file: &file{rel: rel, group: group}, path: filepath.Join(p.dir, rel)}
	p.outputs = append(p.outputs, out)
	return out
}

func (p *plan) byRel(rel string) *output {
	for _, out := range p.outputs {
		if out.rel == rel {
			return out
		}
	}
	return nil
}

// folderOf is the sub-folder of a group: the one that its files are in, else
// one of its own where there are several groups.
func (p *plan) folderOf(group string) string {
	for _, out := range p.outputs {
		if out.group == group && !out.other {
			return filepath.Dir(out.rel)
		}
	}
	if p.several {
		return group
	}
	return "."
}

// fileName is a resource's name as part of a file name.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, name)
	if len(safe) > 100 {
		safe = safe[:100]
	}
	if safe == "" {
		return "unnamed"
	}
	return safe
}

// fileOf is the path at which a resource of a group can be read, "" for one
// that is in no file. Without a name it is that of the file which has all
// resources of the type, as an Envoy can read them; "" where there is none.
func (p *plan) fileOf(group string) func(mesh.Key) string {
	return func(k mesh.Key) string {
		if k.Name == "" {
			return p.fileOfAll(group, k.Type)
		}
		for _, out := range p.outputs {
			if out.group == group && p.meshes[group].Get(k) != nil && out.has(k) {
				return out.path
			}
		}
		return ""
	}
}

func (p *plan) fileOfAll(group string, t mesh.Type) string {
	all := unnamed(p.meshes[group], t)
	if len(all) == 0 || len(all) > 1 && !shared(t) {
		return ""
	}
	for _, out := range p.outputs {
		if out.group == group && !slices.ContainsFunc(all, func(k mesh.Key) bool { return !out.has(k) }) {
			return out.path
		}
	}
	return ""
}

// unnamed are the resources of a type that are asked for by a config source that
// says no names: all, but of routes those that scopes name.
func unnamed(m *mesh.Mesh, t mesh.Type) []mesh.Key {
	scoped := map[mesh.Key]bool{}
	for _, ref := range m.References() {
		if ref.From.Type == mesh.ScopedRoute || strings.Contains(ref.Path, "scoped_route_configurations_list") {
			scoped[ref.To] = true
		}
	}
	var out []mesh.Key
	for _, r := range m.List(t) {
		if t != mesh.Route || scoped[r.Key] {
			out = append(out, r.Key)
		}
	}
	return out
}

// has reports whether a resource is in a file, old or new.
func (out *output) has(k mesh.Key) bool {
	return slices.ContainsFunc(out.items, func(it *item) bool { return it.key == k }) ||
		slices.ContainsFunc(out.fresh, func(r *mesh.Resource) bool { return r.Key == k })
}

// rules composes groups.yaml.
func (p *plan) rules(from *Opened, rules []mesh.Rule) error {
	var was *file
	if from != nil {
		was = from.groups
	}
	switch {
	case was != nil && slices.Equal(from.Rules, rules):
		p.groups = &output{file: was, path: filepath.Join(p.dir, groupsFile), text: was.data}
		return nil
	case was == nil && len(rules) == 0 && !p.several:
		return nil
	case was != nil && was.bad:
		return fmt.Errorf("%s cannot be read, so its rules cannot be changed: mend it first", was.path)
	}
	data, err := groupsText(rules)
	if err != nil {
		return err
	}
	p.groups = &output{file: &file{rel: groupsFile}, path: filepath.Join(p.dir, groupsFile), text: data}
	if was != nil {
		p.groups.data = was.data
	}
	return nil
}

// read opens what the save would leave behind, without the disk.
func (p *plan) read() (*Opened, error) {
	var found []*file
	for _, out := range p.outputs {
		found = append(found, &file{path: out.path, rel: out.rel, group: out.group, data: out.text})
	}
	var groups *file
	if p.groups != nil {
		groups = &file{path: p.groups.path, rel: groupsFile, data: p.groups.text}
	}
	if len(found) == 0 && groups == nil {
		out := p.add(mesh.DefaultGroup, mesh.Listener.File())
		out.text = []byte("resources: []\n")
		return p.read()
	}
	return assemble(p.dir, Folder, found, groups)
}

// proven makes sure that what was composed says what was to be saved.
func (p *plan) proven(saved *Opened) error {
	for group, m := range p.meshes {
		for _, c := range mesh.Diff(m, saved.Meshes[group]) {
			return fmt.Errorf("%s in group %s cannot be put into its file without changing it; nothing was written", c.Key, group)
		}
	}
	return nil
}

// write puts what changed on disk, in an order in which every file that another
// points to is there first.
func (p *plan) write(w Writer) error {
	due := slices.Clone(p.outputs)
	if p.groups != nil {
		due = append(due, p.groups)
	}
	due = slices.DeleteFunc(due, func(out *output) bool {
		return p.inPlace && out.file.path != "" && bytes.Equal(out.data, out.text) && holds(out.path, out.text)
	})
	sort.SliceStable(due, func(i, j int) bool { return due[i].rank() < due[j].rank() })
	for i, out := range due {
		if err := w.WriteFile(out.path, out.text, out.perm()); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", out.path, err), p.undo(due[:i], w))
		}
	}
	return nil
}

// holds reports whether a file says that already: another program may have
// changed it since it was read.
func holds(path string, text []byte) bool {
	now, err := os.ReadFile(path)
	return err == nil && bytes.Equal(now, text)
}

// undo puts back what a failed save had written already.
func (p *plan) undo(written []*output, w Writer) error {
	var errs []error
	for _, out := range written {
		var err error
		if p.inPlace && out.file.path != "" {
			err = w.WriteFile(out.path, out.data, out.perm())
		} else {
			err = os.Remove(out.path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("putting %s back: %w", out.path, err))
		}
	}
	return errors.Join(errs...)
}

// rank orders files: what is pointed to before what points to it.
func (out *output) rank() int {
	order := []mesh.Type{mesh.Runtime, mesh.Secret, mesh.Endpoints, mesh.Cluster, mesh.Extension, mesh.VirtualHost, mesh.Route, mesh.ScopedRoute, mesh.Listener}
	last := 0
	for i, t := range order {
		if out.holds(t) > 0 || strings.HasPrefix(filepath.Base(out.rel), strings.TrimSuffix(t.File(), ".yaml")) {
			last = i + 1
		}
	}
	return last
}

// keysInside is found in a text that has a private key or a secret inside: in PEM,
// or as the bytes or the string of a data source.
var keysInside = regexp.MustCompile(`PRIVATE KEY|(?s:(private_?[kK]ey|password|pkcs12|secret|token)"?\s*:\s*\{?\s*"?inline_?([sS]tring|[bB]ytes))`)

// perm keeps a file's permissions, except that one with a secret, or with a key
// written into another resource, is its owner's alone.
func (out *output) perm() fs.FileMode {
	perm := fs.FileMode(0o644)
	if info, err := os.Stat(out.path); err == nil {
		perm = info.Mode().Perm()
	}
	if out.holds(mesh.Secret) > 0 || keysInside.Match(out.text) {
		perm &= 0o600
	}
	return perm
}
