package predict

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// refuse answers a status before any location; an error_page of the server counts.
func (e *run) refuse(code int, why string) { e.answerStatus(code, why, nil, Refused) }

// refuseLine answers a status when not even the request line could be read, and the
// headers were not.
func (e *run) refuseLine(code int, why string) {
	e.headers, e.hostHeader = nil, ""
	e.refuse(code, why)
}

// end is an answer of nginx's own, for good.
func (e *run) end(action Action, code int, why string, at *conf.Directive) {
	if e.status != 0 {
		code = e.status
	}
	if code >= 494 && code <= 497 { // nginx's own codes for a bad request
		code = 400
	}
	e.ans.Action, e.ans.Status, e.ans.Server = action, code, e.site.at
	if e.loc != nil {
		e.ans.Location = e.loc.at
	}
	if e.located != nil && action != Proxy {
		e.ans.Redirect = e.location(*e.located)
	}
	name := strconv.Itoa(code)
	if code == 0 && at != nil {
		name = written(at)
	}
	e.step("action", name, why, at)
}

// written is a directive as it stands in the file, quotes aside.
func written(d *conf.Directive) string {
	if d.Name == "if" {
		return "if (" + strings.Join(d.Args, " ") + ")"
	}
	return d.String()
}

// answerStatus answers a status, or what an error_page makes of it.
func (e *run) answerStatus(code int, why string, at *conf.Directive, action Action) {
	if code == 444 || code == 408 || code == 499 {
		e.end(Closed, 0, "nginx closes the connection without an answer", at)
		return
	}
	if e.errorPage(code, why, at) {
		return
	}
	e.status = 0 // the last error counts
	e.end(action, code, why, at)
}

// answerText answers with a text.
func (e *run) answerText(r *returnOp, v value, why string) {
	if !v.known() {
		e.ans.Caveats = append(e.ans.Caveats, "the text of `"+r.at.String()+"` at "+r.at.Place()+" is not known: "+v.unknown)
	}
	if e.method != "HEAD" && r.status != 204 && r.status != 304 {
		e.ans.Body = v.s
	}
	e.end(Return, r.status, why, r.at)
}

// redirect answers with a Location. It stays where an error_page for the status
// leads elsewhere.
func (e *run) redirect(code int, to, why string, at *conf.Directive) {
	e.located = &to
	if e.errorPage(code, why, at) {
		return
	}
	e.status = 0
	e.end(Redirect, code, why, at)
}

// location is the Location header, made absolute as nginx does.
func (e *run) location(to string) string {
	if strings.ContainsAny(to, "\r\n") {
		e.caveat(e.ctx, "puts a decoded line break into the Location: what a client makes of it differs")
	}
	if !strings.HasPrefix(to, "/") || !e.s.set.on(e.ctx, "absolute_redirect", true) {
		return to
	}
	host := e.host
	switch {
	case e.s.set.on(e.ctx, "server_name_in_redirect", false):
		host = e.site.name()
	case host != "":
	case e.ip != netip.Addr{}:
		host = e.ip.String()
	default:
		e.ans.Caveats = append(e.ans.Caveats, "the request has no Host: the Location names the address that it came to")
		return ""
	}
	usual := uint32(80)
	if e.req.TLS {
		usual = 443
	}
	if e.port != usual && e.s.set.on(e.ctx, "port_in_redirect", true) {
		host += ":" + strconv.FormatUint(uint64(e.port), 10)
	}
	return e.scheme() + "://" + host + to
}

// errorPage follows an error_page for the status, where there is one; it reports
// whether it did.
func (e *run) errorPage(code int, why string, at *conf.Directive) bool {
	if e.paged {
		return false
	}
	d := e.pageFor(code)
	if d == nil {
		return false
	}
	e.paged = !e.s.set.on(e.ctx, "recursive_error_pages", false)
	to := parseTemplate(d.Args[len(d.Args)-1], false)
	e.step("action", strconv.Itoa(code), why, at)
	v := e.fill(to, false)
	if !v.known() {
		return e.giveUp(d, v.unknown)
	}
	e.status = code
	fixed, overwrites := e.overwrite(d, code)
	if overwrites {
		e.status = fixed
	}
	switch {
	case strings.HasPrefix(v.s, "/"):
		e.path, e.args, _ = strings.Cut(v.s, "?")
		if e.method != "HEAD" {
			e.method = "GET"
		}
		e.asSent = false
		e.step("uri", shown(e.path), fmt.Sprintf("`%s` leads there within nginx", d), d)
		e.again(nil)
	case strings.HasPrefix(v.s, "@"):
		var l *location
		if e.site.in != nil {
			l = e.site.in.named[v.s]
		}
		switch {
		case e.path == "":
			e.status = 0
			e.end(Refused, 500, "a named location needs a URI, and the request has none that could be read", d)
		case l == nil:
			e.status = 0
			e.end(Refused, 500, "there is no location "+v.s, d)
		default:
			e.again(l)
		}
	default:
		code := 302
		if isRedirect(fixed) {
			code = fixed
		}
		e.status, e.located = 0, &v.s
		e.end(Redirect, code, "`"+d.String()+"` sends the client elsewhere", d)
	}
	return true
}

// pageFor is the error_page of a status.
func (e *run) pageFor(code int) *conf.Directive {
	for _, d := range e.s.set.all(e.ctx, "error_page") {
		for _, a := range d.Args[:max(0, len(d.Args)-1)] {
			if a == strconv.Itoa(code) {
				return d
			}
		}
	}
	return nil
}

// overwrite is the status that an error_page gives instead: 0 for that of what it
// leads to.
func (e *run) overwrite(d *conf.Directive, code int) (status int, overwrites bool) {
	if n := len(d.Args); n > 1 && strings.HasPrefix(d.Args[n-2], "=") {
		status, _ = strconv.Atoi(d.Args[n-2][1:])
		return status, true
	}
	if code >= 494 && code <= 497 {
		return 400, true
	}
	return 0, false
}
