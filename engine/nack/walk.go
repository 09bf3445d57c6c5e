package nack

import (
	"slices"
	"strings"

	udpatype "github.com/cncf/xds/go/udpa/type/v1"
	xdstype "github.com/cncf/xds/go/xds/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// walk visits a message and all below it in the order of the fields, through
// every Any whose type is linked in; what is packed stands at the Any's own path.
func walk(path string, m protoreflect.Message, visit func(path string, m proto.Message)) {
	visit(path, m.Interface())
	if packed, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := packed.UnmarshalNew(); err == nil {
			walk(path, inner.ProtoReflect(), visit)
		}
		return
	}
	eachField(path, m, func(at string, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
		if fd.Message() != nil {
			walk(at, v.Message(), visit)
		}
	})
}

// eachField visits every field that is set, of a list or map every item.
func eachField(path string, m protoreflect.Message, visit func(at string, fd protoreflect.FieldDescriptor, v protoreflect.Value)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		at, v := text.Field(path, string(fd.Name())), m.Get(fd)
		switch {
		case fd.IsList():
			for j := range v.List().Len() {
				visit(text.Item(at, j), fd, v.List().Get(j))
			}
		case fd.IsMap():
			var keys []protoreflect.MapKey
			v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
				keys = append(keys, k)
				return true
			})
			slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
			for _, k := range keys {
				visit(text.Field(at, k.String()), fd.MapValue(), v.Map().Get(k))
			}
		default:
			visit(at, fd, v)
		}
	}
}

// each visits every message of one kind in a resource.
func each[M proto.Message](r *mesh.Resource, visit func(path string, m M)) {
	walk("", r.Message.ProtoReflect(), func(path string, m proto.Message) {
		if m, ok := m.(M); ok {
			visit(path, m)
		}
	})
}

// values visits every single value in a resource as text, also those of
// extensions that are carried without being looked into.
func values(r *mesh.Resource, visit func(path, value string)) {
	walk("", r.Message.ProtoReflect(), func(path string, m proto.Message) {
		switch m := m.(type) {
		case *xdstype.TypedStruct:
			visit(text.Field(path, "@type"), m.GetTypeUrl())
			structValues(path, m.GetValue(), visit)
			return
		case *udpatype.TypedStruct:
			visit(text.Field(path, "@type"), m.GetTypeUrl())
			structValues(path, m.GetValue(), visit)
			return
		case *structpb.Struct, *structpb.Value, *structpb.ListValue, *anypb.Any:
			return
		}
		if strings.HasPrefix(string(m.ProtoReflect().Descriptor().FullName()), "google.protobuf.") {
			visit(path, valueText(m))
			return
		}
		eachField(path, m.ProtoReflect(), func(at string, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
			if fd.Message() == nil {
				visit(at, scalarText(fd, v))
			}
		})
	})
}

func structValues(path string, s *structpb.Struct, visit func(path, value string)) {
	keys := make([]string, 0, len(s.GetFields()))
	for k := range s.GetFields() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		structValue(text.Field(path, k), s.GetFields()[k], visit)
	}
}

func structValue(at string, v *structpb.Value, visit func(path, value string)) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		structValues(at, k.StructValue, visit)
	case *structpb.Value_ListValue:
		for i, item := range k.ListValue.GetValues() {
			structValue(text.Item(at, i), item, visit)
		}
	case *structpb.Value_StringValue:
		visit(at, k.StringValue)
	default:
		b, err := v.MarshalJSON()
		if err == nil {
			visit(at, string(b))
		}
	}
}

func scalarText(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.EnumKind:
		if e := fd.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name())
		}
	case protoreflect.BytesKind:
		return string(v.Bytes())
	}
	return v.String()
}

// valueText is a duration or a wrapped number as people write it.
func valueText(m proto.Message) string {
	if d, ok := m.(*durationpb.Duration); ok {
		return d.AsDuration().String()
	}
	fd := m.ProtoReflect().Descriptor().Fields().ByName("value")
	if fd == nil || fd.Message() != nil || fd.IsList() || fd.IsMap() {
		return ""
	}
	return scalarText(fd, m.ProtoReflect().Get(fd))
}
