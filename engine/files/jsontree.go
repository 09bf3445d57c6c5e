package files

import (
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"unicode/utf8"
)

// jsonDoc is a JSON text that is known to be valid, with the places of its lines.
type jsonDoc struct {
	text  string
	lines []int // offset at which each line begins
}

// newJSON reads a text as JSON. line is where it stops being JSON, 0 when that
// is not known; err is nil when it is JSON.
func newJSON(content string) (doc *jsonDoc, line int, err error) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(content), &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line = 1 + strings.Count(content[:min(int(syntax.Offset), len(content))], "\n")
		}
		return nil, line, err
	}
	doc = &jsonDoc{text: content, lines: []int{0}}
	for i := 0; ; {
		n := strings.IndexByte(content[i:], '\n')
		if n < 0 {
			return doc, 0, nil
		}
		i += n + 1
		doc.lines = append(doc.lines, i)
	}
}

func (d *jsonDoc) root() jsonValue { return d.value(d.space(0)) }

// lineOf is the 1-based line of an offset.
func (d *jsonDoc) lineOf(offset int) int {
	return sort.Search(len(d.lines), func(i int) bool { return d.lines[i] > offset })
}

// columnOf is the 0-based column of an offset, in characters as YAML counts them.
func (d *jsonDoc) columnOf(offset int) int {
	return utf8.RuneCountInString(d.text[d.lines[d.lineOf(offset)-1]:offset])
}

// space is the first offset from i on that holds no white space.
func (d *jsonDoc) space(i int) int {
	for i < len(d.text) && (d.text[i] == ' ' || d.text[i] == '\n' || d.text[i] == '\t' || d.text[i] == '\r') {
		i++
	}
	return i
}

// value is the value that begins at an offset.
func (d *jsonDoc) value(from int) jsonValue { return jsonValue{doc: d, from: from, to: d.skip(from)} }

// skip is the offset behind the value that begins at i.
func (d *jsonDoc) skip(i int) int {
	depth := 0
	for i < len(d.text) {
		switch d.text[i] {
		case '"':
			i = d.skipString(i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			if depth == 0 {
				return d.skipWord(i)
			}
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// skipWord is the offset behind the number or word that begins at i.
func (d *jsonDoc) skipWord(i int) int {
	for i < len(d.text) && strings.IndexByte(",]} \n\t\r", d.text[i]) < 0 {
		i++
	}
	return i
}

func (d *jsonDoc) skipString(i int) int {
	for i++; i < len(d.text); i++ {
		switch d.text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// jsonValue is one value of a JSON text.
type jsonValue struct {
	doc      *jsonDoc
	from, to int
}

// jsonField is one field of a JSON object.
type jsonField struct {
	name  string
	at    int // offset of the name
	value jsonValue
}

func (v jsonValue) text() string { return v.doc.text[v.from:v.to] }

func (v jsonValue) kind() byte {
	if v.from < v.to {
		return v.doc.text[v.from]
	}
	return 0
}

// object lists the fields of an object; none of anything else.
func (v jsonValue) object() []jsonField {
	if v.kind() != '{' {
		return nil
	}
	var out []jsonField
	for i := v.doc.space(v.from + 1); i < v.to && v.doc.text[i] == '"'; {
		f := jsonField{at: i}
		end := v.doc.skipString(i)
		f.name = unquoted(v.doc.text[i:end])
		f.value = v.doc.value(v.doc.space(v.doc.space(end) + 1)) // past the colon
		out = append(out, f)
		i = v.doc.next(f.value.to)
	}
	return out
}

// array lists the items of an array; none of anything else.
func (v jsonValue) array() []jsonValue {
	if v.kind() != '[' {
		return nil
	}
	var out []jsonValue
	for i := v.doc.space(v.from + 1); i < v.to && v.doc.text[i] != ']'; {
		item := v.doc.value(i)
		out = append(out, item)
		i = v.doc.next(item.to)
	}
	return out
}

// next is where the next field or item begins behind the end of one.
func (d *jsonDoc) next(end int) int {
	i := d.space(end)
	if i < len(d.text) && d.text[i] == ',' {
		i = d.space(i + 1)
	}
	return i
}

// unquoted is what a JSON string says. What is no UTF-8 becomes U+FFFD.
func unquoted(s string) string {
	if len(s) >= 2 && strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return s[1 : len(s)-1]
	}
	var out string
	if err := json.Unmarshal([]byte(s), &out); err != nil { // cannot be: the whole text is valid
		return strings.Trim(s, `"`)
	}
	return out
}
