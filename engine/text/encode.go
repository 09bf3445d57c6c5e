package text

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	xdstype "github.com/cncf/xds/go/xds/type/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Encode writes a message as people write Envoy's YAML: snake_case names in the
// order of the proto, "@type" first, what is unset left out. An extension that
// Decode carried gets its own type and fields back. It fails on a packed
// message whose type is not linked in and on one nested deeper than Decode
// takes, naming the field.
func Encode(m proto.Message) (string, error) {
	n, err := messageNode(m.ProtoReflect(), rootPath(), 0)
	if err != nil {
		return "", err
	}
	return nodeText(n)
}

// nodeText writes a node in block style, lists at the column of their key.
func nodeText(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(n); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return b.String(), nil
}

func messageNode(m protoreflect.Message, at *path, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: nested more than %d levels deep", at, maxDepth)
	}
	if n, done, err := wellKnownNode(m, at, depth); done {
		return n, err
	}
	n := mapping()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		v, err := fieldNode(m.Get(fd), fd, at.child(string(fd.Name())), depth)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, stringNode(string(fd.Name())), v)
	}
	return flowIfEmpty(n), nil
}

func fieldNode(v protoreflect.Value, fd protoreflect.FieldDescriptor, at *path, depth int) (*yaml.Node, error) {
	switch {
	case fd.IsMap():
		return mapNode(v.Map(), fd, at, depth)
	case fd.IsList():
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.List().Len() {
			c, err := singleNode(v.List().Get(i), fd, at.item(i), depth)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		return n, nil
	}
	return singleNode(v, fd, at, depth)
}

func mapNode(m protoreflect.Map, fd protoreflect.FieldDescriptor, at *path, depth int) (*yaml.Node, error) {
	n := mapping()
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	for _, k := range keys {
		v, err := singleNode(m.Get(k), fd.MapValue(), at.mapKey(k.String()), depth)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, stringNode(k.String()), v)
	}
	return n, nil
}

func singleNode(v protoreflect.Value, fd protoreflect.FieldDescriptor, at *path, depth int) (*yaml.Node, error) {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageNode(v.Message(), at, depth+1)
	case protoreflect.EnumKind:
		if ev := fd.Enum().Values().ByNumber(v.Enum()); ev != nil {
			if ev.Parent().FullName() == "google.protobuf.NullValue" {
				return plainNode("null"), nil
			}
			return stringNode(string(ev.Name())), nil
		}
		return plainNode(strconv.Itoa(int(v.Enum()))), nil
	case protoreflect.StringKind:
		return stringNode(v.String()), nil
	case protoreflect.BytesKind:
		return stringNode(base64.StdEncoding.EncodeToString(v.Bytes())), nil
	case protoreflect.BoolKind:
		return plainNode(strconv.FormatBool(v.Bool())), nil
	case protoreflect.FloatKind:
		return floatNode(v.Float(), 32), nil
	case protoreflect.DoubleKind:
		return floatNode(v.Float(), 64), nil
	}
	return intNode(v.String()), nil
}

// intNode writes what a JSON number cannot hold as a string, as Envoy itself
// needs it.
func intNode(s string) *yaml.Node {
	if plainKind(s) == stringKind {
		return stringNode(s)
	}
	return plainNode(s)
}

func floatNode(f float64, bits int) *yaml.Node {
	switch {
	case math.IsNaN(f):
		return stringNode("NaN")
	case math.IsInf(f, 1):
		return stringNode("Infinity")
	case math.IsInf(f, -1):
		return stringNode("-Infinity")
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'g'
	}
	return plainNode(strconv.FormatFloat(f, format, -1, bits))
}

// stringNode is a string that stays one: quoted where Envoy would take it for
// something else.
func stringNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case strings.Contains(s, "\n") && literalFits(s):
		n.Style = yaml.LiteralStyle
	case plainKind(s) != stringKind:
		n.Style = yaml.DoubleQuotedStyle
	case s[0] == '@':
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// literalFits reports whether a text can stand in a literal block unchanged.
func literalFits(s string) bool {
	if s[0] == ' ' || s[0] == '\n' || s[0] == '\t' {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return false
		}
	}
	for _, line := range strings.Split(s, "\n") {
		if strings.TrimRight(line, " \t") != line {
			return false
		}
	}
	return true
}

// plainNode is a number, a boolean or null; the library works out which.
func plainNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func flowIfEmpty(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// wellKnownNode writes messages that have a form of their own; done is false
// for all others.
func wellKnownNode(m protoreflect.Message, at *path, depth int) (n *yaml.Node, done bool, err error) {
	if wellKnown(m.Descriptor().FullName()) == nil {
		return nil, false, nil
	}
	switch v := m.Interface().(type) {
	case *anypb.Any:
		n, err = anyNode(v, at, depth)
		return n, true, err
	case *durationpb.Duration:
		return stringNode(formatDuration(v.GetSeconds(), v.GetNanos())), true, nil
	case *timestamppb.Timestamp:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle,
			Value: v.AsTime().Format(time.RFC3339Nano)}, true, nil
	case *structpb.Struct:
		return structNode(v), true, nil
	case *structpb.Value:
		return valueNode(v), true, nil
	case *structpb.ListValue:
		return listNode(v), true, nil
	}
	if m.Descriptor().Name() == "FieldMask" {
		paths := m.Get(m.Descriptor().Fields().ByName("paths")).List()
		var s []string
		for i := range paths.Len() {
			s = append(s, paths.Get(i).String())
		}
		return stringNode(strings.Join(s, ",")), true, nil
	}
	fd := m.Descriptor().Fields().ByName("value")
	n, err = singleNode(m.Get(fd), fd, at, depth)
	return n, true, err
}

func anyNode(a *anypb.Any, at *path, depth int) (*yaml.Node, error) {
	if a.GetTypeUrl() == "" && len(a.GetValue()) == 0 {
		return flowIfEmpty(mapping()), nil
	}
	inner, err := a.UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("%s: a packed %s cannot be written as YAML: %w", at, typeName(a.GetTypeUrl()), err)
	}
	head := mapping()
	head.Content = []*yaml.Node{stringNode("@type"), stringNode(a.GetTypeUrl())}
	if carried, ok := inner.(*xdstype.TypedStruct); ok && wasCarried(carried) {
		head.Content[1] = stringNode(carried.GetTypeUrl())
		head.Content = append(head.Content, structNode(carried.GetValue()).Content...)
		return head, nil
	}
	body, err := messageNode(inner.ProtoReflect(), at, depth+1)
	if err != nil {
		return nil, err
	}
	if wellKnown(inner.ProtoReflect().Descriptor().FullName()) != nil {
		head.Content = append(head.Content, stringNode("value"), body)
	} else {
		head.Content = append(head.Content, body.Content...)
	}
	return head, nil
}

// wasCarried reports whether Decode would read this TypedStruct out of a plain
// typed_config of its type.
func wasCarried(s *xdstype.TypedStruct) bool {
	url := s.GetTypeUrl()
	if _, clash := s.GetValue().GetFields()["@type"]; clash || !strings.Contains(url, "/") || isV2(typeName(url)) || s.GetValue() == nil {
		return false
	}
	_, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(typeName(url)))
	return err != nil
}

func structNode(s *structpb.Struct) *yaml.Node {
	n := mapping()
	keys := make([]string, 0, len(s.GetFields()))
	for k := range s.GetFields() {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		n.Content = append(n.Content, stringNode(k), valueNode(s.GetFields()[k]))
	}
	return flowIfEmpty(n)
}

func listNode(l *structpb.ListValue) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range l.GetValues() {
		n.Content = append(n.Content, valueNode(v))
	}
	return flowIfEmpty(n)
}

func valueNode(v *structpb.Value) *yaml.Node {
	switch v := v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		return plainNode(strconv.FormatBool(v.BoolValue))
	case *structpb.Value_NumberValue:
		return floatNode(v.NumberValue, 64)
	case *structpb.Value_StringValue:
		return stringNode(v.StringValue)
	case *structpb.Value_ListValue:
		return listNode(v.ListValue)
	case *structpb.Value_StructValue:
		return structNode(v.StructValue)
	}
	return plainNode("null")
}
