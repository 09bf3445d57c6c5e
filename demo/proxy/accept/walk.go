package accept

import (
	"fmt"
	"slices"
	"strings"

	typedstructv3 "github.com/cncf/xds/go/xds/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// test looks at a field's value where only some are done; at is its path.
type test func(at string, v protoreflect.Value) error

// fields are what is known of a message: its fields that are done, those that
// change no answer and are left out, and those of which only some values are
// done. A field that stands nowhere is refused when it is set.
type fields struct {
	done, ignored []string
	only          map[string]test
	// whole looks at the message once its fields have passed; may be nil.
	whole func(at string, m proto.Message) error
	// elsewhere says that whole alone knows the message.
	elsewhere bool
}

// walk refuses the first set field, in the order of their numbers, that is not
// done.
func walk(at string, m protoreflect.Message) error {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return unpack(at, "", packed)
	}
	name := m.Descriptor().FullName()
	if asTheyAre[name] {
		return nil
	}
	known, ok := supported[name]
	if !ok {
		return undone(at, fmt.Sprintf("does not do %s", name.Name()))
	}
	all := m.Descriptor().Fields()
	for i := range all.Len() {
		if f := all.Get(i); m.Has(f) && !known.elsewhere {
			if err := known.field(join(at, string(f.Name())), m, f); err != nil {
				return err
			}
		}
	}
	if known.whole != nil {
		return known.whole(at, m.Interface())
	}
	return nil
}

// field refuses one field that is set, or what is in it.
func (k *fields) field(at string, m protoreflect.Message, f protoreflect.FieldDescriptor) error {
	name := string(f.Name())
	if slices.Contains(k.ignored, name) {
		return nil
	}
	if ok := k.only[name]; ok != nil {
		if err := ok(at, m.Get(f)); err != nil {
			return err
		}
	} else if !slices.Contains(k.done, name) {
		return undone(at, "does not do this")
	}
	return into(at, m, f)
}

// into goes on in the messages of a field.
func into(at string, m protoreflect.Message, f protoreflect.FieldDescriptor) error {
	switch {
	case f.Message() == nil || f.IsMap():
		return nil
	case !f.IsList():
		if packed, ok := m.Get(f).Message().Interface().(*anypb.Any); ok {
			return unpack(at, extensionName(m), packed)
		}
		return walk(at, m.Get(f).Message())
	}
	list := m.Get(f).List()
	for i := range list.Len() {
		if err := walk(fmt.Sprintf("%s[%d]", at, i), list.Get(i).Message()); err != nil {
			return err
		}
	}
	return nil
}

// extensionName is the name field beside a typed_config.
func extensionName(m protoreflect.Message) string {
	f := m.Descriptor().Fields().ByName("name")
	if f == nil || f.Kind() != protoreflect.StringKind {
		return ""
	}
	return m.Get(f).String()
}

// unpack goes on in a packed message, which must be of a type that is done.
func unpack(at, name string, packed *anypb.Any) error {
	kind := typeOf(packed)
	if name == "" {
		name = string(kind)
	}
	if _, ok := supported[kind]; !ok && !asTheyAre[kind] {
		return undone(at, "does not run "+called(kind)+" ("+name+")")
	}
	m, err := packed.UnmarshalNew()
	if err != nil {
		return fmt.Errorf("%s: %s cannot be read: %w", at, kind, err)
	}
	if err := validate(m); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return walk(at, m.ProtoReflect())
}

// typeOf is the type of a packed message, also of one that was carried as it
// came.
func typeOf(packed *anypb.Any) protoreflect.FullName {
	var carried typedstructv3.TypedStruct
	if packed.MessageIs(&carried) && packed.UnmarshalTo(&carried) == nil {
		url := carried.GetTypeUrl()
		return protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:])
	}
	return packed.MessageName()
}

// called is what people call an extension of a type: "Lua", "RBAC", and for
// what is called Config after its package.
func called(kind protoreflect.FullName) string {
	name := string(kind.Name())
	switch name {
	case "Config", "FilterConfig", "PluginConfig", "ProxyProtocol":
		parts := strings.Split(string(kind.Parent()), ".")
		for i := len(parts) - 1; i >= 0; i-- {
			if !strings.HasPrefix(parts[i], "v3") && !strings.HasPrefix(parts[i], "v2") {
				return parts[i]
			}
		}
	case "":
		return "an extension without a type"
	}
	return name
}

// undone is the refusal of what an Envoy would do.
func undone(at, what string) error {
	return fmt.Errorf("%s: the built-in proxy %s; %s", at, what, instead)
}

func join(at, name string) string {
	if at == "" || name == "" {
		return at + name
	}
	return at + "." + name
}
