package matchtest

import (
	"strings"
)

// template is a random URI template.
func (m *maker) template() string {
	if m.chance(30) {
		return pick(m, "/**", "/foo/**", "/*", "/foo/*", "/{a}/{b}", "/foo/{rest=**}", "/{a=foo/*}/b", "/*/b", "/**.html", "/{a}/{rest=**}", "/foo/{a}.html", "/v{n}/{rest=**}", "/{all=**}")
	}
	var b strings.Builder
	names := []string{"x", "y", "z"}
	for i := range 1 + m.IntN(3) {
		b.WriteString("/")
		switch n := m.IntN(10); {
		case n < 5:
			b.WriteString(pick(m, "a", "b", "foo", "bar", "v1", "x.y", "index.html"))
		case n < 7:
			b.WriteString("*")
		case n < 9:
			b.WriteString("{" + names[i] + "}")
		default:
			b.WriteString("{" + names[i] + "=" + pick(m, "*", "foo/*", "a/*/b") + "}")
		}
	}
	if m.chance(15) {
		b.WriteString(pick(m, "/**", "/{rest=**}"))
	}
	return b.String()
}

// variables are the names that a template binds.
func variables(template string) []string {
	var out []string
	for {
		_, rest, found := strings.Cut(template, "{")
		if !found {
			return out
		}
		name, after, _ := strings.Cut(rest, "}")
		name, _, _ = strings.Cut(name, "=")
		out, template = append(out, name), after
	}
}

// templateRewrite uses the variables of a template, in any order.
func (m *maker) templateRewrite(template string) string {
	names := variables(template)
	var b strings.Builder
	for range 1 + m.IntN(3) {
		b.WriteString("/")
		if len(names) > 0 && m.chance(60) {
			b.WriteString("{" + pick(m, names...) + "}")
		} else {
			b.WriteString(pick(m, "a", "new", "x.y", "v2"))
		}
	}
	return b.String()
}

// templateSample is a path that matches a template.
func (m *maker) templateSample(template string) string {
	var b strings.Builder
	for template != "" {
		switch {
		case strings.HasPrefix(template, "**"):
			template = template[2:]
			for i := range m.IntN(4) {
				if i > 0 {
					b.WriteString("/")
				}
				b.WriteString(pick(m, segments...))
			}
		case template[0] == '*':
			template = template[1:]
			b.WriteString(pick(m, segments...))
		case template[0] == '{':
			inner, after, _ := strings.Cut(template[1:], "}")
			_, pattern, has := strings.Cut(inner, "=")
			if !has {
				pattern = "*"
			}
			template = pattern + after
		default:
			b.WriteByte(template[0])
			template = template[1:]
		}
	}
	return b.String()
}
