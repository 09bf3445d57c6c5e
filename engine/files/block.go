package files

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/meshtui/engine/mesh"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// block writes a JSON value as the YAML that people write, and says of each line
// where it stood. The order stays as it is; fields that are known are called as
// the proto has them (filter_chains), whichever spelling the JSON has.
type block struct {
	doc  *jsonDoc
	out  strings.Builder
	at   []mesh.LinePlace
	skip func(name string, value jsonValue) bool // fields to leave out
}

// deepest is how deep YAML is written as a block; what is below is written in
// brackets, as it came.
const deepest = 100

// blockSource is a JSON value as a source in YAML. It is a message of type of,
// where that is not nil. Fields that skip takes are left out; it may be nil.
func blockSource(file string, v jsonValue, of protoreflect.MessageDescriptor, skip func(string, jsonValue) bool) mesh.Source {
	b := &block{doc: v.doc, skip: skip}
	b.value(v, of, "", 0, 0)
	return mesh.NewSource(file, b.out.String(), b.at)
}

// line notes where the line that is being begun stood; column is that of what
// stands at from in it.
func (b *block) line(from, column int) {
	b.at = append(b.at, mesh.LinePlace{Line: b.doc.lineOf(from), Indent: b.doc.columnOf(from) - column, Exact: true})
}

// value writes a value behind "name:" or "-", or as the whole text. indent is
// the column at which its own lines begin.
func (b *block) value(v jsonValue, of protoreflect.MessageDescriptor, before string, indent, depth int) {
	switch {
	case depth >= deepest && (v.kind() == '{' || v.kind() == '['):
		b.one(before, compact(v.text()))
	case v.kind() == '{':
		b.object(v, of, before, indent, depth)
	case v.kind() == '[':
		b.array(v, of, before, indent, depth)
	case v.kind() == '"':
		b.text(unquoted(v.text()), before, indent)
	default:
		b.one(before, v.text())
	}
	if len(b.at) == 0 { // the whole is one line
		b.line(v.from, 0)
	}
}

// one ends a line with a value of one line.
func (b *block) one(before, value string) {
	if before != "" && before[len(before)-1] != ' ' {
		b.out.WriteByte(' ')
	}
	b.out.WriteString(value)
	b.out.WriteByte('\n')
}

func (b *block) object(v jsonValue, of protoreflect.MessageDescriptor, before string, indent, depth int) {
	fields := v.object()
	if b.skip != nil {
		kept := fields[:0]
		for _, f := range fields {
			if !b.skip(f.name, f.value) {
				kept = append(kept, f)
			}
		}
		fields = kept
	}
	if len(fields) == 0 {
		b.one(before, "{}")
		return
	}
	of = packed(of, fields)
	inline := strings.HasSuffix(before, "- ") // the first field stands behind the dash
	if before != "" && !inline {
		b.out.WriteByte('\n')
	}
	for i, f := range fields {
		if i > 0 || !inline {
			b.line(f.at, indent)
			b.pad(indent)
		}
		name, inner := fieldOf(of, f.name)
		b.out.WriteString(key(name))
		b.out.WriteByte(':')
		more := indent + 2
		if f.value.kind() == '[' {
			more = indent // lists stand at the column of their name
		}
		b.value(f.value, inner, ":", more, depth+1)
	}
}

// packed is what an Any holds, by its "@type"; nil where that is not known. What
// is no Any is what it is.
func packed(of protoreflect.MessageDescriptor, fields []jsonField) protoreflect.MessageDescriptor {
	if of == nil || of.FullName() != "google.protobuf.Any" {
		return of
	}
	for _, f := range fields {
		if f.name == "@type" {
			if mt, err := protoregistry.GlobalTypes.FindMessageByURL(unquoted(f.value.text())); err == nil {
				return mt.Descriptor()
			}
		}
	}
	return nil
}

// fieldOf is what the proto calls a field of a message, and the message in it;
// nil where it holds none, or one whose names are the operator's own.
func fieldOf(of protoreflect.MessageDescriptor, name string) (string, protoreflect.MessageDescriptor) {
	if of == nil {
		return name, nil
	}
	if of.IsMapEntry() { // its names are keys
		return name, of.Fields().ByName("value").Message()
	}
	if of.ParentFile().Package() == "google.protobuf" && of.FullName() != "google.protobuf.Any" {
		return name, nil // written in a way of its own
	}
	fd := of.Fields().ByJSONName(name)
	if fd == nil {
		fd = of.Fields().ByName(protoreflect.Name(name))
	}
	if fd == nil {
		return name, nil
	}
	return string(fd.Name()), fd.Message()
}

func (b *block) array(v jsonValue, of protoreflect.MessageDescriptor, before string, indent, depth int) {
	items := v.array()
	if len(items) == 0 {
		b.one(before, "[]")
		return
	}
	inline := strings.HasSuffix(before, "- ")
	if before != "" && !inline {
		b.out.WriteByte('\n')
	}
	for i, item := range items {
		if i > 0 || !inline {
			b.line(b.begin(item), indent+2)
			b.pad(indent)
		}
		b.out.WriteString("- ")
		b.value(item, of, "- ", indent+2, depth+1)
	}
}

// begin is the place of an item for people: its first field, where it has one.
func (b *block) begin(v jsonValue) int {
	if v.kind() == '{' {
		if i := b.doc.space(v.from + 1); i < v.to && b.doc.text[i] == '"' {
			return i
		}
	}
	return v.from
}

func (b *block) pad(n int) {
	for range n {
		b.out.WriteByte(' ')
	}
}

// text writes a string: plain where it can be nothing else, as a literal block
// where it has several lines, else in quotes.
func (b *block) text(s, before string, indent int) {
	switch {
	case plain(s):
		b.one(before, s)
	case before != "" && strings.Contains(s, "\n") && literal(s):
		head, body := "|-", s
		if strings.HasSuffix(s, "\n") {
			head, body = "|", s[:len(s)-1]
		}
		b.one(before, head)
		last := b.at[max(len(b.at)-1, 0)]
		for _, line := range strings.Split(body, "\n") {
			b.at = append(b.at, mesh.LinePlace{Line: last.Line})
			if line != "" {
				b.pad(max(indent, 2))
			}
			b.out.WriteString(line)
			b.out.WriteByte('\n')
		}
	default:
		b.one(before, quoted(s))
	}
}

// key is a field's name as YAML.
func key(name string) string {
	if plain(name) {
		return name
	}
	return quoted(name)
}

// plain reports whether a string needs no quotes: whether no reader of YAML takes
// it for anything else than a string. Not all such strings are known here.
func plain(s string) bool {
	if s == "" || len(s) > 200 {
		return false
	}
	if c := s[0]; c >= '0' && c <= '9' {
		return plainNumber(s)
	} else if c != '/' && c != '_' && !letter(c) {
		return false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case plainByte(c):
		case (c == ' ' || c == ':') && i+1 < len(s) && plainByte(s[i+1]):
		default:
			return false
		}
	}
	return len(s) > 5 || !slices.Contains(otherWords, strings.ToLower(s))
}

// otherWords are booleans and nulls to one reader of YAML or another.
var otherWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func plainByte(c byte) bool {
	return letter(c) || c >= '0' && c <= '9' || strings.IndexByte("_./|%$~=+-", c) >= 0
}

// plainNumber reports whether a text that begins with a digit is a duration
// such as 0.25s or an IPv4 address.
func plainNumber(s string) bool {
	digits, isDuration := strings.CutSuffix(s, "s")
	whole, fraction, hasFraction := strings.Cut(digits, ".")
	if isDuration {
		return allDigits(whole) && (!hasFraction || allDigits(fraction))
	}
	parts := strings.Split(s, ".")
	return len(parts) == 4 && !slices.ContainsFunc(parts, func(p string) bool { return !allDigits(p) || len(p) > 3 })
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// literal reports whether a text of several lines can stand in a literal block
// unchanged.
func literal(s string) bool {
	if s[0] == ' ' || s[0] == '\n' || s[0] == '\t' || strings.HasSuffix(s, "\n\n") || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && !printable(r) {
			return false
		}
	}
	for _, line := range strings.Split(s, "\n") {
		if strings.TrimRight(line, " \t") != line {
			return false
		}
	}
	return true
}

// printable reports whether a character can stand in YAML as it is.
func printable(r rune) bool {
	return r >= ' ' && r != 0x7f && r != utf8.RuneError && r != 0xfeff && r != 0x2028 && r != 0x2029 && unicode.IsPrint(r)
}

// quoted is a string in double quotes, as JSON and YAML both read it.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case printable(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// compact is a JSON text on one line.
func compact(s string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil { // cannot be: the whole text is valid
		return s
	}
	return b.String()
}
