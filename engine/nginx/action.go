package nginx

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// action writes what a route does with the requests that it takes.
func (p *projection) action(sc *scope, pl *place, c candidate) {
	if pl.wide != "" {
		p.refuseAll(pl)
		return
	}
	p.guarded(sc, pl, pl.route.GetRoute() == nil)
	switch a := pl.route.GetAction().(type) {
	case *routev3.Route_Route:
		p.forward(sc, pl, c, a.Route)
	case *routev3.Route_Redirect:
		p.redirect(pl.origin.at("redirect"), c, a.Redirect)
	case *routev3.Route_DirectResponse:
		p.direct(pl.origin.at("direct_response"), a.DirectResponse)
	default:
		p.add(mark{from: pl.origin}.approx(lessonNoAction), "return 501;")
	}
	if pl.route.GetRoute() == nil {
		for _, l := range headerLevels(sc, pl) {
			p.responseHeaders(byProxy, l)
		}
	}
	p.routeRest(pl)
}

// forward writes a route to clusters.
func (p *projection) forward(sc *scope, pl *place, c candidate, ra *routev3.RouteAction) {
	o := pl.origin.at("route")
	t := p.target(o, ra)
	if t.text == "" {
		p.add(t.mark, "return 503;")
	} else {
		if t.only != "" {
			p.add(t.mark, "if (%s !~ %s) { return 503; }", t.text, token(t.only))
		}
		p.variable(&t) // before a rewrite, whose break ends what runs of this module
		uri := p.rewrite(o, c, ra, &t)
		p.add(t.mark, "%s", t.pass(uri))
		p.upstreamTLSLines(&t)
	}
	p.timeouts(o, ra, t)
	if rp := ra.GetRetryPolicy(); rp != nil && !p.shared.next.common() {
		p.retry(t.by(), o.at("retry_policy"), rp, pl.careful, t.servers)
	}
	p.headers(sc, pl, ra, t.by())
	p.mirror(sc, o, ra)
}

// rewrite says how the path changes on its way. It writes a rewrite directive
// or returns the URI part of proxy_pass.
func (p *projection) rewrite(o Origin, c candidate, ra *routev3.RouteAction, t *target) (uri string) {
	to := ra.GetPrefixRewrite()
	switch {
	case to != "":
		m := exact(o.at("prefix_rewrite")).with(lessonPrefix)
		if !strings.HasPrefix(to, "/") || !literal(to) {
			p.note(m.none(lessonPrefix), "prefix_rewrite %s", to)
			return ""
		}
		if c.form == byRegex || t.variable || t.http2 {
			p.add(m, "rewrite %s %s break;", token(headOf(c)), token(to+tailOf(c)))
			return ""
		}
		if c.form == byPrefix && c.text != c.matched {
			to += "/" // a path_separated_prefix: the slash belongs to what stays
		}
		t.mark = t.mark.with(lessonPrefix)
		t.mark.also = append(t.mark.also, m.from)
		return to
	case ra.GetRegexRewrite() != nil:
		p.regexRewrite(o.at("regex_rewrite"), ra.GetRegexRewrite().GetPattern().GetRegex(), ra.GetRegexRewrite().GetSubstitution())
	case ra.GetPathRewrite() != "" || ra.GetPathRewritePolicy() != nil:
		p.note(mark{from: o}.none(lessonMatcher), "the path is rewritten by a template")
	}
	return ""
}

// headOf is the expression for what a rewrite of the matched part replaces.
func headOf(c candidate) string {
	switch {
	case c.matched == "":
		return "^"
	case c.fold:
		return "(?i)^" + regexp.QuoteMeta(c.matched) + "(.*)"
	}
	return "^" + regexp.QuoteMeta(c.matched) + "(.*)"
}

// tailOf is what a rewrite appends of the part that was not matched.
func tailOf(c candidate) string {
	if c.matched == "" {
		return ""
	}
	return "$1"
}

func (p *projection) regexRewrite(o Origin, pattern, substitution string) {
	m := exact(o).approx(lessonPathRewrite)
	re, ok := regexCandidate(pattern)
	if ok {
		re.text, ok = pcre(pattern)
	}
	to := backReferences(substitution)
	if !ok || !literal(substitution) || !strings.HasPrefix(to, "/") || re.text == "" {
		p.note(m.none(lessonPathRewrite), "regex_rewrite %s to %s", pattern, substitution)
		return
	}
	if groups := re.full.NumSubexp(); strings.ContainsAny(to, "$") && groups == 0 {
		p.note(m.none(lessonPathRewrite), "regex_rewrite %s to %s", pattern, substitution)
		return
	}
	p.add(m, "rewrite %s %s break;", token(re.text), token(to))
}

// backReferences turns \1 into $1, and \\ into a backslash.
func backReferences(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] >= '0' && s[i] <= '9' {
				b.WriteByte('$')
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// timeouts writes how long to wait for a connection and an answer, where that is
// not what holds for all of http {}.
func (p *projection) timeouts(o Origin, ra *routev3.RouteAction, t target) {
	if value, m := readTimeout(o, ra); ra.GetTimeout() != nil && !p.shared.read.common() {
		p.add(m, "%s_read_timeout %s;", t.by(), value)
	}
	if value, m := connectTimeout(t.cluster, t.connect); t.connect != nil && !p.shared.connect.common() {
		p.add(m, "%s_connect_timeout %s;", t.by(), value)
	}
}

// retryConditions are Envoy's conditions and what nginx has for them.
var retryConditions = map[string]string{
	"5xx":           "error timeout http_500 http_502 http_503 http_504",
	"gateway-error": "error timeout http_502 http_503 http_504",
	"retriable-4xx": "http_404",
}

// retriableStatus are the codes that proxy_next_upstream knows.
var retriableStatus = map[uint32]bool{500: true, 502: true, 503: true, 504: true, 403: true, 404: true, 429: true}

// retry writes a retry policy in one family's directives. servers is how many
// there are to try, 0 where that is not known.
func (p *projection) retry(by string, o Origin, rp *routev3.RetryPolicy, careful bool, servers int) {
	m := mark{from: o.at("retry_on")}.approx(lessonRetry)
	words := nextUpstream(rp, careful)
	p.add(m, "%s_next_upstream %s;", by, words)
	if n := triesOf(rp, servers); n > 0 {
		p.add(mark{kind: Exact, from: o.at("num_retries"), lesson: lessonTries}, "%s_next_upstream_tries %d;", by, n)
	}
}

// redirectCodes are the statuses of RedirectResponseCode.
var redirectCodes = map[routev3.RedirectAction_RedirectResponseCode]int{
	routev3.RedirectAction_MOVED_PERMANENTLY:  301,
	routev3.RedirectAction_FOUND:              302,
	routev3.RedirectAction_SEE_OTHER:          303,
	routev3.RedirectAction_TEMPORARY_REDIRECT: 307,
	routev3.RedirectAction_PERMANENT_REDIRECT: 308,
}

// redirect writes a redirect as nginx returns it.
func (p *projection) redirect(o Origin, c candidate, ra *routev3.RedirectAction) {
	m := exact(o).with(lessonRedirect)
	code := redirectCodes[ra.GetResponseCode()]
	if code == 0 {
		code = 301
	}
	scheme, host := "$scheme", "$http_host"
	switch {
	case ra.GetHttpsRedirect():
		scheme = "https"
	case ra.GetSchemeRedirect() != "":
		scheme = ra.GetSchemeRedirect()
	}
	if ra.GetHostRedirect() != "" {
		host = ra.GetHostRedirect()
	}
	if ra.GetPortRedirect() != 0 {
		if host == "$http_host" {
			host = "$host"
		}
		host += fmt.Sprintf(":%d", ra.GetPortRedirect())
	}
	path, m := p.redirectPath(o, m, c, ra)
	for _, s := range []string{ra.GetSchemeRedirect(), ra.GetHostRedirect(), ra.GetPathRedirect()} {
		if !literal(s) {
			p.note(m.none(lessonHeaderFormat), "redirect to %s://%s%s", scheme, host, path)
			p.add(m.approx(lessonNoAction), "return 501;")
			return
		}
	}
	p.add(m, "return %d %s;", code, token(scheme+"://"+host+path))
}

// redirectPath is the path and query of the redirect's target.
func (p *projection) redirectPath(o Origin, m mark, c candidate, ra *routev3.RedirectAction) (string, mark) {
	query := "$is_args$args"
	if ra.GetStripQuery() {
		query = ""
	}
	switch to := ra.GetPrefixRewrite(); {
	case ra.GetPathRedirect() != "":
		if strings.Contains(ra.GetPathRedirect(), "?") {
			query = ""
		}
		return ra.GetPathRedirect() + query, m
	case to != "" && literal(to) && strings.HasPrefix(to, "/"):
		p.add(m.approx(lessonRedirectPart), "rewrite %s %s;", token(headOf(c)), token(to+tailOf(c)))
		return "$uri" + query, m.approx(lessonRedirectPart)
	case ra.GetRegexRewrite() != nil || to != "":
		p.note(m.none(lessonPathRewrite), "the path is rewritten: %s%s", to, ra.GetRegexRewrite().GetPattern().GetRegex())
	}
	if query == "" {
		return "$uri", m.approx(lessonRedirectPart)
	}
	return "$request_uri", m
}

// direct writes a direct response. nginx takes the text of a redirect for its
// target, and 444 for an order to hang up.
func (p *projection) direct(o Origin, d *routev3.DirectResponseAction) {
	m := exact(o).with(lessonDirect)
	code := d.GetStatus()
	if code == 444 {
		p.add(m.approx(lessonHangsUp), "return 444;")
		return
	}
	if code > 999 || code < 100 {
		p.add(m.approx(lessonNoAction), "return 501;")
		return
	}
	body := d.GetBody().GetInlineString()
	if body == "" {
		body = string(d.GetBody().GetInlineBytes())
	}
	if d.GetBodyFormat() != nil {
		p.directFormat(o.at("body_format"), code, d.GetBodyFormat())
		return
	}
	redirects := code == 301 || code == 302 || code == 303 || code == 307 || code == 308
	if visible := strings.NewReplacer("\n", "", "\t", "", "\r", "").Replace(body); !literal(visible) || len(body) > tokenLimit || redirects && body != "" || d.GetBody().GetFilename() != "" {
		p.note(m.none(lessonHeaderFormat), "body: %s%s", body, d.GetBody().GetFilename())
		body, m = "", m.approx(lessonHeaderFormat)
	}
	if redirects || body == "" {
		p.add(m, "return %d;", code)
		return
	}
	p.add(m, "return %d %s;", code, token(body))
}

// directFormat writes a direct response whose text has Envoy's operators in it.
func (p *projection) directFormat(o Origin, code uint32, f *corev3.SubstitutionFormatString) {
	m := exact(o).with(lessonDirect)
	if !f.GetOmitEmptyValues() {
		m = m.approx(lessonEmptyValue)
	}
	value := f.GetTextFormatSource().GetInlineString()
	text, ok := "", value != "" && f.GetContentType() == "" && code/100 != 3
	for i, line := range strings.Split(value, "\n") {
		said, known := formatted(line)
		if ok = ok && known && len(text) < tokenLimit; i > 0 {
			text += "\n"
		}
		text += said
	}
	if !ok {
		p.note(m.none(lessonHeaderFormat), "body: %s", orElse(value, "in a format of Envoy's"))
		p.add(m.approx(lessonHeaderFormat), "return %d;", code)
		return
	}
	p.add(m, "return %d %s;", code, token(text))
}

// longest is the longest time that is written: nginx keeps milliseconds in a
// machine word, and nobody waits for years.
const longest = 365 * 24 * time.Hour

// nginxTime is a duration as nginx writes it, 1 ms at the least: 0 means other
// things in other directives.
func nginxTime(d *durationpb.Duration) string {
	v := min(max(clamped(d), time.Millisecond), longest)
	if v%time.Second == 0 {
		return fmt.Sprintf("%ds", v/time.Second)
	}
	return fmt.Sprintf("%dms", v/time.Millisecond)
}

// idleTime is for what may lie idle: Envoy's 0 is for ever, where nginx's would
// be not at all.
func idleTime(d *durationpb.Duration) string {
	if clamped(d) <= 0 {
		d = durationpb.New(longest)
	}
	return nginxTime(d)
}

// nginxSeconds is for the parameters that take whole seconds alone; it rounds up.
func nginxSeconds(d *durationpb.Duration) string {
	v := min(max(clamped(d), 0), longest)
	return fmt.Sprintf("%ds", (v+time.Second-1)/time.Second)
}

// clamped is the duration within what time.Duration holds.
func clamped(d *durationpb.Duration) time.Duration {
	if d.GetSeconds() > int64(longest/time.Second) {
		return longest
	}
	return d.AsDuration()
}
