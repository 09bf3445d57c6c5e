package importer

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// scopeOf is the locations of a server or location block.
func (im *importer) scopeOf(block *conf.Directive) *scope {
	if s := im.scopes[block]; s != nil {
		return s
	}
	s := &scope{exact: map[string]*location{}, prefix: map[string]*location{}, named: map[string]*location{}}
	im.scopes[block] = s
	for _, d := range block.Block {
		if d.Name == "location" {
			im.locate(s, d)
		}
	}
	for name := range s.prefix {
		s.lengths = append(s.lengths, len(name))
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	slices.Reverse(s.lengths)
	return s
}

// locate puts a location into its scope.
func (im *importer) locate(s *scope, d *conf.Directive) {
	sign, name := signOf(d)
	l := &location{d: d, found: found{text: name}}
	in := s.prefix
	switch sign {
	case "=":
		l.form, in = byPath, s.exact
	case "~", "~*":
		l.form, l.fold = byRegex, sign == "~*"
		re, why := im.compile(name, l.fold)
		switch {
		case why == "":
			l.re = im.spelled(re, d)
		case im.refuses(d):
			l.re, l.closed = im.spelled(wider(name, l.fold), d), true
			im.none(d, fmt.Sprintf("%s, and the location refuses requests: all that %s takes is refused (403), more than nginx refuses", why, cmpName(l.re.text, "the server")),
				"say it with a prefix, or with an expression that RE2 takes; to let the others in, write routes for them before the route of this name")
		default:
			im.none(d, why+": its requests go where they would without it", "say it with a prefix, or with an expression that RE2 takes")
			return
		}
	case "@":
		l.form, in = byPrefix, s.named
	default:
		l.form, l.stop = byPrefix, sign == "^~"
	}
	if l.form != byRegex && in[name] != nil {
		im.none(d, "nginx refuses a second location of this name in the same block", "remove one of them")
		return
	}
	if l.in = (&scope{}); !l.closed {
		l.in = im.scopeOf(d)
	}
	switch {
	case l.form == byRegex:
		s.regexes = append(s.regexes, l)
		return
	case l.form == byPath:
		s.exacts = append(s.exacts, l)
	case sign != "@":
		s.prefixes = append(s.prefixes, l)
	}
	in[name] = l
}

// signOf splits what stands between "location" and its brace. nginx takes the
// modifier glued to the name, too.
func signOf(d *conf.Directive) (sign, name string) {
	if len(d.Args) > 1 {
		return d.Arg(0), d.Arg(1)
	}
	name = d.Arg(0)
	if strings.HasPrefix(name, "@") {
		return "@", name
	}
	for _, sign := range []string{"=", "^~", "~*", "~"} {
		if rest, ok := strings.CutPrefix(name, sign); ok {
			return sign, rest
		}
	}
	return "", name
}

// match is the slot in Envoy's words.
func (s slot) match() *routev3.RouteMatch {
	m := &routev3.RouteMatch{}
	switch s.form {
	case byPath:
		m.PathSpecifier = &routev3.RouteMatch_Path{Path: escaped(s.text)}
	case byPrefix:
		m.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: escaped(s.text)}
	default:
		m.PathSpecifier = regexPath(s.re.full())
	}
	for _, g := range s.guards {
		m.Headers = append(m.Headers, g.matcher())
	}
	return m
}

func regexPath(re string) *routev3.RouteMatch_SafeRegex {
	return &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: re}}
}

// matcher is the guard on the pseudo-header :path. That has the query behind it,
// which no prefix reaches and the expression does not look at.
func (g guard) matcher() *routev3.HeaderMatcher {
	if g.re == nil {
		return header(":path", &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: escaped(g.prefix)}})
	}
	return header(":path", safeRegex(g.re.before('?')))
}

func safeRegex(re string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: re}}}
}

func header(name string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

// kept are the bytes that Envoy's normalised path has as they are; the others
// stand there as %XX, and nginx's names have them decoded.
const kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,;=:@[]"

// escaped is a decoded path as it stands in Envoy's normalised one.
func escaped(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}

// title is the name of a location's route: what stands in the file.
func title(d *conf.Directive) string {
	if d.Name == "if" {
		return "if " + strings.Join(d.Args, " ")
	}
	return strings.Join(d.Args, " ")
}
