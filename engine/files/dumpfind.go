package files

import (
	"fmt"
	"slices"
	"strings"
)

// foundDump is a dump within a file: egctl prints one for each pod, by name.
type foundDump struct {
	name    string // "default/eg" where it stands below names, else ""
	line    int
	configs []node
}

// maxWrapped is how deep a dump may stand below names.
const maxWrapped = 3

// findDumps finds the dumps of a file, in order; none when it is something else.
func findDumps(root node) []foundDump {
	all := allDumps(root)
	if filled := slices.DeleteFunc(slices.Clone(all), func(f foundDump) bool { return len(f.configs) == 0 }); len(filled) > 0 {
		return filled
	}
	return all
}

func allDumps(root node) []foundDump {
	if root.fields() == nil {
		if items := root.items(""); len(items) > 0 && slices.ContainsFunc(items, dumpish) {
			return []foundDump{{line: root.line(), configs: items}}
		}
		return nil
	}
	names := snakes(root.fields())
	for _, own := range []string{"resources", "static_resources", "dynamic_resources"} {
		if slices.Contains(names, own) {
			return nil
		}
	}
	return dumpsIn(root, "", 0)
}

func dumpsIn(n node, name string, depth int) []foundDump {
	names := snakes(n.fields())
	if slices.Contains(names, "configs") {
		items, list := n.items("configs"), n.get("configs")
		if slices.ContainsFunc(items, dumpish) || len(items) == 0 && list != nil && list.fields() == nil {
			return []foundDump{{name: name, line: n.line(), configs: items}}
		}
	}
	if message(n, names) {
		return []foundDump{{name: name, line: n.line(), configs: []node{n}}}
	}
	var out []foundDump
	for _, f := range n.fields() {
		if inner := n.get(f); depth < maxWrapped && inner != nil && inner.fields() != nil {
			out = append(out, dumpsIn(inner, strings.TrimPrefix(name+"/"+f, "/"), depth+1)...)
		}
	}
	return out
}

// dumpish reports whether a list item is one that a dump, or a list of
// istioctl's, has.
func dumpish(n node) bool {
	names := snakes(n.fields())
	if _, ok := resourceType(n, names); ok {
		return true
	}
	return message(n, names) || strings.Contains(n.scalar("@type"), ".admin.v")
}

// message reports whether a value is one of Envoy's dump messages, or what
// ?resource= returns of one.
func message(n node, names []string) bool {
	if strings.Contains(n.scalar("@type"), "envoy.admin.v") {
		return true
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	for _, l := range listFields {
		if has(l.list) {
			return true
		}
	}
	return slices.ContainsFunc(otherFields, has) || has("bootstrap") && has("last_updated")
}

// openJSONDump opens a file in JSON that is a dump; ok is false for any other.
func openJSONDump(path, content string) (o *Opened, ok bool, err error) {
	body := strings.TrimLeft(strings.TrimPrefix(content, "\ufeff"), " \t\r\n")
	if !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
		return nil, false, nil
	}
	doc, line, err := newJSON(strings.Replace(content, "\ufeff", "   ", 1)) // a byte order mark, in as many bytes
	if err != nil {
		head := content[:min(len(content), 4096)]
		if !strings.Contains(head, "envoy.admin.v") {
			return nil, false, nil // YAML in brackets, or nothing of ours
		}
		return nil, true, fmt.Errorf("%s:%d: this config dump is no whole JSON (%w): was it cut off when it was saved? take it again", path, line, err)
	}
	found := findDumps(newJSONNode(path, doc.root()))
	if len(found) == 0 {
		return nil, false, nil
	}
	o, err = openDump(path, content, found)
	return o, true, err
}
