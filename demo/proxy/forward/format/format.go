package format

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Format is a string with operators to be filled in. The zero Format is "".
type Format []piece

// piece is literal text, or an operator that gives text.
type piece struct {
	literal string
	value   func(*Values) string
}

// operator is %NAME%, %NAME(argument)% or either with :LENGTH before the end.
var operator = regexp.MustCompile(`^%([A-Z_][A-Z_0-9]*)(?:\(([^)]*)\))?(?::([0-9]+))?%`)

// Parse reads a format. It fails where an operator is malformed or is none that
// this package knows, naming it.
func Parse(text string) (Format, error) {
	var out Format
	literal := func(s string) {
		if n := len(out); n > 0 && out[n-1].value == nil {
			out[n-1].literal += s
			return
		}
		out = append(out, piece{literal: s})
	}
	for at := 0; at < len(text); {
		next := strings.IndexByte(text[at:], '%')
		if next < 0 {
			literal(text[at:])
			break
		}
		if next > 0 {
			literal(text[at : at+next])
			at += next
		}
		if strings.HasPrefix(text[at:], "%%") {
			literal("%")
			at += 2
			continue
		}
		found := operator.FindStringSubmatch(text[at:])
		if found == nil {
			return nil, fmt.Errorf("no valid operator at position %d of %q (a %% itself is written %%%%)", at, text)
		}
		value, err := valueOf(found[1], found[2])
		if err != nil {
			return nil, err
		}
		if found[3] != "" {
			limit, err := strconv.Atoi(found[3])
			if err != nil {
				return nil, fmt.Errorf("%s: the length %s is too large", found[0], found[3])
			}
			value = cut(value, limit)
		}
		out = append(out, piece{value: value})
		at += len(found[0])
	}
	return out, nil
}

// Text fills the format in. An operator that has nothing to say gives "".
func (f Format) Text(v *Values) string {
	if len(f) == 1 && f[0].value == nil {
		return f[0].literal
	}
	var b strings.Builder
	for _, p := range f {
		if p.value == nil {
			b.WriteString(p.literal)
			continue
		}
		b.WriteString(p.value(v))
	}
	return b.String()
}

func cut(value func(*Values) string, limit int) func(*Values) string {
	return func(v *Values) string {
		s := value(v)
		if len(s) > limit {
			return s[:limit]
		}
		return s
	}
}
