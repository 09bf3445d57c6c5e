package files

import (
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// node is one value of a dump. Fields are asked for in snake_case and found in
// camelCase too, since Envoy prints the one and istioctl and egctl the other.
type node interface {
	get(field string) node       // nil without one
	items(field string) []node   // of the list in a field, "" for the value itself
	fields() []string            // in order, as they are written; none of what is no object
	scalar(field string) string  // "" without one
	line() int                   // 1-based
	decode(t mesh.Type) decoding // as a resource
}

// decoding is what came of reading a resource.
type decoding struct {
	resource *mesh.Resource // nil when a finding is an error
	findings []mesh.Finding
	src      mesh.Source
}

// jsonNode is a value of a dump in JSON, which may be large: it is read where
// it lies, and only resources become YAML.
type jsonNode struct {
	value jsonValue
	file  string
	known *[]jsonField // read once
}

func newJSONNode(file string, v jsonValue) node {
	return jsonNode{value: v, file: file, known: new([]jsonField)}
}

func (n jsonNode) object() []jsonField {
	if *n.known == nil {
		*n.known = n.value.object()
	}
	return *n.known
}

func (n jsonNode) field(name string) (jsonField, bool) {
	for _, f := range n.object() {
		if f.name == name || snake(f.name) == name {
			return f, true
		}
	}
	return jsonField{}, false
}

func (n jsonNode) get(field string) node {
	if f, ok := n.field(field); ok {
		return newJSONNode(n.file, f.value)
	}
	return nil
}

func (n jsonNode) items(field string) []node {
	v := n.value
	if field != "" {
		f, ok := n.field(field)
		if !ok {
			return nil
		}
		v = f.value
	}
	var out []node
	for _, item := range v.array() {
		out = append(out, newJSONNode(n.file, item))
	}
	return out
}

func (n jsonNode) fields() []string {
	var out []string
	for _, f := range n.object() {
		out = append(out, f.name)
	}
	return out
}

func (n jsonNode) scalar(field string) string {
	f, ok := n.field(field)
	switch {
	case !ok || f.value.kind() == '{' || f.value.kind() == '[' || f.value.text() == "null":
		return ""
	case f.value.kind() == '"':
		return unquoted(f.value.text())
	}
	return f.value.text()
}

func (n jsonNode) line() int { return n.value.doc.lineOf(n.value.from) }

// decode reads the JSON as protobuf does, which is several times faster than by
// its YAML. What that cannot read, an extension of an unknown type or a mistake,
// goes the long way, which says where.
func (n jsonNode) decode(t mesh.Type) decoding {
	var skip func(string, jsonValue) bool
	if t == mesh.Endpoints {
		skip = noWeight
	}
	src := blockSource(n.file, n.value, t.New().ProtoReflect().Descriptor(), skip)
	if m := n.fast(t); m != nil {
		if r, err := mesh.NewResource(m, src); err == nil {
			return decoding{resource: r, src: src}
		}
	}
	r, findings := text.Decode(t, src)
	return decoding{resource: r, findings: findings, src: src}
}

// fast is the value as a message, nil when protobuf alone cannot read it.
func (n jsonNode) fast(t mesh.Type) proto.Message {
	m := t.New()
	body, ok := n.body(t.URL())
	if !ok || protojson.Unmarshal([]byte(body), m) != nil {
		return nil
	}
	if t == mesh.Endpoints {
		withoutZeroWeights(m)
	}
	return m
}

// body is the value less its leading "@type", which must be url where there is
// one.
func (n jsonNode) body(url string) (string, bool) {
	fields := n.object()
	for i, f := range fields {
		switch {
		case f.name != "@type":
		case i > 0 || unquoted(f.value.text()) != url:
			return "", false
		case len(fields) == 1:
			return "{}", true
		default:
			return "{" + n.value.doc.text[fields[1].at:n.value.to], true
		}
	}
	return n.value.text(), true
}

// yamlNode is a value of a dump in YAML, which only istioctl and egctl print.
type yamlNode struct {
	src  mesh.Source
	root *yaml.Node
}

func newYAMLNode(src mesh.Source) node {
	n := yamlNode{src: src}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(src.Text), &doc); err == nil && len(doc.Content) > 0 {
		n.root = doc.Content[0]
	}
	return n
}

func (n yamlNode) field(name string) *yaml.Node { return field(n.root, name) }

func (n yamlNode) get(name string) node {
	if n.field(name) == nil {
		return nil
	}
	if c, ok := text.Sub(n.src.Text, text.Field("", name)); ok {
		return newYAMLNode(c.Source(n.src))
	}
	return nil
}

func (n yamlNode) items(name string) []node {
	path := ""
	if name != "" {
		if n.field(name) == nil {
			return nil
		}
		path = text.Field("", name)
	}
	chunks, _, wrong := text.Items(n.src.Text, path)
	if wrong != nil {
		return nil
	}
	var out []node
	for _, c := range chunks {
		out = append(out, newYAMLNode(c.Source(n.src)))
	}
	return out
}

func (n yamlNode) fields() []string {
	if n.root == nil || n.root.Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for i := 0; i+1 < len(n.root.Content); i += 2 {
		out = append(out, n.root.Content[i].Value)
	}
	return out
}

func (n yamlNode) scalar(name string) string {
	if v := n.field(name); v != nil && v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
		return v.Value
	}
	return ""
}

func (n yamlNode) line() int { return n.src.LineAt(1).Line }

func (n yamlNode) decode(t mesh.Type) decoding {
	src := n.src
	if t == mesh.Endpoints {
		src = zeroWeightsCut(src)
	}
	r, findings := text.Decode(t, src)
	return decoding{resource: r, findings: findings, src: src}
}

// zeroWeightsCut is a load assignment's source without the weights of 0 that
// Envoy prints where none is set.
func zeroWeightsCut(src mesh.Source) mesh.Source {
	if !strings.Contains(src.Text, "oad_balancing_weight: 0") && !strings.Contains(src.Text, "oadBalancingWeight: 0") {
		return src
	}
	lines := strings.SplitAfter(src.Text, "\n")
	at := src.LinesAt(len(lines))
	var b strings.Builder
	var places []mesh.LinePlace
	for i, line := range lines {
		switch strings.TrimSpace(line) {
		case "load_balancing_weight: 0", "loadBalancingWeight: 0":
			continue
		}
		b.WriteString(line)
		places = append(places, at[i])
	}
	return mesh.NewSource(src.File, b.String(), places)
}
