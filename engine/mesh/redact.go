package mesh

import (
	"github.com/cncf/xds/go/udpa/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// genericSecrets is a field that Envoy does not mark, although it holds the same
// as its neighbour, which is marked.
const genericSecrets = "envoy.extensions.transport_sockets.tls.v3.GenericSecret.secrets"

// hidden is what Envoy writes in the place of a secret.
const hidden = "[redacted]"

// Redacted is a message without its secrets: private keys, passwords and
// whatever else Envoy's protos mark as sensitive read "[redacted]", as in Envoy's
// own dumps. File names and the names of environment variables stay. It is m
// itself where there is nothing to hide, else a changed clone. It looks into
// every Any whose type is linked in; what an unknown extension holds cannot be told.
func Redacted(m proto.Message) proto.Message {
	if m == nil || !redact(m.ProtoReflect(), false, false) {
		return m
	}
	m = proto.Clone(m)
	redact(m.ProtoReflect(), false, true)
	return m
}

// redact hides what is sensitive in a message, all of it where secret says so,
// and reports whether there was anything. It changes nothing unless write is set.
func redact(m protoreflect.Message, secret, write bool) (found bool) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return redactAny(packed, secret, write)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		inner := secret || isSensitive(fd)
		switch {
		case fd.IsMap():
			found = redactMap(fd, v.Map(), inner, write) || found
		case fd.IsList():
			found = redactList(fd, v.List(), inner, write) || found
		case fd.Message() != nil:
			found = redact(v.Message(), inner, write) || found
		case inner && hides(fd):
			found = true
			if write {
				m.Set(fd, hiddenValue(fd))
			}
		}
		return write || !found
	})
	return found
}

func redactList(fd protoreflect.FieldDescriptor, list protoreflect.List, secret, write bool) (found bool) {
	for i := range list.Len() {
		switch {
		case fd.Message() != nil:
			found = redact(list.Get(i).Message(), secret, write) || found
		case secret && hides(fd):
			found = true
			if write {
				list.Set(i, hiddenValue(fd))
			}
		}
	}
	return found
}

func redactMap(fd protoreflect.FieldDescriptor, entries protoreflect.Map, secret, write bool) (found bool) {
	value := fd.MapValue()
	entries.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		switch {
		case value.Message() != nil:
			found = redact(v.Message(), secret, write) || found
		case secret && hides(value):
			found = true
			if write {
				entries.Set(k, hiddenValue(value))
			}
		}
		return true
	})
	return found
}

func redactAny(packed *anypb.Any, secret, write bool) (found bool) {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		if secret && write {
			packed.Value = nil // what it holds cannot be told apart
		}
		return secret
	}
	if !redact(inner.ProtoReflect(), secret, write) {
		return false
	}
	if write {
		// It was unpacked just now and holds nothing that does not marshal.
		packed.Value, _ = proto.MarshalOptions{Deterministic: true}.Marshal(inner)
	}
	return true
}

func isSensitive(fd protoreflect.FieldDescriptor) bool {
	sensitive, ok := proto.GetExtension(fd.Options(), annotations.E_Sensitive).(bool)
	return ok && sensitive || fd.FullName() == genericSecrets
}

// hides reports whether a field within a secret may hold the secret itself.
func hides(fd protoreflect.FieldDescriptor) bool {
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return fd.Name() != "filename" && fd.Name() != "environment_variable"
	}
	return false
}

func hiddenValue(fd protoreflect.FieldDescriptor) protoreflect.Value {
	if fd.Kind() == protoreflect.BytesKind {
		return protoreflect.ValueOfBytes([]byte(hidden))
	}
	return protoreflect.ValueOfString(hidden)
}
