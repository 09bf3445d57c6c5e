package text

import (
	"errors"
	"fmt"

	"example.com/meshtui/engine/mesh"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds that no honest text comes near: they stop alias bombs and nesting
// made to exhaust memory.
const (
	maxDepth    = 200
	maxFindings = 100
)

// maxNodes is how many nodes a text may have once its aliases are written out.
func maxNodes(text string) int { return 100_000 + 2*len(text) }

// Decode reads the text of one resource. A top-level "@type" is accepted where
// it names the type asked for. The resource is nil when a finding is an Error;
// notes and warnings come beside a resource. Lines and columns are those of
// src.File where there is one, else those of the text.
func Decode(t mesh.Type, src mesh.Source) (*mesh.Resource, []mesh.Finding) {
	m := t.New()
	if m == nil {
		return nil, []mesh.Finding{{Severity: mesh.Error, Rule: "unknown-type", File: src.File, Line: src.Line,
			Message: "this is no type that meshtui serves"}}
	}
	findings := DecodeInto(m, src)
	key := mesh.Key{Type: t, Name: mesh.NameOf(m)}
	if key.Name != "" {
		for i := range findings {
			findings[i].Key = key
		}
	}
	if mesh.Worst(findings) >= mesh.Error {
		return nil, findings
	}
	r, err := mesh.NewResource(m, src)
	if err != nil {
		return nil, append(findings, mesh.Finding{Severity: mesh.Error, Rule: "unknown-type", File: src.File,
			Line: src.Line, Message: err.Error()})
	}
	return r, findings
}

// DecodeInto reads a text into any message, whose fields it adds to. What can
// be read is set even when findings say that something else cannot.
func DecodeInto(m proto.Message, src mesh.Source) []mesh.Finding {
	d := &decoder{src: src, left: maxNodes(src.Text), active: map[*yaml.Node]bool{}}
	root, err := parse(src.Text)
	var syntax *syntaxError
	switch {
	case errors.As(err, &syntax):
		d.add(mesh.Finding{Severity: mesh.Error, Rule: "yaml", Line: syntax.line, Message: syntax.message, Hint: syntax.hint})
	case root == nil:
		d.add(mesh.Finding{Severity: mesh.Error, Rule: "yaml", Line: 1, Message: "the text is empty", Hint: "write at least a name"})
	default:
		d.root(root, m.ProtoReflect())
		if len(d.findings) > 0 && d.findings[0].Hint == "" && template.MatchString(src.Text) {
			d.findings[0].Hint = templateHint
		}
	}
	return d.findings
}

// decoder walks one text. It goes on after a mistake, so that the operator
// sees all of them at once.
type decoder struct {
	src      mesh.Source
	findings []mesh.Finding
	left     int // nodes that may still be visited, aliases counted each time
	depth    int
	active   map[*yaml.Node]bool // aliases that are being expanded
	merged   bool                // a merge key was reported
	carrying bool                // within an extension whose type is not linked in
}

// add takes a finding in, whose place in the text becomes that in the file.
func (d *decoder) add(f mesh.Finding) {
	if len(d.findings) < maxFindings {
		f.File = d.src.File
		f.Line, f.Column = d.src.Place(f.Line, f.Column)
		d.findings = append(d.findings, f)
	}
}

func (d *decoder) report(s mesh.Severity, rule string, n *yaml.Node, at *path, message, hint string) {
	d.add(mesh.Finding{Severity: s, Rule: rule, Path: at.String(), Line: n.Line, Column: n.Column,
		Message: message, Hint: hint})
}

func (d *decoder) fail(rule string, n *yaml.Node, at *path, message, hint string) {
	d.report(mesh.Error, rule, n, at, message, hint)
}

// enter resolves an alias and counts the node against the bounds. The caller
// calls leave with what it got when ok.
func (d *decoder) enter(n *yaml.Node, at *path) (target *yaml.Node, ok bool) {
	d.depth++
	d.left--
	switch target = deref(n); {
	case d.left < 0:
		if d.left == -1 {
			d.fail("too-large", n, at, "the text is too large once its aliases are written out", "use fewer aliases")
		}
		ok = false
	case d.depth > maxDepth:
		d.fail("too-deep", n, at, fmt.Sprintf("the text is nested more than %d levels deep", maxDepth), "flatten it")
	case target == nil, n.Kind == yaml.AliasNode && d.active[target]:
		d.fail("yaml", n, at, "the alias *"+n.Value+" contains itself", "write the value out")
	default:
		ok = true
		if n.Kind == yaml.AliasNode {
			d.active[target] = true
		}
	}
	if !ok {
		d.depth--
	}
	return target, ok
}

func (d *decoder) leave(n, target *yaml.Node) {
	d.depth--
	if n.Kind == yaml.AliasNode {
		delete(d.active, target)
	}
}

// root reads the outermost message, which may name its own type.
func (d *decoder) root(n *yaml.Node, m protoreflect.Message) {
	at := rootPath()
	target, ok := d.enter(n, at)
	if !ok {
		return
	}
	defer d.leave(n, target)
	if target.Kind != yaml.MappingNode {
		d.fail("wrong-kind", target, at, "expected a mapping of fields, got "+describe(target), "write \"field: value\" lines")
		return
	}
	want := string(m.Descriptor().FullName())
	if at, url := typeOf(target); url != nil && !isAny(m) {
		got := typeName(deref(url).Value)
		if isV2(got) {
			d.fail("removed-v2", at, rootPath().child("@type"), v2Message(got), v2Hint)
			return
		}
		if got != want {
			d.fail("wrong-type", at, rootPath().child("@type"),
				fmt.Sprintf("expected type.googleapis.com/%s, got %s", want, shorten(deref(url).Value)), "")
			return
		}
	}
	d.message(target, m, at, !isAny(m))
}

// message reads a mapping into m. typed says that "@type" was dealt with.
func (d *decoder) message(n *yaml.Node, m protoreflect.Message, at *path, typed bool) {
	name := m.Descriptor().FullName()
	switch read := wellKnown(name); {
	case read != nil && longForm(n, name):
		defer d.valid(n, m, at)
	case read != nil:
		read(d, n, m, at)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail("wrong-kind", n, at, fmt.Sprintf("expected a mapping with the fields of %s, got %s",
			m.Descriptor().Name(), describe(n)), "")
		return
	}
	set := make(map[protoreflect.Name]bool, len(n.Content)/2)
	for _, p := range d.entries(n, at) {
		name := deref(p.key).Value
		if typed && name == "@type" {
			continue
		}
		fd := fieldByName(m.Descriptor(), name)
		if fd == nil {
			d.unknownField(p, m.Descriptor(), at)
			continue
		}
		if set[fd.Name()] {
			d.fail("duplicate-key", p.key, at.child(string(fd.Name())),
				fmt.Sprintf("%s is set twice, as %s and as %s", fd.Name(), fd.Name(), fd.JSONName()), "keep one of them")
			continue
		}
		set[fd.Name()] = true
		d.field(p, m, fd, at.child(string(fd.Name())))
	}
}

// entries are those of package function entries, with what is wrong about them
// reported.
func (d *decoder) entries(n *yaml.Node, at *path) []pair {
	all, dup, odd := entries(n)
	for _, k := range dup {
		d.fail("duplicate-key", k, at.child(deref(k).Value), fmt.Sprintf("%q is there twice", shorten(deref(k).Value)), "keep one of them")
	}
	for _, k := range odd {
		d.fail("yaml", k, at, "this key is no plain name", "write \"field: value\"")
	}
	for i := 0; i+1 < len(n.Content) && !d.merged; i += 2 {
		if k := n.Content[i]; isMerge(k) {
			d.merged = true
			d.report(mesh.Note, "merge-key", k, at, "\"<<\" is resolved here, but Envoy's own YAML reader does not know it",
				"write the fields out where an Envoy reads this file by itself")
		}
	}
	return all
}

func fieldByName(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByName(protoreflect.Name(name)); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(name)
}

func (d *decoder) unknownField(p pair, md protoreflect.MessageDescriptor, at *path) {
	name := deref(p.key).Value
	if hint := v2Field(md, name); hint != "" {
		d.fail("removed-v2", p.key, at.child(name), fmt.Sprintf("%q is Envoy's v2 way, which was removed in Envoy 1.18", name), hint)
		return
	}
	d.fail("unknown-field", p.key, at.child(name),
		fmt.Sprintf("unknown field %q in %s", shorten(name), md.Name()), fieldHint(md, name))
}

// fieldHint says which field was meant, or under which one the name belongs.
func fieldHint(md protoreflect.MessageDescriptor, name string) string {
	fields := md.Fields()
	names := make([]string, fields.Len())
	var under string
	for i := range names {
		fd := fields.Get(i)
		names[i] = string(fd.Name())
		if under == "" && fd.Message() != nil && !fd.IsMap() && fd.Message().FullName() != md.FullName() &&
			fieldByName(fd.Message(), name) != nil && wellKnown(fd.Message().FullName()) == nil {
			under = names[i]
		}
	}
	hint := suggest(name, names)
	if under != "" && (len(hint) < 3 || hint[:3] != "did") {
		return fmt.Sprintf("%s belongs under %s", name, under)
	}
	return hint
}

// field reads one entry into the field of m that it names.
func (d *decoder) field(p pair, m protoreflect.Message, fd protoreflect.FieldDescriptor, at *path) {
	target, ok := d.enter(p.value, at)
	if !ok {
		return
	}
	defer d.leave(p.value, target)
	if isNull(target) && !takesNull(fd) {
		return
	}
	if od := fd.ContainingOneof(); od != nil && !od.IsSynthetic() {
		if was := m.WhichOneof(od); was != nil {
			d.fail("oneof", p.key, at, fmt.Sprintf("%s and %s exclude each other", was.Name(), fd.Name()), "keep one of them")
			return
		}
	}
	switch {
	case fd.IsMap():
		d.mapField(target, m.Mutable(fd).Map(), fd, at)
	case fd.IsList():
		d.list(target, m, fd, at)
	case fd.Message() != nil:
		d.message(target, m.Mutable(fd).Message(), at, false)
	default:
		if v, ok := d.scalar(target, fd, at); ok {
			m.Set(fd, v)
		}
	}
}

// takesNull reports whether null is a value to the field and not its absence.
func takesNull(fd protoreflect.FieldDescriptor) bool {
	if md := fd.Message(); md != nil && !fd.IsMap() && !fd.IsList() {
		return md.FullName() == "google.protobuf.Value"
	}
	return fd.Enum() != nil && fd.Enum().FullName() == "google.protobuf.NullValue"
}

func (d *decoder) scalar(n *yaml.Node, fd protoreflect.FieldDescriptor, at *path) (protoreflect.Value, bool) {
	if isNull(n) && fd.Enum() != nil && fd.Enum().FullName() == "google.protobuf.NullValue" {
		return protoreflect.ValueOfEnum(0), true
	}
	v, bad := scalar(n, fd)
	if bad != nil {
		rule := "wrong-kind"
		if fd.Enum() != nil {
			rule = "unknown-value"
		}
		d.fail(rule, n, at, bad.message, bad.hint)
		return v, false
	}
	return v, true
}

func (d *decoder) list(n *yaml.Node, m protoreflect.Message, fd protoreflect.FieldDescriptor, at *path) {
	list := m.Mutable(fd).List()
	if n.Kind != yaml.SequenceNode {
		before := len(d.findings)
		d.element(n, list, fd, at)
		if len(d.findings) == before {
			d.report(mesh.Warning, "wrong-kind", n, at, "expected a list, got "+describe(n)+"; it is taken as a list of one, as Envoy does",
				"put \"- \" before it")
		}
		return
	}
	for i, c := range n.Content {
		at := at.item(i)
		target, ok := d.enter(c, at)
		if !ok {
			continue
		}
		d.element(target, list, fd, at)
		d.leave(c, target)
	}
}

func (d *decoder) element(n *yaml.Node, list protoreflect.List, fd protoreflect.FieldDescriptor, at *path) {
	if fd.Message() != nil {
		v := list.NewElement()
		if !isNull(n) || fd.Message().FullName() == "google.protobuf.Value" {
			d.message(n, v.Message(), at, false)
		}
		list.Append(v)
		return
	}
	if v, ok := d.scalar(n, fd, at); ok {
		list.Append(v)
	}
}

func (d *decoder) mapField(n *yaml.Node, into protoreflect.Map, fd protoreflect.FieldDescriptor, at *path) {
	if n.Kind != yaml.MappingNode {
		d.fail("wrong-kind", n, at, "expected a mapping, got "+describe(n), "")
		return
	}
	for _, p := range d.entries(n, at) {
		at := at.mapKey(deref(p.key).Value)
		key, bad := scalar(asString(deref(p.key)), fd.MapKey())
		if bad != nil {
			d.fail("wrong-kind", p.key, at, bad.message, bad.hint)
			continue
		}
		target, ok := d.enter(p.value, at)
		if !ok {
			continue
		}
		if fd.MapValue().Message() != nil {
			v := into.NewValue()
			if !isNull(target) || takesNull(fd.MapValue()) {
				d.message(target, v.Message(), at, false)
			}
			into.Set(key.MapKey(), v)
		} else if v, ok := d.scalar(target, fd.MapValue(), at); ok {
			into.Set(key.MapKey(), v)
		}
		d.leave(p.value, target)
	}
}

// asString is a key as the string that JSON would have there: keys are never
// numbers or booleans to Envoy.
func asString(n *yaml.Node) *yaml.Node {
	k := *n
	k.Style = yaml.DoubleQuotedStyle
	return &k
}
