package text

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// reader reads a message that has a form of its own in JSON. n is no alias; m
// is empty.
type reader func(d *decoder, n *yaml.Node, m protoreflect.Message, at *path)

// wellKnown is the reader for a message, nil for one that is a mapping of its
// fields.
func wellKnown(name protoreflect.FullName) reader {
	if name.Parent() != "google.protobuf" {
		return nil
	}
	switch name.Name() {
	case "Any":
		return (*decoder).any
	case "Duration":
		return (*decoder).duration
	case "Timestamp":
		return (*decoder).timestamp
	case "FieldMask":
		return (*decoder).fieldMask
	case "Struct":
		return (*decoder).structure
	case "Value":
		return (*decoder).structValue
	case "ListValue":
		return (*decoder).structList
	case "BoolValue", "StringValue", "BytesValue", "FloatValue", "DoubleValue",
		"Int32Value", "Int64Value", "UInt32Value", "UInt64Value":
		return (*decoder).wrapper
	}
	return nil
}

// longForm reports whether a message that has a short form is written as the
// mapping of its fields, which Envoy takes as well: {seconds: 5}, {value: 5}.
func longForm(n *yaml.Node, name protoreflect.FullName) bool {
	if n.Kind != yaml.MappingNode || name.Parent() != "google.protobuf" {
		return false
	}
	switch name.Name() {
	case "Any", "FieldMask", "Struct", "Value", "ListValue":
		return false
	}
	return true
}

// valid reports a duration or time in long form that is out of range.
func (d *decoder) valid(n *yaml.Node, m protoreflect.Message, at *path) {
	if v, ok := m.Interface().(interface{ CheckValid() error }); ok {
		if err := v.CheckValid(); err != nil {
			d.fail("wrong-kind", n, at, "the value is out of range", "")
		}
	}
}

func (d *decoder) wrapper(n *yaml.Node, m protoreflect.Message, at *path) {
	fd := m.Descriptor().Fields().ByName("value")
	if v, ok := d.scalar(n, fd, at); ok {
		m.Set(fd, v)
	}
}

// maxSeconds is what a google.protobuf.Duration may hold, about 10,000 years.
const maxSeconds = 315_576_000_000

var durationText = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]{1,9}))?s$`)

func (d *decoder) duration(n *yaml.Node, m protoreflect.Message, at *path) {
	parts := durationText.FindStringSubmatch(n.Value)
	if k := kindOf(n); k != stringKind || parts == nil {
		message := "expected a duration in seconds such as 0.25s, got " + describe(n)
		d.fail("wrong-kind", n, at, message, durationHint(n, k))
		return
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || seconds > maxSeconds {
		d.fail("wrong-kind", n, at, n.Value+" is longer than a duration can be", "")
		return
	}
	nanos, _ := strconv.ParseInt(parts[3]+strings.Repeat("0", 9-len(parts[3])), 10, 32)
	if parts[1] == "-" {
		seconds, nanos = -seconds, -nanos
	}
	proto.Merge(m.Interface(), &durationpb.Duration{Seconds: seconds, Nanos: int32(nanos)})
}

func durationHint(n *yaml.Node, k kind) string {
	if k == numberKind {
		if f, ok := floatOf(n.Value); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return "write " + strconv.FormatFloat(f, 'f', -1, 64) + "s"
		}
	}
	if t, err := time.ParseDuration(n.Value); k == stringKind && err == nil {
		return "write " + formatDuration(int64(t/time.Second), int32(t%time.Second))
	}
	return ""
}

func formatDuration(seconds int64, nanos int32) string {
	sign := ""
	if seconds < 0 || nanos < 0 {
		sign, seconds, nanos = "-", -seconds, -nanos
	}
	if nanos == 0 {
		return fmt.Sprintf("%s%ds", sign, seconds)
	}
	return fmt.Sprintf("%s%d.%ss", sign, seconds, strings.TrimRight(fmt.Sprintf("%09d", nanos), "0"))
}

func (d *decoder) timestamp(n *yaml.Node, m protoreflect.Message, at *path) {
	t, err := time.Parse(time.RFC3339Nano, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.fail("wrong-kind", n, at, "expected a time such as 2026-01-31T12:00:00Z, got "+describe(n), "")
		return
	}
	proto.Merge(m.Interface(), timestamppb.New(t))
}

func (d *decoder) fieldMask(n *yaml.Node, m protoreflect.Message, at *path) {
	if kindOf(n) != stringKind {
		d.fail("wrong-kind", n, at, "expected field names separated by commas, got "+describe(n), "")
		return
	}
	list := m.Mutable(m.Descriptor().Fields().ByName("paths")).List()
	for _, p := range strings.Split(n.Value, ",") {
		list.Append(protoreflect.ValueOfString(snake(strings.TrimSpace(p))))
	}
}

// snake is a lowerCamel name in snake_case; other names stay.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (d *decoder) structure(n *yaml.Node, m protoreflect.Message, at *path) {
	s, ok := d.structOf(n, at, "")
	if ok {
		proto.Merge(m.Interface(), s)
	}
}

// structOf reads a mapping into a Struct, less the key skip.
func (d *decoder) structOf(n *yaml.Node, at *path, skip string) (*structpb.Struct, bool) {
	if n.Kind != yaml.MappingNode {
		d.fail("wrong-kind", n, at, "expected a mapping, got "+describe(n), "")
		return nil, false
	}
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, p := range d.entries(n, at) {
		key := deref(p.key).Value
		if key == skip && skip != "" {
			continue
		}
		s.Fields[key] = d.valueOf(p.value, at.mapKey(key))
	}
	return s, true
}

func (d *decoder) structValue(n *yaml.Node, m protoreflect.Message, at *path) {
	proto.Merge(m.Interface(), d.valueOf(n, at))
}

func (d *decoder) structList(n *yaml.Node, m protoreflect.Message, at *path) {
	if n.Kind != yaml.SequenceNode {
		d.fail("wrong-kind", n, at, "expected a list, got "+describe(n), "")
		return
	}
	proto.Merge(m.Interface(), d.valueOf(n, at).GetListValue())
}

// valueOf reads anything as JSON would have it. Numbers with a fraction are
// numbers here, while Envoy's own YAML reader makes strings of them: a text could
// not say such a number else.
func (d *decoder) valueOf(n *yaml.Node, at *path) *structpb.Value {
	target, ok := d.enter(n, at)
	if !ok {
		return structpb.NewNullValue()
	}
	defer d.leave(n, target)
	switch kindOf(target) {
	case nullKind:
		return structpb.NewNullValue()
	case boolKind:
		b, _ := boolOf(target.Value)
		return structpb.NewBoolValue(b)
	case numberKind:
		// A carried extension may have a string field there, and Envoy reads a
		// number out of a string too, but no string out of a number.
		f, _ := floatOf(target.Value)
		if math.IsNaN(f) || math.IsInf(f, 0) || d.carrying && !integer.MatchString(target.Value) {
			return structpb.NewStringValue(target.Value)
		}
		return structpb.NewNumberValue(f)
	case listKind:
		list := &structpb.ListValue{}
		for i, c := range target.Content {
			list.Values = append(list.Values, d.valueOf(c, at.item(i)))
		}
		return structpb.NewListValue(list)
	case mapKind:
		s, _ := d.structOf(target, at, "")
		return structpb.NewStructValue(s)
	}
	return structpb.NewStringValue(target.Value)
}
