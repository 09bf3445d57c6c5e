package nginx

import (
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// What nginx does without being told has to be told to Envoy by routes of their
// own. They are known by what they do, whoever wrote them, and become comments.

// byItself says what nginx does in the stead of the route with that index, ""
// where it does nothing by itself.
func (sc *scope) byItself(i int) string {
	all := sc.host.GetRoutes()
	r := all[i]
	switch {
	case refuses(r, sc.site.manager.GetStripTrailingHostDot()):
		return lessonRefuses
	case hides(r):
		return lessonHides
	case respells(all, i):
		return lessonRespells
	case sc.site.manager.GetMergeSlashes() && onlySlashes(r.GetMatch()) && sameEffect(r, takes(all[i+1:], "/")):
		return lessonOnlySlashes
	case i+1 < len(all) && notRepeated(r, all[i+1]):
		return lessonNotRepeated
	}
	return ""
}

// refuses reports whether the route answers 400 to what nginx never looks for a
// location for: an impossible Host, or a path with a broken escape. A Host that
// ends in a dot where one has been taken off already is impossible too.
func refuses(r *routev3.Route, stripped bool) bool {
	d, m := r.GetDirectResponse(), r.GetMatch()
	if d.GetStatus() != 400 || d.GetBody() != nil || m.GetPrefix() != "/" || len(m.GetHeaders()) != 1 || len(m.GetQueryParameters())+len(m.GetCookies()) > 0 {
		return false
	}
	h := m.GetHeaders()[0]
	if h.GetInvertMatch() {
		return false
	}
	switch re := h.GetStringMatch().GetSafeRegex().GetRegex(); strings.ToLower(h.GetName()) {
	case ":authority":
		return impossibleHosts(re, stripped)
	case ":path":
		return re == brokenEscape
	}
	return false
}

// brokenEscape is the expression for a path with a % that is followed by no two
// digits, or with %00.
const brokenEscape = `[^?]*%(?:00.*|[^0-9A-Fa-f].*|[0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f].*)?`

// impossibleHosts reports whether the expression is for Hosts that nginx refuses, or
// that no client sends, and for nothing else: one that is only like it may refuse
// more.
func impossibleHosts(re string, stripped bool) bool {
	inner, begins := strings.CutPrefix(re, "(?:")
	inner, ends := strings.CutSuffix(inner, ")(?::.*)?")
	if !begins || !ends || closes(inner) >= 0 {
		return false
	}
	return !slices.ContainsFunc(alternatives(inner), func(one string) bool {
		switch one {
		case "", `\.`, `[^:]*\.\.[^:]*`, `.*,.*`, `.*/.*`, `[^:[]*:[^:]*:.*`:
			return false
		}
		return one != `[^:]*\.` || !stripped
	})
}

// tells reports whether the expression takes all of the first and none of the
// second.
func tells(re *regexp.Regexp, bad, good []string) bool {
	return !slices.ContainsFunc(bad, func(s string) bool { return !re.MatchString(s) }) && !slices.ContainsFunc(good, re.MatchString)
}

// onlySlashes reports whether the match is for paths of nothing but slashes,
// which merge_slashes leaves in Envoy.
func onlySlashes(m *routev3.RouteMatch) bool {
	return m.GetSafeRegex().GetRegex() == "//+" && len(m.GetHeaders())+len(m.GetQueryParameters()) == 0
}

// takes is the first route that takes every request for a path; nil for none.
func takes(routes []*routev3.Route, path string) *routev3.Route {
	for _, r := range routes {
		m := r.GetMatch()
		if conditions(m) != "" || m.GetGrpc() != nil {
			continue
		}
		for _, c := range candidates(Origin{}, m) {
			if c.form == byPath && c.text == path || c.form == byPrefix && strings.HasPrefix(path, c.text) || c.form == byRegex && c.full.MatchString(path) {
				return r
			}
		}
	}
	return nil
}

// sameEffect reports whether two routes do the same with what they take.
func sameEffect(a, b *routev3.Route) bool {
	if a == nil || b == nil {
		return a == b
	}
	return proto.Equal(effect(a), effect(b))
}

// effect is the route without what it takes and what it is called.
func effect(r *routev3.Route) *routev3.Route {
	return &routev3.Route{Action: r.GetAction(), RequestHeadersToAdd: r.GetRequestHeadersToAdd(), RequestHeadersToRemove: r.GetRequestHeadersToRemove(),
		ResponseHeadersToAdd: r.GetResponseHeadersToAdd(), ResponseHeadersToRemove: r.GetResponseHeadersToRemove(),
		TypedPerFilterConfig: r.GetTypedPerFilterConfig(), Decorator: r.GetDecorator(), Tracing: r.GetTracing(), PerRequestBufferLimitBytes: r.GetPerRequestBufferLimitBytes()}
}

// notRepeated reports whether the route is the next one for the methods that
// nginx does not repeat, with fewer retries.
func notRepeated(r, next *routev3.Route) bool {
	headers := r.GetMatch().GetHeaders()
	if len(headers) == 0 || r.GetRoute().GetRetryPolicy() == nil || next.GetRoute().GetRetryPolicy() == nil {
		return false
	}
	h := headers[len(headers)-1]
	re, err := regexp.Compile("^(?:" + h.GetStringMatch().GetSafeRegex().GetRegex() + ")$")
	if err != nil || h.GetName() != ":method" || h.GetInvertMatch() || !tells(re, []string{"POST", "LOCK", "PATCH"}, []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
		return false
	}
	m := proto.CloneOf(r.GetMatch())
	m.Headers = m.Headers[:len(headers)-1]
	if !proto.Equal(m, next.GetMatch()) {
		return false
	}
	plain := func(r *routev3.Route) *routev3.Route {
		r = proto.CloneOf(effect(r))
		r.GetRoute().RetryPolicy = nil
		return r
	}
	return proto.Equal(plain(r), plain(next))
}

// redirectsItself reports whether a location is what nginx does for want of a
// slash: a redirect of its path to the name with one, which proxies.
func (o *order) redirectsItself(l *location) bool {
	if l.form != byPath || l.sure == nil || len(l.asked) > 0 || l.slash {
		return false
	}
	ra, with := l.sure.pl.route.GetRedirect(), l.text+"/"
	to := o.paths[with]
	if to == nil {
		to = o.heads[with]
	}
	if ra.GetPathRedirect() != escapedName(with) && ra.GetPathRedirect() != with || to == nil || !to.proxies() || o.heads[l.text] != nil {
		return false
	}
	return ra.GetResponseCode() == routev3.RedirectAction_MOVED_PERMANENTLY && !ra.GetStripQuery() && ra.GetHostRedirect() == "" && ra.GetSchemeRewriteSpecifier() == nil &&
		len(l.sure.pl.route.GetResponseHeadersToAdd()) == 0
}

// proxies reports whether the location itself has a proxy_pass.
func (l *location) proxies() bool {
	return len(l.inner) == 0 && l.sure != nil && l.sure.pl.proxies()
}

// subHost is a part of the routes of the domain "*" for hosts that an expression
// takes: a server whose name is that expression.
type subHost struct {
	names   []string
	host    *routev3.VirtualHost // with the routes alone, without that condition
	indexes []int                // of its routes
}

// subHosts splits the routes of a virtual host "*": those at its head that are
// for hosts of an expression and leave nothing of them to later routes, and the
// rest, nil for all. nginx tries such names after all others, as they stand here.
// What nginx refuses by itself may stand before them.
func subHosts(vh *routev3.VirtualHost) (subs []subHost, rest []int) {
	if !slices.Contains(vh.GetDomains(), "*") {
		return nil, nil
	}
	all, at := vh.GetRoutes(), 0
	for at < len(all) && refuses(all[at], true) {
		rest = append(rest, at)
		at++
	}
	for at < len(all) {
		one, ok := subHostAt(vh, at)
		if !ok {
			break
		}
		subs, at = append(subs, one), at+len(one.indexes)
	}
	if subs == nil {
		return nil, nil
	}
	for ; at < len(all); at++ {
		rest = append(rest, at)
	}
	return subs, rest
}

// subHostAt is the part that begins with this route.
func subHostAt(vh *routev3.VirtualHost, at int) (one subHost, ok bool) {
	all := vh.GetRoutes()
	re, ok := authority(all[at])
	if !ok {
		return one, false
	}
	one.host = only(vh, []int{})
	for ; at < len(all); at++ {
		if other, ok := authority(all[at]); !ok || other != re {
			break
		}
		r := proto.CloneOf(all[at])
		r.Match.Headers = r.Match.Headers[1:]
		one.host.Routes = append(one.host.Routes, r)
		one.indexes = append(one.indexes, at)
	}
	m := one.host.GetRoutes()[len(one.indexes)-1].GetMatch()
	one.names = hostNames(re)
	return one, m.GetPrefix() == "/" && conditions(m) == "" && m.GetGrpc() == nil && one.names != nil
}

// authority is the expression for the Host that the route begins with.
func authority(r *routev3.Route) (string, bool) {
	if len(r.GetMatch().GetHeaders()) == 0 || refuses(r, true) {
		return "", false
	}
	h := r.GetMatch().GetHeaders()[0]
	re := h.GetStringMatch().GetSafeRegex()
	return re.GetRegex(), re != nil && h.GetName() == ":authority" && !h.GetInvertMatch()
}

var (
	withAnyPort = regexp.MustCompile(`^\(\?:\(\?i:(.*)\)\)\(\?::\.\*\)\?$`)
	withAnyTail = regexp.MustCompile(`^\(\?:\(\?i:(.*)\)\)\(\?s:\.\*\)$`)
)

// hostNames are the expressions as server_name has them, which has the host
// without its port, in lower case; nil for what nginx's PCRE does not take.
func hostNames(re string) []string {
	inner, _ := strings.CutPrefix(re, "(?s:.*)(?:")
	if inner, ok := strings.CutSuffix(inner, ")"); ok {
		var out []string
		for _, one := range alternatives(inner) {
			name, end := "", ""
			if m := withAnyPort.FindStringSubmatch(one); m != nil {
				name, end = m[1], "$"
			} else if m := withAnyTail.FindStringSubmatch(one); m != nil {
				name = m[1]
			}
			if _, ok := regexCandidate(name); !ok || name == "" || len(alternatives(name)) > 1 && end != "" {
				out = nil
				break
			}
			text, _ := pcre(name)
			out = append(out, "~"+text+end)
		}
		if out != nil {
			return out
		}
	}
	c, ok := regexCandidate(re)
	if !ok {
		return nil
	}
	return []string{"~" + c.text}
}

// alternatives splits an expression at the "|" outside of its groups.
func alternatives(re string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range punctuation(re) {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			out, from = append(out, re[from:i]), i+1
		}
	}
	return append(out, re[from:])
}
