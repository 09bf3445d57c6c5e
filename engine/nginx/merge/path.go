package merge

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/text"
)

// step is one step of a field path: a field, a map's key, or a list's index.
type step struct {
	field string
	index int // -1 for a field
}

// stepsOf reads a field path; nil for one that is malformed.
func stepsOf(path string) []step {
	var out []step
	for rest := path; rest != ""; {
		switch {
		case rest[0] == '.':
			rest = rest[1:]
		case strings.HasPrefix(rest, `["`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil {
				return nil
			}
			key, _ := strconv.Unquote(quoted)
			out = append(out, step{key, -1})
			rest = rest[min(len(rest), len(quoted)+2):]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			n, err := strconv.Atoi(rest[1:max(1, end)])
			if err != nil || n < 0 {
				return nil
			}
			out = append(out, step{"", n})
			rest = rest[end+1:]
		default:
			end := strings.IndexAny(rest+".", ".[")
			out = append(out, step{rest[:end], -1})
			rest = rest[end:]
		}
	}
	return out
}

// compare orders paths by where they stand: lists by their index, fields by their
// name, what is deeper behind what holds it.
func compare(a, b string) int {
	return slices.CompareFunc(stepsOf(a), stepsOf(b), func(x, y step) int {
		return cmp.Or(cmp.Compare(x.index, y.index), cmp.Compare(x.field, y.field))
	})
}

// below is a field path under another.
func below(path, field string) string {
	if path == "" || field == "" || field[0] == '[' {
		return path + field
	}
	return path + "." + field
}

// under is path seen from what stands at top; ok is false when it stands
// elsewhere.
func under(path, top string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, top)
	if !ok || top == "" {
		return rest, ok
	}
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		return "", false
	}
	return strings.TrimPrefix(rest, "."), true
}

// covers reports whether one of two paths stands within the other.
func covers(a, b string) bool {
	_, in := under(a, b)
	_, around := under(b, a)
	return in || around
}

// cell is a field of a message, or an item of a list or a map.
type cell struct {
	fd    protoreflect.FieldDescriptor // nil for a resource as a whole
	value protoreflect.Value
	list  bool // the value is the list, or the map, as a whole
}

// message is what the cell holds, nil when that is no message.
func (c cell) message() protoreflect.Message {
	if c.list || !c.value.IsValid() || c.fd != nil && (c.fd.Message() == nil || c.fd.IsMap() && c.fd.MapValue().Message() == nil) {
		return nil
	}
	return c.value.Message()
}

// lookup finds what stands at a path of a message; ok is false when nothing does.
// It goes through an Any of a type that is linked in.
func lookup(m proto.Message, path string) (c cell, ok bool) {
	if m == nil {
		return cell{}, false
	}
	c = cell{value: protoreflect.ValueOfMessage(m.ProtoReflect())}
	steps := stepsOf(path)
	if steps == nil && path != "" {
		return cell{}, false
	}
	for _, s := range steps {
		if c, ok = c.step(s); !ok {
			return cell{}, false
		}
	}
	return c, true
}

func (c cell) step(s step) (cell, bool) {
	switch {
	case c.list && c.fd.IsList():
		if l := c.value.List(); s.index >= 0 && s.index < l.Len() {
			return cell{fd: c.fd, value: l.Get(s.index)}, true
		}
		return cell{}, false
	case c.list:
		v := c.value.Map().Get(protoreflect.ValueOfString(s.field).MapKey())
		return cell{fd: c.fd, value: v}, v.IsValid()
	}
	m := unpacked(c.message())
	if m == nil || s.index >= 0 {
		return cell{}, false
	}
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(s.field))
	if fd == nil || !m.Has(fd) {
		return cell{}, false
	}
	return cell{fd: fd, value: m.Get(fd), list: fd.IsList() || fd.IsMap()}, true
}

// unpacked is the message in an Any, or the message itself; an Any of an unknown
// type stays.
func unpacked(m protoreflect.Message) protoreflect.Message {
	if m == nil {
		return nil
	}
	if a, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := a.UnmarshalNew(); err == nil {
			return inner.ProtoReflect()
		}
	}
	return m
}

// yaml is the cell's value as YAML.
func (c cell) yaml() (string, error) {
	out, err := "", error(nil)
	switch {
	case c.list && c.fd.IsList():
		for i := range c.value.List().Len() {
			if out, err = text.Insert(out, "v", -1, cell{fd: c.fd, value: c.value.List().Get(i)}.plain()); err != nil {
				return "", err
			}
		}
	case c.list:
		c.value.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			out, err = text.Set(out, text.Field("v", k.String()), cell{fd: c.fd, value: v}.plain())
			return err == nil
		})
	default:
		out, err = text.Set("", "v", c.plain())
	}
	if err != nil {
		return "", err
	}
	sub, ok := text.Sub(out, "v")
	if !ok {
		return "", errors.New("an empty list has no text")
	}
	return sub.Text, nil
}

// plain is the value of what is no list, as package text takes it.
func (c cell) plain() any {
	if m := c.message(); m != nil {
		return m.Interface()
	}
	fd := c.fd
	if fd.IsMap() {
		fd = fd.MapValue()
	}
	if fd.Enum() != nil {
		if e := fd.Enum().Values().ByNumber(c.value.Enum()); e != nil {
			return string(e.Name())
		}
		return int32(c.value.Enum())
	}
	return c.value.Interface()
}

// The places that blocks and lines of nginx stand for.
var (
	routePath  = regexp.MustCompile(`^(?:.*\.)?virtual_hosts\[\d+\]\.routes\[\d+\]`)
	hostPath   = regexp.MustCompile(`^(?:.*\.)?virtual_hosts\[\d+\]`)
	memberPath = regexp.MustCompile(`^(?:.*\.)?endpoints\[\d+\]\.lb_endpoints\[\d+\]`)
	chainPath  = regexp.MustCompile(`^(?:filter_chains\[\d+\]|default_filter_chain)`)
	hcmPath    = regexp.MustCompile(`^(?:filter_chains\[\d+\]|default_filter_chain)\.filters\[\d+\]\.typed_config`)
)

// lastIndex is the index at the end of a list item's path, and the list's path.
func lastIndex(path string) (list string, index int) {
	open := strings.LastIndexByte(path, '[')
	if open < 0 {
		return path, -1
	}
	n, err := strconv.Atoi(strings.TrimSuffix(path[open+1:], "]"))
	if err != nil {
		return path, -1
	}
	return path[:open], n
}

// entityForms are the places at which an import's field path can be cut.
var entityForms = []*regexp.Regexp{chainPath, hcmPath, hostPath, routePath, memberPath}
