package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// groupsFile holds the rules that put nodes into groups.
const groupsFile = "groups.yaml"

// xdsName are the names that make a folder one of ours.
var xdsName = regexp.MustCompile(`^([lrces]|vh|sr|ec|rt)ds([-.].*)?\.(ya?ml|json)$`)

func isConfig(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml" || ext == ".json") && !strings.HasPrefix(name, ".")
}

// folderFiles lists the files of a workspace folder, sorted by group, less
// groups.yaml and the kept requests. A sub-folder is a group when it has a file named as xDS files
// are.
func folderFiles(dir string) ([]*file, error) {
	out, subs, err := configFiles(dir, "", mesh.DefaultGroup)
	if err != nil {
		return nil, err
	}
	for _, sub := range subs {
		inner, _, err := configFiles(dir, sub, sub)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(inner, func(f *file) bool { return xdsName.MatchString(filepath.Base(f.rel)) }) {
			out = append(out, inner...)
		}
	}
	return out, nil
}

func configFiles(dir, sub, group string) (out []*file, subs []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return nil, nil, fmt.Errorf("opening a folder: %w", err)
	}
	for _, e := range entries {
		rel := filepath.Join(sub, e.Name())
		info, err := os.Stat(filepath.Join(dir, rel)) // a link counts as what it leads to
		switch {
		case err != nil:
			continue // gone meanwhile, or a link that leads nowhere
		case info.IsDir() && !strings.HasPrefix(e.Name(), "."):
			subs = append(subs, rel)
		case info.Mode().IsRegular() && isConfig(e.Name()) && rel != groupsFile && !isKept(rel):
			out = append(out, &file{path: filepath.Join(dir, rel), rel: rel, group: group})
		}
	}
	return out, subs, nil
}

// openFolder reads a workspace folder.
func openFolder(dir string) (*Opened, error) {
	found, err := folderFiles(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if f.data, err = os.ReadFile(f.path); err != nil {
			return nil, fmt.Errorf("opening %s: %w", dir, err)
		}
	}
	groups := &file{path: filepath.Join(dir, groupsFile), rel: groupsFile}
	switch groups.data, err = os.ReadFile(groups.path); {
	case errors.Is(err, fs.ErrNotExist):
		groups = nil
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	return assemble(dir, Folder, found, groups)
}

// assemble makes a workspace of files that were read.
func assemble(dir string, kind Kind, found []*file, groups *file) (*Opened, error) {
	o := &Opened{Name: base(dir), Path: absolute(dir), Kind: kind, files: found, groups: groups}
	useful := 0
	var other []string
	for _, f := range found {
		o.readFile(f)
		if f.other {
			other = append(other, filepath.Base(f.path))
		} else {
			useful++
		}
	}
	if useful == 0 && groups == nil {
		msg := fmt.Sprintf("%s has no xDS file: a workspace folder has lds.yaml, rds.yaml, cds.yaml, eds.yaml, sds.yaml and the like, each with a list of resources", dir)
		if len(other) > 0 {
			msg += fmt.Sprintf("; %s is no such file, so open it by itself", other[0])
		}
		return nil, errors.New(msg)
	}
	o.resources()
	o.crowded()
	o.notFromFiles()
	if groups != nil {
		o.readGroups(groups)
	}
	return o, nil
}

// readFile takes one file apart.
func (o *Opened) readFile(f *file) {
	content := string(f.data)
	problem := func(finding mesh.Finding) {
		f.bad = true
		o.unreadFile(f)
		finding.File, finding.Severity = f.path, mesh.Error
		o.Problems = append(o.Problems, finding)
	}
	named := xdsName.MatchString(filepath.Base(f.rel))
	chunks, found, wrong := text.Items(content, "resources")
	switch {
	case wrong != nil:
		problem(*wrong)
		return
	case !found && named && meaningful(content) != "":
		problem(mesh.Finding{Rule: "no-resources", Line: 1, Message: "there is no list of resources in it",
			Hint: "begin it with \"resources:\" and a list, as Envoy reads it"})
		return
	case !found && !named:
		f.other = true
		o.Notices = append(o.Notices, mesh.Finding{Severity: mesh.Note, Rule: "not-read", File: f.path, Line: 1,
			Message: "not read: it has no list of resources", Hint: "open it by itself if it is a bootstrap"})
		return
	}
	end := 0
	whole := text.Whole(f.path, content)
	for _, c := range chunks {
		it := place(content, c, end)
		end = it.to
		f.items = append(f.items, it)
		o.readItem(f, it, c, c.Source(whole))
	}
}

// shared are the types that Envoy takes any number of from a file that
// path_config_source names. Of all others it takes exactly one from a file, but
// for virtual hosts, which it takes from no file at all.
func shared(t mesh.Type) bool {
	return t == mesh.Listener || t == mesh.Cluster || t == mesh.ScopedRoute || t == mesh.VirtualHost
}

// crowded notes files that an Envoy would refuse by itself: of routes, endpoints,
// secrets and extensions it takes exactly one from a file that path_config_source
// names.
func (o *Opened) crowded() {
	for _, f := range o.files {
		count := map[mesh.Type]int{}
		for _, it := range f.items {
			count[it.key.Type]++
		}
		for _, t := range mesh.Types() {
			if !shared(t) && count[t] > 1 && o.pointedTo(f, t) {
				o.Notices = append(o.Notices, mesh.Finding{Severity: mesh.Warning, Rule: "crowded-file", File: f.path, Line: 1,
					Message: fmt.Sprintf("meshtui serves all %d resources in it, but an Envoy that reads it by path_config_source takes a file of exactly one (%s)", count[t], t.Service()),
					Hint:    "give each a file of its own if an Envoy is to read the folder by itself"})
			}
		}
	}
}

// pointedTo reports whether a config source on disk names the file for a type.
func (o *Opened) pointedTo(f *file, t mesh.Type) bool {
	for _, other := range o.files {
		for _, it := range other.items {
			for _, s := range it.sources {
				if other.group == f.group && s.service == t && filepath.Base(s.file) == filepath.Base(f.path) {
					return true
				}
			}
		}
	}
	return false
}

// meaningful is a text less its comments and blank lines.
func meaningful(content string) string {
	var b strings.Builder
	for _, line := range strings.Split(content, "\n") {
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' && t != "---" {
			b.WriteString(t)
		}
	}
	return b.String()
}

// place finds out which bytes go with an item: its lines, and the comment
// directly above it.
func place(content string, c text.Chunk, floor int) *item {
	it := &item{from: c.From, to: c.To, indent: c.Indent, dash: c.Dash}
	if c.Dash < 0 {
		return it
	}
	start := strings.LastIndexByte(content[:c.From], '\n') + 1
	if strings.TrimSpace(content[start:c.From]) != "" {
		start = c.From // "resources: - …" cannot be, but a marker before it can
	}
	it.from = start
	for it.from > floor {
		above := strings.LastIndexByte(content[:it.from-1], '\n') + 1
		if above < floor || !strings.HasPrefix(strings.TrimSpace(content[above:it.from]), "#") {
			break
		}
		it.from = above
	}
	it.comment = start - it.from
	if i := strings.IndexByte(content[it.to:], '\n'); i >= 0 {
		it.to += i + 1
	} else {
		it.to = len(content)
	}
	return it
}

// readItem reads one resource, which src is as it stands in the file.
func (o *Opened) readItem(f *file, it *item, c text.Chunk, src mesh.Source) {
	places := text.NewLocator(c.Text)
	url, ok := places.Scalar("@type")
	t, known := mesh.TypeOfURL(url)
	switch {
	case !ok:
		o.Problems = append(o.Problems, mesh.Finding{Severity: mesh.Error, Rule: "missing-type", File: f.path, Line: c.Line,
			Column: c.Indent + 1, Message: "this resource has no \"@type\"", Hint: "begin it with a line \"@type\": " + mesh.Cluster.URL() + " or the like"})
		return
	case !known:
		o.Problems = append(o.Problems, unknownType(f.path, c, url))
		return
	}
	name, _ := places.Scalar(nameField(t))
	body, changed, err := toADS(c.Text, name, func(s configSource) bool { return o.pointing(f, s) != pointsElsewhere })
	r, findings := text.Decode(t, text.Edited(src, body))
	if r == nil {
		o.Problems = append(o.Problems, findings...)
		o.unread(f.group, t, c.Text)
		return
	}
	it.resource, it.key, it.sources = r, r.Key, o.sourcesIn(f, c.Text, name)
	o.Notices = append(o.Notices, findings...)
	o.rewritten(it, c, src, changed, err)
}

// rewritten says what of a resource differs from src, which is what the file says.
func (o *Opened) rewritten(it *item, c text.Chunk, src mesh.Source, changed []configSource, err error) {
	note := func(line int, rule, path, message string) {
		o.Notices = append(o.Notices, mesh.Finding{Severity: mesh.Note, Rule: rule, Key: it.key, Path: path, File: src.File,
			Line: src.LineAt(line).Line, Message: message})
	}
	for _, s := range changed {
		s, _ = sourceAt(it.sources, s.path) // as it stands in the file
		if s.moved {
			o.Notices = append(o.Notices, mesh.Finding{Severity: mesh.Warning, Rule: "moved-path", Key: it.key, Path: s.path, File: src.File,
				Line:    src.LineAt(s.line).Line,
				Message: fmt.Sprintf("%s %s is of another folder; %s of this one is served in its place", s.field, s.file, filepath.Base(s.file)),
				Hint:    "save writes the new place"})
			continue
		}
		note(s.line, "rewritten", s.path, fmt.Sprintf("%s %s is served as \"ads: {}\"; on disk it stays", s.field, s.file))
	}
	if err != nil {
		note(1, "rewritten", "", fmt.Sprintf("its config source stays as it is: %v", err))
	}
	if c.Expanded {
		note(1, "expanded", "", "it uses anchors from elsewhere in the file, so they are written out here; on disk they stay until it is changed")
	}
}

func unknownType(path string, c text.Chunk, url string) mesh.Finding {
	f := mesh.Finding{Severity: mesh.Error, Rule: "unknown-type", File: path, Line: c.Line, Column: c.Indent + 1,
		Message: fmt.Sprintf("meshtui serves no %q, so this resource stays on disk as it is", url),
		Hint:    "it serves listeners, route configurations, clusters, load assignments, secrets, virtual hosts, scoped routes, extensions and runtimes"}
	if strings.Contains(url, ".v2.") {
		f.Rule, f.Message = "removed-v2", url+" is of Envoy's v2 API, which was removed in Envoy 1.18"
		f.Hint = "rewrite the resource for v3"
	}
	return f
}

func nameField(t mesh.Type) string {
	if t == mesh.Endpoints {
		return "cluster_name"
	}
	return "name"
}

// unlinked is a path without links, as far as it exists.
func unlinked(path string) string {
	path = absolute(path)
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return path
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
