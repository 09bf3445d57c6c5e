package routes

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// redirect is a redirect in all its forms.
func redirect(rt *route, a *routev3.RedirectAction, v *view) Outcome {
	out := Outcome{Kind: Redirect, Status: redirectStatus(a), Detail: "direct_response"}
	scheme := v.scheme()
	switch {
	case a.GetSchemeRedirect() != "":
		scheme = a.GetSchemeRedirect()
	case a.GetHttpsRedirect():
		scheme = "https"
	}
	port := ""
	if a.GetPortRedirect() != 0 {
		port = ":" + strconv.FormatUint(uint64(a.GetPortRedirect()), 10)
	}
	path, open := redirectPath(rt, a, v)
	if v.pathless && !rewritten(a, path) {
		return out // a CONNECT without a path is led nowhere
	}
	if out.PathOpen = open; open {
		out.Assumed = append(out.Assumed, "path_rewrite yields the path of the Location; it is shown as it came")
	}
	out.Location = location(v, scheme, a.GetHostRedirect(), port, path)
	return out
}

// rewritten reports whether a redirect gives a path to a request that has none:
// a rewrite does, which Envoy applies before it looks for one.
func rewritten(a *routev3.RedirectAction, path string) bool {
	return path != "" && (a.GetPrefixRewrite() != "" || a.GetRegexRewrite() != nil)
}

// redirectStatus is a redirect's status; 301 is Envoy's default.
func redirectStatus(a *routev3.RedirectAction) int {
	switch a.GetResponseCode() {
	case routev3.RedirectAction_FOUND:
		return 302
	case routev3.RedirectAction_SEE_OTHER:
		return 303
	case routev3.RedirectAction_TEMPORARY_REDIRECT:
		return 307
	case routev3.RedirectAction_PERMANENT_REDIRECT:
		return 308
	}
	return statusMoved
}

// redirectPath is the path and query that a redirect leads to. A query in
// path_redirect replaces the request's and is never stripped.
func redirectPath(rt *route, a *routev3.RedirectAction, v *view) (path string, open bool) {
	path = v.r.Path
	switch p := a.GetPathRewriteSpecifier().(type) {
	case *routev3.RedirectAction_PathRedirect:
		if strings.Contains(p.PathRedirect, "?") {
			return p.PathRedirect, false
		}
		path = v.withQuery(p.PathRedirect)
	case *routev3.RedirectAction_PrefixRewrite, *routev3.RedirectAction_RegexRewrite:
		path = rt.rewrite.path(v)
		if v.pathless && path == "" {
			return "", false
		}
	case *routev3.RedirectAction_PathRewrite:
		text, known := format(p.PathRewrite, absentEmpty, "", v)
		if open = !known; known && strings.Contains(text, "?") {
			return text, false
		}
		if known {
			path = v.withQuery(text)
		}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if a.GetStripQuery() {
		path, _, _ = strings.Cut(path, "?")
	}
	return path, open
}

// withQuery is a new path with the request's query; "" leaves the path as it is.
func (v *view) withQuery(path string) string {
	if path == "" {
		return v.r.Path
	}
	if i := strings.IndexByte(v.r.Path, '?'); i >= 0 {
		path += v.r.Path[i:]
	}
	return path
}

// location is where a redirect leads to. Without a host of its own it is the
// request's, whose port goes when another is given, or when it is the default
// one of a scheme that changes.
func location(v *view, scheme, host, port, path string) string {
	if host == "" {
		host = requestHost(v, scheme, port)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + "://" + host + port + path
}

func requestHost(v *view, scheme, port string) string {
	host := v.r.Authority
	colon := strings.LastIndexByte(host, ':')
	if strings.HasPrefix(host, "[") {
		if colon = strings.LastIndex(host, "]:"); colon >= 0 {
			colon++
		}
	}
	if colon < 0 {
		return host
	}
	was, used := v.forwardedProto(), host[colon:]
	gone := port != ""
	if scheme != was {
		gone = gone || equalFold(was, "https") && used == ":443" || equalFold(was, "http") && used == ":80"
	}
	if gone {
		return host[:colon]
	}
	return host
}
