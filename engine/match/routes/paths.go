package routes

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// pathKind is how a route matches the path.
type pathKind uint8

const (
	pathNever pathKind = iota // cannot be compiled, or is of an unknown kind
	pathPrefix
	pathExact
	pathSeparated // a prefix that ends at a slash or at the end of the path
	pathRegex
	pathTemplate
	pathConnect
)

// pathMatch is what a route asks of the path.
type pathMatch struct {
	kind pathKind
	text string // prefix, path, or the expression or template as written
	fold bool   // case is ignored
	re   *pattern
	why  string // of pathNever
}

// compilePath reads a path specifier; the problem is "" when it can be used,
// and field is where it stands.
func compilePath(m *routev3.RouteMatch) (p pathMatch, field, problem string) {
	fold := m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()
	never := func(field, format string, args ...any) (pathMatch, string, string) {
		why := fmt.Sprintf(format, args...)
		return pathMatch{why: why}, field, why
	}
	switch s := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return pathMatch{kind: pathPrefix, text: s.Prefix, fold: fold}, "prefix", ""
	case *routev3.RouteMatch_Path:
		return pathMatch{kind: pathExact, text: s.Path, fold: fold}, "path", ""
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return pathMatch{kind: pathSeparated, text: s.PathSeparatedPrefix, fold: fold}, "path_separated_prefix", ""
	case *routev3.RouteMatch_SafeRegex:
		source := s.SafeRegex.GetRegex()
		re, err := newPattern(source)
		if err != nil {
			return never("safe_regex.regex", "%q is no regular expression: %s", source, err)
		}
		return pathMatch{kind: pathRegex, text: source, re: re}, "safe_regex.regex", ""
	case *routev3.RouteMatch_PathMatchPolicy:
		template, err := templateOf(s.PathMatchPolicy)
		if err != nil {
			return never("path_match_policy", "%s", err)
		}
		re, err := compileTemplate(template)
		if err != nil {
			return never("path_match_policy", "%q is no path template: %s", template, err)
		}
		return pathMatch{kind: pathTemplate, text: template, re: re}, "path_match_policy", ""
	case *routev3.RouteMatch_ConnectMatcher_:
		return pathMatch{kind: pathConnect}, "connect_matcher", ""
	}
	return never("", "the match says nothing about the path")
}

// holds reports whether the request's path is one that the route takes.
func (p *pathMatch) holds(v *view) bool {
	if p.kind == pathConnect {
		return v.connect()
	}
	if v.pathless {
		return false
	}
	switch p.kind {
	case pathPrefix:
		return p.begins(v.bare)
	case pathExact:
		return v.bare == p.text || p.fold && equalFold(v.bare, p.text)
	case pathSeparated:
		return p.begins(v.bare) && (len(v.bare) == len(p.text) || v.bare[len(p.text)] == '/')
	case pathRegex:
		return p.re.full(v.bare)
	case pathTemplate:
		return p.re.full(v.path)
	}
	return false
}

// begins reports whether path starts with the prefix.
func (p *pathMatch) begins(path string) bool {
	if len(path) < len(p.text) {
		return false
	}
	head := path[:len(p.text)]
	return head == p.text || p.fold && equalFold(head, p.text)
}

// reason says why the path is or is not one that the route takes.
func (p *pathMatch) reason(v *view, met bool) string {
	switch {
	case p.kind == pathNever:
		return "never matches: " + p.why
	case p.kind == pathConnect && met:
		return "the request is a CONNECT"
	case p.kind == pathConnect:
		return fmt.Sprintf("%s is no CONNECT", v.method())
	case v.pathless:
		return "a CONNECT has no path, and only a connect_matcher takes it"
	}
	path := v.bare
	if p.kind == pathTemplate {
		path = v.path
	}
	if p.kind == pathExact && path == p.text {
		return "path is " + show(path)
	}
	return "path " + show(path) + " " + p.verdict(path, met) + p.hint(v, met)
}

// verdict is reason without its subject.
func (p *pathMatch) verdict(path string, met bool) string {
	not := func(yes, no string) string {
		s := no
		if met {
			s = yes
		}
		s += " " + show(p.text)
		if p.fold {
			s += " in any case"
		}
		return s
	}
	switch p.kind {
	case pathPrefix:
		return not("starts with", "does not start with")
	case pathExact:
		return not("is", "is not")
	case pathSeparated:
		if !met && p.begins(path) {
			return not("", "starts with") + ", but goes on without a slash"
		}
		return not("is or is under", "is not under")
	case pathTemplate:
		return not("fits the template", "does not fit the template")
	}
	return not("matches the regex", "does not match the regex")
}

// hint tells of a near miss, as people come to ask about it.
func (p *pathMatch) hint(v *view, met bool) string {
	if met {
		return ""
	}
	switch p.kind {
	case pathPrefix, pathExact, pathSeparated:
		folded := pathMatch{kind: p.kind, text: p.text, fold: true}
		switch {
		case strings.ContainsAny(p.text, "?#"):
			return " (the path is compared without its query)"
		case !p.fold && folded.holds(v):
			return " (only its case differs)"
		case p.kind == pathExact && v.bare == p.text+"/", v.bare+"/" == p.text:
			return " (only the slash at the end differs)"
		}
	case pathRegex:
		if p.re.finds(v.bare) {
			return " in full (a part of it does, which Envoy does not count)"
		}
	}
	return ""
}

// subject is what the route takes, as others speak of it: "everything under
// /foo".
func (p *pathMatch) subject() string {
	switch p.kind {
	case pathPrefix:
		switch {
		case p.text == "":
			return "every path"
		case strings.HasSuffix(p.text, "/"):
			return "everything under " + show(p.text)
		}
		return "everything that starts with " + show(p.text)
	case pathExact:
		return "the path " + show(p.text)
	case pathSeparated:
		return show(p.text) + " and everything under it"
	case pathRegex:
		return "what matches the regex " + show(p.text)
	case pathTemplate:
		return "what fits the template " + show(p.text)
	case pathConnect:
		return "every CONNECT"
	}
	return "nothing"
}
