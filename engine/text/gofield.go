package text

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// GoField turns Go's name of a field, perhaps with an index or map key, into
// a field path below path, the message that stands there (nil for a scalar)
// and what to call it. A oneof is no field: it stands at path itself, as does a
// name that md does not have.
func GoField(path string, md protoreflect.MessageDescriptor, goField string) (
	at string, below protoreflect.MessageDescriptor, called string) {
	name, index, indexed := strings.Cut(goField, "[")
	index = strings.TrimSuffix(index, "]")
	fd, one := byGoName(md, name)
	switch {
	case one != nil:
		return path, nil, "one of " + alternatives(one)
	case fd == nil:
		return path, nil, goField
	}
	at, called = Field(path, string(fd.Name())), string(fd.Name())
	below = fd.Message()
	switch {
	case fd.IsMap():
		below = fd.MapValue().Message()
		if indexed {
			at = Field(at, index)
		}
	case indexed:
		if i, err := strconv.Atoi(index); err == nil {
			at = Item(at, i)
			called = fmt.Sprintf("%s[%d]", called, i)
		}
	}
	return at, below, called
}

// byGoName finds the field or the oneof that generated Go code calls name.
func byGoName(md protoreflect.MessageDescriptor, name string) (
	protoreflect.FieldDescriptor, protoreflect.OneofDescriptor) {
	if md == nil {
		return nil, nil
	}
	for i := range md.Fields().Len() {
		if fd := md.Fields().Get(i); goName(string(fd.Name())) == name {
			return fd, nil
		}
	}
	for i := range md.Oneofs().Len() {
		if od := md.Oneofs().Get(i); goName(string(od.Name())) == name {
			return nil, od
		}
	}
	return nil, nil
}

// goName is a proto name in the camel case that protoc-gen-go gives it.
func goName(name string) string {
	var b strings.Builder
	up := true
	for i := range len(name) {
		ch := name[i]
		lower := ch >= 'a' && ch <= 'z'
		switch {
		case ch == '_' && i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z':
			up = true
			continue
		case lower && up:
			ch -= 'a' - 'A'
		}
		up = ch >= '0' && ch <= '9'
		b.WriteByte(ch)
	}
	return b.String()
}

// alternatives lists the fields of a oneof, at most five by name.
func alternatives(od protoreflect.OneofDescriptor) string {
	var names []string
	for i := range od.Fields().Len() {
		if i == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, string(od.Fields().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// Broken makes a sentence of why a rule of protoc-gen-validate is broken, such
// as "value must be greater than 0s"; called is what the field is called.
func Broken(reason, called string) string {
	reason = strings.NewReplacer(
		"length must be at least 1 runes", "must not be empty", "length must be at least 1 bytes", "must not be empty",
		"must contain at least 1 item(s)", "must not be empty", "must contain at least 1 pair(s)", "must not be empty",
		" runes", " characters", "item(s)", "items", "pair(s)", "pairs",
	).Replace(reason)
	for _, begin := range []string{"repeated value ", "value "} {
		if rest, ok := strings.CutPrefix(reason, begin); ok {
			return called + " " + rest
		}
	}
	return called + ": " + reason
}
