package files

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"github.com/google/go-cmp/cmp"
)

func TestWhatIsWrongWithGroups(t *testing.T) {
	const rule = "write {group: NAME, node: GLOB, cluster: GLOB}"
	for name, c := range map[string]struct {
		groups string
		rules  int
		want   []string
	}{
		"nothing": {"groups:\n- group: edge\n  node: 'edge-*'\n- {group: default}\n", 2, nil},
		"empty":   {"# none yet\n", 0, nil},
		"no list": {"groups:\n", 0, nil},
		"a mistyped field": {"groups:\n- group: edge\n  nod: edge-*\n", 0, []string{
			`3:3: error: unknown field "nod" in a rule (did you mean node?)`}},
		"another field": {"groups:\n- {group: edge, selector: x}\n", 0, []string{
			`2:17: error: unknown field "selector" in a rule (expected one of group, node, cluster)`}},
		"a mistyped list": {"groupz:\n- {group: edge}\n", 0, []string{
			`1:1: error: unknown field "groupz" in this file (did you mean groups?)`}},
		"a group without a folder": {"groups:\n- {group: edgy, node: a}\n- {group: far-away, node: b}\n", 2, []string{
			"2:11: error: group edgy has no folder with an xDS file in it (did you mean edge?)",
			"3:11: error: group far-away has no folder with an xDS file in it (make the folder far-away with lds.yaml in it, or name another group)"}},
		"malformed globs": {"groups:\n- group: edge\n  node: edge-[1\n- {group: edge, cluster: 'a*[]'}\n- {group: edge, node: 'a\\'}\n", 0, []string{
			`3:9: error: "edge-[1" is no glob (close the bracket, and write \ before a character that is meant as it is)`,
			`4:26: error: "a*[]" is no glob (close the bracket, and write \ before a character that is meant as it is)`,
			`5:23: error: "a\\" is no glob (close the bracket, and write \ before a character that is meant as it is)`}},
		"a rule for all before another": {"groups:\n- group: edge\n- {group: default, node: a}\n", 2, []string{
			"2:3: warning: this rule fits every node, so that those below it are never asked (put it last, or say which node or cluster it is for)"}},
		"no group": {"groups:\n- {node: a}\n- {group: [edge]}\n- 5\n", 0, []string{
			"2:3: error: this rule says no group (" + rule + ")",
			"3:4: error: group is no text (" + rule + ")",
			"4:3: error: this is no rule (" + rule + ")"}},
		"a map":   {"groups: {edge: a}\n", 0, []string{"1:1: error: groups is no list (write a list of {group: NAME, node: GLOB, cluster: GLOB})"}},
		"a list":  {"- {group: edge}\n", 0, []string{`1: error: there is no list of groups in it (write "groups:" and a list of {group: NAME, node: GLOB, cluster: GLOB})`}},
		"no YAML": {"groups: [\n", 0, []string{"2: error: this is no valid YAML: did not find expected node content (look at the indentation and the brackets around that line)"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, write(t, t.TempDir(), map[string]string{"lds.yaml": "resources: []\n", "edge/lds.yaml": "resources: []\n", "groups.yaml": c.groups}))
			var got []string
			for _, f := range append(append([]mesh.Finding(nil), o.Problems...), o.Notices...) {
				got = append(got, strings.TrimPrefix(f.String(), o.Path+"/groups.yaml:"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(o.Rules) != c.rules {
				t.Errorf("%d rules\n%s", len(o.Rules), diff)
			}
		})
	}
}

// A group with nothing in it is there again when it is opened.
func TestSaveKeepsAnEmptyGroup(t *testing.T) {
	dir := t.TempDir()
	rules := []mesh.Rule{{Group: "edge", Node: "edge-*"}}
	meshes := map[string]*mesh.Mesh{mesh.DefaultGroup: {}, "edge": {}}
	if _, err := Save(dir, nil, rules, meshes, Disk{}); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir)
	if len(o.Problems) > 0 || o.Meshes["edge"] == nil {
		t.Error(fmt.Sprint(o.Problems), o.Meshes)
	}
}
