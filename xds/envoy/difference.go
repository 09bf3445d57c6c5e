package envoy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/cncf/xds/go/udpa/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Difference is the path of the first field in which two messages differ, ""
// when they say the same. It steps into every Any, so that the order in which
// bytes were packed does not count, and leaves out the fields that Envoy redacts
// (keys and passwords). "." means that they are of different kinds.
func Difference(a, b proto.Message) string {
	if a == nil || b == nil {
		if a == nil && b == nil {
			return ""
		}
		return "."
	}
	path, same := messageDifference("", a.ProtoReflect(), b.ProtoReflect())
	switch {
	case same:
		return ""
	case path == "":
		return "."
	}
	return path
}

func messageDifference(path string, a, b protoreflect.Message) (string, bool) {
	if a.Descriptor().FullName() != b.Descriptor().FullName() {
		return path, false
	}
	if packed, ok := a.Interface().(*anypb.Any); ok {
		if other, ok := b.Interface().(*anypb.Any); ok {
			return anyDifference(path, packed, other)
		}
	}
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if redacted(fd) {
			continue
		}
		at := step(path, string(fd.Name()))
		if a.Has(fd) != b.Has(fd) {
			return at, false
		}
		if !a.Has(fd) {
			continue
		}
		if where, same := fieldDifference(at, fd, a.Get(fd), b.Get(fd)); !same {
			return where, false
		}
	}
	return "", true
}

func anyDifference(path string, a, b *anypb.Any) (string, bool) {
	if a.GetTypeUrl() != b.GetTypeUrl() {
		return step(path, "@type"), false
	}
	if bytes.Equal(a.GetValue(), b.GetValue()) {
		return "", true
	}
	inA, errA := a.UnmarshalNew()
	inB, errB := b.UnmarshalNew()
	if errA != nil || errB != nil {
		return path, false
	}
	return messageDifference(path, inA.ProtoReflect(), inB.ProtoReflect())
}

func fieldDifference(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.Value) (string, bool) {
	switch {
	case fd.IsList():
		return listDifference(at, fd, a.List(), b.List())
	case fd.IsMap():
		return mapDifference(at, fd, a.Map(), b.Map())
	case fd.Message() != nil:
		return messageDifference(at, a.Message(), b.Message())
	}
	return at, a.Equal(b)
}

func listDifference(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.List) (string, bool) {
	for i := range min(a.Len(), b.Len()) {
		item := fmt.Sprintf("%s[%d]", at, i)
		if fd.Message() == nil {
			if !a.Get(i).Equal(b.Get(i)) {
				return item, false
			}
			continue
		}
		if where, same := messageDifference(item, a.Get(i).Message(), b.Get(i).Message()); !same {
			return where, false
		}
	}
	if a.Len() != b.Len() {
		return fmt.Sprintf("%s[%d]", at, min(a.Len(), b.Len())), false
	}
	return "", true
}

// mapDifference names the least key that differs, so that the answer does not
// change from one look to the next.
func mapDifference(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.Map) (string, bool) {
	least, found := "", false
	note := func(where string) {
		if !found || where < least {
			least, found = where, true
		}
	}
	a.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		item := step(at, k.String())
		switch {
		case !b.Has(k):
			note(item)
		case fd.MapValue().Message() != nil:
			if where, same := messageDifference(item, v.Message(), b.Get(k).Message()); !same {
				note(where)
			}
		case !v.Equal(b.Get(k)):
			note(item)
		}
		return true
	})
	b.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		if !a.Has(k) {
			note(step(at, k.String()))
		}
		return true
	})
	return least, !found
}

// genericSecrets is shown by Envoy, and hidden by us wherever a secret is shown.
const genericSecrets = "envoy.extensions.transport_sockets.tls.v3.GenericSecret.secrets"

// redacted reports whether the field's content is hidden in Envoy's dumps, or in
// what we keep of what was served.
func redacted(fd protoreflect.FieldDescriptor) bool {
	if fd.FullName() == genericSecrets {
		return true
	}
	sensitive, ok := proto.GetExtension(fd.Options(), annotations.E_Sensitive).(bool)
	return ok && sensitive
}

// step appends to a field path as mesh writes them.
func step(path, name string) string {
	if strings.ContainsAny(name, ".[]\"") {
		return fmt.Sprintf("%s[%q]", path, name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// squeeze turns every run of white space into one blank.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
