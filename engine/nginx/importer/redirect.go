package importer

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// redirect is the route of a return or rewrite that sends elsewhere. Its target
// is nginx's whole Location: a query is added to it only where it says so.
func (w *writer) redirect(d *conf.Directive, r *routev3.Route, status uint32, to template, q request) {
	ra := &routev3.RedirectAction{ResponseCode: responseCode(status)}
	r.Action = &routev3.Route_Redirect{Redirect: ra}
	t := to.expand(w.values(q))
	why := w.origin(d, ra, &t)
	if why == "" {
		why = redirectPath(ra, t, q)
	}
	if why != "" {
		r.Action = direct(404, "")
		w.say(nginx.None, d, why, "let a backend answer with the redirect", place{})
		return
	}
	w.exact(d, at(r, "redirect"))
}

func isRedirect(status uint32) bool {
	return status == 301 || responseCode(status) != routev3.RedirectAction_MOVED_PERMANENTLY
}

func responseCode(status uint32) routev3.RedirectAction_RedirectResponseCode {
	return map[uint32]routev3.RedirectAction_RedirectResponseCode{
		301: routev3.RedirectAction_MOVED_PERMANENTLY, 302: routev3.RedirectAction_FOUND, 303: routev3.RedirectAction_SEE_OTHER,
		307: routev3.RedirectAction_TEMPORARY_REDIRECT, 308: routev3.RedirectAction_PERMANENT_REDIRECT}[status]
}

// origin takes scheme, host and port off the target.
func (w *writer) origin(d *conf.Directive, ra *routev3.RedirectAction, t *template) (why string) {
	scheme := w.scheme()
	found := false
	for _, s := range []string{"http", "https"} {
		if rest, ok := t.cut(s + "://"); ok {
			*t, scheme, found = rest, s, true
			break
		}
	}
	if !found {
		if head := t.head(); d.Name == "return" && !strings.HasPrefix(head, "/") && !startsWithPath(*t) {
			return "Envoy sends to a path or to another host over HTTP, and " + t.String() + " is neither"
		}
		w.keepPort(ra)
		return ""
	}
	host, rest := upstreamOf(*t)
	*t = rest
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
	}
	switch {
	case name == "${host}" || name == "${http_host}":
		if port == "" && name == "${host}" && w.site.port != 0 && w.site.port != ports[w.scheme()] {
			port = strconv.Itoa(int(ports[scheme]))
		}
	case strings.Contains(name, "$"):
		return "the host of the target has variables that Envoy does not know"
	default:
		ra.HostRedirect = name
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		ra.PortRedirect = uint32(n)
	}
	if scheme != w.scheme() {
		ra.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: scheme}
		if scheme == "https" {
			ra.SchemeRewriteSpecifier = &routev3.RedirectAction_HttpsRedirect{HttpsRedirect: true}
		}
	}
	return ""
}

// ports are those that a URL need not say.
var ports = map[string]uint32{"http": 80, "https": 443}

// keepPort names the port that is listened on, as nginx does in a Location of
// its own making. The usual one is not said.
func (w *writer) keepPort(ra *routev3.RedirectAction) {
	if w.site.port != ports[w.scheme()] {
		ra.PortRedirect = w.site.port
	}
}

func startsWithPath(t template) bool {
	return len(t) > 0 && (t[0].variable == "request_uri" || t[0].variable == "uri")
}

// redirectPath is the path and query of the target.
func redirectPath(ra *routev3.RedirectAction, t template, q request) (why string) {
	if text, ok := t.literal(); ok {
		if text == "" {
			text = "/"
		}
		ra.StripQuery = true
		ra.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: text}
		return ""
	}
	rest, query := t.trimVariables("is_args", "args")
	ra.StripQuery = !query
	for _, whole := range []string{"request_uri", "uri"} {
		head, ok := rest.trimVariables(whole)
		text, plain := head.literal()
		if !ok || !plain || whole == "request_uri" && query {
			continue
		}
		if whole == "request_uri" {
			ra.StripQuery = false
		}
		if text != "" {
			ra.PathRewriteSpecifier = redirectRegex("^(/.*)$", strings.ReplaceAll(text, `\`, `\\`)+`\1`)
		}
		return ""
	}
	if text, ok := rest.literal(); ok {
		ra.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: text}
		return ""
	}
	e := q.captures
	if q.pattern != nil {
		e = q.pattern
	}
	sub, why := rest.substitution(e)
	if why != "" {
		return why
	}
	if strings.Contains(sub, "%3F") {
		sub = strings.ReplaceAll(sub, "%3F", "?")
	}
	ra.PathRewriteSpecifier = redirectRegex(e.whole(), sub)
	return ""
}

func redirectRegex(pattern, substitution string) *routev3.RedirectAction_RegexRewrite {
	return &routev3.RedirectAction_RegexRewrite{RegexRewrite: &matcherv3.RegexMatchAndSubstitute{
		Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: substitution}}
}
