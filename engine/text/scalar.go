package text

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// kind is what a node is to Envoy, whose YAML rules (those of yaml-cpp) are
// not quite those of our library: there, an unquoted yes, on or y is a boolean.
type kind uint8

const (
	nullKind kind = iota + 1
	boolKind
	numberKind
	stringKind
	listKind
	mapKind
)

var (
	integer  = regexp.MustCompile(`^[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)$`)
	decimal  = regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	infinity = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// isNull reports whether a node says that there is nothing.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && isNullWord(n.Value) && kindOf(n) == nullKind
}

func isNullWord(s string) bool {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

func kindOf(n *yaml.Node) kind {
	switch n.Kind {
	case yaml.SequenceNode:
		return listKind
	case yaml.MappingNode:
		return mapKind
	}
	if n.Style&quoted != 0 || n.Style&yaml.TaggedStyle != 0 && n.ShortTag() == "!!str" {
		return stringKind
	}
	return plainKind(n.Value)
}

func plainKind(s string) kind {
	if isNullWord(s) {
		return nullKind
	}
	if _, ok := boolOf(s); ok {
		return boolKind
	}
	// Most plain scalars are names and addresses: told from numbers at a glance.
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') || strings.Count(s, ".") > 1 {
		return stringKind
	}
	if integer.MatchString(s) {
		// Envoy keeps what a JSON number cannot hold exactly as a string.
		// 08 is no octal number, and so a string as well.
		i, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 64)
		if err != nil || i > 1<<53 || i < -(1<<53) {
			return stringKind
		}
		return numberKind
	}
	if decimal.MatchString(s) || infinity.MatchString(s) {
		return numberKind
	}
	return stringKind
}

// boolOf reads the words that yaml-cpp takes for booleans.
func boolOf(s string) (value, ok bool) {
	if len(s) == 0 || len(s) > 5 {
		return false, false
	}
	lower := strings.ToLower(s)
	if s != lower && s != strings.ToUpper(s) && s != strings.ToUpper(s[:1])+lower[1:] {
		return false, false
	}
	switch lower {
	case "true", "yes", "on", "y":
		return true, true
	case "false", "no", "off", "n":
		return false, true
	}
	return false, false
}

// floatOf reads a number as yaml-cpp does.
func floatOf(s string) (float64, bool) {
	if i, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 64); err == nil && integer.MatchString(s) {
		return float64(i), true
	}
	switch strings.ToLower(strings.TrimPrefix(s, "+")) {
	case ".inf":
		return math.Inf(1), true
	case "-.inf":
		return math.Inf(-1), true
	case ".nan":
		return math.NaN(), true
	}
	if !decimal.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// describe names what stands in the text, for "expected X, got …".
func describe(n *yaml.Node) string {
	switch kindOf(n) {
	case nullKind:
		return "nothing"
	case boolKind:
		return "the boolean " + n.Value
	case numberKind:
		return "the number " + n.Value
	case listKind:
		return "a list"
	case mapKind:
		return "a mapping"
	}
	return fmt.Sprintf("the string %q", shorten(n.Value))
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "…"
	}
	return s
}

// scalarError says what was wrong with a scalar and what to write instead.
type scalarError struct{ message, hint string }

func expected(what string, n *yaml.Node) *scalarError {
	return &scalarError{message: fmt.Sprintf("expected %s, got %s", what, describe(n))}
}

// scalar reads one value of a scalar or enum field. n is no alias and not null.
func scalar(n *yaml.Node, fd protoreflect.FieldDescriptor) (protoreflect.Value, *scalarError) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return stringValue(n)
	case protoreflect.BytesKind:
		return bytesValue(n)
	case protoreflect.BoolKind:
		return boolValue(n)
	case protoreflect.EnumKind:
		return enumValue(n, fd.Enum())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return floatValue(n, fd.Kind())
	}
	return intValue(n, fd.Kind())
}

func stringValue(n *yaml.Node) (protoreflect.Value, *scalarError) {
	switch k := kindOf(n); k {
	case stringKind:
		return protoreflect.ValueOfString(n.Value), nil
	case boolKind, numberKind:
		if k == numberKind && !integer.MatchString(n.Value) {
			// Of numbers, Envoy's YAML reader knows whole ones only.
			return protoreflect.ValueOfString(n.Value), nil
		}
		e := expected("a string", n)
		e.hint = fmt.Sprintf("quote it: %q", n.Value)
		return protoreflect.Value{}, e
	}
	return protoreflect.Value{}, expected("a string", n)
}

func bytesValue(n *yaml.Node) (protoreflect.Value, *scalarError) {
	if kindOf(n) != stringKind {
		return protoreflect.Value{}, expected("base64 text", n)
	}
	s := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(n.Value), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return protoreflect.Value{}, &scalarError{message: fmt.Sprintf("expected base64 text, got %q", shorten(n.Value)),
			hint: "bytes are written in base64; a DataSource takes plain text as inline_string"}
	}
	return protoreflect.ValueOfBytes(b), nil
}

func boolValue(n *yaml.Node) (protoreflect.Value, *scalarError) {
	if k := kindOf(n); k == boolKind || k == stringKind {
		if b, ok := boolOf(n.Value); ok {
			return protoreflect.ValueOfBool(b), nil
		}
	}
	return protoreflect.Value{}, expected("true or false", n)
}

func enumValue(n *yaml.Node, ed protoreflect.EnumDescriptor) (protoreflect.Value, *scalarError) {
	values := ed.Values()
	k := kindOf(n)
	if k == stringKind {
		for i := range values.Len() {
			if strings.EqualFold(string(values.Get(i).Name()), n.Value) {
				return protoreflect.ValueOfEnum(values.Get(i).Number()), nil
			}
		}
	}
	if k == stringKind || k == numberKind {
		if i, err := strconv.ParseInt(n.Value, 10, 32); err == nil {
			if v := values.ByNumber(protoreflect.EnumNumber(i)); v != nil {
				return protoreflect.ValueOfEnum(v.Number()), nil
			}
		}
	}
	names := make([]string, values.Len())
	for i := range names {
		names[i] = string(values.Get(i).Name())
	}
	e := &scalarError{message: fmt.Sprintf("%s is no %s", describe(n), ed.Name())}
	if k != listKind && k != mapKind {
		e.hint = suggest(n.Value, names)
	}
	if k == boolKind && indexFold(names, n.Value) >= 0 {
		e.hint = fmt.Sprintf("quote it: %q", n.Value)
	}
	return protoreflect.Value{}, e
}

func indexFold(names []string, s string) int {
	for i, n := range names {
		if strings.EqualFold(n, s) {
			return i
		}
	}
	return -1
}

func floatValue(n *yaml.Node, k protoreflect.Kind) (protoreflect.Value, *scalarError) {
	f, ok := 0.0, false
	switch kindOf(n) {
	case numberKind:
		f, ok = floatOf(n.Value)
	case stringKind:
		switch n.Value {
		case "NaN":
			f, ok = math.NaN(), true
		case "Infinity":
			f, ok = math.Inf(1), true
		case "-Infinity":
			f, ok = math.Inf(-1), true
		default:
			f, ok = floatOf(n.Value)
		}
	}
	if !ok {
		return protoreflect.Value{}, expected("a number", n)
	}
	if k == protoreflect.FloatKind {
		if math.Abs(f) > math.MaxFloat32 && !math.IsInf(f, 0) {
			return protoreflect.Value{}, &scalarError{message: n.Value + " is too large for a float"}
		}
		return protoreflect.ValueOfFloat32(float32(f)), nil
	}
	return protoreflect.ValueOfFloat64(f), nil
}

// intRange is what an integer kind can hold.
func intRange(k protoreflect.Kind) (bits int, signed bool) {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return 32, true
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return 64, true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return 32, false
	}
	return 64, false
}

func intValue(n *yaml.Node, k protoreflect.Kind) (protoreflect.Value, *scalarError) {
	if kn := kindOf(n); kn != numberKind && kn != stringKind {
		return protoreflect.Value{}, expected("a whole number", n)
	}
	s := n.Value
	if n.Style&quoted == 0 && !integer.MatchString(s) {
		if f, ok := floatOf(s); ok && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			s = strconv.FormatFloat(f, 'f', 0, 64)
		}
	}
	if !integer.MatchString(s) {
		return protoreflect.Value{}, expected("a whole number", n)
	}
	bits, signed := intRange(k)
	s = strings.TrimPrefix(s, "+")
	if signed {
		i, err := strconv.ParseInt(s, 0, bits)
		if err != nil {
			return protoreflect.Value{}, outOfRange(n, fmt.Sprint(-1<<(bits-1)), fmt.Sprint(uint64(1)<<(bits-1)-1))
		}
		if bits == 32 {
			return protoreflect.ValueOfInt32(int32(i)), nil
		}
		return protoreflect.ValueOfInt64(i), nil
	}
	u, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		return protoreflect.Value{}, outOfRange(n, "0", fmt.Sprint(uint64(math.MaxUint64)>>(64-bits)))
	}
	if bits == 32 {
		return protoreflect.ValueOfUint32(uint32(u)), nil
	}
	return protoreflect.ValueOfUint64(u), nil
}

func outOfRange(n *yaml.Node, low, high string) *scalarError {
	return &scalarError{message: fmt.Sprintf("%s is out of range", n.Value),
		hint: fmt.Sprintf("write a whole number from %s to %s", low, high)}
}
