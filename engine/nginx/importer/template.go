package importer

import (
	"fmt"
	"strings"
)

// template is a text with nginx's variables in it, in parts.
type template []part

// part is a piece of text, or a variable's name without its $.
type part struct {
	text     string
	variable string
}

// parse takes a text apart. A $ that begins no name is text.
func parse(s string) template {
	var out template
	closed := strings.LastIndexByte(s, '}') // no brace behind it ends a name
	begin, at := 0, 0                       // of the text that is read, and how far
	literal := func(end int) {
		if end > begin {
			out = append(out, part{text: s[begin:end]})
		}
	}
	for at < len(s) {
		i := strings.IndexByte(s[at:], '$')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		if at < len(s) && s[at] == '{' && at > closed {
			continue
		}
		name, rest := variable(s[at:])
		if name == "" {
			continue
		}
		literal(i)
		out = append(out, part{variable: name})
		begin = len(s) - len(rest)
		at = begin
	}
	literal(len(s))
	return out
}

// variable is the name at the head of a text, in braces or without.
func variable(s string) (name, rest string) {
	if strings.HasPrefix(s, "{") {
		if end := strings.IndexByte(s, '}'); end > 1 {
			return s[1:end], s[end+1:]
		}
		return "", s
	}
	if s != "" && s[0] >= '1' && s[0] <= '9' {
		return s[:1], s[1:]
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	return s[:n], s[n:]
}

// String is the text as it stood.
func (t template) String() string {
	var b strings.Builder
	for _, p := range t {
		if p.variable != "" {
			b.WriteString("${" + p.variable + "}")
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// literal is the text of a template without variables.
func (t template) literal() (string, bool) {
	switch {
	case len(t) == 0:
		return "", true
	case len(t) == 1 && t[0].variable == "":
		return t[0].text, true
	}
	return "", false
}

// head is the text before the first variable.
func (t template) head() string {
	if len(t) > 0 && t[0].variable == "" {
		return t[0].text
	}
	return ""
}

// cut takes a text off the head.
func (t template) cut(prefix string) (template, bool) {
	rest, ok := strings.CutPrefix(t.head(), prefix)
	if !ok {
		return t, prefix == ""
	}
	if rest == "" && len(t) > 0 && t[0].variable == "" {
		return t[1:], true
	}
	if rest == t.head() {
		return t, true
	}
	return append(template{{text: rest}}, t[1:]...), true
}

// trimVariables takes variables off the tail, if it ends in just these.
func (t template) trimVariables(names ...string) (template, bool) {
	if len(t) < len(names) {
		return t, false
	}
	tail := t[len(t)-len(names):]
	for i, n := range names {
		if tail[i].variable != n {
			return t, false
		}
	}
	return t[:len(t)-len(names)], true
}

// expand puts values in the place of the variables that are known, those too
// that stand in a value, until the text is longer than largestText.
func (t template) expand(value func(name string) (template, bool)) template {
	var out template
	long := 0
	for _, p := range t {
		add := template{p}
		if p.variable != "" && long <= largestText {
			if v, ok := value(p.variable); ok {
				add = v
			}
		}
		for _, q := range add {
			long += len(q.text) + len(q.variable)
			if n := len(out); n > 0 && q.variable == "" && out[n-1].variable == "" {
				out[n-1].text += q.text
			} else if q.variable != "" || q.text != "" {
				out = append(out, q)
			}
		}
	}
	return out
}

// substitution is the template as RE2's rewrite has it: \1 for $1. why is empty
// where it can be said.
func (t template) substitution(e *expression) (s, why string) {
	var b strings.Builder
	for _, p := range t {
		if p.variable == "" {
			b.WriteString(strings.ReplaceAll(escaped(p.text), `\`, `\\`))
			continue
		}
		n, ok := e.group(p.variable)
		if !ok {
			return "", fmt.Sprintf("$%s is known only to nginx", p.variable)
		}
		if n > 9 {
			return "", fmt.Sprintf("$%s is group %d, and RE2 has \\1 to \\9", p.variable, n)
		}
		fmt.Fprintf(&b, `\%d`, n)
	}
	return b.String(), ""
}
