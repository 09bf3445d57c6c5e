package text

import (
	"fmt"
	"strings"

	xdstype "github.com/cncf/xds/go/xds/type/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

func isAny(m protoreflect.Message) bool { return m.Descriptor().FullName() == "google.protobuf.Any" }

// typeOf finds the "@type" entry of a mapping; both are nil without one.
func typeOf(n *yaml.Node) (key, url *yaml.Node) {
	all, _, _ := entries(n)
	for _, p := range all {
		if v := deref(p.value); deref(p.key).Value == "@type" && v != nil && v.Kind == yaml.ScalarNode {
			return p.key, p.value
		}
	}
	return nil, nil
}

// typeName is the message name in a type URL.
func typeName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// any reads a mapping with "@type" into an Any.
func (d *decoder) any(n *yaml.Node, m protoreflect.Message, at *path) {
	if n.Kind != yaml.MappingNode {
		d.fail("wrong-kind", n, at, "expected a mapping with \"@type\", got "+describe(n), "")
		return
	}
	if len(n.Content) == 0 {
		return
	}
	_, node := typeOf(n)
	if node == nil {
		d.fail("missing-type", n, at, "there is no \"@type\" that says what this is",
			"begin it with a line \"@type\": type.googleapis.com/…")
		return
	}
	url := deref(node).Value
	name := typeName(url)
	switch {
	case isV2(name):
		d.fail("removed-v2", node, at.child("@type"), v2Message(name), v2Hint)
		return
	case !strings.Contains(url, "/"):
		d.fail("wrong-type", node, at.child("@type"), fmt.Sprintf("%q is no type URL", shorten(url)),
			"write type.googleapis.com/"+name)
		return
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		d.carry(n, node, url, m, at)
		return
	}
	inner := mt.New()
	if read := wellKnown(inner.Descriptor().FullName()); read != nil {
		d.anyValue(n, inner, at)
	} else {
		d.message(n, inner, at, true)
	}
	d.pack(url, inner.Interface(), n, m, at)
}

// anyValue reads a packed message that has a form of its own in JSON: it
// stands under "value".
func (d *decoder) anyValue(n *yaml.Node, inner protoreflect.Message, at *path) {
	for _, p := range d.entries(n, at) {
		switch name := deref(p.key).Value; name {
		case "@type":
		case "value":
			at := at.child("value")
			if target, ok := d.enter(p.value, at); ok {
				d.message(target, inner, at, false)
				d.leave(p.value, target)
			}
		default:
			d.fail("unknown-field", p.key, at.child(name), fmt.Sprintf("unknown field %q", shorten(name)),
				"a "+string(inner.Descriptor().Name())+" is written under \"value\"")
		}
	}
}

// carry keeps an extension whose type is not linked in. Envoy takes a
// TypedStruct wherever it takes a typed_config, and reads it as what its
// type_url says.
func (d *decoder) carry(n, node *yaml.Node, url string, m protoreflect.Message, at *path) {
	if meant := nearestType(typeName(url)); meant != "" {
		d.report(mesh.Warning, "unchecked-extension", node, at.child("@type"),
			fmt.Sprintf("the type %s is not known here, so this extension is not checked here", typeName(url)),
			"did you mean "+meant+"?")
	} else {
		d.report(mesh.Note, "unchecked-extension", node, at.child("@type"),
			fmt.Sprintf("not checked here: the type %s is not linked in; it goes to Envoy as it stands", typeName(url)), "")
	}
	d.carrying = true
	s, ok := d.structOf(n, at, "@type")
	d.carrying = false
	if ok {
		d.pack("type.googleapis.com/xds.type.v3.TypedStruct", &xdstype.TypedStruct{TypeUrl: url, Value: s}, n, m, at)
	}
}

func (d *decoder) pack(url string, inner proto.Message, n *yaml.Node, m protoreflect.Message, at *path) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(inner)
	if err != nil {
		d.fail("yaml", n, at, err.Error(), "")
		return
	}
	proto.Merge(m.Interface(), &anypb.Any{TypeUrl: url, Value: value})
}

// nearestType is the linked type that a mistyped name probably means, or "".
func nearestType(name string) string {
	if !strings.HasPrefix(name, "envoy.") {
		return ""
	}
	best, near := "", 3
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		known := string(mt.Descriptor().FullName())
		if diff := len(known) - len(name); diff > 2 || diff < -2 || !strings.HasPrefix(known, "envoy.") {
			return true
		}
		if n := distance(name, known); n < near || n == near && best != "" && known < best {
			best, near = known, n
		}
		return true
	})
	return best
}
