package predict

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// content is what the location serves: an upstream's answer, or files.
func (e *run) content() {
	if d := e.s.set.one(e.ctx, "try_files"); d != nil && !e.within(d) {
		e.tryFiles(d)
		return
	}
	block, pass := e.handler()
	switch {
	case pass == nil:
		e.static()
	case pass.Name == "proxy_pass" || pass.Name == "grpc_pass":
		e.proxy(pass, block)
	default:
		e.giveUp(pass, "what is sent there is not followed")
	}
}

// within reports whether a directive stands in a block outside of the one whose
// settings hold: try_files is not inherited, by an `if` of its location neither.
func (e *run) within(d *conf.Directive) bool { return d.Parent != e.ctx }

// handlers are what may answer for a location beside files.
var handlers = append([]string{"stub_status", "empty_gif", "flv", "mp4", "perl", "echo", "js_content", "api", "dav_methods", "return_content", "content_by_lua_block", "content_by_lua_file"}, passes...)

// handler is the directive that answers, and the block whose it is: of an `if`
// that has none, the location's.
func (e *run) handler() (block, pass *conf.Directive) {
	for b := e.ctx; b != nil && b.Name != "server"; b = b.Parent {
		for _, name := range handlers {
			if ds := e.s.set.here(b, name); len(ds) > 0 {
				return b, ds[0]
			}
		}
		if b.Name != "if" && b.Name != "limit_except" {
			return nil, nil
		}
	}
	return nil, nil
}

func (e *run) static() {
	at := e.s.set.one(e.ctx, "root")
	if d := e.s.set.one(e.ctx, "alias"); d != nil && e.loc != nil && d.Parent == e.loc.at {
		at = d
	}
	if e.req.NoFiles {
		code := 404
		if e.method != "GET" && e.method != "HEAD" && e.method != "POST" {
			code = 405
		}
		e.answerStatus(code, "nginx looks for a file on its disk, and there is none", at, Static)
		return
	}
	e.end(Static, 0, "nginx looks for a file on its disk: no directive here answers or passes the request on", at)
	e.ans.Status = e.status
}

func (e *run) tryFiles(d *conf.Directive) {
	if e.req.NoFiles {
		e.tryLast(d)
		return
	}
	e.end(Static, 0, "nginx serves the first of these files that is there", d)
	e.ans.Status = 0
	e.caveat(d, "goes on with "+d.Arg(len(d.Args)-1)+" where none of the files is there, and nothing is known of what lies on the disk")
}

// tryLast goes on where try_files does when there is no file.
func (e *run) tryLast(d *conf.Directive) {
	last := d.Arg(len(d.Args) - 1)
	if code, err := strconv.Atoi(strings.TrimPrefix(last, "=")); err == nil && strings.HasPrefix(last, "=") {
		e.answerStatus(code, "none of the files of `"+d.String()+"` is there", d, Static)
		return
	}
	to := e.fill(parseTemplate(last, false), false)
	if !to.known() {
		e.giveUp(d, to.unknown)
		return
	}
	e.step("action", d.String(), "none of the files is there, and it goes on with "+shown(to.s), d)
	if !strings.HasPrefix(to.s, "@") {
		e.path, e.args, _ = strings.Cut(to.s, "?")
		e.asSent = false
		e.again(nil)
		return
	}
	if l := e.site.in.named[to.s]; l != nil {
		e.again(l)
		return
	}
	e.status = 0
	e.end(Refused, 500, "there is no location "+to.s, d)
}

// proxy is what an upstream gets.
func (e *run) proxy(pass, block *conf.Directive) {
	e.end(Proxy, 0, "the request goes to this upstream", pass)
	e.ans.Status = e.status
	arg := pass.Arg(0)
	if pass.Name == "grpc_pass" && !strings.Contains(arg, "://") {
		arg = "grpc://" + arg
	}
	to := parseTemplate(arg, false)
	url := arg
	if !to.plain() {
		v := e.fill(to, false)
		switch {
		case v.shares != nil:
			e.split(v.shares, pass)
			return
		case !v.known():
			e.giveUp(pass, v.unknown)
			return
		}
		url = v.s
	}
	t, ok := parseTarget(url)
	if !ok {
		e.ans.Action = ""
		e.answerStatus(500, "the URL "+shown(url)+" begins with neither http:// nor https://", pass, Refused)
		return
	}
	e.ans.Upstream = t.upstream
	e.ans.Sent = e.sent(t, !to.plain(), block)
	e.ans.Host = e.upstreamHost(t, pass)
	if strings.ContainsAny(e.ans.Sent+e.ans.Host, "\r\n") {
		e.caveat(pass, "sends a decoded line break on within the request's head: what the upstream makes of it differs")
	}
}

// split leaves the upstream open, with its shares.
func (e *run) split(shares []share, pass *conf.Directive) {
	for i, s := range shares {
		t, ok := parseTarget(s.s)
		if !ok {
			e.giveUp(pass, "a share of the split is no URL: "+shown(s.s))
			return
		}
		sent, host := e.sent(t, true, pass.Parent), e.upstreamHost(t, pass)
		if i == 0 {
			e.ans.Sent, e.ans.Host = sent, host
		} else if sent != e.ans.Sent || host != e.ans.Host {
			e.ans.Caveats = append(e.ans.Caveats, "what the upstreams get differs between the shares")
		}
		e.ans.Split = append(e.ans.Split, Share{Upstream: t.upstream, Percent: s.percent})
	}
}

// target is what a proxy_pass URL names.
type target struct {
	upstream string // host, with the port where it is written
	host     string // $proxy_host
	port     string
	uri      string // "" without one
}

func parseTarget(url string) (t target, ok bool) {
	rest, usual := "", ""
	switch l := lower(url); {
	case strings.HasPrefix(l, "http://"):
		rest, usual = url[7:], "80"
	case strings.HasPrefix(l, "https://"), strings.HasPrefix(l, "grpcs://"):
		rest, usual = url[8:], "443"
	case strings.HasPrefix(l, "grpc://"):
		rest, usual = url[7:], "80"
	default:
		return t, false
	}
	if path, isUnix := strings.CutPrefix(rest, "unix:"); isUnix {
		path, t.uri, _ = strings.Cut(path, ":")
		t.upstream, t.host = "unix:"+path, "localhost"
		return t, true
	}
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		rest, t.uri = rest[:at], rest[at:]
	}
	t.upstream, t.host, t.port = rest, rest, usual
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, ']') {
		t.port = rest[at+1:]
		if t.port == usual {
			t.host = rest[:at]
		}
	}
	return t, rest != "" && !strings.HasPrefix(rest, ":")
}

// sent is the request target that the upstream gets. variable says that the URL is
// put together for each request; then its URI is taken as it is.
func (e *run) sent(t target, variable bool, block *conf.Directive) string {
	uri := t.uri
	if strings.HasPrefix(uri, "?") && variable {
		uri = "/" + uri
	}
	if variable && uri != "" {
		return uri
	}
	if uri == "" && e.asSent {
		return e.line.raw
	}
	path, before := e.path, ""
	if uri != "" && !e.inPlace {
		before = uri
		if n := len(nameOf(block)); n <= len(path) {
			path = path[n:]
		}
	}
	if e.line.quoted || e.internal {
		path = escape(path, escapedInPath)
	}
	if e.args != "" {
		path += "?" + e.args
	}
	return before + path
}

// nameOf is the name of the location that a block is, or stands in: what a URI in
// proxy_pass replaces.
func nameOf(block *conf.Directive) string {
	for b := block; b != nil; b = b.Parent {
		if b.Name == "location" {
			if len(b.Args) == 1 {
				_, name := glued(b.Arg(0))
				return name
			}
			return b.Arg(1)
		}
	}
	return ""
}

// upstreamHost is the Host that the upstream gets; "" for none.
func (e *run) upstreamHost(t target, pass *conf.Directive) string {
	for _, d := range e.s.set.all(e.ctx, strings.TrimSuffix(pass.Name, "_pass")+"_set_header") {
		if lower(d.Arg(0)) != "host" {
			continue
		}
		e.vars["proxy_host"], e.vars["proxy_port"] = value{s: t.host}, value{s: t.port}
		v := e.fill(parseTemplate(d.Arg(1), false), false)
		if !v.known() {
			e.caveat(d, fmt.Sprintf("makes a Host that is not known: %s", v.unknown))
		}
		return v.s
	}
	return t.host
}
