package importer

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/spelling"
)

// direct is an answer of Envoy's own.
func direct(status uint32, body string) *routev3.Route_DirectResponse {
	d := &routev3.DirectResponseAction{Status: status}
	if body != "" {
		d.Body = inline(body)
	}
	return &routev3.Route_DirectResponse{DirectResponse: d}
}

// largestBody is what Envoy takes in a direct response unless told otherwise.
const largestBody = 4096

// returns is the routes of a return.
func (w *writer) returns(block, d *conf.Directive, q request) {
	for _, q := range w.cases(q, append(w.headerTexts(block, nil), d.Args...)) {
		w.returned(block, d, q)
	}
}

// returned is the route of a return for one case.
func (w *writer) returned(block, d *conf.Directive, q request) {
	r := &routev3.Route{Name: q.name, Match: q.match}
	code, text := d.Arg(0), d.Arg(1)
	if len(d.Args) == 1 && !allDigits(code) {
		code, text = "302", d.Arg(0)
	}
	n, err := strconv.ParseUint(code, 10, 16)
	status := uint32(n)
	if err == nil && text == "" && w.errorPage(block, d, status, q) {
		return
	}
	switch {
	case err != nil || n > 999:
		r.Action = direct(500, "")
		w.approx(d, at(r, "direct_response.status"), "nginx refuses the code "+code, "write one from 200 to 599")
	case isRedirect(status) && text != "":
		w.redirect(d, r, status, parse(text), q)
	case status == 444:
		r.Action = direct(444, "")
		w.approx(d, at(r, "direct_response.status"), "nginx closes the connection without an answer; Envoy always answers", "answer 403 or 404 instead")
	case status < 200 || status > 599:
		r.Action = direct(503, "")
		w.approx(d, at(r, "direct_response.status"), "Envoy answers with codes from 200 to 599", "choose one of them")
	default:
		w.says(d, r, status, text, q)
	}
	w.add(block, r, q)
}

// says is an answer with a text.
func (w *writer) says(d *conf.Directive, r *routev3.Route, status uint32, text string, q request) {
	t := parse(text).expand(w.values(q))
	body, ok := t.literal()
	if !ok {
		w.composed(d, r, status, t)
		return
	}
	r.Action = direct(status, body)
	if len(body) > largestBody && uint32(len(body)) > w.site.routes.GetMaxDirectResponseBodySizeBytes().GetValue() {
		w.site.routes.MaxDirectResponseBodySizeBytes = wrapperspb.UInt32(uint32(len(body)))
	}
	w.exact(d, at(r, "direct_response"))
}

// composed is an answer with variables in its text.
func (w *writer) composed(d *conf.Directive, r *routev3.Route, status uint32, t template) {
	f := w.format(d.Parent, t.String(), "")
	if len(f.missing) > 0 {
		why := "Envoy has nothing for " + strings.Join(f.missing, ", ")
		if status < 400 { // an answer without its text is none
			status, why = 501, why+": the requests get 501"
		} else {
			why += ": the status comes without the text"
		}
		r.Action = direct(status, "")
		w.say(nginx.None, d, why, "let a backend answer", place{})
		return
	}
	answer := &routev3.DirectResponseAction{Status: status, BodyFormat: &corev3.SubstitutionFormatString{OmitEmptyValues: true,
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline(f.text)}}}
	r.Action = &routev3.Route_DirectResponse{DirectResponse: answer}
	if len(f.notes) > 0 {
		w.approx(d, at(r, "direct_response.body_format"), f.notes[0], "")
		return
	}
	w.exact(d, at(r, "direct_response"))
}

func inline(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

// pass is the routes of a proxy_pass or grpc_pass.
func (w *writer) pass(block, pass *conf.Directive, q request) {
	for _, q := range w.cases(q, w.headerTexts(block, pass)) {
		w.passed(block, pass, q)
	}
}

// passed is the route of a pass for one case.
func (w *writer) passed(block, pass *conf.Directive, q request) {
	r := &routev3.Route{Name: q.name, Match: q.match}
	a := &routev3.RouteAction{}
	r.Action = &routev3.Route_Route{Route: a}
	t := parse(pass.Arg(0))
	dynamic := len(t) > 1 || len(t) == 1 && t[0].variable != ""
	t = t.expand(w.values(q))
	name, uri := upstreamOf(t)
	w.near(pass, at(r, "route"))
	if !w.target(block, pass, name, a) {
		r.Action = direct(404, "")
		w.add(block, r, q)
		return
	}
	if why := w.rewritePath(a, uri, dynamic, q); why != "" {
		w.approx(q.changedBy(pass), at(r, "route"), why, "rewrite the path with regex_rewrite where it can be said")
	}
	w.forward(block, pass, r, q)
	w.add(block, r, q)
}

// upstreamOf splits the target of a proxy_pass into what names the upstream and
// the URI behind it.
func upstreamOf(t template) (name string, uri template) {
	for _, scheme := range []string{"http://", "https://", "grpc://", "grpcs://"} {
		if rest, ok := t.cut(scheme); ok {
			t = rest
			break
		}
	}
	if rest, ok := strings.CutPrefix(t.head(), "unix:"); ok {
		path, after, more := strings.Cut(rest, ":")
		t = t[1:]
		if more && after != "" {
			t = append(template{{text: after}}, t...)
		}
		return "unix:" + path, t
	}
	for i, p := range t {
		switch p.variable {
		case "request_uri", "uri", "is_args", "args":
			return t[:i].String(), t[i:]
		case "":
			if at := strings.IndexAny(p.text, "/?"); at >= 0 {
				name := slices.Concat(t[:i], template{{text: p.text[:at]}})
				return name.String(), append(template{{text: p.text[at:]}}, t[i+1:]...)
			}
		}
	}
	return t.String(), nil
}

// rewritePath says what path the upstream gets. why is empty where it is what
// nginx sends.
func (w *writer) rewritePath(a *routev3.RouteAction, uri template, dynamic bool, q request) (why string) {
	text, plain := uri.literal()
	switch {
	case q.uri != nil && (len(uri) == 0 || !q.proper):
		return substitute(a, q.uri, q)
	case q.uri != nil && plain && !dynamic:
		rest, ok := q.uri.cut(q.found.text)
		if !ok {
			return "the rewritten path need not begin with the location's name"
		}
		return substitute(a, append(parse(text), rest...), q)
	case len(uri) == 0:
		return ""
	case !dynamic:
		if strings.Contains(text, "?") {
			return "a query in the target of proxy_pass is not carried over"
		}
		if q.match.GetPrefix() == "" && q.match.GetPath() == "" && q.found.form == byPrefix && !q.slashes { // it would stand for the whole path
			regexRewrite(a, "^"+spelling.Way{Merge: true}.Path(q.found.text), strings.ReplaceAll(text, `\`, `\\`))
			return ""
		}
		a.PrefixRewrite = text
		return ""
	}
	return dynamicPath(a, uri, q)
}

// dynamicPath is the path of a proxy_pass with variables: it is the whole of it,
// query and all.
func dynamicPath(a *routev3.RouteAction, uri template, q request) string {
	rest, query := uri.trimVariables("is_args", "args")
	lost := ""
	if !query {
		lost = "nginx drops the query here, Envoy keeps it"
	}
	for _, whole := range []string{"request_uri", "uri"} {
		head, ok := rest.trimVariables(whole)
		text, plain := head.literal()
		if !ok || !plain {
			continue
		}
		if whole == "request_uri" {
			lost = ""
		}
		if text != "" {
			regexRewrite(a, "^(/.*)$", strings.ReplaceAll(text, `\`, `\\`)+`\1`)
		}
		return lost
	}
	if why := substitute(a, rest, q); why != "" {
		return why
	}
	return lost
}

// substitute rewrites the whole path to a template.
func substitute(a *routev3.RouteAction, t template, q request) string {
	lost := ""
	if path, query, ok := t.query(); ok {
		t = path
		if query != "" || len(t) == 0 {
			lost = "the arguments that the rewrite adds are not carried over"
		} else {
			lost = "nginx drops the query here, Envoy keeps it"
		}
	}
	e := q.pattern
	if e == nil {
		e = q.captures
	}
	sub, why := t.substitution(e)
	if why != "" {
		return why
	}
	pattern := "^" + anyText + "$"
	if _, plain := t.literal(); !plain {
		pattern = e.whole()
	}
	regexRewrite(a, pattern, sub)
	return lost
}

// query splits a template at the first "?".
func (t template) query() (path template, query string, found bool) {
	for i, p := range t {
		if at := strings.IndexByte(p.text, '?'); p.variable == "" && at >= 0 {
			rest := append(template{{text: p.text[at+1:]}}, t[i+1:]...)
			if at == 0 {
				return t[:i:i], rest.String(), true
			}
			return append(t[:i:i], part{text: p.text[:at]}), rest.String(), true
		}
	}
	return t, "", false
}

func regexRewrite(a *routev3.RouteAction, pattern, substitution string) {
	a.RegexRewrite = &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: substitution}
}

func unescaped(path string) string {
	if s, err := url.PathUnescape(path); err == nil {
		return s
	}
	return path
}
