package importer

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

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
	if why == "" && ra.GetPortRedirect() != 0 && ra.GetHostRedirect() == "" && ra.GetSchemeRewriteSpecifier() != nil {
		w.portless(d, r, q)
	}
	if why != "" && !w.byHeader(d, r, status, to.expand(w.values(q))) {
		r.Action = direct(404, "")
		w.say(nginx.None, d, why+": the requests get 404", "let a backend answer with the redirect", place{})
		return
	}
	if why == "" {
		w.exact(d, at(r, "redirect"))
	}
}

// byHeader is a redirect whose target Envoy's redirect does not put together, and a
// header does. A path stays one: clients take it for one of the address they asked.
func (w *writer) byHeader(d *conf.Directive, r *routev3.Route, status uint32, to template) bool {
	f := w.format(d.Parent, to.String(), "")
	if d.Name != "return" || len(f.missing) > 0 || !strings.HasPrefix(to.head(), "/") && !strings.Contains(to.head(), "://") {
		return false
	}
	r.Action = direct(status, "")
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, overwrite("location", f.text))
	note := "Envoy's Location is the text as it stands here"
	if strings.HasPrefix(to.head(), "/") {
		note += ", without scheme and host"
	}
	w.approx(d, at(r, "direct_response"), strings.Join(append([]string{note}, f.notes...), "; "), "")
	return true
}

// portless is the same redirect for a Host without a port, to which Envoy then
// adds none: the port that r names is there to replace the one of another Host.
func (w *writer) portless(d *conf.Directive, r *routev3.Route, q request) {
	plain := proto.CloneOf(r)
	plain.GetRedirect().PortRedirect = 0
	plain.Match.Headers = append(plain.Match.Headers, header(":authority", safeRegex("[^:]*")))
	w.exact(d, at(plain, "redirect"))
	w.add(d.Parent, plain, q)
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
		w.ownAddress(d.Parent, ra)
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

// ownAddress names host and port in a Location of nginx's own making, as the
// directives say that hold in the block: the Host that came, with the port that
// is listened on, and the usual port is not said.
func (w *writer) ownAddress(block *conf.Directive, ra *routev3.RedirectAction) {
	if d := w.one(block, "absolute_redirect"); d != nil && d.Arg(0) == "off" {
		w.approx(d, at(ra, ""), "Envoy's Location is always absolute: with the Host and port that the client sent, where one without would lead too, and with the scheme that Envoy is spoken to in",
			"set https_redirect: true in these redirects if what stands before Envoy ends TLS")
		return
	}
	if d := w.one(block, "server_name_in_redirect"); d != nil && d.Arg(0) == "on" {
		if name := w.server.names[0]; name != "" && !strings.ContainsAny(name, "*~$") {
			ra.HostRedirect = strings.TrimPrefix(name, ".")
			w.exact(d, at(ra, "host_redirect"))
		}
	}
	if d := w.one(block, "port_in_redirect"); d != nil && d.Arg(0) == "off" {
		if ra.GetHostRedirect() == "" {
			w.approx(d, at(ra, ""), "Envoy leaves the Host as it came: a port that the client named stays, which nginx takes off", "set port_redirect where clients come in by one port")
		} else {
			w.exact(d, at(ra, ""))
		}
		return
	}
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
