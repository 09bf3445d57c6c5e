package files

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"go.yaml.in/yaml/v3"
)

// groupRule is one entry of groups.yaml.
type groupRule struct {
	Group   string `yaml:"group"`
	Node    string `yaml:"node,omitempty"`
	Cluster string `yaml:"cluster,omitempty"`
}

const groupsHead = `# Which Envoys get which group: the first rule that fits a node's id and cluster
# (globs; one left out fits all) wins. Group default takes the rest.
`

// readGroups reads the rules of groups.yaml. A file that is wrong in any way is
// not written anew by a save.
func (o *Opened) readGroups(f *file) {
	r := rulesReader{Opened: o, file: f}
	if meaningful(string(f.data)) == "" {
		return
	}
	if wrong := text.Check(string(f.data)); wrong != nil {
		r.bad(&yaml.Node{Line: wrong.Line, Column: wrong.Column}, wrong.Message, wrong.Hint)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(f.data, &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		r.bad(&yaml.Node{Line: 1}, "there is no list of groups in it", "write \"groups:\" and a list of {group: NAME, node: GLOB, cluster: GLOB}")
		return
	}
	for key, value := range r.fields(doc.Content[0], "this file", "groups") {
		if value.Kind != yaml.SequenceNode {
			if value.Tag != "!!null" {
				r.bad(key, "groups is no list", "write a list of {group: NAME, node: GLOB, cluster: GLOB}")
			}
			continue
		}
		for i, n := range value.Content {
			r.rule(n, i == len(value.Content)-1)
		}
	}
}

// rulesReader takes groups.yaml apart.
type rulesReader struct {
	*Opened
	file *file
}

func (r rulesReader) finding(s mesh.Severity, n *yaml.Node, message, hint string) mesh.Finding {
	return mesh.Finding{Severity: s, Rule: "groups", File: r.file.path, Line: n.Line, Column: n.Column, Message: message, Hint: hint}
}

func (r rulesReader) bad(n *yaml.Node, message, hint string) {
	r.file.bad = true
	r.Problems = append(r.Problems, r.finding(mesh.Error, n, message, hint))
}

// fields goes through those fields of a mapping that are known, and reports the
// others.
func (r rulesReader) fields(n *yaml.Node, in string, known ...string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if !slices.Contains(known, key.Value) {
				r.bad(key, fmt.Sprintf("unknown field %q in %s", key.Value, in), text.Suggest(key.Value, known...))
			} else if !yield(key, value) {
				return
			}
		}
	}
}

// rule reads one rule. last says that none comes after it.
func (r rulesReader) rule(n *yaml.Node, last bool) {
	const hint = "write {group: NAME, node: GLOB, cluster: GLOB}"
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		r.bad(n, "this is no rule", hint)
		return
	}
	before := len(r.Problems)
	rule, at := mesh.Rule{}, n
	for key, value := range r.fields(n, "a rule", "group", "node", "cluster") {
		if value.Kind != yaml.ScalarNode {
			r.bad(key, key.Value+" is no text", hint)
			continue
		}
		switch key.Value {
		case "group":
			rule.Group, at = value.Value, value
			continue
		case "node":
			rule.Node = value.Value
		case "cluster":
			rule.Cluster = value.Value
		}
		if _, err := path.Match(value.Value, ""); err != nil {
			r.bad(value, fmt.Sprintf("%q is no glob", value.Value), "close the bracket, and write \\ before a character that is meant as it is")
		}
	}
	if len(r.Problems) > before {
		return
	}
	if rule.Group == "" {
		r.bad(n, "this rule says no group", hint)
		return
	}
	r.Rules = append(r.Rules, rule)
	r.needsFolder(rule.Group, at)
	if rule.Node == "" && rule.Cluster == "" && !last {
		r.Notices = append(r.Notices, r.finding(mesh.Warning, n, "this rule fits every node, so that those below it are never asked",
			"put it last, or say which node or cluster it is for"))
	}
}

// needsFolder reports a group that has no folder. Its nodes would get what the
// default group gets.
func (r rulesReader) needsFolder(group string, at *yaml.Node) {
	if _, there := r.Meshes[group]; there {
		return
	}
	hint := text.Suggest(group, slices.Sorted(maps.Keys(r.Meshes))...)
	if !strings.HasPrefix(hint, "did you mean") {
		hint = fmt.Sprintf("make the folder %s with lds.yaml in it, or name another group", group)
	}
	r.Problems = append(r.Problems, r.finding(mesh.Error, at, fmt.Sprintf("group %s has no folder with an xDS file in it", group), hint))
}

// emptyGroups gives a folder to each group that rules name and that has nothing
// in it: without one, the group would not be there when it is opened again.
func (p *plan) emptyGroups(rules []mesh.Rule) {
	for _, r := range rules {
		has := func(out *output) bool { return out.group == r.Group && !out.other }
		if p.meshes[r.Group] == nil || r.Group == mesh.DefaultGroup || slices.ContainsFunc(p.outputs, has) {
			continue
		}
		p.add(r.Group, filepath.Join(r.Group, mesh.Listener.File())).data = []byte("resources: []\n")
	}
}

// groupsText is groups.yaml for rules.
func groupsText(rules []mesh.Rule) ([]byte, error) {
	doc := struct {
		Groups []groupRule `yaml:"groups"`
	}{Groups: []groupRule{}}
	for _, r := range rules {
		doc.Groups = append(doc.Groups, groupRule(r))
	}
	var b bytes.Buffer
	b.WriteString(groupsHead)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing %s: %w", groupsFile, err)
	}
	return b.Bytes(), enc.Close()
}
