package routes

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// rewriting is what a route makes of path and host. At most one of prefix,
// regex, template and format is set; Envoy refuses more.
type rewriting struct {
	match    *pathMatch // the part that prefix replaces
	prefix   string
	regex    *substitution
	template string
	format   string // path_rewrite

	action    *routev3.RouteAction // nil for a redirect
	hostRegex *substitution
}

// rewriting compiles what a route or a redirect rewrites.
func (c *compiler) rewriting(r *routev3.Route, match *pathMatch, at string) rewriting {
	w := rewriting{match: match}
	if a := r.GetRedirect(); a != nil {
		w.prefix = a.GetPrefixRewrite()
		w.regex = c.substitution(a.GetRegexRewrite(), at+".redirect.regex_rewrite")
		return w
	}
	a := r.GetRoute()
	if a == nil {
		return w
	}
	w.action = a
	w.prefix, w.format = a.GetPrefixRewrite(), a.GetPathRewrite()
	w.regex = c.substitution(a.GetRegexRewrite(), at+".route.regex_rewrite")
	w.hostRegex = c.substitution(a.GetHostRewritePathRegex(), at+".route.host_rewrite_path_regex")
	c.conflicts(a, match, at+".route")
	if a.GetPathRewritePolicy() == nil {
		return w
	}
	var err error
	if w.template, err = rewriteTemplateOf(a.GetPathRewritePolicy()); err == nil {
		err = w.checkTemplate()
	}
	if err != nil {
		c.problem(BadTemplate, at+".route.path_rewrite_policy", "this rewrite does nothing: "+err.Error(), "")
		w.template = ""
	}
	return w
}

// conflicts reports rewrites of the path that exclude each other.
func (c *compiler) conflicts(a *routev3.RouteAction, match *pathMatch, at string) {
	var set []string
	for _, one := range []struct {
		field string
		there bool
	}{
		{"prefix_rewrite", a.GetPrefixRewrite() != ""},
		{"regex_rewrite", a.GetRegexRewrite() != nil},
		{"path_rewrite_policy", a.GetPathRewritePolicy() != nil},
		{"path_rewrite", a.GetPathRewrite() != ""},
	} {
		if one.there {
			set = append(set, one.field)
		}
	}
	switch {
	case len(set) > 1:
		c.problem(RewriteConflict, at+"."+set[1], fmt.Sprintf("the route has %s, and Envoy takes only one of them", strings.Join(set, " and ")),
			"remove all but one: Envoy rejects this route configuration")
	case match.kind == pathTemplate && a.GetPrefixRewrite() != "":
		c.problem(RewriteConflict, at+".prefix_rewrite", "a path template has no prefix that prefix_rewrite could replace",
			"use path_rewrite_policy or regex_rewrite: Envoy rejects this route configuration")
	}
}

// checkTemplate finds out whether Envoy takes the template.
func (w *rewriting) checkTemplate() error {
	if w.match.kind != pathTemplate {
		return fmt.Errorf("it needs a path_match_policy that is a path template")
	}
	_, err := rewriteTemplate(w.match.re, w.template, "")
	return err
}

// apply says what is sent upstream. The host of a weighted cluster counts where
// the route has none.
func (w *rewriting) apply(out *Outcome, v *view) {
	out.Host, out.Path = v.r.Authority, w.path(v)
	if w.format != "" {
		w.formatted(out, v)
	}
	if h := out.Weight.GetHostRewriteLiteral(); h != "" {
		out.Host = h
	}
	w.host(out, v)
}

// host is the Host that is sent upstream. One that would be empty stays as it is.
func (w *rewriting) host(out *Outcome, v *view) {
	host := ""
	switch s := w.action.GetHostRewriteSpecifier().(type) {
	case *routev3.RouteAction_HostRewriteLiteral:
		host = s.HostRewriteLiteral
	case *routev3.RouteAction_HostRewriteHeader:
		host, _ = v.first(lower(s.HostRewriteHeader))
	case *routev3.RouteAction_HostRewritePathRegex:
		if w.hostRegex != nil {
			host = w.hostRegex.replace(v.path)
		}
	case *routev3.RouteAction_AutoHostRewrite:
		out.HostOpen = s.AutoHostRewrite.GetValue()
	case *routev3.RouteAction_HostRewrite:
		text, known := format(s.HostRewrite, absentDash, "", v)
		if host = text; !known {
			host, out.HostOpen = "", true
		}
	}
	if host != "" {
		out.Host = host
	}
}

// path is the path that is sent upstream, or that a redirect leads to, with the
// query. A rewrite that yields nothing leaves the path as it is.
func (w *rewriting) path(v *view) string {
	whole, query := v.path, v.r.Path[len(v.path):]
	switch {
	case w.prefix != "":
		if end, ok := w.matched(v); ok {
			return w.prefix + v.r.Path[end:]
		}
	case w.regex != nil:
		if path := w.regex.replace(whole); path != "" {
			return path + query
		}
	case w.template != "":
		if path, err := rewriteTemplate(w.match.re, w.template, whole); err == nil && path != "" {
			return path + query
		}
	}
	return v.r.Path
}

// matched is how many bytes of the path prefix_rewrite replaces: what the route
// asked for, or all of it. ok is false when the path begins otherwise, as it may
// where path parameters are ignored; Envoy then leaves it as it is.
func (w *rewriting) matched(v *view) (end int, ok bool) {
	switch w.match.kind {
	case pathPrefix, pathExact, pathSeparated:
		end = len(w.match.text)
		return end, end <= len(v.r.Path) && equalFold(v.r.Path[:end], w.match.text)
	}
	return len(v.path), true
}

// formatted is the path that path_rewrite yields, with the request's query. One
// that would be empty stays as it is.
func (w *rewriting) formatted(out *Outcome, v *view) {
	text, known := format(w.format, absentEmpty, "", v)
	switch {
	case !known:
		out.PathOpen = true
		out.Assumed = append(out.Assumed, "path_rewrite yields the path that is sent upstream; it is shown as it came")
	case text != "":
		out.Path = text + v.r.Path[len(v.path):]
	}
}

// substitution is a RegexMatchAndSubstitute: all that matches is replaced, \1
// being the first group, as RE2 does it.
type substitution struct {
	re   *regexp.Regexp
	with string
}

func (c *compiler) substitution(s *matcherv3.RegexMatchAndSubstitute, at string) *substitution {
	if s == nil {
		return nil
	}
	re, err := regexp.Compile(s.GetPattern().GetRegex())
	if err != nil {
		c.problem(BadRewrite, at+".pattern.regex", fmt.Sprintf("%q is no regular expression: %s", s.GetPattern().GetRegex(),
			strings.TrimPrefix(err.Error(), "error parsing regexp: ")), "")
		return nil
	}
	out := &substitution{re: re, with: s.GetSubstitution()}
	if group := out.highest(); group > re.NumSubexp() {
		c.problem(BadRewrite, at+".substitution", fmt.Sprintf("\\%d is a group that the pattern does not have: Envoy takes this and replaces nothing", group),
			"put the part of the pattern that is meant in parentheses, or name a group that it has")
	}
	return out
}

// highest is the highest group that the replacement names.
func (s *substitution) highest() int {
	high := 0
	for i := 0; i+1 < len(s.with); i++ {
		if s.with[i] == '\\' {
			if i++; '0' <= s.with[i] && s.with[i] <= '9' {
				high = max(high, int(s.with[i]-'0'))
			}
		}
	}
	return high
}

// replace is text with all that matches replaced.
func (s *substitution) replace(text string) string {
	if s.highest() > s.re.NumSubexp() {
		return text
	}
	var out strings.Builder
	end := 0
	for _, at := range s.re.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(text[end:at[0]])
		s.expand(&out, text, at)
		end = at[1]
	}
	out.WriteString(text[end:])
	return out.String()
}

// expand writes the replacement of one match. RE2 stops at a backslash that
// stands before neither a digit nor another backslash.
func (s *substitution) expand(out *strings.Builder, text string, at []int) {
	for i := 0; i < len(s.with); i++ {
		if s.with[i] != '\\' {
			out.WriteByte(s.with[i])
			continue
		}
		if i++; i == len(s.with) {
			return
		}
		switch d := s.with[i]; {
		case '0' <= d && d <= '9':
			if g := int(d - '0'); at[2*g] >= 0 {
				out.WriteString(text[at[2*g]:at[2*g+1]])
			}
		case d == '\\':
			out.WriteByte('\\')
		default:
			return
		}
	}
}
