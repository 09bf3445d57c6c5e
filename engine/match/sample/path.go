package sample

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
)

// maxPaths bounds how many paths are tried for one route.
const maxPaths = 24

// paths are those to try for the match, the best first; there is always one.
func (d *draft) paths() []string {
	if p := d.match.GetPrefix(); !d.careful && strings.HasPrefix(p, "/") && !strings.ContainsAny(p, " #") {
		return []string{p} // by far the most; the others are tried with care
	}
	said := pathsOf(d.match)
	if values, _ := headerValues(d.named(":path")); len(values) > 1 {
		for _, v := range values {
			said = append(said, v, said[0]+v, strings.TrimSuffix(said[0], "/")+"/"+v)
		}
	}
	if d.careful && d.match.GetCaseSensitive() != nil && !d.match.GetCaseSensitive().GetValue() {
		said = append(said, strings.ToUpper(said[0]), strings.ToLower(said[0]))
	}
	var out []string
	for i, p := range said {
		if i == 0 && !strings.HasPrefix(p, "/") {
			p = "/" + p
		}
		if strings.HasPrefix(p, "/") && !strings.ContainsAny(p, " #") && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return []string{"/"}
	}
	return out[:min(len(out), maxPaths)]
}

// pathsOf are those that the path specifier takes.
func pathsOf(m *routev3.RouteMatch) []string {
	switch s := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Path:
		return []string{s.Path}
	case *routev3.RouteMatch_Prefix:
		p := s.Prefix
		if p == "" {
			p = "/"
		}
		slash := strings.TrimSuffix(p, "/") + "/"
		return []string{p, slash + anything, slash + anything + "/" + anything, p + anything, slash, p + "~" + anything}
	case *routev3.RouteMatch_PathSeparatedPrefix:
		p := s.PathSeparatedPrefix
		return []string{p, p + "/" + anything, p + "/" + anything + "/" + anything, p + "/"}
	case *routev3.RouteMatch_SafeRegex:
		if found := regexes(s.SafeRegex.GetRegex()); len(found) > 0 {
			return found
		}
	case *routev3.RouteMatch_PathMatchPolicy:
		t := new(uritemplatev3.UriTemplateMatchConfig)
		if s.PathMatchPolicy.GetTypedConfig().UnmarshalTo(t) == nil {
			return []string{template(t.GetPathTemplate(), anything), template(t.GetPathTemplate(), "x~1"), template(t.GetPathTemplate(), "1")}
		}
	}
	return []string{"/"}
}

// template is a path that a URI template takes: "/a/{b}/**" is "/a/any/any".
func template(t, segment string) string {
	return strings.NewReplacer("**", segment, "*", segment).Replace(braced(t))
}

// braced replaces each "{name=pattern}" by its pattern, "{name}" by "*".
func braced(t string) string {
	var b strings.Builder
	for {
		head, rest, found := strings.Cut(t, "{")
		b.WriteString(head)
		if !found {
			return b.String()
		}
		variable, tail, _ := strings.Cut(rest, "}")
		if _, pattern, has := strings.Cut(variable, "="); has {
			b.WriteString(pattern)
		} else {
			b.WriteString("*")
		}
		t = tail
	}
}
