package admin

import (
	"net/http"
	"strings"

	"github.com/cncf/xds/go/udpa/annotations"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// elementsOf are the elements of the list that ?resource= names, in whichever
// part of the dump it stands.
func elementsOf(parts []proto.Message, q query) ([]proto.Message, error) {
	for _, part := range parts {
		m := part.ProtoReflect()
		field := m.Descriptor().Fields().ByName(protoreflect.Name(q.resource))
		if field == nil || !field.IsList() || field.Message() == nil {
			continue
		}
		var out []proto.Message
		list := m.Get(field).List()
		for i := range list.Len() {
			out = append(out, list.Get(i).Message().Interface())
		}
		return out, nil
	}
	return nil, &refusal{http.StatusNotFound, q.resource + " not found in config dump"}
}

// trim keeps of a message what the mask names, stepping into what is packed. It
// returns nil when the first field of no path is one of the message's.
func trim(m proto.Message, mask []string) proto.Message {
	from := m.ProtoReflect()
	to := from.New()
	known := false
	for _, path := range mask {
		first, rest, _ := strings.Cut(path, ".")
		field := from.Descriptor().Fields().ByName(protoreflect.Name(first))
		if field == nil {
			continue
		}
		known = true
		if from.Has(field) {
			keep(from, to, field, rest)
		}
	}
	if !known {
		return nil
	}
	return to.Interface()
}

// keep copies one field, or what the rest of the path names of it.
func keep(from, to protoreflect.Message, field protoreflect.FieldDescriptor, rest string) {
	whole := rest == "" || field.IsMap() || field.IsList() || field.Message() == nil
	if whole {
		to.Set(field, from.Get(field))
		return
	}
	packed, isAny := from.Get(field).Message().Interface().(*anypb.Any)
	if !isAny {
		if part := trim(from.Get(field).Message().Interface(), []string{rest}); part != nil {
			merged := to.Mutable(field).Message().Interface()
			proto.Merge(merged, part)
		}
		return
	}
	inner, err := packed.UnmarshalNew()
	if err != nil {
		return
	}
	part := trim(inner, []string{rest})
	if part == nil {
		return
	}
	if had, ok := to.Get(field).Message().Interface().(*anypb.Any); ok && to.Has(field) {
		if before, err := had.UnmarshalNew(); err == nil {
			proto.Merge(before, part)
			part = before
		}
	}
	if again, err := anypb.New(part); err == nil {
		to.Set(field, protoreflect.ValueOfMessage(again.ProtoReflect()))
	}
}

// hidden is what stands in the place of a key or a password, as in Envoy.
const hidden = "[redacted]"

// redact returns the message without keys and passwords: itself when there are
// none, else a changed clone.
func redact(m proto.Message) proto.Message {
	clone := proto.Clone(m)
	if !hide(clone.ProtoReflect(), false) {
		return m
	}
	return clone
}

// hide overwrites every text in a sensitive field, in what is packed too, and
// reports whether there was one.
func hide(m protoreflect.Message, sensitive bool) (changed bool) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return hidePacked(packed, sensitive)
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		secret := sensitive || isSensitive(field)
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
					changed = hide(value.Message(), secret) || changed
					return true
				})
			}
		case field.IsList():
			list := v.List()
			for i := range list.Len() {
				if field.Message() != nil {
					changed = hide(list.Get(i).Message(), secret) || changed
				} else if text, ok := covered(field); secret && ok {
					list.Set(i, text)
					changed = true
				}
			}
		case field.Message() != nil:
			changed = hide(v.Message(), secret) || changed
		default:
			if text, ok := covered(field); secret && ok {
				m.Set(field, text)
				changed = true
			}
		}
		return true
	})
	return changed
}

func hidePacked(packed *anypb.Any, sensitive bool) bool {
	inner, err := packed.UnmarshalNew()
	if err != nil || !hide(inner.ProtoReflect(), sensitive) {
		return false
	}
	again, err := anypb.New(inner)
	if err != nil { // it was unpacked a moment ago
		return false
	}
	packed.TypeUrl, packed.Value = again.GetTypeUrl(), again.GetValue()
	return true
}

// covered is what a text field shows instead; ok is false for other kinds.
func covered(field protoreflect.FieldDescriptor) (v protoreflect.Value, ok bool) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(hidden), true
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(hidden)), true
	}
	return protoreflect.Value{}, false
}

func isSensitive(field protoreflect.FieldDescriptor) bool {
	sensitive, ok := proto.GetExtension(field.Options(), annotations.E_Sensitive).(bool)
	return ok && sensitive
}

// routesOf are the route configurations that a listener asks for.
func routesOf(d *Dynamic) []string {
	l, _ := d.Message.(*listenerv3.Listener)
	var out []string
	for _, m := range managers(l) {
		if name := m.GetRds().GetRouteConfigName(); name != "" {
			out = append(out, name)
		}
	}
	return out
}
