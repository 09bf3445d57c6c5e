package envoy

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// redactedText is what Envoy writes in the place of a secret.
const redactedText = "[redacted]"

// Redact is m without private keys, passwords and the like: the fields that the
// protos mark as sensitive, wherever they stand, have "[redacted]" in their place
// as in Envoy's dumps. m itself is not changed, and returned where it holds
// nothing of that kind.
func Redact(m proto.Message) proto.Message {
	if m == nil || !sensitive(m.ProtoReflect()) {
		return m
	}
	out := proto.Clone(m)
	redactFields(out.ProtoReflect(), false)
	return out
}

// sensitive reports whether a message holds a sensitive field.
func sensitive(m protoreflect.Message) bool {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		return err == nil && sensitive(inner.ProtoReflect())
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		found = redacted(fd)
		if !found {
			eachMessage(fd, v, func(inner protoreflect.Message) { found = found || sensitive(inner) })
		}
		return !found
	})
	return found
}

// redactFields redacts a message of our own; all says that the whole of it is
// sensitive.
func redactFields(m protoreflect.Message, all bool) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		redactAny(packed, all)
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		hide := all || redacted(fd)
		switch {
		case fd.Message() != nil:
			eachMessage(fd, v, func(inner protoreflect.Message) { redactFields(inner, hide) })
			if hide && fd.IsMap() && fd.MapValue().Message() == nil {
				m.Clear(fd)
			}
		case !hide:
		case fd.IsList():
			m.Clear(fd)
		case fd.Kind() == protoreflect.StringKind:
			m.Set(fd, protoreflect.ValueOfString(redactedText))
		case fd.Kind() == protoreflect.BytesKind:
			m.Set(fd, protoreflect.ValueOfBytes([]byte(redactedText)))
		default:
			m.Clear(fd)
		}
		return true
	})
}

// redactAny redacts what is packed; what is sensitive as a whole and cannot be
// unpacked is emptied.
func redactAny(packed *anypb.Any, all bool) {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		if all {
			packed.Value = nil
		}
		return
	}
	redactFields(inner.ProtoReflect(), all)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(inner)
	if err != nil { // it was read from bytes and only texts were changed
		b = nil
	}
	packed.Value = b
}

// eachMessage visits the messages that are the value of a field: itself, the
// items of a list, the values of a map.
func eachMessage(fd protoreflect.FieldDescriptor, v protoreflect.Value, visit func(protoreflect.Message)) {
	switch {
	case fd.Message() == nil:
	case fd.IsMap():
		if fd.MapValue().Message() != nil {
			v.Map().Range(func(_ protoreflect.MapKey, item protoreflect.Value) bool {
				visit(item.Message())
				return true
			})
		}
	case fd.IsList():
		for i := range v.List().Len() {
			visit(v.List().Get(i).Message())
		}
	default:
		visit(v.Message())
	}
}
