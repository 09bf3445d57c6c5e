package envoy

import (
	"bytes"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// asRead is what was served with every data source written as Envoy shows it,
// where both say the same or that cannot be told: Envoy reads a file or a variable
// itself and shows the bytes. unread names the first of those; "" when there is
// none. What was served is not changed.
func asRead(served, shown proto.Message) (out proto.Message, unread string) {
	if served.ProtoReflect().Descriptor() != shown.ProtoReflect().Descriptor() {
		return served, ""
	}
	out = proto.Clone(served)
	return out, readSources(out.ProtoReflect(), shown.ProtoReflect())
}

func readSources(into, shown protoreflect.Message) (unread string) {
	if source, ok := into.Interface().(*corev3.DataSource); ok {
		return readSource(source, shown.Interface().(*corev3.DataSource))
	}
	into.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsMap() || !shown.Has(fd) || redacted(fd) {
			return true
		}
		pairs := [][2]protoreflect.Message{}
		if !fd.IsList() {
			pairs = append(pairs, [2]protoreflect.Message{v.Message(), shown.Get(fd).Message()})
		} else {
			for i := range min(v.List().Len(), shown.Get(fd).List().Len()) {
				pairs = append(pairs, [2]protoreflect.Message{v.List().Get(i).Message(), shown.Get(fd).List().Get(i).Message()})
			}
		}
		for _, pair := range pairs {
			if name := readSources(pair[0], pair[1]); unread == "" || name != "" && name < unread { // Range has no order
				unread = name
			}
		}
		return true
	})
	return unread
}

func readSource(into, shown *corev3.DataSource) (unread string) {
	has, inline := inlined(shown)
	if !inline {
		return ""
	}
	switch written := into.GetSpecifier().(type) {
	case *corev3.DataSource_Filename:
		unread = written.Filename
	case *corev3.DataSource_EnvironmentVariable:
		unread = "the variable " + written.EnvironmentVariable
	default:
		if was, ok := inlined(into); !ok || !bytes.Equal(was, has) {
			return ""
		}
	}
	into.Specifier, into.WatchedDirectory = shown.GetSpecifier(), shown.GetWatchedDirectory()
	return unread
}

// inlined are the bytes that stand in a data source itself.
func inlined(s *corev3.DataSource) ([]byte, bool) {
	switch v := s.GetSpecifier().(type) {
	case *corev3.DataSource_InlineBytes:
		return v.InlineBytes, true
	case *corev3.DataSource_InlineString:
		return []byte(v.InlineString), true
	}
	return nil, false
}
