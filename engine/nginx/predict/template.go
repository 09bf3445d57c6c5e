package predict

import "strings"

// template is a value of nginx.conf with variables in it.
type template []part

// part is one piece of a template: a text, a variable, a capture, or the mark
// where the arguments begin.
type part struct {
	text    string
	name    string // of a variable
	capture int    // 1–9
	args    bool   // a question mark in a rewrite's replacement
}

// parseTemplate reads a value. rewrite says that the first question mark begins
// arguments.
func parseTemplate(s string, rewrite bool) template {
	var t template
	text := func(add string) {
		if n := len(t); n > 0 && t[n-1].name == "" && t[n-1].capture == 0 && !t[n-1].args {
			t[n-1].text += add
		} else {
			t = append(t, part{text: add})
		}
	}
	for s != "" {
		at := strings.IndexByte(s, '$')
		if q := strings.IndexByte(s, '?'); rewrite && q >= 0 && (at < 0 || q < at) {
			if q > 0 {
				text(s[:q])
			}
			t, s, rewrite = append(t, part{args: true}), s[q+1:], false
			continue
		}
		if at < 0 {
			text(s)
			break
		}
		if at > 0 {
			text(s[:at])
		}
		s = s[at+1:]
		switch name, rest := variableName(s); {
		case s != "" && s[0] >= '1' && s[0] <= '9':
			t, s = append(t, part{capture: int(s[0] - '0')}), s[1:]
		case name == "": // nginx refuses it
			text("$")
		default:
			t, s = append(t, part{name: name}), rest
		}
	}
	return t
}

// variableName is the name after a dollar sign; "" where there is none.
func variableName(s string) (name, rest string) {
	if inner, found := strings.CutPrefix(s, "{"); found {
		name, rest, _ = strings.Cut(inner, "}")
		return name, rest
	}
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '_') {
		n++
	}
	return s[:n], s[n:]
}

// plain reports whether there is nothing to be filled in.
func (t template) plain() bool {
	for _, p := range t {
		if p.name != "" || p.capture > 0 || p.args {
			return false
		}
	}
	return true
}

// value is what a template or variable comes to.
type value struct {
	s       string
	unknown string  // why it is not known: a sentence's end, "$remote_addr is the client's address"
	shares  []share // the values that split_clients may give, where the key is not known
}

// share is one value of a split.
type share struct {
	s       string
	percent float64
}

func (v value) known() bool { return v.unknown == "" }

// maxText is how long a text may become that is put together.
const maxText = 1 << 18

// fill comes to a template's value. escaped says that captures are escaped as
// arguments where the URI was.
func (e *run) fill(t template, escaped bool) value {
	if len(t) == 1 && t[0].name == "" && t[0].capture == 0 {
		return value{s: t[0].text}
	}
	var out value
	var b strings.Builder
	digits, maps := false, false
	values := make([]value, len(t))
	for i, p := range t {
		switch {
		case p.name != "":
			before := e.groupsSet
			values[i] = e.variable(p.name, 0)
			maps = maps || e.groupsSet != before
		case p.capture > 0:
			digits = true
			values[i] = e.group(p.capture, escaped)
		default:
			values[i] = value{s: p.text}
		}
	}
	if digits && maps {
		return value{unknown: "a map with expressions changes what $1 is while the value is put together"}
	}
	for i, v := range values {
		switch {
		case v.shares != nil && out.shares == nil && out.known():
			out.shares = shared(values, i)
			out.unknown = v.unknown
		case !v.known():
			return value{unknown: v.unknown}
		}
		if b.Len()+len(v.s) > maxText && len(t) > 1 {
			return value{unknown: "its text is longer than a request's could be"}
		}
		b.WriteString(v.s)
	}
	out.s = b.String()
	return out
}

// shared is the values of a template for each share of one of its parts.
func shared(values []value, at int) []share {
	before, after := "", ""
	for i, v := range values {
		switch {
		case i < at:
			before += v.s
		case i > at:
			after += v.s
		}
	}
	out := make([]share, len(values[at].shares))
	for i, s := range values[at].shares {
		out[i] = share{s: before + s.s + after, percent: s.percent}
	}
	return out
}

// group is what a group of the last expression that matched holds.
func (e *run) group(n int, escaped bool) value {
	if e.groupsBad != "" {
		return value{unknown: e.groupsBad}
	}
	if n >= len(e.groups) {
		return value{}
	}
	s := e.groups[n]
	if e.line.quoted || e.line.plus {
		if escaped {
			return value{s: escape(s, escapedInArgs)}
		}
		if e.leaked && escape(s, escapedInArgs) != s {
			return value{unknown: "nginx's versions differ in how they escape a capture after a rewrite with arguments"}
		}
	}
	return value{s: s}
}
