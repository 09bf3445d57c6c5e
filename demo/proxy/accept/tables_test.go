package accept

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "example.com/meshtui/engine/text" // links in the messages
)

// filled sets the field to a value that is not its default.
func filled(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
		v := m.Mutable(f).Map()
		v.Set(protoreflect.ValueOfString("x").MapKey(), v.NewValue())
	case f.IsList():
		l := m.Mutable(f).List()
		l.Append(l.NewElement())
	case f.Message() != nil:
		m.Set(f, m.NewField(f))
	case f.Kind() == protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(true))
	case f.Kind() == protoreflect.EnumKind:
		m.Set(f, protoreflect.ValueOfEnum(f.Enum().Values().Get(f.Enum().Values().Len()-1).Number()))
	case f.Kind() == protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString("CONNECT"))
	case f.Kind() == protoreflect.BytesKind:
		m.Set(f, protoreflect.ValueOfBytes([]byte("x")))
	case f.Kind() == protoreflect.Uint32Kind:
		m.Set(f, protoreflect.ValueOfUint32(1))
	case f.Kind() == protoreflect.Uint64Kind:
		m.Set(f, protoreflect.ValueOfUint64(1))
	case f.Kind() == protoreflect.Int32Kind:
		m.Set(f, protoreflect.ValueOfInt32(1))
	case f.Kind() == protoreflect.Int64Kind:
		m.Set(f, protoreflect.ValueOfInt64(1))
	}
}

func message(t *testing.T, name protoreflect.FullName) protoreflect.MessageType {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return mt
}

// Each field of each message, set alone, is refused by its name unless a table
// lists it: nothing vanishes in silence.
func TestEveryFieldIsListedOrRefused(t *testing.T) {
	fieldsSeen := 0
	for name, known := range supported {
		if known.elsewhere {
			continue
		}
		mt := message(t, name)
		all := mt.Descriptor().Fields()
		for i := range all.Len() {
			f := all.Get(i)
			fieldsSeen++
			m := mt.New()
			filled(m, f)
			if !m.Has(f) {
				t.Errorf("%s.%s cannot be set by this test", name, f.Name())
				continue
			}
			err := walk("", m)
			what := string(f.Name())
			_, some := known.only[what]
			switch {
			case slices.Contains(known.ignored, what):
				if err != nil && strings.HasPrefix(err.Error(), what) {
					t.Errorf("%s.%s is to be left out: %v", name, what, err)
				}
			case slices.Contains(known.done, what):
				if err != nil && strings.HasPrefix(err.Error(), what+": the built-in proxy does not do this") {
					t.Errorf("%s.%s is done: %v", name, what, err)
				}
			case some: // its own test decides
			case err == nil || !strings.HasPrefix(strings.TrimSuffix(err.Error(), "; "+instead), what+": the built-in proxy does not do"):
				t.Errorf("%s.%s is in no table, and Accept says: %v", name, what, err)
			}
		}
	}
	if fieldsSeen < 300 {
		t.Errorf("only %d fields were looked at", fieldsSeen)
	}
}

// Of a field of which only some values are done, another is refused by name.
func TestOnlySomeValues(t *testing.T) {
	refuses := 0
	for name, known := range supported {
		for what := range known.only {
			m := message(t, name).New()
			f := m.Descriptor().Fields().ByName(protoreflect.Name(what))
			if f == nil {
				t.Errorf("%s has no field %s", name, what)
				continue
			}
			for _, value := range values(m, f) {
				m.Set(f, value)
				if err := known.only[what](what, value); err != nil {
					if !strings.HasPrefix(err.Error(), what+": the built-in proxy does not do ") && !strings.HasPrefix(err.Error(), what+"[0]: :-prefixed") {
						t.Errorf("%s: %v", name, err)
					}
					refuses++
				}
			}
		}
	}
	if refuses < 10 {
		t.Errorf("only %d values were refused", refuses)
	}
}

// values are some of a field.
func values(m protoreflect.Message, f protoreflect.FieldDescriptor) []protoreflect.Value {
	var out []protoreflect.Value
	switch {
	case f.Kind() == protoreflect.BoolKind:
		return []protoreflect.Value{protoreflect.ValueOfBool(true), protoreflect.ValueOfBool(false)}
	case f.Kind() == protoreflect.EnumKind:
		for i := range f.Enum().Values().Len() {
			out = append(out, protoreflect.ValueOfEnum(f.Enum().Values().Get(i).Number()))
		}
		return out
	case f.IsList():
		for _, name := range []string{"x", ":path", "Host"} {
			list := m.NewField(f)
			list.List().Append(protoreflect.ValueOfString(name))
			out = append(out, list)
		}
		return out
	case f.Message() != nil:
		out = append(out, m.NewField(f))
		one := m.NewField(f)
		for i := range one.Message().Descriptor().Fields().Len() {
			filled(one.Message(), one.Message().Descriptor().Fields().Get(i))
		}
		return append(out, one)
	}
	return []protoreflect.Value{protoreflect.ValueOfString("websocket"), protoreflect.ValueOfString("CONNECT")}
}

// Every name in the tables is that of a field, and stands there once; every
// message that a field leads to is known.
func TestTables(t *testing.T) {
	for name, known := range supported {
		m := message(t, name).Descriptor()
		listed := slices.Concat(known.done, known.ignored)
		for what := range known.only {
			listed = append(listed, what)
		}
		seen := map[string]bool{}
		for _, what := range listed {
			f := m.Fields().ByName(protoreflect.Name(what))
			if f == nil || seen[what] {
				t.Errorf("%s has no field %s, or it is listed twice", name, what)
				continue
			}
			seen[what] = true
			if f.Message() == nil || f.IsMap() || slices.Contains(known.ignored, what) || f.Message().FullName() == "google.protobuf.Any" {
				continue
			}
			if _, ok := supported[f.Message().FullName()]; !ok && !asTheyAre[f.Message().FullName()] {
				t.Errorf("%s.%s leads to %s, of which nothing is known", name, what, f.Message().FullName())
			}
		}
	}
	for name := range asTheyAre {
		message(t, name)
	}
}
