package files

import (
	"bytes"
	"fmt"
	"path"

	"example.com/meshtui/engine/mesh"
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

// readGroups reads the rules of groups.yaml.
func (o *Opened) readGroups(f *file) {
	var doc struct {
		Groups []yaml.Node `yaml:"groups"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(f.data))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil && len(bytes.TrimSpace(f.data)) > 0 {
		f.bad = true
		o.Problems = append(o.Problems, mesh.Finding{Severity: mesh.Error, Rule: "groups", File: f.path, Line: 1,
			Message: fmt.Sprintf("it cannot be read: %v", err), Hint: "write a list \"groups:\" of {group, node, cluster}"})
		return
	}
	for _, n := range doc.Groups {
		var r groupRule
		bad := func(message, hint string) {
			f.bad = true
			o.Problems = append(o.Problems, mesh.Finding{Severity: mesh.Error, Rule: "groups", File: f.path, Line: n.Line,
				Column: n.Column, Message: message, Hint: hint})
		}
		if err := n.Decode(&r); err != nil || r.Group == "" {
			bad("this is no rule", "write {group: NAME, node: GLOB, cluster: GLOB}")
			continue
		}
		if _, err := path.Match(r.Node, ""); err != nil {
			bad(fmt.Sprintf("%q is no glob", r.Node), "close the bracket")
			continue
		}
		if _, err := path.Match(r.Cluster, ""); err != nil {
			bad(fmt.Sprintf("%q is no glob", r.Cluster), "close the bracket")
			continue
		}
		o.Rules = append(o.Rules, mesh.Rule(r))
		if _, there := o.Meshes[r.Group]; !there {
			o.Meshes[r.Group] = &mesh.Mesh{}
		}
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
