package tui

import (
	"strings"

	"github.com/cncf/xds/go/udpa/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// hiddenKey stands where a private key stood, as in Envoy's own dumps.
const hiddenKey = "[redacted]"

// hideSecrets is a message without the private keys, passwords and the like
// that stand in it, also within packed messages; m itself is not touched.
func hideSecrets(m proto.Message) proto.Message {
	out := proto.Clone(m)
	hide(out.ProtoReflect(), false)
	return out
}

// hide empties every field that Envoy's protos call sensitive, and within such
// a field every text; it reports whether there was any.
func hide(m protoreflect.Message, sensitive bool) (found bool) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return hidePacked(packed, sensitive)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		within := sensitive || isSensitive(fd)
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				found = hide(e.Message(), within) || found
				return true
			})
		case fd.IsMap():
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				found = hide(v.List().Get(i).Message(), within) || found
			}
		case fd.Message() != nil:
			found = hide(v.Message(), within) || found
		case within && carriesKey(fd):
			found = true
			if fd.Kind() == protoreflect.BytesKind {
				m.Set(fd, protoreflect.ValueOfBytes([]byte(hiddenKey)))
			} else {
				m.Set(fd, protoreflect.ValueOfString(hiddenKey))
			}
		}
		return true
	})
	return found
}

// carriesKey reports whether a field within a sensitive one holds content: the
// name of a file or of an environment variable is no secret.
func carriesKey(fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() || fd.Kind() != protoreflect.BytesKind && fd.Kind() != protoreflect.StringKind {
		return false
	}
	return fd.Name() != "filename" && fd.Name() != "environment_variable" && fd.Name() != "path"
}

func hidePacked(packed *anypb.Any, sensitive bool) bool {
	inner, err := packed.UnmarshalNew()
	if err != nil || !hide(inner.ProtoReflect(), sensitive) {
		return false
	}
	if b, err := proto.Marshal(inner); err == nil {
		packed.Value = b
	}
	return true
}

func isSensitive(fd protoreflect.FieldDescriptor) bool {
	sensitive, ok := proto.GetExtension(fd.Options(), annotations.E_Sensitive).(bool)
	return ok && sensitive
}

// shownText is a resource's YAML as it may be seen: as the operator wrote it,
// or, where a key stands in it, written anew without.
func shownText(r *mesh.Resource) []string {
	clean := proto.Clone(r.Message)
	if !hide(clean.ProtoReflect(), false) {
		return splitLines(r.Source.Text)
	}
	yaml, err := text.Encode(clean)
	if err != nil {
		return []string{"# It holds a private key, and cannot be shown without: " + strings.ReplaceAll(err.Error(), "\n", " ")}
	}
	return append([]string{"# Private keys are not shown; e edits the text as it is."}, splitLines(yaml)...)
}
